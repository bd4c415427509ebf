/*
 * Who is calling: the current task, carried by AsyncLocalStorage. It is the one
 * thing that stays right when a task also awaits promises that are not Curio's.
 */

import { AsyncLocalStorage } from 'node:async_hooks';
import type { TaskRecord } from './record.ts';

const storage = new AsyncLocalStorage<TaskRecord>();

/**
 * To be called before the first task is made. Until Node 24, entering a context for the first time also switches
 * on the hooks that contexts rely on, too late for the promises that exist by then.
 */
export function prepareContext(): void {
  storage.run({} as TaskRecord, () => {});
}

/** The task in whose context the caller runs, if any. */
export function callingTask(): TaskRecord | undefined {
  return storage.getStore();
}

/**
 * Makes `record` the current task for the rest of this microtask and all that follows
 * from it. To be called first thing in a microtask of the task's own: what was current
 * before is not restored.
 */
export function becomeTask(record: TaskRecord): void {
  storage.enterWith(record);
}

/** Runs `fn` outside any task, so that what it starts does not hold on to one. */
export function outsideTasks<T>(fn: () => T): T {
  // Not exit(), which until Node 24 switches all hooks off and on again.
  return storage.run(undefined as never, fn);
}
