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
    return this.#wake(RESUME_VALUE, value);
  }

  /** Wakes the task with an error. False if none waits. */
  fail(error: unknown): boolean {
    return this.#wake(RESUME_ERROR, error);
  }

  #wake(mode: number, value: unknown): boolean {
    const record = this.task;
    if (record === null) return false;
    this.task = null;
    record.core.wake(record, mode, value);
    return true;
  }
}
