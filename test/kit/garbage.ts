// Collects garbage at a known moment, for tests of what is not held on to.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

/** Collects all garbage there is. */
export async function collectGarbage(): Promise<void> {
  // WeakRefs keep their targets until the current turn of the event loop is over.
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
}

/** Bytes of what is alive, or thought so without looking at what has grown old. */
export function youngHeap(): number {
  gc({ type: 'minor' });
  return process.memoryUsage().heapUsed;
}
