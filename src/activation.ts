/*
 * Scheduler activations: the hooks by which debuggers and the monitor see tasks
 * come, run, stop and go. Only the shape lives here; the kernel makes the calls.
 */

import type { Kernel } from './run.ts';
import type { Task } from './task.ts';

/** A low-level operation that a task asked of the kernel: its name in `curio/traps`, and its arguments. */
export interface Trap {
  name: string;
  args: unknown[];
}

/**
 * Base class for scheduler activations; override the methods you need.
 *
 * The methods run inside the kernel, between two steps of tasks: they must not
 * block, and what they throw is logged and goes no further. Hand instances (or
 * classes, instantiated at the first run) to `run({ activations: [...] }, …)`.
 *
 * @see Reference manual, "Scheduler Activations"
 * @example
 * class LongBlock extends Activation {
 *   #start = 0;
 *   override running(): void {
 *     this.#start = performance.now();
 *   }
 *   override suspended(task: Task): void {
 *     const ms = performance.now() - this.#start;
 *     if (ms > 50) console.log(`Long blocking in ${task.name}: ${ms} ms`);
 *   }
 * }
 */
export class Activation {
  /** Called once for each kernel, when it first runs. */
  activate(_kernel: Kernel): void {}
  /** A task was created; it has not run yet. */
  created(_task: Task<unknown>): void {}
  /** The task is about to run, until it blocks or ends. */
  running(_task: Task<unknown>): void {}
  /** The task has stopped running; `trap` is the operation it blocks on, or null when it ended or awaits an ordinary promise. */
  suspended(_task: Task<unknown>, _trap: Trap | null): void {}
  /** The task has ended. `suspended` was called just before. */
  terminated(_task: Task<unknown>): void {}
}
