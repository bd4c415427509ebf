/*
 * Cancellation control: shielding statements from cancellation, and asking
 * whether one is waiting.
 */

import { type Callable, callable, describe, type Runner } from './base/callable.ts';
import { explained } from './base/unbound.ts';
import { CancelledError } from './errors.ts';
import {
  elsewhere,
  enter,
  enterComposite,
  fail,
  handled,
  note,
  outsideError,
  pass,
  refused,
  shield,
  type TaskRecord,
  takeBreath,
  unshield,
} from './traps.ts';

/**
 * A block in which no cancellation or timeout is delivered; it lasts until it is disposed of.
 * Made by `disableCancellation()`.
 * @see Reference manual, "Cancellation Control"
 */
export class CancellationShield implements Disposable, AsyncDisposable {
  #task: TaskRecord | null;

  /** @internal */
  constructor(task: TaskRecord) {
    this.#task = task;
    shield(task);
  }

  /** Allows cancellation again. What was held back is delivered at the next blocking operation. */
  [Symbol.dispose](): void {
    const task = this.#task;
    this.#task = null;
    if (task !== null) unshield(task);
  }

  /** The same; it does not block. */
  [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    return Promise.resolve();
  }
}

/** A shield that lasts until it is disposed of: `await using _ = disableCancellation()`. Does not block. */
export function disableCancellation(): CancellationShield;
/** With something that runs functions elsewhere: `disableCancellation(runInThread, fn, ...args)`. */
export function disableCancellation<A extends unknown[], T>(
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
/**
 * Runs `fn(...args)` and gives its result; meanwhile no cancellation and no timeout reaches the calling
 * task. What was asked for is delivered at the first operation that blocks afterwards. Without a
 * function: a shield to be disposed of (`await using _ = disableCancellation()`). Blocks as `fn` does.
 *
 * **Cancellation:** none, by definition. A `CancelledError` that `fn` itself throws becomes the pending
 * one if another shield is still up, and propagates otherwise.
 * @throws RuntimeError outside a task
 * @see Reference manual, "Cancellation Control"
 */
export function disableCancellation<A extends unknown[], T>(
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
export function disableCancellation(...call: unknown[]): CancellationShield | Promise<unknown> {
  const there = elsewhere();
  if (there !== null) return there.call('disableCancellation', call) as Promise<unknown>;
  if (call.length === 0) {
    const task = enter();
    if (task === null) throw outsideError('disableCancellation()');
    return new CancellationShield(task);
  }
  const fn = callable(call[0], 'disableCancellation');
  const task = enterComposite('disableCancellation()');
  if (task === null) return refused('disableCancellation()');
  return handled(shielded(task, fn, call.slice(1)));
}

async function shielded(
  task: TaskRecord,
  fn: (...args: unknown[]) => unknown,
  args: unknown[],
): Promise<unknown> {
  const breath = takeBreath(task, 'disableCancellation()');
  if (breath !== null) await breath;
  const shield = new CancellationShield(task);
  try {
    return await fn(...args);
  } catch (error) {
    // Thrown by hand: the kernel delivers nothing in here. It waits for the outermost shield to go.
    if (!(error instanceof CancelledError) || task.shield < 2) throw explained(error, fn);
    task.pending = error;
    return undefined;
  } finally {
    shield[Symbol.dispose]();
  }
}

type ErrorType<E> = abstract new (...args: never[]) => E;

/**
 * Asks whether a cancellation is waiting for the calling task. Does not block.
 *
 * While cancellation is enabled, one that waits is thrown. While it is disabled, the waiting exception is
 * returned (null if there is none), and goes on waiting. With `excType` only an exception of that type counts,
 * and while disabled it is returned *and* forgotten.
 *
 * @throws the pending exception, while cancellation is enabled
 * @see Reference manual, "Cancellation Control"
 */
export function checkCancellation<E = CancelledError>(excType?: ErrorType<E>): Promise<E | null> {
  if (excType !== undefined && typeof excType !== 'function') {
    throw new TypeError(`checkCancellation() wants an error class, not ${describe(excType)}.`);
  }
  const there = elsewhere();
  if (there !== null)
    return there.call('checkCancellation', excType === undefined ? [] : [excType]) as Promise<E | null>;
  const task = enter();
  if (task === null) return refused('checkCancellation()');
  note(task, 'checkCancellation', [excType]);
  const pending = task.pending;
  if (pending === null || (excType !== undefined && !(pending instanceof excType))) return pass(task, null);
  if (task.shield === 0) return fail(task, task.core.takePending(task, 'checkCancellation()'));
  if (excType !== undefined) task.pending = null;
  return pass(task, pending as E);
}

/**
 * Sets the exception that waits for the calling task (null: none), and gives the one that waited
 * before, or null. Does not block; the next operation that blocks throws it, if cancellation is enabled.
 *
 * @see Reference manual, "Cancellation Control"
 */
export function setCancellation(exc: Error | null): Promise<CancelledError | null> {
  if (exc !== null && !(exc instanceof Error)) {
    throw new TypeError(`setCancellation() wants an error or null, not ${describe(exc)}.`);
  }
  const there = elsewhere();
  if (there !== null) return there.call('setCancellation', [exc]) as Promise<CancelledError | null>;
  const task = enter();
  if (task === null) return refused('setCancellation()');
  note(task, 'setCancellation', [exc]);
  const previous = task.pending;
  task.pending = exc;
  return pass(task, previous as CancelledError | null);
}
