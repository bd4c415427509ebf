/*
 * The thread's side of the line: describes calls, blocks the thread until the kernel has answered, and meanwhile
 * runs callbacks.
 *
 * It must not import what only the kernel's side needs.
 */

import { type Away, setAway } from '../base/away.ts';
import type { Bell } from '../base/bell.ts';
import { type AnyFunction, describe, functionName } from '../base/callable.ts';
import { CancelledError, RuntimeError } from '../errors.ts';
import type { Task } from '../task.ts';
import { handled } from '../traps.ts';
import type { Shared } from '../universal/shared.ts';
import { type Customs, fromWire, toWire } from '../universal/wire.ts';
import { arrive } from '../workers/travel/arrival.ts';
import { crossesByHandle } from '../workers/travel/crossing.ts';
import { pack } from '../workers/travel/pack.ts';
import '../workers/travel/universal.ts';
import { unpack } from '../workers/travel/unpack.ts';
import {
  type Declared,
  FILLS,
  type Question,
  type Target,
  type ToKernel,
  type ToThread,
} from './messages.ts';
import { Operation } from './operation.ts';
import { classNameOf, libraryClass, libraryFunction, libraryName, shipsFunctions } from './registry.ts';
import { idOf, remoteFunction, remoteObject } from './remote.ts';
import { Undone } from './undone.ts';

/** What this needs of a MessagePort. */
export interface ThreadPort {
  post(message: unknown): void;
  /** The next message, if one has come. */
  take(): unknown;
  /** Calls back for messages that come while the thread does not look. */
  listen(heard: (message: unknown) => void): void;
}

/** Called without a function these give an object at once, which needs no AWAIT. */
const IMMEDIATE = new Set(['tcpServerSocket', 'unixServerSocket', 'socket', 'socketpair']);
const SCOPES = new Set(['timeoutAfter', 'ignoreAfter', 'disableCancellation']);

export class Outpost implements Away, Customs {
  readonly #port: ThreadPort;
  readonly #bell: Bell;
  readonly #objects = new Map<number, object>();
  readonly #callbacks = new Map<number, AnyFunction>();
  readonly #callbackIds = new Map<AnyFunction, number>();
  /** Errors that came from the kernel, by the numbers they have there. */
  readonly #origins = new WeakMap<object, number>();
  /** Universal objects that the kernel's side has been told of. */
  readonly #numbers = new WeakMap<Shared, { number: number; handle: undefined }>();
  readonly #undone = new Undone(({ on, method }) => this.#send({ t: 'forgotten', on, method }));
  #lastNumber = 0;
  #shipping = false;

  constructor(port: ThreadPort, bell: Bell) {
    this.#port = port;
    this.#bell = bell;
    port.listen((message) => void this.#heard(message as ToThread));
  }

  // ---- The thread's function ----

  async #heard(message: ToThread): Promise<void> {
    if (message.t !== 'start') return;
    setAway(this);
    try {
      const fn = await unpack(message.fn);
      let value = fn(...(fromWire(message.args, this) as unknown[]));
      if (value instanceof Operation) value = value.run();
      value = await value;
      this.#undone.end();
      this.#send({ t: 'return', value: toWire(value, this) });
    } catch (error) {
      // swallows: nothing; the kernel's side throws it.
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const origin = isObject(error) ? this.#origins.get(error) : undefined;
    try {
      this.#port.post({ t: 'throw', error: toWire(error, this), origin });
    } catch (refusal) {
      // swallows: the reason why the error cannot be sent; that there was one is what counts.
      const text = `The thread threw ${describe(error)}, which cannot be sent: ${String(refusal)}`;
      this.#port.post({ t: 'throw', error: toWire(new RuntimeError(text), this) });
    }
  }

  /** Posts; what cannot be cloned becomes an error that says what it is. */
  #send(message: ToKernel): void {
    try {
      this.#port.post(message);
    } catch (error) {
      if (!isCloneError(error)) throw error;
      throw new TypeError(`An async thread cannot send this to its kernel: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  // ---- Asking the kernel ----

  /** Asks, and blocks the thread until the answer is there. */
  request(message: Question): unknown {
    let seen = this.#bell.rings;
    this.#send(message);
    for (;;) {
      this.#bell.waitPast(seen);
      seen = this.#bell.rings;
      for (let got = this.#port.take(); got !== undefined; got = this.#port.take()) {
        const answer = got as ToThread;
        if (answer.t === 'invoke') this.#invoke(answer.callback, answer.args);
        else return this.#take(answer, message);
      }
    }
  }

  #take(answer: ToThread, message: Question): unknown {
    if (answer.t === 'reply') {
      if (answer.filled !== undefined && message.t === 'call') fill(message.args, answer.filled);
      return fromWire(answer.value, this);
    }
    if (answer.t !== 'error') throw new RuntimeError(`Unexpected message '${answer.t}' from the kernel.`);
    const error = fromWire(answer.error, this);
    if (error instanceof CancelledError)
      error.requestedBy = fromWire(answer.by, this) as Task<unknown> | null;
    if (isObject(error)) this.#origins.set(error, answer.origin);
    throw error;
  }

  /** The kernel calls a function of the thread's, which waits for just that. */
  #invoke(id: number, args: unknown[]): void {
    try {
      const fn = this.#callbacks.get(id) as (...args: unknown[]) => unknown;
      let value = fn(...(fromWire(args, this) as unknown[]));
      if (value instanceof Operation) value = value.run();
      if (value instanceof Promise) {
        // Nobody will ever look at it.
        void handled(value);
        throw new TypeError(
          `The function ${functionName(fn)} gave a promise, which a blocked thread cannot wait for. ` +
            'Write AWAIT instead of await in it.',
        );
      }
      this.#send({ t: 'return', value: toWire(value, this) });
    } catch (error) {
      // swallows: nothing; the kernel's side throws it.
      this.#fail(error);
    }
  }

  // ---- What can be asked ----

  call(name: string, args: readonly unknown[]): unknown {
    const immediate =
      IMMEDIATE.has(name) || (SCOPES.has(name) && !args.some((arg) => typeof arg === 'function'));
    return this.describe({ library: name }, null, args, !immediate, shipsFunctions(name));
  }

  /** A call: made at once, or as an operation to be AWAITed. */
  describe(
    on: Target,
    method: string | null,
    args: readonly unknown[],
    lazy: boolean,
    ships = false,
  ): unknown {
    const make = () =>
      this.request({ t: 'call', on, method, args: this.#pack(args, ships, method ?? ''), free: !lazy });
    if (!lazy) return make();
    const operation: Operation = new Operation(() => {
      this.#undone.remove(operation);
      return make();
    });
    this.#undone.add(operation, { on, method });
    return operation;
  }

  #pack(args: readonly unknown[], ships: boolean, method: string): unknown[] {
    // timeoutAfter(1, runInThread, fn) has fn run where runInThread sends it, too.
    this.#shipping =
      ships || args.some((arg) => typeof arg === 'function' && shipsFunctions(libraryName(arg)));
    try {
      const packed = toWire([...args], this) as unknown[];
      // These are filled by the answer, so they stay what they are.
      return FILLS.test(method) ? withBuffers(packed, args) : packed;
    } finally {
      this.#shipping = false;
    }
  }

  has(fn: object): boolean {
    const name = libraryName(fn);
    return name !== undefined && libraryFunction(name) !== undefined;
  }

  /** Runs an async function of the thread's in the kernel. */
  ship(fn: AnyFunction, args: readonly unknown[]): unknown {
    const on = { ship: pack(fn, 'AWAIT') };
    return this.request({ t: 'call', on, method: null, args: this.#pack(args, true, ''), free: false });
  }

  construct(cls: { prototype: object }, args: readonly unknown[]): object {
    const name = classNameOf(cls.prototype) as string;
    return this.request({ t: 'construct', name, args: this.#pack(args, false, '') }) as object;
  }

  universal(object: object, method: string, args: readonly unknown[]): unknown {
    const shared = object as Shared;
    const packed = { object: this.#named(shared), method, args: this.#pack(args, false, '') };
    if (!shared.isOneWay(method)) return this.request({ t: 'universal', ...packed });
    this.#send({ t: 'tell', ...packed });
    return undefined;
  }

  /** The number of a universal object on this line; its handle goes along only the first time. */
  #named(shared: Shared): { number: number; handle: unknown } {
    const known = this.#numbers.get(shared);
    if (known !== undefined) return known;
    const number = ++this.#lastNumber;
    this.#numbers.set(shared, { number, handle: undefined });
    return { number, handle: shared.handle() };
  }

  // ---- Customs ----

  declare(value: object): object | null {
    const id = idOf(value);
    if (id !== undefined) return { kind: 'handle', id, className: null, name: '' } satisfies Declared;
    if (crossesByHandle(value)) return { kind: 'universal', handle: value.handle() } satisfies Declared;
    if (value instanceof Operation) {
      this.#undone.remove(value);
      throw new TypeError('An operation was passed on before it was done. Write AWAIT(…) around it.');
    }
    if (typeof value !== 'function') return null;
    const name = libraryName(value);
    if (name !== undefined) return { kind: 'library', name } satisfies Declared;
    const fn = value as AnyFunction;
    if (this.#shipping) return { kind: 'shipment', shipment: pack(fn, 'AWAIT') } satisfies Declared;
    return { kind: 'callback', id: this.#callbackId(fn), name: functionName(fn) } satisfies Declared;
  }

  #callbackId(fn: AnyFunction): number {
    let id = this.#callbackIds.get(fn);
    if (id === undefined) {
      id = this.#callbacks.size + 1;
      this.#callbackIds.set(fn, id);
      this.#callbacks.set(id, fn);
    }
    return id;
  }

  admit(declared: object): unknown {
    const it = declared as Declared;
    switch (it.kind) {
      case 'library':
        return libraryFunction(it.name) ?? libraryClass(it.name);
      case 'universal':
        return arrive(it.handle);
      case 'callback':
        return this.#callbacks.get(it.id);
      case 'handle':
        return this.#object(it.id, it.className, it.name);
      case 'shipment':
        return unpack(it.shipment);
    }
  }

  #object(id: number, className: string | null, name: string): object {
    let object = this.#objects.get(id);
    if (object === undefined) {
      object = className === 'Function' ? remoteFunction(this, id, name) : remoteObject(this, id, className);
      // There may be any number of guards, one after the other.
      if (className !== 'Guard') this.#objects.set(id, object);
    }
    return object;
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function isCloneError(error: unknown): boolean {
  return error instanceof Error && error.name === 'DataCloneError';
}

/** The arguments of a call whose buffers the kernel fills: they cross as they are. */
function withBuffers(packed: unknown[], args: readonly unknown[]): unknown[] {
  return packed.map((arg, i) => (ArrayBuffer.isView(args[i]) ? args[i] : arg));
}

/** Copies what the kernel has read into the buffers that were meant for it. */
function fill(args: unknown[], filled: Uint8Array[]): void {
  const views = args.flat().filter((arg) => ArrayBuffer.isView(arg)) as ArrayBufferView[];
  for (const [i, view] of views.entries()) {
    const bytes = filled[i];
    if (bytes !== undefined) new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(bytes);
  }
}
