/*
 * Cancellation at every point: a program is run again and again, each time
 * interrupted at another of its blocking operations.
 */

import { Activation, type Trap } from '../activation.ts';
import { type Callable, callable } from '../base/callable.ts';
import { TaskCancelled, TaskTimeout } from '../errors.ts';
import type { Task } from '../task.ts';
import { interrupt, overdue, requestCancel, spendTimeouts } from '../traps.ts';
import { checkLimit, type TrialOptions, trial, withNote } from './trial.ts';

/**
 * How a run was interrupted: not at all; by cancelling the task that blocks; by a timeout that expires there; or by cancelling
 * that task when it has been woken and has not run yet.
 */
export type InterruptionKind = 'none' | 'cancel' | 'timeout' | 'cancel after wake-up';

/** What `cancelEverywhere` tells about one run. */
export interface Interruption<T> {
  kind: InterruptionKind;
  /** Which blocking operation of the program, counted from 1; 0 for the first, uninterrupted run. */
  at: number;
  /** The name of the task that was interrupted; empty if none was. */
  task: string;
  /** What that task was doing, as its state: `'QUEUE_GET'`. */
  operation: string;
  /** What the program returned, if it did. */
  result: T | undefined;
  /** What the program threw, or null. A `DeadlockError` says that tasks were left waiting for each other. */
  error: unknown;
}

/** Options of `cancelEverywhere()`. */
export interface CancelEverywhereOptions extends TrialOptions {}

class Interrupter extends Activation {
  readonly #kind: InterruptionKind;
  readonly #at: number;
  #victim: Task<unknown> | null = null;
  count = 0;
  task = '';
  operation = '';

  constructor(kind: InterruptionKind, at: number) {
    super();
    this.#kind = kind;
    this.#at = at;
  }

  override suspended(task: Task<unknown>, trap: Trap | null): void {
    this.#strikeIfWoken();
    if (trap === null || task.terminated || ++this.count !== this.#at) return;
    this.task = task.name;
    this.operation = task.state;
    if (this.#kind === 'cancel') cancel(task);
    else if (this.#kind === 'timeout') expire(task);
    else this.#victim = task;
  }

  override running(task: Task<unknown>): void {
    this.#strikeIfWoken(task);
  }

  /** `next` is about to run: it has been woken, and this is the last moment before. */
  #strikeIfWoken(next?: Task<unknown>): void {
    const victim = this.#victim;
    if (victim === null || (victim.state !== 'READY' && victim !== next)) return;
    this.#victim = null;
    cancel(victim);
  }
}

function cancel(task: Task<unknown>): void {
  requestCancel(task, TaskCancelled, null);
}

/** As if the time of the timeout that limits the task were up now; if none does, as if one stood around the whole task. */
function expire(task: Task<unknown>): void {
  const deadline = task.timeoutAt;
  const owner = deadline === null ? null : overdue(task.timeouts, deadline);
  if (owner !== null) task.timeoutAt = spendTimeouts(task, owner, deadline as number);
  interrupt(task, (now) => {
    const exc = new TaskTimeout('cancelEverywhere: a timeout expired here.');
    exc.clock = owner === null || deadline === null ? now : deadline;
    return exc;
  });
}

/**
 * Runs `program` once to count its blocking operations (those of all its tasks), then once for each of them with a
 * cancellation of the task that blocks, once with a timeout, and once with a cancellation that comes after the task was woken
 * and before it runs. After each run `check` is called; it throws if something is not as it must be. Gives the number of
 * blocking operations: 0 for a program that never blocks, which is run only once.
 *
 * The timeout is the one that limits the task at that operation, as if its time were up; where none does, the task gets
 * a `TaskTimeout` that is not its own.
 *
 * Each run has a kernel and a virtual clock of its own, so `program` must make what it uses afresh. An interrupted program
 * may return nothing: what `check` is to look at is best kept in variables around both. When `check` is called every
 * task has ended. A run that ends in a deadlock is no failure in itself (whoever waits for a cancelled task's work waits
 * for ever); a check that wants none looks at `error`. Not to be called in a task.
 *
 * @throws the error of `check`, or of the program's uninterrupted run, with the interruption added to its message
 * @throws RuntimeError if a run does not end within the `limit`
 * @example
 * let lock: Lock;
 * await cancelEverywhere(
 *   async () => {
 *     lock = new Lock();
 *     await gather([() => lock.with(sleep, 1), () => lock.with(sleep, 1)]);
 *   },
 *   ({ error }) => {
 *     if (lock.locked()) throw new Error('the lock was left locked');
 *     if (error instanceof DeadlockError) throw error;
 *   },
 * );
 */
export async function cancelEverywhere<T>(
  program: Callable<[], T>,
  check: (run: Interruption<Awaited<T>>) => unknown,
  options: CancelEverywhereOptions = {},
): Promise<number> {
  const fn = callable(program, 'cancelEverywhere', '', ', check)');
  const judge = callable(check, 'cancelEverywhere', 'program, ', ')');
  checkLimit(options.limit, 'cancelEverywhere');

  async function once(kind: InterruptionKind, at: number): Promise<number> {
    const interrupter = new Interrupter(kind, at);
    const { result, error, stuck, log } = await trial(fn, options, interrupter);
    const { task, operation, count } = interrupter;
    const note = `cancelEverywhere: ${place(kind, at, task, operation)}`;
    if (stuck !== null) throw withNote(stuck, note, log);
    if (kind === 'none' && error !== null) throw withNote(error, note, log);
    try {
      await judge({ kind, at, task, operation, result, error });
    } catch (failure) {
      // swallows: nothing; it is thrown with an explanation added.
      throw withNote(failure, note, log);
    }
    return count;
  }

  const count = await once('none', 0);
  for (let at = 1; at <= count; at++) {
    await once('cancel', at);
    await once('timeout', at);
    await once('cancel after wake-up', at);
  }
  return count;
}

function place(kind: InterruptionKind, at: number, task: string, operation: string): string {
  if (kind === 'none') return 'without an interruption';
  return `with a ${kind} at blocking operation ${at}${task === '' ? '' : ` (${task} in ${operation})`}`;
}
