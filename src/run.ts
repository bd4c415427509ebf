/*
 * Running: the front of the kernel, wired together. `Kernel` shows users the one
 * verb there is; everything else happens in tasks.
 */

import { Activation } from './activation.ts';
import { blocksAreAwaited } from './base/awaited.ts';
import { type Callable, callable, describe, isOptions, type Runner } from './base/callable.ts';
import { type Logger, logTo } from './base/logger.ts';
import { errorText } from './base/stack.ts';
import { schedtrace } from './debuggers.ts';
import { RuntimeError } from './errors.ts';
import type { Clock } from './kernel/clock.ts';
import { callingTask } from './kernel/context.ts';
import { Core } from './kernel/core.ts';
import { findCoresBy } from './kernel/live.ts';
import type { TaskClass } from './kernel/record.ts';
import { Runs } from './kernel/runs.ts';
import type { TaskList } from './kernel/tasklist.ts';
import type { MonitorOptions } from './monitor/monitor.ts';
import { makeReachable } from './monitor/reachable.ts';
import { type spawn, Task } from './task.ts';

export type { Logger } from './base/logger.ts';
export type { Clock } from './kernel/clock.ts';

type ActivationLike = Activation | (new () => Activation);
type Debugger = ActivationLike | (() => Activation);
/** Makes an activation that was given as a class, or hands over the one that was given. */
type Maker = () => Activation | Promise<Activation>;

/** Options of `new Kernel()`. */
export interface KernelOptions {
  /** Debuggers of `curio/debug`: one, a list of them, or `true` for the scheduler trace. */
  debug?: boolean | Debugger | readonly Debugger[] | undefined;
  /** Scheduler activations; a class is instantiated at the first run. */
  activations?: readonly ActivationLike[] | undefined;
  /** Where time comes from. Default: real, monotonic time. */
  clock?: Clock | undefined;
  /** A subclass of `Task` to make tasks of. */
  taskClass?: (new (...args: never[]) => Task) | undefined;
  /** Where crashes and warnings go. Default: standard error. */
  logger?: Logger | undefined;
  /** Capture a stack at each blocking operation, for `where()` and `traceback()`. Default: what CURIO_STACKS says. */
  stacks?: boolean | undefined;
  /** Write all that tasks do to this file, for ui.perfetto.dev and chrome://tracing. */
  record?: string | undefined;
  /** @internal */
  ready?: TaskList | undefined;
}

/** Options of `run()`. */
export interface RunOptions extends KernelOptions {
  /** Start the monitor together with the kernel. */
  withMonitor?: boolean | MonitorOptions | undefined;
  /** Aborting it cancels the main task. */
  signal?: AbortSignal | undefined;
}

/** Options of `kernel.run()`. */
export interface KernelRunOptions {
  /** Cancel every task left and close the kernel when the main task has ended. */
  shutdown?: boolean | undefined;
  /** Aborting it cancels the main task. */
  signal?: AbortSignal | undefined;
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
  static {
    blocksAreAwaited(this, 'A kernel shuts down');
    findCoresBy((kernel) => (Object(kernel) === kernel && #core in kernel ? kernel.#core : undefined));
  }

  readonly #core: Core;
  readonly #runs: Runs;
  #makers: Maker[] | null;
  /** From the call of `run()` until it settles: the main task, then the shutdown if one was asked for. */
  #busy = false;

  constructor(options: KernelOptions = {}) {
    const debug = options.debug === true ? schedtrace : options.debug || [];
    this.#makers = [
      ...asList(debug).map(debuggerMaker),
      ...asList(options.activations ?? []).map(activationMaker),
      ...recorders(options.record),
    ];
    this.#core = new Core({
      taskClass: checkTaskClass(options.taskClass ?? Task),
      clock: checkClock(options.clock),
      logger: options.logger,
      stacks: options.stacks ?? process.env.CURIO_STACKS === '1',
      ready: options.ready,
    });
    this.#core.owner = this;
    this.#runs = new Runs(this.#core);
  }

  /** One scheduling cycle of the tasks left over: each that is ready takes one turn. */
  run(): Promise<void>;
  /** The same, or with `{ shutdown: true }` the end of the kernel: every task left is cancelled and has ended. */
  run(options: KernelRunOptions): Promise<void>;
  /** A main task, with options: `kernel.run({ shutdown: true }, main)`. */
  run<A extends unknown[], T>(options: KernelRunOptions, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  /** With options, and something that runs functions elsewhere: `kernel.run({ shutdown: true }, runInThread, fn, ...args)`. */
  run<A extends unknown[], T>(
    options: KernelRunOptions,
    runner: Runner<A, T>,
    fn: Callable<A, T>,
    ...args: A
  ): Promise<Awaited<T>>;
  /** A new task, which takes its first turn in the next run: `const task = await kernel.run(spawn, fn, ...args)`. */
  run<A extends unknown[], T>(
    starter: typeof spawn,
    fn: Callable<A, T>,
    ...args: A
  ): Promise<Task<Awaited<T>>>;
  /** With something that runs functions elsewhere: `kernel.run(runInThread, fn, ...args)`. */
  run<A extends unknown[], T>(runner: Runner<A, T>, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  /**
   * Runs `fn(...args)` as the main task, and gives its result. Settles when that task has ended; without a function, after
   * one scheduling cycle of the tasks left over. It does not block the thread.
   *
   * @throws the main task's own exception, as it is
   * @throws DeadlockError when nothing can wake any task any more
   * @throws RuntimeError if the kernel is running, or has been shut down, or from inside a task
   * @see Reference manual, "Basic Execution"
   */
  run<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  run(...call: unknown[]): Promise<unknown> {
    const options = isOptions(call[0]) ? (call.shift() as KernelRunOptions) : {};
    const [target, ...args] = call;
    if (call.length > 0 && target !== undefined && target !== null) callable(target, 'run');
    checkSignal(options.signal);
    return this.#run(options, target, args);
  }

  async #run(options: KernelRunOptions, target: unknown, args: unknown[]): Promise<unknown> {
    const caller = callingTask();
    if (caller !== undefined && !caller.terminated) {
      throw new RuntimeError('run() was called inside a task. Tasks start others with spawn(fn).');
    }
    if (this.#busy)
      throw new RuntimeError('This kernel is already running. Start further tasks inside it with spawn(fn).');
    if (this.#runs.closed) throw new RuntimeError('This kernel has been shut down. Make a new Kernel.');
    this.#busy = true;
    try {
      if (this.#makers !== null) await this.#activate(this.#makers);
      return await this.#runAndShutDown(options, target, args);
    } finally {
      this.#busy = false;
    }
  }

  async #runAndShutDown(options: KernelRunOptions, target: unknown, args: unknown[]): Promise<unknown> {
    const core = this.#core;
    let result: unknown;
    try {
      if (target !== undefined && target !== null)
        result = await this.#runs.run(callable(target, 'run'), args, options.signal);
      else if (!options.shutdown) await this.#runs.cycle();
    } catch (error) {
      if (options.shutdown) {
        await this.#runs.shutdown().catch((late) => {
          // swallows: one error can come out of run(), and that is the main task's own.
          logTo(core.reports.logger, 'error', `Shutting down: ${errorText(late)}`);
        });
      }
      throw error;
    }
    if (options.shutdown) await this.#runs.shutdown();
    return result;
  }

  /** At the first run: makes the activations that were given as classes, and tells them all. */
  async #activate(makers: Maker[]): Promise<void> {
    makeReachable();
    const made: Activation[] = [];
    for (const make of makers) made.push(await make());
    this.#makers = null;
    this.#core.observe(made);
  }

  /** Shuts the kernel down: `run({ shutdown: true })`. Does nothing if that has been done. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#runs.closed) await this.run({ shutdown: true });
  }
}

function checkTaskClass(taskClass: unknown): TaskClass {
  if (taskClass === Task || (typeof taskClass === 'function' && taskClass.prototype instanceof Task))
    return taskClass as TaskClass;
  throw new TypeError(`taskClass wants a class that extends Task, not ${describe(taskClass)}.`);
}

function checkClock(clock: Clock | undefined): Clock | undefined {
  if (clock === undefined || (typeof clock?.now === 'function' && typeof clock.schedule === 'function'))
    return clock;
  throw new TypeError(
    `A clock has the methods now() and schedule(deadline, wake); ${describe(clock)} has not.`,
  );
}

function checkSignal(signal: AbortSignal | undefined): AbortSignal | undefined {
  if (signal === undefined || (typeof signal?.addEventListener === 'function' && 'aborted' in signal))
    return signal;
  throw new TypeError(`run({ signal }) wants an AbortSignal, not ${describe(signal)}.`);
}

function asList<T>(option: T | readonly T[]): readonly T[] {
  return Array.isArray(option) ? option : [option as T];
}

function recorders(path: string | undefined): Maker[] {
  if (path === undefined) return [];
  if (typeof path !== 'string' || path === '')
    throw new TypeError(`run({ record }) wants the name of a file, not ${describe(path)}.`);
  return [
    async () => {
      const { TraceRecorder } = await import('./recording/trace.ts');
      return new TraceRecorder(path);
    },
  ];
}

function activationMaker(entry: ActivationLike): Maker {
  if (entry instanceof Activation) return () => entry;
  if (entry === Activation || (typeof entry === 'function' && entry.prototype instanceof Activation)) {
    return () => new entry();
  }
  throw new TypeError(
    `An activation is an instance of a class that extends Activation, or that class itself, not ${describe(entry)}.`,
  );
}

function debuggerMaker(entry: Debugger): Maker {
  const wanted = 'A debugger is one of curio/debug, such as schedtrace, or an Activation';
  if (entry instanceof Activation) return () => entry;
  if (typeof entry !== 'function') throw new TypeError(`${wanted}, not ${describe(entry)}.`);
  if (entry === Activation || entry.prototype instanceof Activation)
    return activationMaker(entry as ActivationLike);
  const made = (entry as () => Activation)();
  if (made instanceof Activation) return () => made;
  throw new TypeError(`${wanted}; ${describe(entry)} gave ${describe(made)}.`);
}

/** With options: `run({ stacks: true }, main)`. */
export function run<A extends unknown[], T>(
  options: RunOptions,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
/** With options, and something that runs functions elsewhere: `run({ stacks: true }, runInThread, fn, ...args)`. */
export function run<A extends unknown[], T>(
  options: RunOptions,
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
/** With something that runs functions elsewhere: `run(runInThread, fn, ...args)`. */
export function run<A extends unknown[], T>(
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
// Discussion: the form without options comes last wherever there are two. It is the last that TypeScript takes when the
// function itself is handed on, as in `kernel.run(spawn, child)`, and that it blames when no form fits.
/**
 * Runs `fn(...args)` as the main task of a kernel of its own, and gives its result. Settles when the main task
 * has ended and every task left over has been cancelled and has ended. It does not block the thread: several kernels may run
 * side by side.
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
export function run(...call: unknown[]): Promise<unknown> {
  const options = isOptions(call[0]) ? (call.shift() as RunOptions) : {};
  const [target, ...args] = call;
  const fn = callable(target, 'run') as () => unknown;
  const { signal, withMonitor, ...kernelOptions } = options;
  const kernel = new Kernel(kernelOptions);
  const main = () => kernel.run({ shutdown: true, signal }, fn, ...(args as []));
  return (withMonitor ?? process.env.CURIOMONITOR === '1') ? monitored(kernel, withMonitor, main) : main();
}

async function monitored(
  kernel: Kernel,
  options: boolean | MonitorOptions | undefined,
  main: () => Promise<unknown>,
): Promise<unknown> {
  const { Monitor } = await import('./monitor/monitor.ts');
  new Monitor(kernel, typeof options === 'object' ? options : {});
  return main();
}
