/*
 * What counts as "a function" wherever Curio takes one, and what it is called.
 *
 * Knows nothing of tasks: it turns an argument into something to call, or into
 * a TypeError that says what to write instead.
 */

/** Any function, of whatever arguments. */
export type AnyFunction = (...args: never[]) => unknown;

/**
 * A call that has been prepared and not started: what `instantiateCoroutine()`
 * returns. It is accepted wherever a function is.
 * @see Reference manual, "Coroutines"
 */
export class Coroutine<T = unknown> {
  readonly fn: (...args: unknown[]) => T | PromiseLike<T>;
  readonly args: readonly unknown[];
  readonly name: string;

  constructor(fn: (...args: unknown[]) => T | PromiseLike<T>, args: readonly unknown[]) {
    this.fn = fn;
    this.args = args;
    this.name = functionName(fn as AnyFunction);
  }

  /** Makes the call. */
  start(): T | PromiseLike<T> {
    return this.fn(...this.args);
  }
}

/**
 * What may stand where a function of `A` giving `T` is wanted. Two signatures, since from one that returns `T | PromiseLike<T>` the
 * compiler infers no `T` for a function that gives now a value and now a promise.
 */
export type Callable<A extends unknown[], T> =
  | ((...args: A) => T)
  | ((...args: A) => PromiseLike<T>)
  | Coroutine<T>;

/**
 * A function that runs another one, such as `runInThread`, to be given together with that one and its arguments: through functions
 * with several signatures the compiler does not see by itself what comes out.
 */
export type Runner<A extends unknown[], T> = (
  fn: NoInfer<Callable<A, T>>,
  ...args: NoInfer<A>
) => Promise<NoInfer<Awaited<T>>>;

/** The name that JavaScript gave a function; empty for one that has something else by that name, such as a static method. */
export function givenName(fn: { name: unknown }): string {
  return typeof fn.name === 'string' ? fn.name : '';
}

/** The name to show for a function: a bound one is called after its target. */
export function functionName(fn: { name: unknown }): string {
  let name = givenName(fn);
  while (name.startsWith('bound ')) name = name.slice(6);
  return name === '' ? 'anonymous' : name;
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

function isClass(fn: AnyFunction): boolean {
  // Of all functions only classes have a `prototype` that cannot be replaced.
  // Async functions and arrows have none, which makes the usual case cheap.
  if (fn.prototype === undefined) return false;
  return Object.getOwnPropertyDescriptor(fn, 'prototype')?.writable === false;
}

/** A call of it runs nothing: it makes something to loop over. */
function isGenerator(fn: AnyFunction): boolean {
  // Async functions and arrows have no `prototype`, here too.
  return fn.prototype !== undefined && GENERATOR.test(Object.prototype.toString.call(fn));
}

const GENERATOR = /GeneratorFunction\]$/;

/**
 * The function behind `value`, or a TypeError.
 * @param who the operation that wants it, as the user wrote it: `'spawn'`
 * @param leading what it takes before the function: `'seconds, '`
 * @param closing what the call ends with, if it takes no arguments for the function: `')'`
 */
export function callable(
  value: unknown,
  who: string,
  leading = '',
  closing?: string,
): (...args: unknown[]) => unknown {
  if (typeof value === 'function' && !isClass(value as AnyFunction) && !isGenerator(value as AnyFunction)) {
    return value as (...args: unknown[]) => unknown;
  }
  if (value instanceof Coroutine) return () => value.start();
  throw new TypeError(refusal(value, who, `${who}(${leading}`, closing));
}

function refusal(value: unknown, who: string, call: string, closing: string | undefined): string {
  const end = closing ?? ')';
  if (typeof value === 'function') {
    const name = functionName(value as AnyFunction);
    if (isGenerator(value as AnyFunction)) {
      return (
        `${who}() was given the generator function ${name}, whose calls run nothing: they give something to loop over. ` +
        `Write ${call}async () => { for await (const item of ${name}(...)) ... }${end}.`
      );
    }
    return `${who}() was given the class ${name}. Write ${call}() => new ${name}(...)${end} to construct one.`;
  }
  if (isThenable(value)) {
    const instead =
      closing === undefined
        ? `${call}fn, arg) instead of ${call}fn(arg)), or ${call}() => fn(arg))`
        : `${call}() => fn(arg)${end} instead of ${call}fn(arg)${end}`;
    return (
      `${who}() was given a promise, so the call behind it has already started, outside any task of its own. ` +
      `Write ${instead}. To wait for a promise that already exists, write ${call}() => wait(promise)${end}.`
    );
  }
  const right = closing === undefined ? 'fn, ...args)' : `() => fn(arg)${end}`;
  return `${who}() wants a function, not ${describe(value)}. Write ${call}${right}.`;
}

/** A short description of a value for an error message. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') {
    const name = className(value);
    return name === 'Object' ? 'an object' : `an instance of ${name}`;
  }
  if (typeof value === 'function') {
    return `the ${isClass(value as AnyFunction) ? 'class' : 'function'} ${functionName(value as AnyFunction)}`;
  }
  return typeof value === 'bigint' ? `${value}n` : String(value);
}

function className(value: object): string {
  const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof name === 'string' && name !== '' ? name : 'Object';
}

/** True for the options object in front of a function: `spawn({ daemon: true }, fn)`. Instances of classes are something else. */
export function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && className(value) === 'Object' && !isThenable(value);
}

/** True for what `for await` goes over. */
export function isIterable(value: unknown): value is object {
  if (typeof value === 'string') return true;
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

/**
 * Checks a number of seconds at the call.
 * @throws TypeError for NaN and for what is not a number
 */
export function checkSeconds(value: unknown, who: string): number {
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw new TypeError(`${who}() wants a number of seconds, not ${describe(value)}.`);
  }
  return value;
}
