/*
 * The one description of the tasks of a kernel: plain data, which can be cloned, sent to another thread or written as
 * JSON. The monitor, `top`, the dashboard, the REPL and whoever attaches from outside all show this and nothing else.
 *
 * Taking one costs about a microsecond a task, and nothing while nobody does.
 */

import type { Kernel } from '../run.ts';
import type { Task } from '../task.ts';
import { type TaskRecord, tasksOf, waitedFor } from '../traps.ts';

/** One task, as it is at the moment. */
export interface TaskSnapshot {
  id: number;
  /** The task that spawned it, which may have ended; null for a main task. */
  parentId: number | null;
  name: string;
  /** `'READY'`, `'RUNNING'`, or the name of its wait. */
  state: string;
  /** How many times it has been resumed. */
  cycles: number;
  /** Seconds left of its timeout, negative when it is overdue; null without one. */
  timeout: number | null;
  /** Seconds left to sleep; null if it does not sleep. */
  sleep: number | null;
  /** The operation it is blocked in, such as `'Lock.acquire()'`; empty if none is known. */
  operation: string;
  /** Where it called that, if stacks are captured. */
  where: [filename: string, line: number] | null;
  /** What it waits for, numbered, such as `'Lock#1'`; null where that is not a task's or an object's to bring. */
  waitingOn: string | null;
  /** The group it belongs to, numbered within the snapshot; null for none. */
  group: number | null;
  daemon: boolean;
  /** Somebody has asked it to stop. */
  cancelled: boolean;
}

/** All tasks of a kernel, or of all kernels of a thread. */
export interface Snapshot {
  pid: number;
  /** When it was taken, in seconds since 1970. */
  time: number;
  /** Oldest first. */
  tasks: TaskSnapshot[];
  /** The task whose turn it is; null while none runs. */
  running: number | null;
}

const groups = new WeakMap<object, number>();
let lastGroup = 0;

function groupNumber(group: object): number {
  let number = groups.get(group);
  if (number === undefined) {
    number = ++lastGroup;
    groups.set(group, number);
  }
  return number;
}

/** Describes the tasks of `kernel`, or of every kernel that runs in this thread. */
export function takeSnapshot(kernel?: Kernel): Snapshot {
  const records = tasksOf(kernel);
  const tasks = records.map(describeTask);
  const running = records.find((record) => record.core.running === record);
  return { pid: process.pid, time: Date.now() / 1000, tasks, running: running?.id ?? null };
}

function describeTask(record: TaskRecord): TaskSnapshot {
  const now = record.core.clock.now();
  const blocked = record.waiting || record.state === 'PROMISE_WAIT';
  return {
    id: record.id,
    parentId: record.parentId,
    name: record.name,
    state: record.state,
    cycles: record.cycles,
    timeout: record.timeoutAt === null ? null : record.timeoutAt - now,
    sleep: record.sleepUntil === null ? null : record.sleepUntil - now,
    operation: record.promise === null ? '' : record.operation,
    where: record.stack === null ? null : (record as Task<unknown>).where(),
    waitingOn: blocked ? waitedFor(record) : null,
    group: record.onEnd === null ? null : groupNumber(record.onEnd),
    daemon: record.daemon,
    cancelled: record.cancelled,
  };
}

type Columns = { [Key in keyof TaskSnapshot]: TaskSnapshot[Key][] };

/** A snapshot as it travels from thread to thread: a list for each thing known of tasks. Thousands of objects take four times as long. */
export interface PackedSnapshot extends Omit<Snapshot, 'tasks'> {
  columns: Columns;
}

export function packSnapshot({ tasks, ...about }: Snapshot): PackedSnapshot {
  return {
    ...about,
    columns: {
      id: tasks.map((task) => task.id),
      parentId: tasks.map((task) => task.parentId),
      name: tasks.map((task) => task.name),
      state: tasks.map((task) => task.state),
      cycles: tasks.map((task) => task.cycles),
      timeout: tasks.map((task) => task.timeout),
      sleep: tasks.map((task) => task.sleep),
      operation: tasks.map((task) => task.operation),
      where: tasks.map((task) => task.where),
      waitingOn: tasks.map((task) => task.waitingOn),
      group: tasks.map((task) => task.group),
      daemon: tasks.map((task) => task.daemon),
      cancelled: tasks.map((task) => task.cancelled),
    },
  };
}

export function unpackSnapshot({ columns, ...about }: PackedSnapshot): Snapshot {
  const tasks = columns.id.map(
    (id, n): TaskSnapshot => ({
      id,
      parentId: columns.parentId[n]!,
      name: columns.name[n]!,
      state: columns.state[n]!,
      cycles: columns.cycles[n]!,
      timeout: columns.timeout[n]!,
      sleep: columns.sleep[n]!,
      operation: columns.operation[n]!,
      where: columns.where[n]!,
      waitingOn: columns.waitingOn[n]!,
      group: columns.group[n]!,
      daemon: columns.daemon[n]!,
      cancelled: columns.cancelled[n]!,
    }),
  );
  return { ...about, tasks };
}
