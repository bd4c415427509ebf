/*
 * The pools of each kernel: made when they are first needed, closed when the kernel shuts down.
 */

import { atShutdown, report, type TaskRecord } from '../traps.ts';
import { workerLimits } from './limits.ts';
import { Pool } from './pool.ts';
import { ProcessWorker, requireNode } from './process-worker.ts';
import { ThreadWorker } from './thread-worker.ts';

interface Pools {
  thread?: Pool;
  process?: Pool;
}

const pools = new WeakMap<object, Pools>();

/**
 * The pool of the kernel that a task belongs to.
 * @throws NotSupportedError where there can be no such workers
 */
export function poolOf(task: TaskRecord, kind: 'thread' | 'process'): Pool {
  const kernel = task.core;
  let own = pools.get(kernel);
  if (own === undefined) {
    own = {};
    pools.set(kernel, own);
  }
  let pool = own[kind];
  if (pool === undefined) {
    if (kind === 'process') requireNode();
    const complain = (text: string): void => report(task, 'warn', text);
    pool =
      kind === 'thread'
        ? new Pool(
            (listener) => new ThreadWorker(listener),
            () => workerLimits.threads,
            complain,
          )
        : new Pool(
            (listener) => new ProcessWorker(listener),
            () => workerLimits.processes,
            complain,
          );
    own[kind] = pool;
    const closing = pool;
    const mine = own;
    atShutdown(task, async () => {
      delete mine[kind];
      await closing.close();
    });
  }
  return pool;
}
