/*
 * `node:diagnostics_channel`: what tracing tools listen to. A message is made only while somebody listens.
 */

import { type Channel, channel } from 'node:diagnostics_channel';
import type { TaskRecord } from './record.ts';

const created: Channel = channel('curio:task:created');
const cancelled: Channel = channel('curio:task:cancelled');
const terminated: Channel = channel('curio:task:terminated');

/** `{ task, parent }`: a task has been made; it has not run yet. */
export function publishCreated(task: TaskRecord, parent: TaskRecord | null): void {
  if (created.hasSubscribers) created.publish({ task, parent });
}

/** `{ task, reason }`: somebody has asked the task to stop; `reason` is what is thrown into it. */
export function publishCancelled(task: TaskRecord, reason: unknown): void {
  if (cancelled.hasSubscribers) cancelled.publish({ task, reason });
}

/** `{ task, result }`, or `{ task, error }` if it failed. */
export function publishTerminated(task: TaskRecord): void {
  if (!terminated.hasSubscribers) return;
  terminated.publish(task.failed ? { task, error: task.outcome } : { task, result: task.outcome });
}
