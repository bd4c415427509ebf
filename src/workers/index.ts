/*
 * `curio/workers`: work that is done outside the kernel's thread.
 */

export type { CallOptions } from './call.ts';
export { blockInThread, runInProcess, runInThread } from './elsewhere.ts';
export { type Executor, runInExecutor } from './executor.ts';
export { workerLimits } from './limits.ts';
export { moduleFunction } from './travel/module-function.ts';
