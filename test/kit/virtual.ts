// Runs a program on a virtual clock, and fails if it complains: a test that expects complaints takes a recorder. It must
// know nothing of Curio's insides.

import { type RunOptions, run } from 'curio';
import { VirtualClock } from 'curio/testing';
import { expect } from 'vitest';
import { recorder } from './recorder.ts';

/** Runs `main` in a kernel of its own; nothing sleeps really. */
export async function virtually<T>(
  main: () => T | PromiseLike<T>,
  options: RunOptions = {},
): Promise<Awaited<T>> {
  const log = recorder();
  const result = await run({ clock: new VirtualClock(), logger: log, ...options }, main);
  expect(log.lines).toEqual([]);
  return result;
}

/** The same for a program whose tasks crash on purpose, or are left over: what it complains about is not looked at. */
export function noisily<T>(main: () => T | PromiseLike<T>, options: RunOptions = {}): Promise<Awaited<T>> {
  return run({ clock: new VirtualClock(), logger: recorder(), ...options }, main);
}

/** What a promise is rejected with; fails if it is not. */
export async function thrownBy(promise: PromiseLike<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`Nothing was thrown; the promise gave ${String(value)}.`);
}
