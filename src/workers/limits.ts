/*
 * How many workers a kernel may have.
 */

import { availableParallelism } from 'node:os';
import { describe } from '../base/callable.ts';

let threads = 64;
let processes = availableParallelism();

function checked(limit: number, name: string): number {
  if (limit === Number.POSITIVE_INFINITY || (Number.isInteger(limit) && limit >= 1)) return limit;
  throw new RangeError(`workerLimits.${name} is a whole number, 1 or more, not ${describe(limit)}.`);
}

/**
 * How many worker threads and processes one kernel uses at most. Further calls wait for their turn. To be changed before
 * the first call.
 *
 * @see Reference manual, "Blocking Operations and External Work" (`MAX_WORKER_THREADS`, `MAX_WORKER_PROCESSES`)
 */
export const workerLimits = {
  get threads(): number {
    return threads;
  },
  /** @throws RangeError for what is no whole number, 1 or more */
  set threads(limit: number) {
    threads = checked(limit, 'threads');
  },
  get processes(): number {
    return processes;
  },
  /** @throws RangeError for what is no whole number, 1 or more */
  set processes(limit: number) {
    processes = checked(limit, 'processes');
  },
};
