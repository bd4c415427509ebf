/*
 * Which of the worker threads that this thread has started still run: what one of them was waiting for, or
 * had just been given, must not end with it.
 */

import { subscribe } from 'node:diagnostics_channel';
import type { Worker } from 'node:worker_threads';

const ended = new Map<number, Set<() => void>>();

// Workers do not say by themselves that they exist, and one may be told of an object long after it was started.
subscribe('worker_threads', (message) => {
  const { worker } = message as { worker: Worker };
  const { threadId } = worker;
  ended.set(threadId, new Set());
  worker.once('exit', () => {
    const told = ended.get(threadId) ?? [];
    ended.delete(threadId);
    for (const tell of told) tell();
  });
});

/** Calls back when a thread that this one has started ends. False if this thread knows of no such thread. */
export function whenThreadEnds(threadId: number, tell: () => void): boolean {
  const waiting = ended.get(threadId);
  waiting?.add(tell);
  return waiting !== undefined;
}
