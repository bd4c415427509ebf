/*
 * Debuggers: ready-made activations that log what tasks do. Each is a function of its options; `run({ debug })` also takes
 * the bare function, a list, or `true` for the scheduler trace.
 *
 * Logging is synchronous: a slow logger slows the kernel down.
 */

import { Activation, type Trap } from './activation.ts';
import { checkSeconds, describe, isOptions } from './base/callable.ts';
import { type Logger, type LogLevel, logTo } from './base/logger.ts';
import { errorText, type Frame } from './base/stack.ts';
import { CancelledError, TaskTimeout } from './errors.ts';
import type { Kernel } from './run.ts';
import { listenForStalls } from './stall/limits.ts';
import type { Task } from './task.ts';
import { report, TaskRecord, whenShutDown } from './traps.ts';

/** Options of every debugger. */
export interface DebugOptions {
  /** The names of the tasks to report on; others are left out. */
  filter?: ReadonlySet<string> | undefined;
  /** The severity to log with. */
  level?: LogLevel | undefined;
  /** Where to log. Default: the run's logger. */
  log?: Logger | undefined;
}

/** Options of `longblock`. */
export interface LongBlockOptions extends DebugOptions {
  /** Seconds that a task may run without blocking. Default 0.05. */
  maxTime?: number | undefined;
}

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

abstract class Debugger extends Activation {
  readonly #filter: ReadonlySet<string> | undefined;
  readonly #level: LogLevel;
  readonly #log: Logger | undefined;

  constructor(options: DebugOptions, defaultLevel: LogLevel) {
    super();
    if (!isOptions(options)) {
      throw new TypeError(
        `A debugger takes options, such as { filter: new Set(['spam']) }, not ${describe(options)}.`,
      );
    }
    const { filter, level, log } = options;
    if (filter !== undefined && typeof filter?.has !== 'function') {
      throw new TypeError(
        `A debugger's filter is a set of task names, not ${describe(filter)}: { filter: new Set(['spam']) }.`,
      );
    }
    const method = level ?? defaultLevel;
    if (log !== undefined && typeof log?.[method] !== 'function') {
      throw new TypeError(`A debugger's log has a method named by its level, and ${method}() is missing.`);
    }
    if (log === undefined && !LEVELS.includes(method)) {
      throw new TypeError(
        `A debugger's level is 'debug', 'info', 'warn' or 'error', not ${describe(method)}. Its own log may have others.`,
      );
    }
    this.#filter = filter;
    this.#level = method;
    this.#log = log;
  }

  protected concerns(task: Task<unknown>): boolean {
    return this.#filter === undefined || this.#filter.has(task.name);
  }

  protected say(task: Task<unknown>, message: string): void {
    if (this.#log === undefined) report(task, this.#level, message);
    else logTo(this.#log, this.#level, message);
  }
}

function who(task: Task<unknown>): string {
  return `Task(id=${task.id}, name='${task.name}', state='${task.state}')`;
}

function stamp(): string {
  return (performance.now() / 1000).toFixed(6);
}

class SchedTrace extends Debugger {
  #trace(event: string, task: Task<unknown>): void {
    if (this.concerns(task)) this.say(task, `${event}:${stamp()}:${who(task)}`);
  }
  override created(task: Task<unknown>): void {
    this.#trace('CREATE', task);
  }
  override running(task: Task<unknown>): void {
    this.#trace('RUN', task);
  }
  override suspended(task: Task<unknown>, trap: Trap | null): void {
    this.beforeSuspend(task, trap);
    this.#trace('SUSPEND', task);
  }
  override terminated(task: Task<unknown>): void {
    this.#trace('TERMINATED', task);
  }
  protected beforeSuspend(_task: Task<unknown>, _trap: Trap | null): void {}
}

class TrapTrace extends SchedTrace {
  protected override beforeSuspend(task: Task<unknown>, trap: Trap | null): void {
    if (trap === null || !this.concerns(task)) return;
    this.say(task, `TRAP:${stamp()}:${trap.name}(${trap.args.map(argument).join(', ')}):${who(task)}`);
  }
}

function argument(value: unknown): string {
  if (value instanceof TaskRecord) return `Task(id=${value.id}, name='${value.name}')`;
  if (typeof value === 'function') return value.name;
  return describe(value);
}

class LogCrash extends Debugger {
  override terminated(task: Task<unknown>): void {
    if (!task.failed || !this.concerns(task)) return;
    const error = task.exception;
    if (error instanceof CancelledError && !(error instanceof TaskTimeout)) return;
    this.say(task, `${who(task)} crashed: ${errorText(error)}`);
  }
}

class LongBlock extends Debugger {
  readonly #maxTime: number;
  #began = 0;

  constructor(options: LongBlockOptions) {
    super(options, 'warn');
    this.#maxTime = checkSeconds(options.maxTime ?? 0.05, 'longblock');
  }

  /** While it lasts, a thread looks: see stall/. */
  override activate(kernel: Kernel): void {
    const lift = listenForStalls({
      seconds: this.#maxTime,
      stalled: (task, seconds, frames) => this.#still(task as Task<unknown> | null, seconds, frames),
    });
    whenShutDown(kernel, lift);
  }

  #still(task: Task<unknown> | null, seconds: number, frames: Frame[]): void {
    if (task === null || !this.concerns(task)) return;
    const lines = frames.reverse().map(({ file, line, fn }) => `\n  File "${file}", line ${line}, in ${fn}`);
    this.say(
      task,
      `${who(task)} has been running for ${seconds.toFixed(3)} s without blocking, and is here (most recent call last):${lines.join('')}`,
    );
  }

  override running(): void {
    this.#began = performance.now();
  }

  override suspended(task: Task<unknown>): void {
    const seconds = (performance.now() - this.#began) / 1000;
    if (seconds <= this.#maxTime || !this.concerns(task)) return;
    this.say(
      task,
      `${who(task)} ran for ${seconds.toFixed(3)} s without blocking; nothing else could run meanwhile.`,
    );
  }
}

/**
 * Traces scheduling: a line when a task is created, runs, is suspended, and has ended.
 * @see Reference manual, "Debugging and Diagnostics"
 */
export function schedtrace(options: DebugOptions = {}): Activation {
  return new SchedTrace(options, 'info');
}

/**
 * Like `schedtrace`, with the low-level operation and its arguments before each suspension.
 * @see Reference manual, "Debugging and Diagnostics"
 */
export function traptrace(options: DebugOptions = {}): Activation {
  return new TrapTrace(options, 'info');
}

/**
 * Reports tasks that end with an error, timeouts included, plain cancellation excepted.
 * @see Reference manual, "Debugging and Diagnostics"
 */
export function logcrash(options: DebugOptions = {}): Activation {
  return new LogCrash(options, 'error');
}

/**
 * Reports tasks that run for longer than `maxTime` seconds without blocking: while they do, with the stack, as seen by a thread
 * that looks every 50 ms; and afterwards, with the time it took.
 * @see Reference manual, "Debugging and Diagnostics"
 */
export function longblock(options: LongBlockOptions = {}): Activation {
  return new LongBlock(options);
}
