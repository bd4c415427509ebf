/*
 * Every deadline of a kernel: a binary heap of tasks, ordered by the time at
 * which something must happen to them (a sleep ends, a timeout expires).
 * A task stands in it once, and knows where, so leaving costs O(log n) and
 * leaves nothing behind.
 */

import type { TaskRecord } from './record.ts';

export class Deadlines {
  readonly #heap: TaskRecord[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The next deadline; null if there is none. */
  get next(): number | null {
    return this.#heap.length === 0 ? null : (this.#heap[0] as TaskRecord).deadline;
  }

  /** Takes the task out whose deadline is next, if it has come. */
  takeDue(now: number): TaskRecord | null {
    const first = this.#heap[0];
    if (first === undefined || (first.deadline as number) > now) return null;
    this.remove(first);
    return first;
  }

  /** Enters a task, or moves it to another deadline. Equal deadlines come out in the order they were set. */
  set(record: TaskRecord, deadline: number): void {
    if (record.heapIndex >= 0) {
      if (record.deadline === deadline) return;
      this.remove(record);
    }
    record.deadline = deadline;
    record.deadlineOrder = ++this.#order;
    this.#heap.push(record);
    this.#rise(record, this.#heap.length - 1);
  }

  /** Takes a task out; harmless if it is not in. */
  remove(record: TaskRecord): void {
    const index = record.heapIndex;
    if (index < 0) return;
    record.heapIndex = -1;
    record.deadline = null;
    const last = this.#heap.pop() as TaskRecord;
    if (last === record) return;
    this.#sink(last, index);
    if (last.heapIndex === index) this.#rise(last, index);
  }

  #rise(record: TaskRecord, start: number): void {
    const heap = this.#heap;
    let index = start;
    while (index > 0) {
      const up = (index - 1) >> 1;
      const parent = heap[up] as TaskRecord;
      if (!before(record, parent)) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = up;
    }
    heap[index] = record;
    record.heapIndex = index;
  }

  #sink(record: TaskRecord, start: number): void {
    const heap = this.#heap;
    const length = heap.length;
    let index = start;
    for (;;) {
      let down = 2 * index + 1;
      if (down >= length) break;
      let child = heap[down] as TaskRecord;
      if (down + 1 < length && before(heap[down + 1] as TaskRecord, child))
        child = heap[++down] as TaskRecord;
      if (!before(child, record)) break;
      heap[index] = child;
      child.heapIndex = index;
      index = down;
    }
    heap[index] = record;
    record.heapIndex = index;
  }
}

function before(a: TaskRecord, b: TaskRecord): boolean {
  const difference = (a.deadline as number) - (b.deadline as number);
  return difference < 0 || (difference === 0 && a.deadlineOrder < b.deadlineOrder);
}

/** The earlier of two deadlines, of which either may be missing. */
export function earlier(a: number | null, b: number | null): number | null {
  if (a === null) return b;
  return b === null || a <= b ? a : b;
}
