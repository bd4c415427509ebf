/*
 * Node's worker_threads, loaded when first asked for: few programs use a thread, and every program that imports
 * Curio would wait for it.
 */

type WorkerThreads = typeof import('node:worker_threads');

let loaded: WorkerThreads | undefined;

export function workerThreads(): WorkerThreads {
  loaded ??= process.getBuiltinModule('node:worker_threads');
  return loaded;
}
