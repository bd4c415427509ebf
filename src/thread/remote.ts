/*
 * What stands in an async thread for an object or function that lives in the kernel.
 *
 * It must not know how a call gets there.
 */

import { inspect } from 'node:util';
import { type CallRequest, DISPOSE, type GetRequest, ITERATE, type Target } from './messages.ts';
import { isOperation, libraryClass, shipsFunctions } from './registry.ts';

/** What can be asked of the kernel. */
interface Asks {
  describe(
    on: Target,
    method: string | null,
    args: readonly unknown[],
    lazy: boolean,
    ships?: boolean,
  ): unknown;
  request(message: GetRequest | CallRequest): unknown;
}

const ids = new WeakMap<object, number>();

/** The number of what a stand-in stands for; undefined for anything else. */
export function idOf(value: object): number | undefined {
  return ids.get(value);
}

/** A function that lives in the kernel: a call of it is an operation. */
export function remoteFunction(line: Asks, id: number, name: string): object {
  const fn = (...args: unknown[]) => line.describe({ handle: id }, null, args, true);
  Object.defineProperty(fn, 'name', { value: name });
  ids.set(fn, id);
  return fn;
}

/** An object that lives in the kernel. */
export function remoteObject(line: Asks, id: number, className: string | null): object {
  const cls = className === null ? undefined : libraryClass(className);
  // So that `instanceof` is right, and Node does not look into it when it is printed.
  const target: object = Object.create(cls === undefined ? Object.prototype : (cls.prototype as object));
  const object: object = new Proxy(
    target,
    new StandIn(line, id, className, cls?.prototype as object | undefined),
  );
  Object.defineProperty(target, inspect.custom, { value: () => String(object) });
  ids.set(object, id);
  return object;
}

class StandIn implements ProxyHandler<object> {
  readonly #line: Asks;
  readonly #id: number;
  readonly #className: string;
  readonly #proto: object | undefined;
  readonly #methods = new Map<string, unknown>();

  constructor(line: Asks, id: number, className: string | null, proto: object | undefined) {
    this.#line = line;
    this.#id = id;
    this.#className = className ?? '';
    this.#proto = proto;
  }

  get(target: object, key: string | symbol): unknown {
    if (typeof key === 'symbol') return this.#symbol(target, key);
    // It stands for an object that can be had, not for one that has to be awaited.
    if (key === 'then') return undefined;
    if (key === 'constructor') return target.constructor;
    const known = this.#methods.get(key);
    if (known !== undefined) return known;
    if (this.#proto !== undefined && !isMethod(this.#proto, key)) {
      return this.#line.request({ t: 'get', handle: this.#id, name: key });
    }
    const method = this.#method(key);
    this.#methods.set(key, method);
    return method;
  }

  #method(name: string): unknown {
    const lazy = isOperation(this.#className, name);
    const ships = shipsFunctions(name);
    return (...args: unknown[]) => this.#line.describe({ handle: this.#id }, name, args, lazy, ships);
  }

  #symbol(target: object, key: symbol): unknown {
    if (key === Symbol.dispose) {
      // A lock, say, is no block: `using _ = lock` would hold nothing, and tell nobody.
      if (this.#proto !== undefined && !isBlock(this.#proto)) return undefined;
      // A scope begins where its block does, which is where this is looked up.
      if (this.#className === 'TimeoutScope') this.#now('enter');
      return () => this.#now(DISPOSE);
    }
    if (key === Symbol.iterator) {
      const iterates = this.#proto === undefined || Symbol.asyncIterator in this.#proto;
      return iterates ? () => this.#iterate() : undefined;
    }
    // A loop that could wait uses the one above.
    if (key === Symbol.asyncIterator || key === Symbol.asyncDispose) return undefined;
    return Reflect.get(target, key);
  }

  #now(method: string): unknown {
    return this.#line.describe({ handle: this.#id }, method, [], false);
  }

  /** One item after the other, each of them awaited. */
  *#iterate(): Generator<unknown, void> {
    const on = { handle: this.#id };
    const there = this.#line.request({ t: 'call', on, method: ITERATE, args: [], free: true, keep: true });
    const iterator = { handle: idOf(there as object) as number };
    const step = (method: string, free: boolean) =>
      this.#line.request({ t: 'call', on: iterator, method, args: [], free }) as IteratorResult<unknown>;
    let over = false;
    try {
      for (;;) {
        const { done, value } = step('next', false);
        over = done === true;
        if (over) return;
        yield value;
      }
    } catch (error) {
      over = true;
      throw error;
    } finally {
      if (!over) step('return', true);
    }
  }

  set(): boolean {
    throw new TypeError(
      'An object of the kernel cannot be changed from an async thread, only its methods called.',
    );
  }
}

/** True for objects of a class that `await using`, or `using`, takes in the kernel; a scope has `enter()` and `leave()`. */
function isBlock(proto: object): boolean {
  return Symbol.asyncDispose in proto || Symbol.dispose in proto || 'leave' in proto;
}

function isMethod(proto: object, key: string): boolean {
  for (let at: object | null = proto; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const found = Object.getOwnPropertyDescriptor(at, key);
    if (found !== undefined) return typeof found.value === 'function';
  }
  return false;
}
