/*
 * Every live task of a kernel, in the order of spawning, threaded through the
 * tasks themselves.
 */

import type { TaskRecord } from './record.ts';

export class Roster implements Iterable<TaskRecord> {
  oldest: TaskRecord | null = null;
  newest: TaskRecord | null = null;
  size = 0;

  add(record: TaskRecord): void {
    record.older = this.newest;
    if (this.newest === null) this.oldest = record;
    else this.newest.newer = record;
    this.newest = record;
    this.size++;
  }

  delete(record: TaskRecord): void {
    if (record.older === null) this.oldest = record.newer;
    else record.older.newer = record.newer;
    if (record.newer === null) this.newest = record.older;
    else record.newer.older = record.older;
    record.older = record.newer = null;
    this.size--;
  }

  /** Oldest first. What happens to the tasks meanwhile is no matter to the iteration. */
  [Symbol.iterator](): Iterator<TaskRecord> {
    const records: TaskRecord[] = [];
    for (let record = this.oldest; record !== null; record = record.newer) records.push(record);
    return records[Symbol.iterator]();
  }
}
