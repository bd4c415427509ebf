/*
 * Tasks that wait for an ordinary promise.
 *
 * A promise cannot be unsubscribed from: what `then` was given stays on it until it settles, and with it
 * the task in whose context that was. So each promise gets one subscription, made outside any task, and the
 * tasks stand in a line of ours, which they leave when they are cancelled.
 */

import { outsideTasks } from './context.ts';
import type { TaskRecord } from './record.ts';
import { WaitSlot } from './slot.ts';

type Line = Set<FutureSlot>;

const lines = new WeakMap<PromiseLike<unknown>, Line>();

/** The place of one task in a line. */
class FutureSlot extends WaitSlot {
  readonly promise: PromiseLike<unknown>;
  readonly line: Line;

  constructor(promise: PromiseLike<unknown>, line: Line) {
    super();
    this.promise = promise;
    this.line = line;
  }

  override add(record: TaskRecord): void {
    super.add(record);
    this.line.add(this);
  }

  override remove(): void {
    super.remove();
    this.line.delete(this);
  }
}

function isPlain(promise: PromiseLike<unknown>): boolean {
  return promise instanceof Promise && promise.then === Promise.prototype.then;
}

/** Blocks a task until `promise` settles; to be called right after `beginBlocking`. */
export function waitForPromise<T>(record: TaskRecord, promise: PromiseLike<T>): Promise<T> {
  // A thenable that is no promise may do its work again at each then(): each task asks it on its own.
  const shared = isPlain(promise);
  const known = shared ? lines.get(promise) : undefined;
  const line: Line = known ?? new Set();
  if (shared) lines.set(promise, line);
  const result = record.core.suspend<T>(record, 'FUTURE_WAIT', new FutureSlot(promise, line));
  // Only now: a thenable may call back at once, and must find the task waiting.
  if (!shared) subscribe(promise, line);
  else if (known === undefined) outsideTasks(() => subscribe(promise, line));
  return result;
}

/** The subscription of a promise may have been lost in the moment it settled. Asking twice does no harm: who has been told has left. */
export function subscribeAgain(record: TaskRecord): void {
  const slot = record.waitingIn;
  if (!(slot instanceof FutureSlot) || !isPlain(slot.promise)) return;
  outsideTasks(() => subscribe(slot.promise, slot.line));
}

function subscribe(promise: PromiseLike<unknown>, line: Line): void {
  const settle = (wake: (slot: FutureSlot) => void) => {
    lines.delete(promise);
    const waiting = [...line];
    line.clear();
    for (const slot of waiting) wake(slot);
  };
  const fail = (error: unknown) => settle((slot) => slot.fail(error));
  try {
    promise.then((value) => settle((slot) => slot.wake(value)), fail);
  } catch (error) {
    // swallows: nothing; a thenable that throws from then() has failed.
    fail(error);
  }
}
