// Collects garbage at a known moment, for tests of what is not held on to.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects all garbage there is. */
export async function collectGarbage(): Promise<void> {
  // WeakRefs keep their targets until the current turn of the event loop is over.
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
}
