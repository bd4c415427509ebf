/*
 * `curio/traps`: the traps of the reference manual, and nothing of what the
 * library's own modules share with them.
 */

export {
  type FileLike,
  ioWaiting,
  type Readiness,
  readWait,
  writeWait,
} from '../readiness.ts';
export {
  cancelTask,
  clock,
  futureWait,
  getCurrent,
  getKernel,
  schedulerWait,
  schedulerWake,
  setTimeout,
  sleep,
  unsetTimeout,
} from '../traps.ts';
