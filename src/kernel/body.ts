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
  let outcome: unknown;
  try {
    outcome = fn(...args);
  } catch (error) {
    // swallows: nothing; whatever ended the task, CancelledError included, is its outcome.
    return record.core.terminate(record, true, explained(error, fn));
  }
  void Promise.resolve(outcome).then(succeeded, failed);
}

// These find their task by the context they run in, and so are not made anew for each.
function succeeded(value: unknown): void {
  const record = callingTask() as TaskRecord;
  record.core.terminate(record, false, value);
}

function failed(error: unknown): void {
  const record = callingTask() as TaskRecord;
  record.core.terminate(record, true, explained(carried(error), record.fn));
}
