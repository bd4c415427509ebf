/*
 * A queue between tasks of any kernel and ordinary async code outside them.
 *
 * An ordinary promise has its item as soon as it is chosen. A task has it at its
 * turn; until then the item counts as being in the queue, and if the task ends
 * instead it goes back to its place.
 */

import { describe } from '../base/callable.ts';
import { Deque } from '../base/deque.ts';
import { NotSupportedError, RuntimeError } from '../errors.ts';
import { enter } from '../traps.ts';
import { done, failed, Line, type Waiter } from './line.ts';

/** Options of `new UniversalQueue()`. */
export interface UniversalQueueOptions {
  /** How many items fit; 0, the default, for any number. */
  maxsize?: number | undefined;
  /** A descriptor that can be read while items wait. Not there yet: it comes with the threads. */
  withfd?: boolean | undefined;
}

/** An item with its place in the order of all that were given out. */
interface Placed<T> {
  item: T;
  place: number;
}

/** What who waits, or comes later, gets from a queue that has been shut down. */
class ShutDown extends RuntimeError {}

/**
 * A queue for tasks of any kernel and for ordinary async functions, with the same methods in both worlds; outside of tasks
 * they give ordinary promises, which nothing cancels. First come, first served.
 *
 * @see Reference manual, "Universal Synchronizaton"
 * @example
 * const queue = new UniversalQueue<string>({ maxsize: 10 });
 * process.stdin.on('data', (text) => queue.put(String(text)));
 * await run(async () => {
 *   for await (const text of queue) console.log(text);
 * });
 */
export class UniversalQueue<T> implements AsyncIterable<T> {
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

  /**
   * @throws TypeError if `maxsize` is no number
   * @throws RangeError if it is negative or no whole number
   * @throws NotSupportedError for `withfd`
   */
  constructor({ maxsize = 0, withfd = false }: UniversalQueueOptions = {}) {
    if (withfd)
      throw new NotSupportedError(
        'new UniversalQueue({ withfd: true }) comes with threads, which are not there yet.',
      );
    if (typeof maxsize !== 'number')
      throw new TypeError(`The size of a queue is a number, not ${describe(maxsize)}.`);
    if (!(maxsize >= 0) || (maxsize % 1 !== 0 && maxsize !== Number.POSITIVE_INFINITY)) {
      throw new RangeError(`The size of a queue is a whole number, 0 for no limit, not ${maxsize}.`);
    }
    this.maxsize = maxsize === Number.POSITIVE_INFINITY ? 0 : maxsize;
  }

  /** True if there is no item. */
  empty(): boolean {
    return this.size() === 0;
  }

  /** True if no further item fits. */
  full(): boolean {
    return this.maxsize > 0 && this.size() >= this.maxsize;
  }

  /** The number of items, those included that are reserved for a task that has been woken and has not run yet. */
  size(): number {
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
    const task = enter();
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
    const task = enter();
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
    const task = enter();
    return this.#unfinished === 0 ? done(task, undefined) : this.#joiners.wait(task, 'UniversalQueue.join()');
  }

  /**
   * Says that an item has been dealt with. Does not block; the last one wakes all who `join()`.
   * @throws RuntimeError if it is called more often than `put`
   */
  taskDone(): Promise<void> {
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
    const task = enter();
    this.#shut = true;
    this.#getters.failAll(shutDown);
    this.#putters.failAll(shutDown);
    return done(task, undefined);
  }

  /** Items as they come, until the queue has been shut down and is empty. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for (;;) {
      let item: T;
      try {
        item = await this.get();
      } catch (error) {
        if (error instanceof ShutDown) return;
        throw error;
      }
      yield item;
    }
  }

  #take(): T {
    const { item } = this.#next();
    this.#admit();
    return item;
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
  }

  #give(getter: Waiter<T>, placed: Placed<T>): void {
    const { item } = placed;
    if (getter.task === null) return getter.choose(item);
    this.#onTheirWay++;
    getter.choose(item, {
      taken: () => {
        this.#onTheirWay--;
        this.#admit();
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
  }

  toString(): string {
    const limit = this.maxsize === 0 ? '' : ` of ${this.maxsize}`;
    const waiting = `${this.#getters.waiters.size} getting, ${this.#putters.waiters.size} putting`;
    return `UniversalQueue(${this.size()}${limit} items, ${waiting})`;
  }
}

function shutDown(): ShutDown {
  return new ShutDown('The UniversalQueue has been shut down.');
}
