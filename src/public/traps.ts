/*
 * `curio/traps`: the traps of the reference manual, and nothing of what the
 * library's own modules share with them.
 */

export {
  cancelTask,
  clock,
  type FileLike,
  futureWait,
  getCurrent,
  getKernel,
  ioWaiting,
  type Readiness,
  readWait,
  schedulerWait,
  schedulerWake,
  setTimeout,
  sleep,
  unsetTimeout,
  writeWait,
} from '../traps.ts';
