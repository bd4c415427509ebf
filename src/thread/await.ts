/*
 * AWAIT: how an async thread waits for what the kernel does.
 */

import { away } from '../base/away.ts';
import { type AnyFunction, describe, functionName, isThenable } from '../base/callable.ts';
import { AsyncOnlyError } from '../errors.ts';
import { isCoroutineFunction } from '../meta.ts';
import { callingTask, elsewhere, handled, outsideTasks } from '../traps.ts';
import { provideToThreads } from '../workers/travel/named.ts';
import { Operation } from './operation.ts';

/**
 * True in an async thread.
 * @see Reference manual, "Asynchronous Threads"
 */
export function isAsyncThread(): boolean {
  return away() !== null && callingTask() === undefined;
}

/**
 * An object as a thread sees it: where it is a block for `await using`, or has `enter()` and `leave()`, it is one for `using`
 * there, and what `for await` goes through is for `for`.
 */
export type InThread<V> = V &
  (V extends AsyncDisposable | { enter(): void; leave(): void } ? Disposable : unknown) &
  (V extends AsyncIterable<infer Item> ? Iterable<Item> : unknown);

/**
 * In an async thread: does an operation in the kernel, and blocks the thread until it is done. Gives its value, or throws
 * its error. `AWAIT(queue.get())` and `AWAIT(sleep, 1)` are operations; an async function runs in the kernel. Any other
 * function is called with the arguments, in the thread; any other value is returned as it is.
 *
 * **Cancellation:** what is thrown into the thread (`thread.cancel()`, a timeout) comes out of the AWAIT it is in, or
 * else out of the next one.
 * @throws AsyncOnlyError outside an async thread, for an operation
 * @see Reference manual, "Asynchronous Threads"
 * @example
 * function consumer(queue: Queue<string>) {
 *   for (;;) {
 *     console.log('Got:', AWAIT(queue.get()));
 *     AWAIT(queue.taskDone());
 *   }
 * }
 */
export function AWAIT<A extends unknown[], T>(fn: (...args: A) => T, ...args: A): InThread<Awaited<T>>;
export function AWAIT<T>(value: T): InThread<Awaited<T>>;
export function AWAIT(value: unknown, ...args: unknown[]): unknown {
  const there = elsewhere();
  if (there === null) return outside(value, args);
  if (typeof value === 'function') {
    const fn = value as (...args: unknown[]) => unknown;
    if (isCoroutineFunction(fn) && !there.has(fn)) return there.ship(fn as AnyFunction, args);
    return finish(fn(...args));
  }
  return finish(value);
}

function finish(value: unknown): unknown {
  return value instanceof Operation ? value.run() : value;
}

/** Not in an async thread: what needs no kernel works all the same. */
function outside(value: unknown, args: unknown[]): unknown {
  if (typeof value !== 'function') return settled(value, describe(value));
  const fn = value as AnyFunction;
  const operation = `the operation ${functionName(fn)}()`;
  if (isCoroutineFunction(fn)) throw asyncOnly(operation);
  // So that an operation is refused, instead of being begun and forgotten.
  return settled(
    outsideTasks(() => fn(...(args as never[]))),
    operation,
  );
}

function settled(result: unknown, what: string): unknown {
  if (!isThenable(result)) return result;
  // Nobody else will look at it.
  if (result instanceof Promise) void handled(result);
  throw asyncOnly(what);
}

function asyncOnly(what: string): AsyncOnlyError {
  return new AsyncOnlyError(
    `AWAIT() was given ${what} outside an async thread. Write await here, or start the thread with spawnThread().`,
  );
}

provideToThreads({ AWAIT, isAsyncThread });
