/*
 * Running: the front of the kernel, wired together. `Kernel` shows users the one
 * verb there is; everything else happens in tasks.
 */

import { Activation } from './activation.ts';
import { type Callable, callable, isOptions } from './base/callable.ts';
import type { Logger } from './base/logger.ts';
import { schedtrace } from './debug.ts';
import { RuntimeError } from './errors.ts';
import type { Clock } from './kernel/clock.ts';
import { callingTask } from './kernel/context.ts';
import { Core } from './kernel/core.ts';
import type { TaskList } from './kernel/tasklist.ts';
import { Task } from './task.ts';

export type { Logger } from './base/logger.ts';
export type { Clock } from './kernel/clock.ts';

type ActivationLike = Activation | (new () => Activation);
type Debugger = ActivationLike | (() => Activation);

/** Options of `new Kernel()`. */
export interface KernelOptions {
  /** Debuggers of `curio/debug`: one, a list of them, or `true` for the scheduler trace. */
  debug?: boolean | Debugger | Debugger[];
  /** Scheduler activations; a class is instantiated at the first run. */
  activations?: ActivationLike[];
  /** Where time comes from. Default: real, monotonic time. */
  clock?: Clock;
  /** A subclass of `Task` to make tasks of. */
  taskClass?: typeof Task;
  /** Where crashes and warnings go. Default: standard error. */
  logger?: Logger;
  /** Capture a stack at each blocking operation, for `where()` and `traceback()`. Default: what CURIO_STACKS says. */
  stacks?: boolean;
  /** @internal */
  ready?: TaskList;
}

/** Options of `run()`. */
export interface RunOptions extends KernelOptions {
  /** Start the monitor together with the kernel. */
  withMonitor?: boolean | { host?: string; port?: number };
  /** Aborting it cancels the main task. */
  signal?: AbortSignal;
}

/** Options of `kernel.run()`. */
export interface KernelRunOptions {
  /** Cancel every task left and close the kernel when the main task has ended. */
  shutdown?: boolean;
  /** Aborting it cancels the main task. */
  signal?: AbortSignal;
}

/**
 * A runtime kernel, for running several main tasks one after the other. Between two runs the tasks left over
 * stand still; disposal shuts the kernel down.
 *
 * @see Reference manual, "Basic Execution"
 * @example
 * await using kernel = new Kernel();
 * await kernel.run(first);
 * await kernel.run(second);
 */
export class Kernel implements AsyncDisposable {
  readonly #core: Core;

  constructor(options: KernelOptions = {}) {
    const logger = options.logger;
    const activations = [...debuggers(options.debug ?? []), ...(options.activations ?? [])];
    this.#core = new Core({
      taskClass: options.taskClass ?? Task,
      clock: options.clock,
      logger,
      stacks: options.stacks ?? process.env['CURIO_STACKS'] === '1',
      activations: activations.map(instance),
      ready: options.ready,
    });
    this.#core.owner = this;
  }

  /**
   * Runs `fn(...args)` as the main task, and gives its result. Settles when that task has ended; without a function, after
   * one scheduling cycle of the tasks left over.
   *
   * @throws the main task's own exception, as it is
   * @throws DeadlockError when nothing can wake any task any more
   * @throws RuntimeError if the kernel is running, or has been shut down, or from inside a task
   * @see Reference manual, "Basic Execution"
   */
  run(): Promise<void>;
  run(options: KernelRunOptions): Promise<void>;
  run<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  run<A extends unknown[], T>(options: KernelRunOptions, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  run(...call: unknown[]): Promise<unknown> {
    const options = isOptions(call[0]) ? (call.shift() as KernelRunOptions) : {};
    const [target, ...args] = call;
    if (call.length > 0 && target !== undefined && target !== null) callable(target, 'run');
    return this.#run(options, target, args);
  }

  async #run(options: KernelRunOptions, target: unknown, args: unknown[]): Promise<unknown> {
    const core = this.#core;
    const caller = callingTask();
    if (caller !== undefined && !caller.terminated) {
      throw new RuntimeError('run() was called inside a task. Tasks start others with spawn(fn).');
    }
    if (core.active)
      throw new RuntimeError('This kernel is already running. Start further tasks inside it with spawn(fn).');
    if (core.closed) throw new RuntimeError('This kernel has been shut down. Make a new Kernel.');
    core.prepare();
    try {
      if (target === undefined || target === null) return options.shutdown ? undefined : await core.cycle();
      return await core.run(callable(target, 'run'), args, options.signal);
    } finally {
      if (options.shutdown) await core.shutdown();
    }
  }

  /** Shuts the kernel down: `run({ shutdown: true })`. Does nothing if that has been done. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#core.closed) await this.run({ shutdown: true });
  }
}

function debuggers(debug: boolean | Debugger | Debugger[]): Activation[] {
  if (debug === true) return [schedtrace()];
  if (debug === false) return [];
  return (Array.isArray(debug) ? debug : [debug]).map((entry) => instance(entry));
}

function instance(entry: Debugger): Activation {
  if (entry instanceof Activation) return entry;
  if (typeof entry !== 'function')
    throw new TypeError('An activation is an instance or a subclass of Activation.');
  return entry.prototype instanceof Activation
    ? new (entry as new () => Activation)()
    : (entry as () => Activation)();
}

/**
 * Runs `fn(...args)` as the main task of a kernel of its own, and gives its result. Settles when the main task
 * has ended and every task left over has been cancelled and has ended.
 *
 * @throws the main task's own exception, as it is
 * @throws DeadlockError when nothing can wake any task any more
 * @throws RuntimeError inside a task
 * @see Reference manual, "Basic Execution"
 * @example
 * await run(main, 'Guido');
 * await run({ debug: schedtrace }, main, 'Guido');
 */
export function run<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
export function run<A extends unknown[], T>(
  options: RunOptions,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
export function run(...call: unknown[]): Promise<unknown> {
  const options = isOptions(call[0]) ? (call.shift() as RunOptions) : {};
  const [target, ...args] = call;
  const fn = callable(target, 'run') as () => unknown;
  const { signal, withMonitor: _, ...kernelOptions } = options;
  return new Kernel(kernelOptions).run({ shutdown: true, signal }, fn, ...(args as []));
}
