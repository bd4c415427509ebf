/*
 * What the kernels' thread answers when the monitor, or somebody who attached, asks about its tasks. It must not know how the
 * question came here, nor what is made of the answer.
 */

import { type Frame, userFrames } from '../base/stack.ts';
import { TaskCancelled, TaskKilled } from '../errors.ts';
import { condemn } from '../stall/condemn.ts';
import { offer } from '../stall/desk.ts';
import { heldFrames, heldTask } from '../stall/limits.ts';
import { killTask, requestCancel, suspendedStack, type TaskRecord, tasksOf } from '../traps.ts';
import { packSnapshot, takeSnapshot } from './snapshot.ts';
import { waitersOf } from './waiters.ts';

/** Where a task is. */
export interface Place {
  id: number;
  name: string;
  state: string;
  /** Most recent call last; the user's lines only. Null if it cannot be told now. */
  frames: Frame[] | null;
}

/** What the thread says that has been stopped in the middle of something. */
export interface Caught {
  /** The task that was running; null for code outside any task. */
  task: { id: number; name: string } | null;
  frames: Frame[];
}

/** What became of a request about one task. */
export type Outcome = 'done' | 'unknown' | 'ended' | 'asked before';

function find(id: number): TaskRecord | undefined {
  return tasksOf().find((record) => record.id === id);
}

async function where(id: number): Promise<Place | null> {
  const record = find(id);
  if (record === undefined) return null;
  const error = await suspendedStack(record);
  return placeOf(record, error);
}

/** The same at once: only stacks that were captured are there then. */
function whereNow(id: number): Place | null {
  const record = find(id);
  if (record === undefined) return null;
  return record === heldTask()
    ? { ...placeOf(record, null), frames: heldFrames().reverse() }
    : placeOf(record, record.stack);
}

export function placeOf({ id, name, state }: TaskRecord, stack: Error | null): Place {
  return { id, name, state, frames: stack === null ? null : userFrames(stack).reverse() };
}

function caught(): Caught {
  const task = heldTask();
  return { task: task === null ? null : { id: task.id, name: task.name }, frames: heldFrames().reverse() };
}

function cancel(id: number): Outcome {
  const record = find(id);
  if (record === undefined) return 'unknown';
  const cause = new Error('Somebody cancelled the task in the monitor.');
  const reason = new TaskCancelled(undefined, { cause });
  // How the order came here says nothing to those who read it in the log.
  for (const error of [cause, reason]) error.stack = String(error);
  return requestCancel(record, reason, null) ? 'done' : 'asked before';
}

const REASON = 'Somebody killed the task in the monitor.';

function kill(id: number): Outcome {
  const record = find(id);
  if (record === undefined) return 'unknown';
  const killed = new TaskKilled(REASON);
  killed.stack = String(killed);
  return killTask(record, killed) ? 'done' : 'ended';
}

/** Whether the stack at hand is this task's; what is on it is about to be thrown away then. */
function condemnCaught(id: number): boolean {
  const task = heldTask();
  if (task === null || task.id !== id) return false;
  condemn(task, REASON);
  return true;
}

let opened = false;

/** From now on this thread answers. Costs next to nothing, and so is done for every kernel that runs. */
export function openDesk(): void {
  if (opened) return;
  opened = true;
  offer('present', () => true);
  offer('snapshot', () => packSnapshot(takeSnapshot()));
  offer('waiters', () => waitersOf(tasksOf()));
  offer('where', where);
  offer('where now', whereNow);
  offer('caught', caught);
  offer('cancel', cancel);
  offer('kill', kill);
  offer('condemn', condemnCaught);
}
