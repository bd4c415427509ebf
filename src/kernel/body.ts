/*
 * The body of a task: the user's function, from the task's first turn to its end.
 */

import { becomeTask, callingTask } from './context.ts';
import type { TaskRecord } from './record.ts';

/** A task's first turn. */
export function start(record: TaskRecord): void {
  becomeTask(record);
  const { fn } = record;
  const args = record.args as never[];
  record.args = null;
  let outcome: Promise<unknown>;
  try {
    outcome = Promise.resolve(fn(...args));
    if (outcome.then !== Promise.prototype.then) outcome = adopt(outcome);
  } catch (error) {
    // swallows: nothing; whatever ended the task, CancelledError included, is its outcome.
    return record.core.terminate(record, true, error);
  }
  void outcome.then(succeeded, failed);
}

/** A promise with a then() of its own may throw there, or call back from another task. */
function adopt(promise: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(promise));
}

// These find their task by the context they run in, and so are not made anew for each.
function succeeded(value: unknown): void {
  const record = callingTask() as TaskRecord;
  record.core.terminate(record, false, value);
}

function failed(error: unknown): void {
  const record = callingTask() as TaskRecord;
  record.core.terminate(record, true, error);
}
