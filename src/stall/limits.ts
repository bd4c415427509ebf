/*
 * How long a task may run without blocking: those who want to be told while it still runs, and the tasks that are to be ended
 * then. All of this happens on the stack of the loop itself, which the watching thread has stopped for a moment.
 */

import { captureStack, type Frame, frameOf, isLibrary, userFrames } from '../base/stack.ts';
import { callingTask, pulse, type TaskRecord, tasksOf } from '../traps.ts';
import { condemn } from './condemn.ts';
import { offer } from './desk.ts';
import type { Place } from './hold.ts';
import { useWatch, type Watch } from './watch.ts';

/** Where in the pulse the id of the running task stands, and the number of turns. */
const TASK = 0;
const TURNS = 1;

/** Somebody who wants to know. */
export interface StallListener {
  /** After so many seconds. */
  readonly seconds: number;
  /** @param task null for code outside any task */
  stalled(task: TaskRecord | null, seconds: number, frames: Frame[]): void;
}

interface HardLimit {
  /** Of `performance.now()`. */
  deadline: number;
  expired(): string;
}

const listeners = new Set<StallListener>();
const told = new Set<StallListener>();
let toldTurn = 0;
const hardLimits = new Map<TaskRecord, HardLimit>();
let watch: Watch | null = null;

offer('pong', () => null);
offer('pulse', () => [...pulse]);
offer('place', () => heldPlace());
offer('stalled', (turn: number, seconds: number) => lookAround(turn, seconds));

/** What the stack shows of the user's code when the inspector asks from inside of it. */
export function heldFrames(): Frame[] {
  return userFrames(heldStack());
}

/** The stack of what has been stopped. */
function heldStack(): Error {
  const error = captureStack();
  // The question itself is a frame, too, and names the place where it was asked. What it called is ours.
  const lines = String(error.stack).split('\n');
  const asked = lines.map((line) => line.includes('<anonymous>:')).lastIndexOf(true);
  error.stack = lines.slice(asked + 1).join('\n');
  return error;
}

/** Where the thread has been stopped: in a hook of Node's, in Curio, or in the user's code. */
function heldPlace(): Place {
  const lines = String(heldStack().stack).split('\n');
  if (lines.some((line) => line.includes('node:internal/async_hooks:'))) return 'hook';
  const top = frameOf(lines[0] ?? '');
  return top !== null && isLibrary(top.file) ? 'curio' : 'user';
}

/** The task whose code has been stopped; null for code outside any task. */
export function heldTask(): TaskRecord | null {
  return callingTask() ?? tasksOf().find((task) => task.id === pulse[TASK]) ?? null;
}

function lookAround(turn: number, seconds: number): { terminate: boolean; wait: number | null } {
  // It has gone on by itself.
  if (pulse[TURNS] !== turn) return { terminate: false, wait: null };
  const task = heldTask();
  if (toldTurn !== turn) told.clear();
  toldTurn = turn;
  tell(task, seconds);
  const limit = task === null ? undefined : hardLimits.get(task);
  const left = limit === undefined ? null : limit.deadline - performance.now();
  if (task !== null && limit !== undefined && left !== null && left <= 0) {
    condemn(task, limit.expired());
    return { terminate: true, wait: null };
  }
  return { terminate: false, wait: earliest(left, seconds) };
}

function tell(task: TaskRecord | null, seconds: number): void {
  const due = [...listeners].filter((it) => seconds >= it.seconds && !told.has(it));
  if (due.length === 0) return;
  const frames = heldFrames();
  for (const listener of due) {
    told.add(listener);
    listener.stalled(task, seconds, frames);
  }
}

/** Milliseconds until somebody is to be told, or ended. */
function earliest(left: number | null, seconds: number): number | null {
  const waits = [...listeners].filter((it) => !told.has(it)).map((it) => (it.seconds - seconds) * 1000);
  if (left !== null) waits.push(left);
  return waits.length === 0 ? null : Math.max(1, Math.min(...waits));
}

/** From now on `listener` is told of stalls, while they last. Gives what ends that. */
export function listenForStalls(listener: StallListener): () => void {
  listeners.add(listener);
  changed();
  return () => {
    listeners.delete(listener);
    changed();
  };
}

/** Ends `task` with `TaskKilled` if it does not block after `deadline`. Gives what takes that back. */
export function limitHard(task: TaskRecord, deadline: number, expired: () => string): () => void {
  hardLimits.set(task, { deadline, expired });
  changed();
  return () => {
    hardLimits.delete(task);
    changed();
  };
}

function changed(): void {
  if (watch === null && listeners.size + hardLimits.size === 0) return;
  // Kept from then on: who limits one operation limits the next one, too.
  watch ??= useWatch();
  const seconds = listeners.size === 0 ? null : Math.min(...[...listeners].map((it) => it.seconds));
  watch.send({ do: 'limits', seconds, hard: hardLimits.size > 0 });
}
