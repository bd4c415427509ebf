/*
 * The timeouts a task stands in, innermost first. The kernel needs only two things
 * of them: to void them all when the task is cancelled, and to know which
 * AbortSignals end with which of them.
 */

export class TimeoutFrame {
  /** The frame around this one. */
  outer: TimeoutFrame | null;
  /** When this frame's own time is up, in seconds of the kernel's clock; Infinity for never. */
  readonly deadline: number;
  /** The deadline that was in force before, to be restored on leaving. */
  prior: number;
  /** Made when somebody inside asked for `currentSignal()`. */
  aborter: AbortController | null = null;

  constructor(outer: TimeoutFrame | null, deadline: number, prior: number) {
    this.outer = outer;
    this.deadline = deadline;
    this.prior = prior;
  }
}
