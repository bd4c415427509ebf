/*
 * What `blocking()` gives: the raw object in blocking mode for as long as a block lasts.
 */

/** A raw object in blocking mode; disposal ends the mode. */
export class Blocking<R> implements Disposable {
  readonly raw: R;
  #leave: (() => void) | null;

  private constructor(raw: R, leave: () => void) {
    this.raw = raw;
    this.#leave = leave;
  }

  /** Enters the mode: for the length of `fn`, or without one until disposal. */
  static open<R, T>(
    enterMode: () => R,
    leaveMode: () => void,
    fn: ((raw: R) => T | PromiseLike<T>) | undefined,
  ): Blocking<R> | Promise<T> {
    if (fn === undefined) return new Blocking(enterMode(), leaveMode);
    return Blocking.#during(enterMode, leaveMode, fn);
  }

  static async #during<R, T>(
    enterMode: () => R,
    leaveMode: () => void,
    fn: (raw: R) => T | PromiseLike<T>,
  ): Promise<T> {
    const raw = enterMode();
    try {
      return await fn(raw);
    } finally {
      leaveMode();
    }
  }

  /** Ends the mode; a second call does nothing. */
  [Symbol.dispose](): void {
    const leave = this.#leave;
    this.#leave = null;
    leave?.();
  }
}
