/*
 * Waiting for the thread pool: the place where one task waits for what is under way there.
 */

import { begin, type Claim, RESUME_CLAIM, type TaskRecord, WaitSlot } from '../traps.ts';

export class PoolSlot extends WaitSlot implements Claim {
  readonly #left: (task: TaskRecord) => void;

  /** @param left told when the task waits no longer and has not been woken, or will not see that it was */
  constructor(left: (task: TaskRecord) => void) {
    super();
    this.#left = left;
  }

  /** Blocks a task here (`FUTURE_WAIT`). To be called right after `begin`. */
  suspend(task: TaskRecord, waitingFor: unknown): Promise<void> {
    if (task.core.observers?.traps) task.trap = { name: 'futureWait', args: [waitingFor] };
    return task.core.suspend(task, 'FUTURE_WAIT', this);
  }

  /** Wakes the task, if one waits. */
  done(): void {
    const { task } = this;
    this.task = null;
    task?.core.wake(task, RESUME_CLAIM, this);
  }

  override remove(): void {
    const { task } = this;
    super.remove();
    if (task !== null) this.#left(task);
  }

  /** @internal */
  take(): void {}

  /** @internal The task was woken, and ended before it ran. */
  refuse(task: TaskRecord): void {
    this.#left(task);
  }
}

/**
 * Waits for what `start` begins, in the name of an operation (`FUTURE_WAIT`). If there is a cancellation already, nothing is begun.
 *
 * @param left told when the task will not see the result
 */
export async function waitFor<T>(
  task: TaskRecord,
  operation: string,
  start: () => Promise<T>,
  left: (promise: Promise<T>) => void = () => {},
): Promise<T> {
  const refusal = begin(task, operation);
  if (refusal !== null) return refusal;
  const promise = start();
  const slot = new PoolSlot(() => left(promise));
  const done = () => slot.done();
  promise.then(done, done);
  await slot.suspend(task, promise);
  return promise;
}
