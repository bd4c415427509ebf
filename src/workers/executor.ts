/*
 * Pools of other people's.
 */

import { type Callable, Coroutine, callable, describe } from '../base/callable.ts';
import { abortable } from '../promise.ts';

/** A pool of somebody else's, which runs functions somewhere and promises their results. */
export interface Executor {
  /** @param context its signal is aborted when the task that waits is cancelled: work that has not begun need not begin */
  submit(
    fn: (...args: unknown[]) => unknown,
    args: readonly unknown[],
    context: { signal: AbortSignal },
  ): PromiseLike<unknown>;
}

/**
 * Has a pool of your own run `fn(...args)`, and gives the result. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the task is released at once and the signal that `submit` was given is aborted; what that stops is
 * for the executor to say.
 *
 * @throws TypeError for an executor without `submit`
 * @see Reference manual, "Blocking Operations and External Work"
 * @example
 * const piscina = new Piscina({ filename });
 * await runInExecutor({ submit: (_fn, args, { signal }) => piscina.run(args, { signal }) }, resize, image);
 */
export function runInExecutor<A extends unknown[], T>(
  executor: Executor,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>> {
  if (typeof (executor as Executor | null)?.submit !== 'function') {
    throw new TypeError(
      `runInExecutor() wants an executor with submit(fn, args, { signal }), not ${describe(executor)}.`,
    );
  }
  const given = callable(fn, 'runInExecutor', 'executor, ');
  const [work, list] = fn instanceof Coroutine ? [fn.fn, fn.args] : [given, args];
  return abortable((signal) => executor.submit(work, list, { signal }) as PromiseLike<T>) as Promise<
    Awaited<T>
  >;
}
