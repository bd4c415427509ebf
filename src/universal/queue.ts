/*
 * A queue between tasks of any kernel, ordinary async code outside them, and threads.
 *
 * An ordinary promise has its item as soon as it is chosen. A task has it at its
 * turn; until then the item counts as being in the queue, and if the task ends
 * instead it goes back to its place.
 */

import { describe, isOptions } from '../base/callable.ts';
import { Deque } from '../base/deque.ts';
import { RuntimeError } from '../errors.ts';
import { due, elsewhere, enter, handled } from '../traps.ts';
import { done, failed, Line, type Waiter } from './line.ts';
import { PollSign } from './poll.ts';
import type { Enlisted, Outcome } from './protocol.ts';
import { isElsewhere, provideShared, Shared, sharedFrom, type UniversalHandle } from './shared.ts';

/** Options of `new UniversalQueue()`. */
export interface UniversalQueueOptions {
  /** How many items fit; 0, the default, for any number. */
  maxsize?: number | undefined;
  /** True for a queue that a foreign poll loop can watch: `fileno()` is readable while there are items. */
  withfd?: boolean | undefined;
}

/** An item with its place in the order of all that were given out. */
interface Placed<T> {
  item: T;
  place: number;
}

/** What a stand-in in another thread knows. */
interface Terms {
  readonly maxsize: number;
  /** 1 after `shutdown()`. */
  readonly shut: Int32Array<SharedArrayBuffer>;
}

/** What who waits, or comes later, gets from a queue that has been shut down. */
class ShutDown extends RuntimeError {
  // Its class does not get to other threads.
  readonly isShutDown = true;
}

function isShutDown(error: unknown): boolean {
  return error instanceof RuntimeError && (error as Partial<ShutDown>).isShutDown === true;
}

/**
 * A queue for tasks of any kernel, for ordinary async functions, and for threads, with the same methods in all worlds: outside
 * of tasks they give ordinary promises, which nothing cancels; in a worker thread that the queue was sent to they block the
 * thread and give their result. First come, first served. What passes between threads is copied.
 *
 * @see Reference manual, "Universal Synchronizaton"
 * @example
 * const queue = new UniversalQueue<string>({ maxsize: 10 });
 * process.stdin.on('data', (text) => queue.put(String(text)));
 * await run(async () => {
 *   for await (const text of queue) console.log(text);
 * });
 */
export class UniversalQueue<T> extends Shared implements AsyncIterable<T> {
  readonly maxsize: number;
  readonly #items = new Deque<T>();
  /** Older than all of `#items`, in the order of their places. */
  readonly #returned: Placed<T>[] = [];
  readonly #getters = new Line<T>(this);
  readonly #putters = new Line<void>(this);
  readonly #joiners = new Line<void>(this);
  /** Items that tasks were chosen for which have not run yet. */
  #onTheirWay = 0;
  #place = 0;
  #unfinished = 0;
  #shut = false;
  readonly #poll: PollSign | null;
  /** @internal */
  protected readonly kind = 'UniversalQueue';
  /** @internal */
  protected terms: Terms;

  /**
   * @throws TypeError if `maxsize` is no number
   * @throws RangeError if it is negative or no whole number
   */
  constructor(options: UniversalQueueOptions = {}) {
    super();
    if (!isOptions(options)) {
      throw new TypeError(
        `new UniversalQueue() takes options, such as { maxsize: 10 }, not ${describe(options)}.`,
      );
    }
    const { maxsize = 0, withfd = false } = options;
    if (typeof maxsize !== 'number')
      throw new TypeError(`The size of a queue is a number, not ${describe(maxsize)}.`);
    if (!(maxsize >= 0) || (maxsize % 1 !== 0 && maxsize !== Number.POSITIVE_INFINITY)) {
      throw new RangeError(`The size of a queue is a whole number, 0 for no limit, not ${maxsize}.`);
    }
    this.maxsize = maxsize === Number.POSITIVE_INFINITY ? 0 : maxsize;
    this.terms = { maxsize: this.maxsize, shut: new Int32Array(new SharedArrayBuffer(4)) };
    this.#poll = withfd && this.far === null ? new PollSign() : null;
    const there = isElsewhere() ? elsewhere() : null;
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, [{ maxsize, withfd }]) as this;
  }

  /**
   * The queue that a handle is of: itself in the thread it lives in, and in another one that asks it. There `get`, `put`, `join`
   * and `taskDone` block the thread, and give their result; in a task of that thread they are operations as ever.
   * @throws TypeError for what is no such handle
   */
  static from<T>(handle: UniversalHandle): UniversalQueue<T> {
    return sharedFrom(handle, 'UniversalQueue') as UniversalQueue<T>;
  }

  /**
   * A descriptor that is readable while there are items, for `poll()` and its like. Whatever is read from it, the queue works.
   * @throws RuntimeError if the queue was made without `withfd`, or has been shut down
   */
  fileno(): number {
    if (this.far !== null) return this.far.look(this, 'fileno', []) as number;
    if (this.#poll === null) {
      throw new RuntimeError('This queue has no descriptor. Write new UniversalQueue({ withfd: true }).');
    }
    return this.#poll.fileno();
  }

  /** True if there is no item. */
  empty(): boolean {
    if (this.far !== null) return this.far.look(this, 'empty', []) as boolean;
    return this.size() === 0;
  }

  /** True if no further item fits. */
  full(): boolean {
    if (this.far !== null) return this.far.look(this, 'full', []) as boolean;
    return this.maxsize > 0 && this.size() >= this.maxsize;
  }

  /** The number of items, those included that are reserved for a task that has been woken and has not run yet. */
  size(): number {
    if (this.far !== null) return this.far.look(this, 'size', []) as number;
    return this.#available + this.#onTheirWay;
  }

  get #available(): number {
    return this.#returned.length + this.#items.length;
  }

  /**
   * Takes an item. Blocks (`FUTURE_WAIT`) while there is none.
   *
   * **Cancellation:** nothing has been taken.
   * @throws RuntimeError after `shutdown()`, when no item is left
   */
  get(): Promise<T> {
    if (this.far !== null) return this.far.call(this, 'get', []) as Promise<T>;
    const task = enter();
    const refusal = due(task, 'UniversalQueue.get()');
    if (refusal !== null) return refusal;
    // Tasks that have been chosen and have not run yet are not to be overtaken by another.
    const inLine = task !== null && this.#onTheirWay > 0;
    if (this.#available > 0 && !inLine) return done(task, this.#take());
    if (this.#available === 0 && this.#shut) return failed(task, shutDown());
    const item = this.#getters.wait(task, 'UniversalQueue.get()');
    this.#serve();
    return item;
  }

  /**
   * Adds an item. Blocks (`FUTURE_WAIT`) while the queue is full.
   *
   * **Cancellation:** the item has not been added.
   * @throws RuntimeError after `shutdown()`
   */
  put(item: T): Promise<void> {
    if (this.far !== null) return this.#putThere(this.far, item);
    const task = enter();
    const refusal = due(task, 'UniversalQueue.put()');
    if (refusal !== null) return refusal;
    if (this.#shut) return failed(task, shutDown());
    if (this.full()) return this.#putters.wait(task, 'UniversalQueue.put()', item);
    this.#add(item);
    return done(task, undefined);
  }

  /**
   * Waits until `taskDone()` has been called for every item that was put. Blocks (`FUTURE_WAIT`) unless it has.
   *
   * **Cancellation:** the caller stops waiting.
   */
  join(): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'join', []) as Promise<void>;
    const task = enter();
    return this.#unfinished === 0 ? done(task, undefined) : this.#joiners.wait(task, 'UniversalQueue.join()');
  }

  /**
   * Says that an item has been dealt with. Does not block; the last one wakes all who `join()`.
   * @throws RuntimeError if it is called more often than `put`
   */
  taskDone(): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'taskDone', []) as Promise<void>;
    const task = enter();
    if (this.#unfinished === 0) {
      const advice = 'Call it once an item.';
      return failed(
        task,
        new RuntimeError(`UniversalQueue.taskDone() was called more often than items were put. ${advice}`),
      );
    }
    this.#unfinished--;
    if (this.#unfinished === 0) this.#joiners.chooseAll(undefined);
    return done(task, undefined);
  }

  /**
   * Ends the queue: nothing can be put any more. Items that are in can still be taken, and joined; whoever waits for
   * another, or to put one, gets a RuntimeError. Does not block.
   */
  shutdown(): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'shutdown', []) as Promise<void>;
    const task = enter();
    this.#shut = true;
    Atomics.store(this.terms.shut, 0, 1);
    this.#getters.failAll(shutDown);
    this.#putters.failAll(shutDown);
    this.#poll?.close();
    return done(task, undefined);
  }

  /** Items as they come, until the queue has been shut down and is empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (isShutDown(error)) return;
        throw error;
      }
      yield item;
    }
  }

  /** The same in another thread, which is blocked until an item comes. */
  *[Symbol.iterator](): Generator<T, void> {
    for (;;) {
      const item = this.#getHere();
      if (item === null) return;
      yield item.value;
    }
  }

  #getHere(): { value: T } | null {
    let value: unknown;
    try {
      value = this.get();
    } catch (error) {
      if (isShutDown(error)) return null;
      throw error;
    }
    if (!(value instanceof Promise)) return { value: value as T };
    void handled(value);
    throw new RuntimeError(
      'A UniversalQueue can be iterated with `for` in another thread only. Write `for await` here.',
    );
  }

  /** An item for an unlimited queue needs no answer. */
  #putThere(far: NonNullable<typeof this.far>, item: T): Promise<void> {
    if (!this.isOneWay('put')) return far.call(this, 'put', [item]) as Promise<void>;
    if (Atomics.load(this.terms.shut, 0) === 0) return far.call(this, 'put', [item], true) as Promise<void>;
    const task = enter();
    if (task !== null) return failed(task, shutDown());
    throw shutDown();
  }

  // ---- For other threads ----

  /** @internal */
  become(terms: Terms): void {
    this.terms = terms;
  }

  /** @internal */
  isOneWay(method: string): boolean {
    return method === 'put' && this.maxsize === 0;
  }

  /** @internal */
  waits(method: string): boolean {
    return method === 'get' || method === 'put' || method === 'join';
  }

  /** @internal */
  enlist(method: string, [item]: readonly unknown[], outcome: Outcome): Enlisted | null {
    const resolve = () => outcome.resolve(undefined);
    const { reject } = outcome;
    if (method === 'join') {
      if (this.#unfinished > 0) return this.#joiners.enlist(resolve, reject);
      resolve();
    } else if (method === 'put') {
      if (this.#shut) reject(shutDown());
      else if (this.full()) return this.#putters.enlist(resolve, reject, item);
      else {
        this.#add(item as T);
        resolve();
      }
    } else if (this.#available > 0) {
      const placed = this.#next();
      outcome.resolve(placed.item, placed.place);
      this.#admit();
      this.#signal();
    } else if (this.#shut) reject(shutDown());
    else return this.#getters.enlist(outcome.resolve, reject);
    return null;
  }

  /** @internal Another thread was given an item and could not take it: it goes back to its place. */
  override giveBack(item: unknown, place: unknown): void {
    this.#giveBack({ item: item as T, place: place as number });
  }

  /** @internal Another thread has put an item, and does not wait. */
  override accept(item: unknown): void {
    if (!this.#shut) this.#add(item as T);
  }

  // ---- Items ----

  #take(): T {
    const { item } = this.#next();
    this.#admit();
    this.#signal();
    return item;
  }

  /** Shows on the descriptor whether there are items. */
  #signal(): void {
    this.#poll?.show(this.size() > 0);
  }

  #next(): Placed<T> {
    return this.#returned.shift() ?? { item: this.#items.shift() as T, place: ++this.#place };
  }

  /** Gives what is there to those who wait for it. */
  #serve(): void {
    for (
      let getter = this.#getters.first;
      getter !== undefined && this.#available > 0;
      getter = this.#getters.first
    )
      this.#give(getter, this.#next());
  }

  /** Lets putters in as long as there is room. */
  #admit(): void {
    for (
      let putter = this.#putters.first;
      putter !== undefined && !this.full();
      putter = this.#putters.first
    ) {
      putter.choose(undefined);
      this.#add(putter.brings as T);
    }
  }

  #add(item: T): void {
    this.#unfinished++;
    this.#items.push(item);
    this.#serve();
    this.#signal();
  }

  #give(getter: Waiter<T>, placed: Placed<T>): void {
    const { item } = placed;
    if (getter.task === null) return getter.choose(item, { receipt: placed.place });
    this.#onTheirWay++;
    getter.choose(item, {
      taken: () => {
        this.#onTheirWay--;
        this.#admit();
        this.#signal();
      },
      refused: () => {
        this.#onTheirWay--;
        this.#giveBack(placed);
      },
    });
  }

  /** A task that was chosen for the item has ended without taking it. */
  #giveBack(placed: Placed<T>): void {
    const later = this.#returned.findIndex((other) => other.place > placed.place);
    this.#returned.splice(later < 0 ? this.#returned.length : later, 0, placed);
    this.#serve();
    // An ordinary promise has it at once, which makes room.
    this.#admit();
    this.#signal();
  }

  override toString(): string {
    if (this.far !== null) return this.far.look(this, 'toString', []) as string;
    const limit = this.maxsize === 0 ? '' : ` of ${this.maxsize}`;
    const waiting = `${this.#getters.waiters.size} getting, ${this.#putters.waiters.size} putting`;
    return `UniversalQueue(${this.size()}${limit} items, ${waiting})`;
  }
}

function shutDown(): ShutDown {
  return new ShutDown('The UniversalQueue has been shut down.');
}

provideShared('UniversalQueue', (terms: Terms) => {
  const standIn = new UniversalQueue<unknown>({ maxsize: terms.maxsize });
  standIn.become(terms);
  return standIn;
});
