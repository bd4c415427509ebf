/*
 * The kernel's sense of time, which can be replaced: `curio/testing` has a
 * clock that jumps instead of waiting.
 */

/** A source of time, in seconds. Hand one to `run({ clock })`. */
export interface Clock {
  /** The current time, in seconds; it never goes back. */
  now(): number;
  /**
   * Asks for `wake` to be called once, when `deadline` has come or shortly after, and
   * never before `schedule` has returned. Returns what takes the request back.
   * @param background true when this deadline alone is no reason to keep the process alive
   */
  schedule(deadline: number, wake: () => void, background?: boolean): () => void;
  /**
   * Optional. The kernel says that no task is ready, no deadline is set and nothing
   * outside is known that could wake a task. A clock that is sure about it calls
   * `declare`, and the run ends with a DeadlockError. Returns what takes it back.
   */
  stalled?(declare: () => void): () => void;
}

// Node's timers count milliseconds in a 32-bit number.
const LONGEST = 0x7fff_ffff;

/** Real, monotonic time. */
export const realClock: Clock = {
  now: () => performance.now() / 1000,
  schedule(deadline, wake, background = false) {
    // Rounded up: a timer that fires early would only have to be set again.
    const ms = Math.ceil(deadline * 1000 - performance.now());
    const timer = setTimeout(wake, Math.min(Math.max(ms, 1), LONGEST));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};
