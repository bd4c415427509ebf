/*
 * `curio/thread`: async threads.
 */

export { AsyncThread, spawnThread, type ThreadOptions } from './async-thread.ts';
export { AWAIT, type InThread, isAsyncThread } from './await.ts';
