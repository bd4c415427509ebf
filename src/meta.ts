/*
 * Asynchronous metaprogramming: functions about functions that may run in a task.
 */

import {
  type AnyFunction,
  type Callable,
  Coroutine,
  callable,
  describe,
  functionName,
} from './base/callable.ts';
import { callingTask } from './traps.ts';

const asyncFunction = Object.getPrototypeOf(async () => {}) as object;

/** What functions are that can be told to be asynchronous, in whatever realm they were made. */
const ASYNC = new Set<unknown>(['AsyncFunction', 'AsyncGeneratorFunction']);

/**
 * True inside a task, and false everywhere else. Does not block.
 * @see Reference manual, "Asynchronous Metaprogramming"
 */
export function curioRunning(): boolean {
  const task = callingTask();
  return task !== undefined && !task.terminated;
}

/**
 * True if the caller runs inside a task: the seeds' question "was I called from a coroutine?". Does not block.
 * JavaScript cannot look at the calling frame, so unlike in Python a synchronous helper called by a task counts too.
 * @see Reference manual, "Asynchronous Metaprogramming"
 */
export function fromCoroutine(): boolean {
  return curioRunning();
}

/**
 * True for an async function, an async generator, a bound one of either, a function made by
 * `awaitable()`, and a prepared `Coroutine`. A plain function that returns a promise cannot be told from others: false.
 * @see Reference manual, "Asynchronous Metaprogramming"
 */
export function isCoroutineFunction(fn: unknown): boolean {
  if (fn instanceof Coroutine) return true;
  if (typeof fn !== 'function') return false;
  // A bound function keeps its target's prototype, so this sees through bind().
  return ASYNC.has((fn as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]);
}

/**
 * Prepares the call `fn(...args)` without making it. The result is accepted wherever a function is
 * (`run`, `spawn`, `timeoutAfter`, …). A coroutine is returned as it is.
 * @throws TypeError for what is not an async function
 * @see Reference manual, "Asynchronous Metaprogramming"
 */
export function instantiateCoroutine<A extends unknown[], T>(
  fn: Callable<A, T>,
  ...args: A
): Coroutine<Awaited<T>> {
  if (fn instanceof Coroutine) return fn as Coroutine<Awaited<T>>;
  const target = callable(fn, 'instantiateCoroutine');
  if (!isCoroutineFunction(fn)) {
    throw new TypeError(
      `instantiateCoroutine() wants an async function, and ${functionName(fn as AnyFunction)} is a plain one. ` +
        `Write instantiateCoroutine(async () => ${functionName(fn as AnyFunction)}(...)).`,
    );
  }
  return new Coroutine(target as () => Awaited<T>, args);
}

/**
 * Pairs a synchronous function with an asynchronous one under one name: inside a task the
 * asynchronous half is called, elsewhere the synchronous one. What it gives blocks as the half that is called.
 * @throws TypeError if the two take different numbers of parameters
 * @see Reference manual, "Asynchronous Metaprogramming"
 * @example
 * const load = awaitable(loadSync)(loadAsync);
 */
export function awaitable<A extends unknown[], T>(
  syncFn: (...args: A) => T,
): <U>(asyncFn: (...args: A) => Promise<U>) => (...args: A) => T | Promise<U> {
  if (typeof syncFn !== 'function')
    throw new TypeError(`awaitable() wants a function, not ${describe(syncFn)}.`);
  return (asyncFn) => {
    if (typeof asyncFn !== 'function') {
      throw new TypeError(`awaitable(${syncFn.name})() wants an async function, not ${describe(asyncFn)}.`);
    }
    if (asyncFn.length !== syncFn.length) {
      throw new TypeError(
        `awaitable(): the synchronous half, ${functionName(syncFn)}, has ${syncFn.length} parameters, ` +
          `the asynchronous one, ${functionName(asyncFn)}, ${asyncFn.length}; ` +
          'both halves must be callable in the same way.',
      );
    }
    const both = function (this: unknown, ...args: A) {
      return curioRunning() ? asyncFn.apply(this, args) : syncFn.apply(this, args);
    };
    Object.defineProperty(both, 'name', { value: functionName(asyncFn) });
    Object.defineProperty(both, 'length', { value: syncFn.length });
    // It has an async half: it is to be known as async, bound or not.
    return Object.setPrototypeOf(both, asyncFunction) as typeof both;
  };
}
