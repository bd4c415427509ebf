// Runs a function in an async thread of a kernel of its own.

import { type RunOptions, run, spawnThread } from 'curio';
import { expect } from 'vitest';
import { recorder } from './recorder.ts';

/** Gives the function's result; fails if the run complains. */
export async function inThread<A extends unknown[], T>(
  fn: (...args: A) => T | PromiseLike<T>,
  ...args: A
): Promise<Awaited<T>> {
  const log = recorder();
  // A clock that jumps would not wait for a thread that computes.
  const options: RunOptions = { logger: log };
  const result = await run(options, async () => {
    const thread = await spawnThread(fn, ...args);
    return await thread.join();
  });
  expect(log.lines).toEqual([]);
  return result;
}
