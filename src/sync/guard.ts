/*
 * What `acquire()` gives: proof of holding something, to be disposed of.
 */

/** What a guard lets go of. */
interface Releasable {
  /** Lets go, from wherever the guard is disposed of. */
  letGo(guard: Guard): void;
}

/**
 * Held until it is disposed of: `await using _ = await lock.acquire()`. Disposing twice, or after an explicit
 * `release()` by way of the guard, does nothing.
 * @example
 * const guard = await lock.acquire();
 * try {
 *   // has the lock
 * } finally {
 *   guard.release();
 * }
 */
export class Guard implements Disposable, AsyncDisposable {
  #held: Releasable | null;

  /** @internal */
  constructor(held: Releasable) {
    this.#held = held;
  }

  /**
   * Releases what is held. Does not block.
   * @throws RuntimeError if it has been released behind the guard's back, with `lock.release()`
   */
  release(): void {
    const held = this.#held;
    this.#held = null;
    held?.letGo(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}
