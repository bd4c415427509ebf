/*
 * Scheduling primitives: waiting lists from which to build locks, events and
 * the like of one's own. See the reference manual for an Event made of one.
 */

import { describe } from './base/callable.ts';
import { schedulerWait, schedulerWake, TaskList } from './traps.ts';

/**
 * Base class of the scheduling primitives: a list of tasks that wait in it.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export abstract class SchedBase extends TaskList {
  /**
   * Suspends the calling task here. Blocks; `reason` becomes the task's state name. Gives the value it is woken with.
   *
   * **Cancellation:** the task leaves the list. One that has been woken stays so; the cancellation hits its next operation.
   * @throws TypeError if `reason` is no string
   */
  suspend(reason: string): Promise<unknown> {
    if (typeof reason !== 'string')
      throw new TypeError(
        `suspend() wants the name of a state, such as 'LOCK_ACQUIRE', not ${describe(reason)}.`,
      );
    return schedulerWait(this, reason);
  }

  /** Wakes up to `n` tasks, in the order they came. Does not block. */
  abstract wake(n?: number): Promise<void>;
}

/**
 * Wakes tasks one by one, in the order they came: for locks and queues.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export class SchedFIFO extends SchedBase {
  /** Wakes up to `n` tasks, one by default. Does not block. */
  override wake(n = 1): Promise<void> {
    return schedulerWake(this, n);
  }
}

/**
 * Wakes all tasks together: for events.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export class SchedBarrier extends SchedBase {
  /** Wakes up to `n` tasks, all by default. Does not block. */
  override wake(n = this.length): Promise<void> {
    return schedulerWake(this, n);
  }
}
