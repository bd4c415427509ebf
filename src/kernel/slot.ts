/*
 * Waiting lists for one task: the place where a task waits for a promise, and
 * the place where it waits for one direction of a descriptor or socket.
 */

import { RESUME_ERROR, RESUME_VALUE, type TaskRecord, type Waitable } from './record.ts';

/** Room for one waiting task, which something outside the kernel will wake. */
export class WaitSlot implements Waitable {
  task: TaskRecord | null = null;

  add(record: TaskRecord): void {
    this.task = record;
  }

  remove(): void {
    this.task = null;
  }

  /** Wakes the task, if one waits. False if none does. */
  wake(value?: unknown): boolean {
    return wakeIn(this, RESUME_VALUE, value);
  }

  /** Wakes the task with an error. False if none waits. */
  fail(error: unknown): boolean {
    return wakeIn(this, RESUME_ERROR, error);
  }
}

// No private method: an object with one is larger, and there is a slot for every connection.
function wakeIn(slot: WaitSlot, mode: number, value: unknown): boolean {
  const record = slot.task;
  if (record === null) return false;
  slot.task = null;
  record.core.wake(record, mode, value);
  return true;
}
