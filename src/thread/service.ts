/*
 * The kernel's side of an async thread: the task that stands for the thread makes the calls it asks for, one after
 * the other, so that locks, timeouts and cancellations see one task. While the thread computes, the task waits here.
 *
 * It must not know how the thread came to be.
 */

import { type AnyFunction, describe, functionName } from '../base/callable.ts';
import { Deque } from '../base/deque.ts';
import { CancelledError, RuntimeError, TaskCancelled } from '../errors.ts';
import {
  begin,
  block,
  callingTask,
  handled,
  hold,
  interrupt,
  outsideTasks,
  release,
  report,
  shield,
  type TaskRecord,
  title,
  unshield,
  WaitSlot,
} from '../traps.ts';
import { sharedFrom } from '../universal/shared.ts';
import { type Customs, fromWire, toWire } from '../universal/wire.ts';
import { arrive } from '../workers/travel/arrival.ts';
import { crossesByHandle } from '../workers/travel/crossing.ts';
import { isShell } from '../workers/travel/shell.ts';
import type { Shipment } from '../workers/travel/shipment.ts';
import '../workers/travel/universal.ts';
import { type Stock, unpack } from '../workers/travel/unpack.ts';
import { Holdings } from './holdings.ts';
import {
  type CallRequest,
  type Declared,
  DISPOSE,
  FILLS,
  ITERATE,
  type Named,
  type Question,
  type Target,
  type Thrown,
  type ToKernel,
  type ToThread,
} from './messages.ts';
import { classNameOf, libraryClass, libraryFunction, libraryName } from './registry.ts';

/** The line to a thread. */
export interface Line {
  /** Posts, and wakes the thread if it waits. */
  post(message: unknown): void;
  listen(heard: (message: unknown) => void, gone: (reason: Error) => void): void;
  /** Ends the thread, wherever it is. */
  close(): void;
}

/** The thread has ended without saying what became of its function. */
interface Gone {
  t: 'gone';
  reason: Error;
}

type Incoming = Question | Extract<ToKernel, { t: 'return' }> | Thrown | Gone;

/** How many errors are remembered by identity, for a thread that throws one on. */
const REMEMBERED = 100;

/** What the task is said to wait in while the thread computes. */
const OPERATION = 'an async thread';

export class Service implements Customs {
  readonly #line: Line;
  readonly #daemon: boolean;
  #task!: TaskRecord;
  readonly #inbox = new Deque<Incoming>();
  readonly #slot = new WaitSlot();
  readonly #objects = new Map<number, object>();
  readonly #ids = new Map<object, number>();
  readonly #callbacks = new WeakMap<object, number>();
  readonly #errors = new Map<number, unknown>();
  readonly #holdings = new Holdings();
  readonly #universals = new Map<number, unknown>();
  /** The thread's own functions that are known here. */
  readonly #stock: Stock = new Map();
  #lastId = 0;
  #lastError = 0;
  /** True while the thread waits for an answer. */
  #asked = false;
  #gone = false;

  constructor(line: Line, daemon: boolean) {
    this.#line = line;
    this.#daemon = daemon;
    outsideTasks(() =>
      line.listen(
        (message) => this.#heard(message as ToKernel),
        (reason) => this.#left(reason),
      ),
    );
  }

  /**
   * Tells the thread what to run.
   * @throws TypeError if the arguments cannot be cloned
   */
  start(name: string, fn: Shipment, args: readonly unknown[]): void {
    const place = args.findIndex((arg) => isShell(arg) && this.declare(arg as object) === null);
    if (place >= 0) {
      throw new TypeError(
        `spawnThread() copies what is not Curio’s own, and of argument ${place + 1}, ${describe(args[place])}, nothing would arrive. ` +
          'Give it plain values, functions, or objects of Curio’s such as sockets, files and queues, whose operations the thread calls with AWAIT.',
      );
    }
    try {
      this.#post({ t: 'start', name, fn, args: toWire([...args], this) as unknown[] });
    } catch (error) {
      if (!isCloneError(error)) throw error;
      throw new TypeError(`An argument of the thread ${name} cannot be sent to it: ${error.message}`, {
        cause: error,
      });
    }
  }

  /** Serves the thread until its function has ended. It is the body of the task that stands for the thread. */
  async run(): Promise<unknown> {
    this.#task = callingTask() as TaskRecord;
    try {
      return await this.#serve();
    } finally {
      await this.#cleanUp();
      this.#line.close();
    }
  }

  // ---- The line ----

  #heard(message: ToKernel): void {
    // Noted at once: the call itself may be refused, because the task has been cancelled.
    if (message.t === 'universal' || message.t === 'tell') this.#universal(message.object);
    // Not a question: it is done here and now, in the order in which things come.
    if (message.t === 'tell') return this.#tell(message);
    if (message.t === 'forgotten') return this.#forgotten(message);
    this.#arrived(message);
  }

  #left(reason: Error): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#arrived({ t: 'gone', reason });
    // Nobody waits any more for the answer it is working on.
    if (this.#asked) interrupt(this.#task, () => reason);
  }

  #arrived(message: Incoming): void {
    if (!this.#slot.wake(message)) this.#inbox.push(message);
  }

  #post(message: ToThread): void {
    this.#line.post(message);
  }

  #tell({ object, method, args }: Extract<ToKernel, { t: 'tell' }>): void {
    const shared = this.#universal(object);
    // Who asks for no answer is not told that a queue has been shut down.
    void handled(shared[method]!(...(fromWire(args, this) as unknown[])));
  }

  #forgotten({ on, method }: Extract<ToKernel, { t: 'forgotten' }>): void {
    const target = this.#target(on) as object;
    const what =
      method === null ? functionName(target as AnyFunction) : `${target.constructor.name}.${method}`;
    report(
      this.#task,
      'warn',
      `${title(this.#task)} is a thread that called ${what}() without AWAIT, and so it was not done. ` +
        `Write AWAIT(…) around the call.`,
    );
  }

  #universal({ number, handle }: Named): Record<string, (...args: unknown[]) => Promise<unknown>> {
    if (handle !== undefined) this.#universals.set(number, sharedFrom(handle));
    return this.#universals.get(number) as never;
  }

  /** The thread's next message. Whatever is to be thrown into the task meanwhile waits for the next AWAIT. */
  async #next(): Promise<Incoming> {
    const task = this.#task;
    if (this.#inbox.length > 0) return this.#inbox.shift() as Incoming;
    this.#asked = false;
    hold(task);
    try {
      return await (this.#daemon ? this.#nextUnlessOver(task) : this.#undisturbed(task));
    } finally {
      release(task);
    }
  }

  async #undisturbed(task: TaskRecord): Promise<Incoming> {
    shield(task);
    try {
      // Under a shield there is nothing to be refused.
      void begin(task, OPERATION);
      return await block<Incoming>(task, 'FUTURE_WAIT', this.#slot);
    } finally {
      unshield(task);
    }
  }

  /** A daemon is not waited for when its kernel shuts down, which is a cancellation that no task has asked for. */
  async #nextUnlessOver(task: TaskRecord): Promise<Incoming> {
    try {
      const refusal = begin(task, OPERATION);
      if (refusal !== null) await refusal;
      return await block<Incoming>(task, 'FUTURE_WAIT', this.#slot);
    } catch (error) {
      if (error instanceof TaskCancelled && error.requestedBy === null) throw error;
      const message = await this.#undisturbed(task);
      task.pending ??= error;
      return message;
    }
  }

  /** Answers until the function that the thread runs, the innermost one, has ended. */
  async #serve(): Promise<unknown> {
    for (;;) {
      const message = await this.#next();
      if (message.t === 'return') return fromWire(message.value, this);
      if (message.t === 'throw') throw this.#original(message);
      if (message.t === 'gone') throw message.reason;
      await this.#answer(message);
    }
  }

  async #answer(message: Question): Promise<void> {
    this.#asked = true;
    try {
      // Whatever is due to the task is thrown here, even if the operation would not have to wait.
      const isPoint = message.t === 'universal' || (message.t === 'call' && !message.free);
      const refusal = isPoint ? begin(this.#task, 'AWAIT()') : null;
      if (refusal !== null) await refusal;
      const value = await this.#perform(message);
      const keep = message.t === 'call' && message.keep === true;
      const reply: ToThread = {
        t: 'reply',
        value: keep ? toWire(value, this.#keeping) : toWire(value, this),
      };
      if (message.t === 'call' && FILLS.test(message.method ?? '')) reply.filled = buffersIn(message.args);
      this.#post(reply);
    } catch (error) {
      // swallows: nothing; it is thrown in the thread.
      if (this.#gone) throw error;
      this.#refuse(error);
    }
  }

  #refuse(error: unknown): void {
    const origin = ++this.#lastError;
    this.#errors.set(origin, error);
    this.#errors.delete(origin - REMEMBERED);
    const by = error instanceof CancelledError ? toWire(error.requestedBy, this) : null;
    const told = isCloneError(error)
      ? new TypeError(`The answer to an AWAIT cannot be sent to the thread: ${error.message}`, {
          cause: error,
        })
      : error;
    try {
      this.#post({ t: 'error', error: toWire(told, this), by, origin });
    } catch (refusal) {
      // swallows: the reason why the error cannot be sent; the thread must not wait for ever.
      const text = `${String(told)} (it cannot be sent as it is: ${String(refusal)})`;
      this.#post({ t: 'error', error: toWire(new RuntimeError(text), this), by, origin });
    }
  }

  /** What the thread has thrown: if that came from here, the very object. */
  #original({ error, origin }: Thrown): unknown {
    if (origin !== undefined && this.#errors.has(origin)) return this.#errors.get(origin);
    return fromWire(error, this);
  }

  // ---- Calls ----

  async #perform(message: Question): Promise<unknown> {
    switch (message.t) {
      case 'get':
        return (this.#object(message.handle) as Record<string, unknown>)[message.name];
      case 'construct':
        return this.#construct(message.name, message.args);
      case 'universal': {
        const shared = this.#universal(message.object);
        return shared[message.method]!(...(fromWire(message.args, this) as unknown[]));
      }
      case 'call':
        return this.#call(message);
    }
  }

  #construct(name: string, wired: unknown[]): object {
    const cls = libraryClass(name) as unknown as new (...args: unknown[]) => object;
    const made = new cls(...(fromWire(wired, this) as unknown[]));
    this.#holdings.made(made);
    return made;
  }

  async #call({ on, method, args: wired }: CallRequest): Promise<unknown> {
    const args = await this.#arguments(wired);
    const target = await this.#target(on);
    // A guard that has been let go of is not kept, and to let go of it once more does nothing.
    if (target === undefined && (method === DISPOSE || method === 'release')) return undefined;
    if (method === null) return (target as (...args: unknown[]) => unknown)(...args);
    if (method === DISPOSE) return this.#dispose(target as object);
    if (method === ITERATE) return (target as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    const fn = (target as Record<string, unknown>)[method];
    if (typeof fn !== 'function') {
      if (method === 'return') return { done: true, value: undefined };
      throw new TypeError(`${String(target)} has no method ${method}().`);
    }
    if (method === 'release') this.#letGo(target);
    const value = (await (fn as AnyFunction).apply(target, args as never[])) as unknown;
    this.#holdings.got(value, target);
    return value;
  }

  /** The arguments; functions that came as shipments may have to be imported first. */
  async #arguments(wired: unknown[]): Promise<unknown[]> {
    const args = fromWire(wired, this) as unknown[];
    return args.some((arg) => arg instanceof Promise) ? Promise.all(args) : args;
  }

  #target(on: Target): unknown {
    if ('handle' in on) return this.#object(on.handle);
    if ('ship' in on) return unpack(on.ship, this.#stock);
    return libraryFunction(on.library);
  }

  #object(id: number): object {
    return this.#objects.get(id) as object;
  }

  #dispose(target: object): unknown {
    this.#letGo(target);
    const disposable = target as Partial<Disposable & AsyncDisposable> & { leave?(): unknown };
    if (typeof disposable.leave === 'function') return disposable.leave();
    if (Symbol.asyncDispose in target) return disposable[Symbol.asyncDispose]?.();
    return disposable[Symbol.dispose]?.();
  }

  /** The thread lets go of a guard, or of what it acquired from an object. */
  #letGo(of: unknown): void {
    const guard = this.#holdings.letGo(of);
    if (guard === null) return;
    // A thread may acquire and release without end.
    this.#objects.delete(this.#ids.get(guard) as number);
    this.#ids.delete(guard);
  }

  /** However the thread has ended. */
  async #cleanUp(): Promise<void> {
    const task = this.#task;
    shield(task);
    try {
      await this.#holdings.end();
    } finally {
      unshield(task);
    }
  }

  // ---- Customs ----

  declare(value: object): object | null {
    if (typeof value === 'function') {
      const name = libraryName(value);
      if (name !== undefined) return { kind: 'library', name } satisfies Declared;
      const callback = this.#callbacks.get(value);
      if (callback !== undefined) return { kind: 'callback', id: callback, name: '' } satisfies Declared;
      return this.#handle(value, 'Function', functionName(value as AnyFunction));
    }
    if (crossesByHandle(value)) return { kind: 'universal', handle: value.handle() } satisfies Declared;
    const className = classNameOf(value);
    return className === undefined ? null : this.#handle(value, className, '');
  }

  /** Sends any object as one that stays here. */
  readonly #keeping: Customs = {
    declare: (value) => this.#handle(value, null, ''),
    admit: (declared) => this.admit(declared),
  };

  #handle(value: object, className: string | null, name: string): Declared {
    let id = this.#ids.get(value);
    if (id === undefined) {
      id = ++this.#lastId;
      this.#ids.set(value, id);
      this.#objects.set(id, value);
    }
    return { kind: 'handle', id, className, name };
  }

  admit(declared: object): unknown {
    const it = declared as Declared;
    switch (it.kind) {
      case 'handle':
        return this.#object(it.id);
      case 'library':
        return libraryFunction(it.name) ?? libraryClass(it.name);
      case 'universal':
        return arrive(it.handle);
      case 'shipment':
        return unpack(it.shipment, this.#stock);
      case 'callback':
        return this.#callback(it.id, it.name);
    }
  }

  /** A function of the thread's, to be called while the thread waits for an answer. */
  #callback(id: number, name: string): AnyFunction {
    const call = (...args: unknown[]): Promise<unknown> => {
      if (callingTask() !== this.#task || !this.#asked) {
        throw new RuntimeError(
          `${name}() belongs to the thread of ${title(this.#task)}, and can be called only on behalf of its AWAIT. ` +
            'What other tasks are to call must be a function they can reach: pass one in from outside the thread.',
        );
      }
      this.#post({ t: 'invoke', callback: id, args: toWire(args, this) as unknown[] });
      return this.#resume();
    };
    Object.defineProperty(call, 'name', { value: name });
    this.#callbacks.set(call, id);
    return call;
  }

  async #resume(): Promise<unknown> {
    try {
      return await this.#serve();
    } finally {
      // It waits for the answer again.
      this.#asked = true;
    }
  }
}

function isCloneError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'DataCloneError';
}

/** What an operation has read into the thread's buffers, which are copies here. */
function buffersIn(args: unknown[]): Uint8Array[] | undefined {
  const views = args.flat().filter((arg) => ArrayBuffer.isView(arg));
  if (views.length === 0) return undefined;
  return views.map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}
