/*
 * Sleeping, the clock, and timeouts with the seeds' rules for nesting them.
 */

import {
  type Callable,
  callable,
  checkSeconds,
  describe,
  functionName,
  isOptions,
  type Runner,
} from './base/callable.ts';
import { explained } from './base/unbound.ts';
import {
  RuntimeError,
  TaskKilled,
  TaskTimeout,
  TimeoutCancellationError,
  UncaughtTimeoutError,
} from './errors.ts';
import { limitHard as forceEnd } from './stall/limits.ts';
import { spawn } from './task.ts';
import type { TaskRecord, TimeoutFrame } from './traps.ts';
import * as traps from './traps.ts';

/** A block that ends later than its timeout by less, in seconds, is not told of: what it waited for came just in time. */
const LATE = 0.001;

/**
 * Sleeps for `seconds` (fractions allowed), at least. Zero or less only lets the other ready tasks go first. Blocks.
 * Gives the kernel's clock, in seconds, at the time of waking.
 *
 * **Cancellation:** the sleep is cut short.
 * @throws TypeError for NaN, or what is not a number
 * @see Reference manual, "Time"
 */
export function sleep(seconds: number): Promise<number> {
  const there = traps.elsewhere();
  if (there !== null) return there.call('sleep', [checkSeconds(seconds, 'sleep')]) as Promise<number>;
  return traps.sleep(checkSeconds(seconds, 'sleep'));
}

/**
 * The kernel's monotonic clock, in seconds. Does not block.
 * @see Reference manual, "Time"
 */
export function clock(): Promise<number> {
  const there = traps.elsewhere();
  return there === null ? traps.clock() : (there.call('clock', []) as Promise<number>);
}

/** Options of `timeoutAfter()`. */
export interface TimeoutOptions {
  /**
   * Also end a loop that never blocks: `fn` runs in a task of its own, and a thread watches it. What such a loop is ended in
   * the middle of runs no `finally` any more.
   */
  hard?: boolean | undefined;
}

/** Options of `ignoreAfter()`. */
export interface IgnoreOptions<R> {
  /** What to give when the time is up. Default `undefined`. */
  timeoutResult?: R;
}

/**
 * Several statements under one timeout: what `timeoutAfter(seconds)` and `ignoreAfter(seconds)` give
 * without a function. It runs once.
 * @see Reference manual, "Timeouts"
 */
export class TimeoutScope<R = never> {
  readonly #seconds: number | null;
  readonly #ignore: boolean;
  readonly #timeoutResult: R | undefined;
  #used = false;
  #running: Promise<unknown> | null = null;
  #block: { task: TaskRecord; frame: TimeoutFrame } | null = null;
  #expired = false;

  /** @internal */
  constructor(seconds: number | null, ignore: boolean, timeoutResult: R | undefined) {
    this.#seconds = seconds;
    this.#ignore = ignore;
    this.#timeoutResult = timeoutResult;
  }

  /** True once this scope's own time has run out. */
  get expired(): boolean {
    return this.#expired;
  }

  /** True after a normal end; the `timeoutResult` once the time has run out. */
  get result(): true | R | undefined {
    return this.#expired ? this.#timeoutResult : true;
  }

  /** With something that runs functions elsewhere: `scope.run(runInThread, fn, ...args)`. */
  run<A extends unknown[], T>(runner: Runner<A, T>, fn: Callable<A, T>, ...args: A): Promise<Awaited<T> | R>;
  /**
   * Runs `fn(...args)` under the scope's timeout, and gives its result. Blocks as `fn` does.
   *
   * **Cancellation:** as `fn`.
   * @throws TaskTimeout when the time is up (an `ignoreAfter` scope gives its `timeoutResult` instead)
   * @throws RuntimeError if the scope has been used before
   */
  run<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T> | R>;
  run(fn: unknown, ...args: unknown[]): Promise<unknown> {
    return this.runAs('TimeoutScope.run()', callable(fn, 'TimeoutScope.run'), args);
  }

  /**
   * What `run()` does, under the name of what the user called.
   * @internal
   */
  runAs(operation: string, fn: (...args: unknown[]) => unknown, args: unknown[]): Promise<unknown> {
    const task = traps.enterComposite(operation);
    if (task === null) return traps.refused(operation);
    if (this.#used)
      return traps.fail(
        task,
        new RuntimeError('A timeout scope runs once. Make a new one for the next block.'),
      );
    this.#used = true;
    const breath = traps.takeBreath(task, operation);
    this.#running =
      breath === null
        ? this.#limit(task, fn, args)
        : traps.handled(breath.then(() => this.#limit(task, fn, args)));
    return this.#running;
  }

  /**
   * Begins the scope as a block: in an async thread, `using scope = timeoutAfter(seconds)`.
   * @internal
   */
  enter(): void {
    const task = traps.enter();
    if (task === null) throw traps.outsideError('timeoutAfter()');
    if (this.#used) throw new RuntimeError('A timeout scope runs once. Make a new one for the next block.');
    this.#used = true;
    this.#block = { task, frame: traps.enterTimeout(task, this.#seconds) };
  }

  /**
   * The block has ended, however it did.
   * @internal
   */
  leave(): void {
    if (this.#block === null) return;
    const { task, frame } = this.#block;
    this.#block = null;
    traps.leaveTimeout(task, frame);
    this.#expired = frame.expired;
  }

  async #limit(task: TaskRecord, fn: (...args: unknown[]) => unknown, args: unknown[]): Promise<unknown> {
    const frame = traps.enterTimeout(task, this.#seconds);
    let result: unknown;
    try {
      result = await fn(...args);
    } catch (thrown) {
      const error = traps.carried(thrown, task);
      if (error instanceof TaskTimeout || error instanceof TimeoutCancellationError)
        return this.#judge(task, error, frame);
      traps.leaveTimeout(task, frame);
      traps.aboutToFail(() => this.#running);
      throw explained(error, fn);
    }
    const missed = wasMissed(task, frame);
    const now = traps.leaveTimeout(task, frame);
    if (missed && now >= frame.deadline + LATE && this.#seconds !== null && this.#seconds > 0)
      warnLate(task, frame, now, this.#seconds);
    return result;
  }

  /** Decides what a timeout that leaves this scope means here. */
  #judge(task: TaskRecord, error: TaskTimeout | TimeoutCancellationError, frame: TimeoutFrame): unknown {
    // The error carries the clock of its expiry. The outermost scope that was due at that
    // time is the one it belongs to.
    const owner = traps.overdue(frame, error.clock);
    traps.leaveTimeout(task, frame);
    traps.aboutToFail(() => this.#running);
    if (owner === null) {
      throw new UncaughtTimeoutError(
        'A timeout inside this one expired and was not caught. Every timeoutAfter() needs a handler for its TaskTimeout; ' +
          'use ignoreAfter() where none is wanted.',
        { cause: error },
      );
    }
    if (owner !== frame) throw error instanceof TimeoutCancellationError ? error : outerTimeout(error);
    this.#expired = true;
    if (this.#ignore) return this.#timeoutResult;
    throw error instanceof TaskTimeout ? error : ownTimeout(error);
  }
}

/** True if the time of a scope that ends has not run out, or has run out without any operation to tell it to. */
function wasMissed(task: TaskRecord, frame: TimeoutFrame): boolean {
  // Once a timeout has been delivered, or the task cancelled, what limits the task is a later deadline, or none; or
  // this one once more, if it was thrown where a block inside this one caught it.
  if (!frame.expired && task.timeoutAt !== null && task.timeoutAt <= frame.deadline) return true;
  // One that is pending came while the task was shielded, or had been woken already, or, without an operation, while
  // it awaited an ordinary promise.
  return task.pending instanceof TaskTimeout && task.operation === '';
}

function outerTimeout(error: TaskTimeout): TimeoutCancellationError {
  const outer = new TimeoutCancellationError('A timeout around this one expired.', { cause: error });
  outer.clock = error.clock;
  return outer;
}

function ownTimeout(error: TimeoutCancellationError): TaskTimeout {
  // The TaskTimeout that the inner scopes wrapped is the one to show again.
  if (error.cause instanceof TaskTimeout) return error.cause;
  const own = new TaskTimeout('The timeout expired.', { cause: error });
  own.clock = error.clock;
  return own;
}

function warnLate(task: TaskRecord, frame: TimeoutFrame, now: number, seconds: number): void {
  traps.report(
    task,
    'warn',
    `${traps.title(task)}: a block with a timeout of ${seconds} s ended ${(now - frame.deadline).toFixed(3)} s after it. ` +
      'Nothing in it blocked at that time, so it could not be interrupted.',
  );
}

/** A scope of so many seconds, for `await scope.run(fn)`. Does not block. */
export function timeoutAfter(seconds: number | null): TimeoutScope;
/** With options: `{ hard: true }` also ends a loop that never blocks. */
export function timeoutAfter<A extends unknown[], T>(
  options: TimeoutOptions,
  seconds: number | null,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
/** With something that runs functions elsewhere: `timeoutAfter(10, runInThread, fn, ...args)`. */
export function timeoutAfter<A extends unknown[], T>(
  seconds: number | null,
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
/**
 * Runs `fn(...args)`, and interrupts what it is blocked in when it has not ended after `seconds`
 * (null: never). Gives its result. Without a function: a scope, for `await scope.run(fn)`. Blocks as `fn` does.
 *
 * Only blocking operations are interrupted. Nested timeouts report as the manual says: the scope whose
 * time is up throws `TaskTimeout`, those inside it `TimeoutCancellationError`.
 *
 * **Cancellation:** as `fn`; no timer is left behind.
 * @throws TaskTimeout when the time is up
 * @throws UncaughtTimeoutError when a timeout inside `fn` expired and nobody caught it
 * @throws TypeError for NaN, or what is not a number or a function
 * @see Reference manual, "Timeouts"
 * @example
 * try {
 *   await timeoutAfter(10, () => kid.join());
 * } catch (error) {
 *   if (!(error instanceof TaskTimeout)) throw error;
 *   await kid.cancel();
 * }
 */
export function timeoutAfter<A extends unknown[], T>(
  seconds: number | null,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
export function timeoutAfter(...call: unknown[]): TimeoutScope | Promise<unknown> {
  const there = traps.elsewhere();
  if (there !== null) return there.call('timeoutAfter', call) as Promise<unknown>;
  if (isOptions(call[0])) {
    const { hard } = call.shift() as TimeoutOptions;
    if (hard) return limitHard(call);
  }
  return limit('timeoutAfter', call, false, undefined) as TimeoutScope | Promise<unknown>;
}

/** The hard form: `fn` runs in a task of its own, which is ended by force if it is caught in a loop when the time is up. */
function limitHard([seconds, fn, ...args]: unknown[]): Promise<unknown> {
  if (seconds !== null) checkSeconds(seconds, 'timeoutAfter');
  const target = callable(fn, 'timeoutAfter', '{ hard: true }, seconds, ');
  const scope = new TimeoutScope(seconds as number | null, false, undefined);
  return scope.run(() =>
    runApart(seconds as number | null, target, args, functionName(fn as { name: string })),
  );
}

async function runApart(
  seconds: number | null,
  fn: (...args: unknown[]) => unknown,
  args: unknown[],
  name: string,
): Promise<unknown> {
  const task = await spawn({ name }, fn, ...args);
  const lift =
    seconds === null || seconds === Number.POSITIVE_INFINITY
      ? () => {}
      : forceEnd(
          task,
          performance.now() + seconds * 1000,
          () => `It ran for more than ${seconds} s without blocking.`,
        );
  try {
    await task.wait();
  } catch (error) {
    // A timeout or cancellation of this task's: it is passed on, and what it was passed on to is waited for.
    await task.cancel();
    blame(error, task.exception);
    throw error;
  } finally {
    lift();
  }
  traps.markJoined(task);
  if (!(task.exception instanceof TaskKilled)) return task.result;
  try {
    // The kernel may have noticed as well that the time is up, and is about to say so.
    await traps.sleep(0);
  } catch (error) {
    blame(error, task.exception);
    throw error;
  }
  const timeout = new TaskTimeout('The timeout expired, and what ran was ended by force.');
  timeout.clock = await traps.clock();
  blame(timeout, task.exception);
  throw timeout;
}

/** A timeout after which something was ended by force says so. */
function blame(error: unknown, outcome: unknown): void {
  if (error instanceof TaskTimeout && outcome instanceof TaskKilled) error.cause ??= outcome;
}

/** A scope of so many seconds, for `await scope.run(fn)`; its `expired` tells. Does not block. */
export function ignoreAfter(seconds: number | null): TimeoutScope<undefined>;
/** With options: `ignoreAfter({ timeoutResult: null }, 5)`. Does not block. */
export function ignoreAfter<R>(options: IgnoreOptions<R>, seconds: number | null): TimeoutScope<R>;
/** With options, and something that runs functions elsewhere: `ignoreAfter({ timeoutResult: null }, 10, runInThread, fn, ...args)`. */
export function ignoreAfter<R, A extends unknown[], T>(
  options: IgnoreOptions<R>,
  seconds: number | null,
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T> | R>;
/** With options: `ignoreAfter({ timeoutResult: null }, 5, fn)`. */
export function ignoreAfter<R, A extends unknown[], T>(
  options: IgnoreOptions<R>,
  seconds: number | null,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T> | R>;
/** With something that runs functions elsewhere: `ignoreAfter(10, runInThread, fn, ...args)`. */
export function ignoreAfter<A extends unknown[], T>(
  seconds: number | null,
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T> | undefined>;
/**
 * Like `timeoutAfter`, but when the time is up it gives `timeoutResult` (default `undefined`) instead
 * of throwing. Without a function: a scope, whose `expired` tells. Blocks as `fn` does.
 *
 * **Cancellation:** as `fn`; no timer is left behind.
 * @throws UncaughtTimeoutError when a timeout inside `fn` expired and nobody caught it
 * @throws TypeError for NaN, or what is not a number or a function
 * @see Reference manual, "Timeouts"
 */
export function ignoreAfter<A extends unknown[], T>(
  seconds: number | null,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T> | undefined>;
export function ignoreAfter(...call: unknown[]): TimeoutScope<unknown> | Promise<unknown> {
  const there = traps.elsewhere();
  if (there !== null) return there.call('ignoreAfter', call) as Promise<unknown>;
  const options = isOptions(call[0]) ? (call.shift() as IgnoreOptions<unknown>) : undefined;
  return limit('ignoreAfter', call, true, options?.timeoutResult);
}

function limit(
  who: string,
  call: unknown[],
  ignore: boolean,
  timeoutResult: unknown,
): TimeoutScope<unknown> | Promise<unknown> {
  const [seconds, fn, ...args] = call;
  if (typeof seconds === 'function') {
    throw new TypeError(
      `${who}() wants the seconds first: ${who}(seconds, fn, ...args), not ${describe(seconds)}.`,
    );
  }
  if (ignore && isOptions(fn)) {
    throw new TypeError('ignoreAfter() wants its options first: ignoreAfter(options, seconds, fn, ...args).');
  }
  const scope = new TimeoutScope(
    seconds === null ? null : checkSeconds(seconds as number, who),
    ignore,
    timeoutResult,
  );
  if (call.length === 1) return scope;
  return scope.runAs(ignore ? 'ignoreAfter()' : 'timeoutAfter()', callable(fn, who, 'seconds, '), args);
}
