/*
 * What the kernel knows of a task: how to resume it, what it waits for, when
 * its time is up, what became of it. `Task` (task.ts) is this record with the
 * methods users call.
 *
 * The fields are plain and public because the kernel's hot path lives on them;
 * outside kernel/ and traps.ts only the documented ones are anybody's business.
 */

import { type AnyFunction, functionName } from '../base/callable.ts';
import { shortText } from '../base/stack.ts';
import { CancelledError, TaskError } from '../errors.ts';
import type { Core } from './core.ts';
import type { TaskList } from './tasklist.ts';
import type { TimeoutFrame } from './timeouts.ts';

/** The state names of the seeds, and whatever a scheduling primitive of the user's own calls its wait. */
export type TaskState =
  | 'INITIAL'
  | 'READY'
  | 'RUNNING'
  | 'TERMINATED'
  | 'TIME_SLEEP'
  | 'TASK_JOIN'
  | 'READ_WAIT'
  | 'WRITE_WAIT'
  | 'FUTURE_WAIT'
  | 'PROMISE_WAIT'
  | 'SIGNAL_WAIT'
  | 'EVENT_WAIT'
  | 'LOCK_ACQUIRE'
  | 'SEMA_ACQUIRE'
  | 'COND_WAIT'
  | 'QUEUE_GET'
  | 'QUEUE_PUT'
  | 'QUEUE_JOIN'
  | (string & {});

/** What a waiting list belongs to: a lock, a queue, a task. Reports ask; nothing else does. */
export interface Subject {
  toString(): string;
  /** @internal The tasks of which one must act before a waiting task goes on; left out where any task may. */
  holders?(): Iterable<TaskRecord>;
}

/** Something a task can wait in: the kernel enters the task, and takes it out when it is cancelled. */
export interface Waitable {
  /** For reports. */
  readonly subject?: Subject | null;
  add(record: TaskRecord): void;
  remove(record: TaskRecord): void;
}

/**
 * What a woken task was chosen for. The thing stays reserved until the task's
 * turn, when `take` hands it over; `refuse` passes it on if the task ended instead.
 */
export interface Claim {
  take(record: TaskRecord): unknown;
  refuse(record: TaskRecord): void;
}

/** How a woken task goes on. */
export const RESUME_VALUE = 0;
export const RESUME_ERROR = 1;
export const RESUME_CLAIM = 2;

let lastId = 0;

// A `Claim`, too: the tasks that join it are woken with it.
export class TaskRecord {
  /** A positive number, increasing over the life of the process, shared by all kernels. */
  readonly id: number;
  /** The id of the task that spawned this one; null for a main task. */
  readonly parentId: number | null;
  /** The name of the function the task runs, unless `spawn({ name })` gave another. */
  readonly name: string;
  /** True for a task that is never joined and whose result nobody wants. */
  readonly daemon: boolean;
  /** The function the task runs. */
  readonly fn: AnyFunction;
  /** What the task is doing: `'READY'`, `'RUNNING'`, `'TERMINATED'`, or the name of its wait. */
  state: TaskState = 'INITIAL';
  /** How many times the task has been resumed. */
  cycles = 0;
  /** True once somebody asked for this task's cancellation. */
  cancelled = false;

  /** @internal */ readonly core: Core;
  /** @internal */ args: readonly unknown[] | null;

  // The list the task stands in (a waiting list, or the ready queue), and its neighbours there.
  /** @internal */ list: TaskList | null = null;
  /** @internal */ prev: TaskRecord | null = null;
  /** @internal */ next: TaskRecord | null = null;

  // Its neighbours among all tasks of the kernel.
  /** @internal */ older: TaskRecord | null = null;
  /** @internal */ newer: TaskRecord | null = null;

  // The operation it is blocked in: the promise and what settles it, where the task waits, what to call it.
  /** @internal */ promise: Promise<unknown> | null = null;
  /** @internal */ resolve: ((value: unknown) => void) | null = null;
  /** @internal */ waitingIn: Waitable | null = null;
  /** @internal */ operation = '';
  /** @internal */ stack: Error | null = null;
  /** @internal */ trap: { name: string; args: unknown[] } | null = null;

  // How it goes on at its next turn.
  /** @internal */ resumeMode = RESUME_VALUE;
  /** @internal */ resumeWith: unknown = undefined;

  // Time. `deadline` is the key under which the task stands in the heap. Null where there is none: a number
  // of its own in each of these would make every task larger.
  /** @internal */ sleepUntil: number | null = null;
  /** @internal */ timeoutAt: number | null = null;
  /** @internal */ deadline: number | null = null;
  /** @internal */ deadlineOrder = 0;
  /** @internal */ heapIndex = -1;
  /** @internal */ timeouts: TimeoutFrame | null = null;

  // Cancellation.
  /** @internal */ pending: unknown = null;
  /** @internal */ shield = 0;

  // The end.
  /** @internal */ failed = false;
  /** @internal */ outcome: unknown = undefined;
  /** @internal */ joined = false;
  /** @internal */ missed = false;
  /** @internal */ hidden = false;
  /** @internal */ joiners: TaskList | null = null;
  /** @internal */ waiters: TaskList | null = null;
  /** @internal */ onEnd: {
    taskDone(record: TaskRecord): void;
    taskJoined(record: TaskRecord): void;
    /** Asked before a crash is reported: true if it is no crash to whoever watches the task. */
    excuses?(record: TaskRecord): boolean;
  } | null = null;

  // Values of `Local` objects, copied at spawn. Null while there are none.
  /** @internal */ locals: Map<object, object> | null = null;

  /** @internal */
  constructor(
    core: Core,
    parent: TaskRecord | null,
    fn: AnyFunction,
    args: readonly unknown[],
    daemon: boolean,
    name?: string,
  ) {
    this.id = ++lastId;
    this.core = core;
    this.parentId = parent === null ? null : parent.id;
    this.fn = fn;
    this.args = args;
    this.daemon = daemon;
    this.name = name ?? functionName(fn);
    if (parent !== null && parent.locals !== null) this.locals = copyLocals(parent.locals);
  }

  /** True once the task has ended. */
  get terminated(): boolean {
    return this.state === 'TERMINATED';
  }

  /**
   * True from the beginning of a wait until the task has been chosen.
   * @internal
   */
  get waiting(): boolean {
    return this.promise !== null && this.state !== 'READY' && this.state !== 'RUNNING';
  }

  /**
   * What a task that joined this one gets, at its turn.
   * @internal
   */
  take(): unknown {
    if (!this.failed) return this.outcome;
    const { outcome } = this;
    // The text of a cancellation that nobody gave one is its name, which says nothing here.
    const plain = this.cancelled && outcome instanceof CancelledError && outcome.message === outcome.name;
    const what = plain ? 'was cancelled' : `failed: ${shortText(outcome)}`;
    throw new TaskError(`Task(id=${this.id}, name='${this.name}') ${what}`, { cause: outcome });
  }

  /** @internal */
  refuse(): void {}
}

/** What the kernel makes tasks with: `Task`, or the `taskClass` of the run. */
export type TaskClass = new (
  core: Core,
  parent: TaskRecord | null,
  fn: AnyFunction,
  args: readonly unknown[],
  daemon: boolean,
  name?: string,
) => TaskRecord;

/** A child starts with its parent's values; what either sets later stays its own. */
function copyLocals(locals: Map<object, object>): Map<object, object> {
  const copy = new Map<object, object>();
  for (const [local, values] of locals) copy.set(local, Object.assign(Object.create(null), values));
  return copy;
}
