/*
 * How many workers a kernel may have.
 */

import { availableParallelism } from 'node:os';

/**
 * How many worker threads and processes one kernel uses at most. Further calls wait for their turn. To be changed before
 * the first call.
 *
 * @see Reference manual, "Blocking Operations and External Work" (`MAX_WORKER_THREADS`, `MAX_WORKER_PROCESSES`)
 */
export const workerLimits: { threads: number; processes: number } = {
  threads: 64,
  processes: availableParallelism(),
};
