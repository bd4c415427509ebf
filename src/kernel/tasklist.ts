/*
 * An ordered list of tasks, threaded through the tasks themselves: entering,
 * leaving from anywhere and taking the first are all O(1) and allocate nothing.
 * A task stands in one list at a time. The ready queue is one; so is every
 * waiting list.
 */

import type { Subject, TaskRecord, Waitable } from './record.ts';

export class TaskList implements Waitable {
  first: TaskRecord | null = null;
  last: TaskRecord | null = null;
  length = 0;
  readonly subject: Subject | null;

  /** @param subject what the tasks wait for here, for reports */
  constructor(subject: Subject | null = null) {
    this.subject = subject;
  }

  /** Appends a task. */
  add(record: TaskRecord): void {
    record.list = this;
    record.prev = this.last;
    if (this.last === null) this.first = record;
    else this.last.next = record;
    this.last = record;
    this.length++;
  }

  /** Puts a task in front. */
  unshift(record: TaskRecord): void {
    record.list = this;
    record.next = this.first;
    if (this.first === null) this.last = record;
    else this.first.prev = record;
    this.first = record;
    this.length++;
  }

  /** Takes a task out; harmless if it is not in this list. */
  remove(record: TaskRecord): void {
    if (record.list !== this) return;
    if (record.prev === null) this.first = record.next;
    else record.prev.next = record.next;
    if (record.next === null) this.last = record.prev;
    else record.next.prev = record.prev;
    record.list = record.prev = record.next = null;
    this.length--;
  }

  /** Takes the first task out. */
  shift(): TaskRecord | null {
    const record = this.first;
    if (record === null) return null;
    const next = record.next;
    this.first = next;
    if (next === null) this.last = null;
    else next.prev = null;
    record.list = record.next = null;
    this.length--;
    return record;
  }
}
