/*
 * The body of a task: the user's function, from the task's first turn to its end.
 */

import { explained } from '../base/unbound.ts';
import { becomeTask, callingTask } from './context.ts';
import type { TaskRecord } from './record.ts';
import { carried } from './timeouts.ts';

/** A task's first turn. */
export function start(record: TaskRecord): void {
  becomeTask(record);
  const { fn } = record;
  const args = record.args as never[];
  record.args = null;
  let outcome: Promise<unknown>;
  try {
    outcome = Promise.resolve(fn(...args));
    if (outcome.then !== Promise.prototype.then) outcome = ordinary(outcome);
  } catch (error) {
    // swallows: nothing; whatever ended the task, CancelledError included, is its outcome.
    return record.core.terminate(record, true, explained(error, fn));
  }
  void outcome.then(succeeded, failed);
}

/** For a promise with a then() of its own, which may throw there, or call back from another task. */
function ordinary(strange: Promise<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(strange));
}

// These find their task by the context they run in, and so are not made anew for each.
function succeeded(value: unknown): void {
  const record = callingTask() as TaskRecord;
  record.core.terminate(record, false, value);
}

function failed(error: unknown): void {
  const record = callingTask() as TaskRecord;
  record.core.terminate(record, true, explained(carried(error, record), record.fn));
}
