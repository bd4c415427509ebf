/*
 * How an operation begins and ends. Each is written so: ask `enter` (does not block) or `begin` (may block) for the calling task; if
 * there is none return `refused`; do the work; return `pass` with the result, or `block`.
 *
 * It must not know which operations there are: they live above the wall, and find these in traps.ts.
 */

import { RuntimeError } from '../errors.ts';
import { callingTask } from './context.ts';
import { FREE_OPERATIONS } from './core.ts';
import type { TaskRecord, TaskState, Waitable } from './record.ts';
import { refuse } from './rejection.ts';
import { finishedError } from './reports.ts';

const DONE = Promise.resolve();

/** The calling task, for an operation that does not block; null if there is none, or it has ended. */
export function enter(): TaskRecord | null {
  const task = callingTask();
  return task?.core.beginFree(task) ? task : null;
}

/**
 * The same for operations that a task may do without end and without ever having to wait: the one that is about
 * to yield is refused while a cancellation is due, before it has done anything. `refused` then gives the cancellation.
 */
export function admit(): TaskRecord | null {
  const task = enter();
  return task === null || yieldsToCancellation(task) ? null : task;
}

/**
 * What `admit()` asks, for operations that may also be called outside a task: null, or the cancellation that is due, to be
 * returned before anything has been done.
 */
export function due(task: TaskRecord | null, operation: string): Promise<never> | null {
  return task !== null && yieldsToCancellation(task) ? refuse(task.core.takePending(task, operation)) : null;
}

function yieldsToCancellation(task: TaskRecord): boolean {
  const core = task.core;
  return (
    core.free >= FREE_OPERATIONS - 1 && core.running === task && task.pending !== null && task.shield === 0
  );
}

/**
 * The calling task, for an operation made of several; null if there is none, or it has ended.
 * @throws TaskBusyError if the task already waits in another operation
 */
export function enterComposite(operation: string): TaskRecord | null {
  const task = callingTask();
  return task?.core.beginComposite(task, operation) ? task : null;
}

/**
 * `admit()` for an operation made of several.
 * @throws TaskBusyError if the task already waits in another operation
 */
export function admitComposite(operation: string): TaskRecord | null {
  const task = enterComposite(operation);
  return task === null || yieldsToCancellation(task) ? null : task;
}

/**
 * Counts an operation made of several among those that need not wait, whatever it is made of. Null, mostly; for the one that
 * has to yield what it must wait for first, which may be a cancellation that is due.
 */
export function takeBreath(task: TaskRecord, operation: string): Promise<void> | null {
  const core = task.core;
  if (core.running !== task || ++core.free < FREE_OPERATIONS) return null;
  return begin(task, operation) ?? core.passSlowly(task, undefined);
}

/** What an operation returns when nobody may call it here. */
export function refused(operation: string): Promise<never> {
  const task = callingTask();
  if (task === undefined || task.terminated || !yieldsToCancellation(task))
    return refuse(outsideError(operation));
  return refuse(task.core.takePending(task, operation));
}

export function outsideError(operation: string): RuntimeError {
  const task = callingTask();
  if (task !== undefined) return finishedError(task, operation);
  return new RuntimeError(
    `${operation} was called outside a task. Start one with run(fn), and call it there.`,
  );
}

/** Before a task may block: null, or the rejection that the operation must return instead. */
export function begin(task: TaskRecord, operation: string): Promise<never> | null {
  return task.core.beginBlocking(task, operation);
}

/** Blocks the calling task in `waitable`; to be called right after `begin`. */
export function block<T>(task: TaskRecord, state: TaskState, waitable: Waitable): Promise<T> {
  if (task.core.observers?.traps) task.trap = { name: 'schedulerWait', args: [waitable, state] };
  return task.core.suspend(task, state, waitable);
}

/** The result of an operation that did not have to wait. */
export function pass<T>(task: TaskRecord, value: T): Promise<T> {
  const core = task.core;
  if (core.running === task && ++core.free < FREE_OPERATIONS) {
    return value === undefined ? (DONE as Promise<T>) : Promise.resolve(value);
  }
  return core.passSlowly(task, value);
}

/** The rejection of an operation that fails without having waited. It counts as one that need not wait. */
export function fail(task: TaskRecord, error: unknown): Promise<never> {
  const core = task.core;
  return core.running === task && ++core.free < FREE_OPERATIONS
    ? refuse(error)
    : core.failSlowly(task, error);
}

/** Tells activations about the trap at hand. Costs nothing while there are none. */
export function note(task: TaskRecord, name: string, args: unknown[]): void {
  if (task.core.observers?.traps) task.trap = { name, args };
}
