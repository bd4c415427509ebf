/*
 * Kernels, for who looks at them from outside any task: the monitor, the prompt, whoever attaches to the process, and what stops
 * code that does not end. Unlike tasks they name the kernel they mean, as users know it.
 */

import { type AnyFunction, describe } from '../base/callable.ts';
import { type LogLevel, logTo } from '../base/logger.ts';
import type { Kernel } from '../run.ts';
import { prepareContext } from './context.ts';
import { coreOf, liveCores } from './live.ts';
import type { TaskRecord } from './record.ts';

/** Every live task of one kernel, oldest first; of all that run in this thread if none is given. */
export function tasksOf(kernel?: Kernel): TaskRecord[] {
  if (kernel === undefined) return [...liveCores].flatMap((core) => [...core.tasks]);
  return [...(coreOf(kernel)?.tasks ?? [])];
}

/** Makes a task in a kernel that may not run yet. */
export function spawnIn(kernel: Kernel, name: string, fn: AnyFunction): TaskRecord {
  const core = coreOf(kernel);
  if (core === undefined) throw new TypeError(`This wants a Kernel, not ${describe(kernel)}.`);
  prepareContext();
  return core.spawn(null, fn, [], { daemon: true, name });
}

/** Logs with the logger of a kernel. */
export function reportIn(kernel: Kernel, level: LogLevel, message: string): void {
  const core = coreOf(kernel);
  if (core !== undefined) logTo(core.reports.logger, level, message);
}

/** Registers what a kernel must close when it shuts down, in order. */
export function whenShutDown(kernel: Kernel, hook: () => unknown): void {
  coreOf(kernel)?.hooks.push(hook);
}

/** To be called when code of this thread has been cut off, and every microtask with it. */
export function mendKernels(): void {
  for (const core of liveCores) core.mend();
}
