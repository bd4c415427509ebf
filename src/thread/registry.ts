/*
 * Under which names the things of the library are known on both sides of a thread's line. It must not know what they
 * are, nor how a call gets across.
 */

import { provideToThreads } from '../workers/travel/named.ts';

/** A class, concrete or not. */
export type AnyClass = abstract new (...args: never[]) => object;

type LibraryFunction = (...args: never[]) => unknown;

const functions = new Map<string, LibraryFunction>();
const functionNames = new Map<unknown, string>();
/** Those that start tasks, threads or processes: a function among their arguments has to go to the kernel, and on from there. */
const shipping = new Set<string>();
const byClass = new Map<object, string>();
const byName = new Map<string, { cls: AnyClass; operations: Set<string> }>();

/** A function that runs in the kernel on a thread's behalf. */
export function addFunction(name: string, fn: LibraryFunction, ships = false): void {
  functions.set(name, fn);
  functionNames.set(fn, name);
  if (ships) shipping.add(name);
  provideToThreads({ [name]: fn });
}

/**
 * A class whose objects stay in the kernel, and those of its methods that are operations. What it calls itself does not count: a
 * program that was made smaller has other names than its threads.
 */
export function addClass(name: string, cls: AnyClass, operations: string): void {
  byClass.set(cls.prototype, name);
  byName.set(name, { cls, operations: new Set(operations.split(' ')) });
  provideToThreads({ [name]: cls });
}

/** The library's function of this name. */
export function libraryFunction(name: string): LibraryFunction | undefined {
  return functions.get(name);
}

/** The name of one of the library's functions or classes; undefined for any other. */
export function libraryName(value: object): string | undefined {
  const name = functionNames.get(value);
  if (name !== undefined || typeof value !== 'function') return name;
  return byClass.get(value.prototype as object);
}

export function libraryClass(name: string): AnyClass | undefined {
  return byName.get(name)?.cls;
}

/** The library's class that an object, or a subclass's prototype, is of; undefined if it is of none. */
export function classNameOf(value: object): string | undefined {
  for (let proto: unknown = value; proto !== null; proto = Object.getPrototypeOf(proto)) {
    const name = byClass.get(proto as object);
    if (name !== undefined) return name;
  }
  return undefined;
}

/** True if this method of the class is an operation, to be AWAITed. */
export function isOperation(className: string, method: string): boolean {
  return byName.get(className)?.operations.has(method) ?? false;
}

/** True if functions among the arguments of this function or method go to the kernel to run there. */
export function shipsFunctions(name: string | undefined): boolean {
  return name !== undefined && shipping.has(name);
}
