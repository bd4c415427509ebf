/*
 * Cancellation at every point: a program is run again and again, each time
 * interrupted at another of its blocking operations.
 */

import { Activation, type Trap } from '../activation.ts';
import { type Callable, callable } from '../base/callable.ts';
import { TaskCancelled, TaskTimeout } from '../errors.ts';
import { Kernel, type KernelOptions } from '../run.ts';
import type { Task } from '../task.ts';
import { interrupt, requestCancel } from '../traps.ts';
import { VirtualClock } from './clock.ts';

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
  /** The name of the task that was interrupted. */
  task: string;
  /** What that task was doing, as its state: `'QUEUE_GET'`. */
  operation: string;
  /** What the program returned, if it did. */
  result: T | undefined;
  /** What the program threw, or null. */
  error: unknown;
}

class Interrupter extends Activation {
  readonly kind: InterruptionKind;
  readonly #at: number;
  #victim: Task<unknown> | null = null;
  count = 0;
  task = '';
  operation = '';

  constructor(kind: InterruptionKind, at: number) {
    super();
    this.kind = kind;
    this.#at = at;
  }

  override suspended(task: Task<unknown>, trap: Trap | null): void {
    this.#strikeIfChosen();
    if (trap === null || task.terminated || ++this.count !== this.#at) return;
    this.task = task.name;
    this.operation = task.state;
    if (this.kind === 'cancel after wake-up') this.#victim = task;
    else strike(task, this.kind);
  }

  override running(): void {
    this.#strikeIfChosen();
  }

  #strikeIfChosen(): void {
    if (this.#victim === null || this.#victim.state !== 'READY') return;
    const victim = this.#victim;
    this.#victim = null;
    strike(victim, this.kind);
  }
}

function strike(task: Task<unknown>, kind: InterruptionKind): void {
  if (kind === 'timeout')
    interrupt(task, (now) =>
      Object.assign(new TaskTimeout('cancelEverywhere: a timeout expired here.'), { clock: now }),
    );
  else requestCancel(task, TaskCancelled, null);
}

/**
 * Runs `program` once to count its blocking operations (those of all its tasks), then once for each of them with a
 * cancellation delivered there, once with a timeout, and once with a cancellation that comes after the task was woken
 * and before it runs. After each run `check` is called; it throws if something is not as it must be.
 *
 * Each run has a kernel and a virtual clock of its own; `program` must make what it uses afresh. Not to be called in a task.
 *
 * @throws the error of `check`, or an error of the program's uninterrupted run, with the interruption added to its message
 * @example
 * await cancelEverywhere(
 *   async () => {
 *     const lock = new Lock();
 *     await gather([() => lock.with(sleep, 1), () => lock.with(sleep, 1)]).catch(() => {});
 *     return lock;
 *   },
 *   ({ result }) => {
 *     if (result?.locked()) throw new Error('the lock was left locked');
 *   },
 * );
 */
export async function cancelEverywhere<T>(
  program: Callable<[], T>,
  check: (run: Interruption<Awaited<T>>) => unknown,
  options: KernelOptions = {},
): Promise<void> {
  const fn = callable(program, 'cancelEverywhere') as () => T;
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };

  async function once(kind: InterruptionKind, at: number): Promise<number> {
    const interrupter = new Interrupter(kind, at);
    const activations = [...(options.activations ?? []), interrupter];
    const kernel = new Kernel({ clock: new VirtualClock(), logger: quiet, ...options, activations });
    let result: Awaited<T> | undefined;
    let error: unknown = null;
    try {
      result = (await kernel.run({ shutdown: true }, fn)) as Awaited<T>;
    } catch (thrown) {
      // swallows: nothing; an interrupted program may throw, and check decides whether that is right.
      error = thrown;
    }
    const { task, operation, count } = interrupter;
    if (kind === 'none' && error !== null) throw error;
    try {
      await check({ kind, at, task, operation, result, error });
    } catch (failure) {
      // swallows: nothing; it is thrown with an explanation added.
      throw explain(failure, kind, at, task, operation);
    }
    return count;
  }

  const count = await once('none', 0);
  for (let at = 1; at <= count; at++) {
    await once('cancel', at);
    await once('timeout', at);
    await once('cancel after wake-up', at);
  }
}

function explain(
  failure: unknown,
  kind: InterruptionKind,
  at: number,
  task: string,
  operation: string,
): Error {
  const error = failure instanceof Error ? failure : new Error(String(failure));
  const where =
    kind === 'none'
      ? 'without an interruption'
      : `with a ${kind} at blocking operation ${at} (${task} in ${operation})`;
  error.message = `${error.message}\n[cancelEverywhere: ${where}]`;
  return error;
}
