/*
 * Bridges to ordinary promises: waiting for one cancellably, and stopping what
 * is behind one by way of an AbortSignal.
 */

import { callable } from './base/callable.ts';
import {
  callingTask,
  enterComposite,
  futureWait,
  handled,
  outsideError,
  refused,
  signalOf,
} from './traps.ts';

/**
 * Waits for an ordinary promise and gives its value, or throws its error. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the task is released at once; what the promise does later is ignored.
 * @throws TypeError for what is not a promise
 * @see Reference manual, "Blocking Operations and External Work"
 */
export function wait<T>(promise: PromiseLike<T>): Promise<Awaited<T>> {
  return futureWait(promise) as Promise<Awaited<T>>;
}

/**
 * Runs `fn` with an AbortSignal and waits for the promise it gives. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the task is released at once, and the signal is aborted with the very exception as its
 * reason; what the promise does later is ignored.
 * @throws what the promise is rejected with
 * @see Reference manual, "Blocking Operations and External Work"
 * @example
 * const response = await abortable((signal) => fetch(url, { signal }));
 */
export function abortable<T>(fn: (signal: AbortSignal) => PromiseLike<T> | T): Promise<Awaited<T>> {
  const start = callable(fn, 'abortable', '', ')') as typeof fn;
  if (enterComposite('abortable()') === null) return refused('abortable()');
  return handled(runAbortable(start));
}

async function runAbortable<T>(start: (signal: AbortSignal) => PromiseLike<T> | T): Promise<Awaited<T>> {
  const controller = new AbortController();
  let settled = false;
  const settle = () => {
    settled = true;
  };
  const outcome = Promise.resolve(start(controller.signal));
  // Also handles the rejection of a promise whose task has been released and listens no more.
  outcome.then(settle, settle);
  try {
    return await wait(outcome);
  } catch (error) {
    if (!settled) controller.abort(error);
    throw error;
  }
}

/**
 * An AbortSignal for the calling task: aborted, with the very exception as its reason, when the task is
 * cancelled or the innermost timeout around the call expires. Does not block.
 *
 * The abort is not yet the delivery: unless the aborted operation carries the exception out of the task,
 * the next blocking operation throws it.
 * @throws RuntimeError outside a task
 * @see Reference manual, "Cancellation Control"
 * @example
 * const response = await fetch(url, { signal: currentSignal() });
 */
export function currentSignal(): AbortSignal {
  const task = callingTask();
  if (task === undefined || task.terminated) throw outsideError('currentSignal()');
  return signalOf(task);
}
