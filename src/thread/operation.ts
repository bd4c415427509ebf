/*
 * A call that an async thread has described and not made yet: what `queue.get()` gives there, for AWAIT to run.
 */

/** To be given to `AWAIT()`. In an async function of the thread's, `await` does the same. */
export class Operation<T = unknown> implements PromiseLike<T> {
  readonly #make: () => unknown;

  constructor(make: () => unknown) {
    this.#make = make;
  }

  /** Runs it in the kernel, and blocks the thread until it is done. */
  run(): T {
    return this.#make() as T;
  }

  // biome-ignore lint/suspicious/noThenProperty: it stands where the operation's promise would.
  then<A = T, B = never>(
    done?: ((value: T) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return new Promise<T>((resolve) => resolve(this.run())).then(done, failed);
  }
}
