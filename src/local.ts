/*
 * Task-local storage: an object whose properties have another value in every task.
 */

import type { inspect } from 'node:util';
import { RuntimeError } from './errors.ts';
import { curioRunning } from './meta.ts';
import { callingTask, type TaskRecord } from './traps.ts';

function outside(ended: TaskRecord | undefined): RuntimeError {
  const what = 'The values of a Local belong to tasks.';
  return new RuntimeError(
    ended === undefined
      ? `A Local was used outside a task. ${what} Start one with run(fn), and use it there.`
      : `A Local was used by ${ended}, which has ended. ${what}`,
  );
}

function values(local: object, forWriting: boolean): Record<PropertyKey, unknown> | undefined {
  const task: TaskRecord | undefined = callingTask();
  if (task === undefined || task.terminated) throw outside(task);
  let found = task.locals?.get(local);
  if (found === undefined && forWriting) {
    found = Object.create(null) as object;
    task.locals ??= new Map();
    task.locals.set(local, found);
  }
  return found as Record<PropertyKey, unknown> | undefined;
}

const handler: ProxyHandler<object> = {
  get(local, key) {
    if (typeof key === 'string') return values(local, false)?.[key];
    // Symbols are asked for by the language and by debuggers, outside tasks too.
    const found = curioRunning() ? values(local, false)?.[key] : undefined;
    return found ?? Reflect.get(local, key);
  },
  set(local, key, value) {
    values(local, true)![key] = value;
    return true;
  },
  has(local, key) {
    const found = values(local, false);
    return found !== undefined && key in found;
  },
  deleteProperty(local, key) {
    delete values(local, false)?.[key];
    return true;
  },
  ownKeys(local) {
    return Reflect.ownKeys(values(local, false) ?? {});
  },
  getOwnPropertyDescriptor(local, key) {
    const found = values(local, false);
    if (found === undefined || !(key in found)) return undefined;
    return { value: found[key], writable: true, enumerable: true, configurable: true };
  },
  defineProperty(local, key, descriptor) {
    // An accessor could not be copied at spawn without being called.
    if ('get' in descriptor || 'set' in descriptor) return false;
    values(local, true)![key] = descriptor.value;
    return true;
  },
  // The proxy's target never has anything of its own: frozen, or made to inherit, it would contradict what tasks see.
  preventExtensions: () => false,
  setPrototypeOf: () => false,
};

/** The type of a `Local`: its properties, read and written without `await`. */
export type Local<T extends object = Record<string, unknown>> = T;

/**
 * Task-local storage. `info.tag = 1` sets the property for the calling task; a task it spawns starts with
 * a (shallow) copy, and what either changes later stays its own. A property that was never set is `undefined`.
 *
 * Reading and writing do not block and need no `await`, so that logging functions can use it.
 * @throws RuntimeError on access outside a task
 * @see Tutorial, "Task-local storage"
 * @example
 * const info = new Local<{ tag: number }>();
 * info.tag = 7;
 */
export const Local: new <T extends object = Record<string, unknown>>() => Local<T> = class Local {
  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: the proxy is what users hold.
    return new Proxy<object>(this, handler) as this;
  }

  [Symbol.toPrimitive](): string {
    return '[object Local]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](_depth: number, options: object, show: typeof inspect): string {
    return `Local ${show(curioRunning() ? { ...this } : {}, options)}`;
  }
} as never;
