/*
 * The one description of the tasks of a kernel: plain data, which can be cloned, sent to another thread or written as
 * JSON. The monitor, `top`, the dashboard, the REPL and whoever attaches from outside all show this and nothing else.
 *
 * Taking one costs about a microsecond a task, and nothing while nobody does.
 */

import type { Kernel } from '../run.ts';
import type { Task } from '../task.ts';
import { type TaskRecord, tasksOf, type Wait, type WaitGraph, waitGraph } from '../traps.ts';

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
  const waits = waitsById(waitGraph(records));
  const tasks = records.map((record) => describeTask(record, waits.get(record.id)));
  const running = records.find((record) => record.core.running === record);
  return { pid: process.pid, time: Date.now() / 1000, tasks, running: running?.id ?? null };
}

function waitsById(graph: WaitGraph): Map<number, Wait> {
  return new Map(graph.waits.map((wait) => [wait.id, wait]));
}

function describeTask(record: TaskRecord, wait: Wait | undefined): TaskSnapshot {
  const now = record.core.clock.now();
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
    waitingOn: wait?.on ?? null,
    group: record.onEnd === null ? null : groupNumber(record.onEnd),
    daemon: record.daemon,
    cancelled: record.cancelled,
  };
}
