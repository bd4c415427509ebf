/*
 * Queues, events and results for tasks of any kernel and for ordinary async
 * functions outside all of them, with the same methods in both worlds: a task
 * blocks in its kernel, everybody else gets an ordinary promise.
 */

import { describe } from './base/callable.ts';
import { RuntimeError } from './errors.ts';
import {
  begin,
  enter,
  pass,
  RESUME_CLAIM,
  RESUME_ERROR,
  refuse,
  type TaskRecord,
  type Waitable,
} from './traps.ts';

/** One who waits: a task, or an ordinary promise. */
class Waiter<T> implements Waitable {
  readonly #line: Line<T>;
  /** What it brought: the item of a putter. */
  readonly brings: unknown;
  #task: TaskRecord | null = null;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(line: Line<T>, brings: unknown) {
    this.#line = line;
    this.brings = brings;
  }

  /** An ordinary promise that waits. */
  promise(): Promise<T> {
    this.#line.waiters.add(this);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  add(record: TaskRecord): void {
    this.#task = record;
    this.#line.waiters.add(this);
  }

  remove(): void {
    this.#line.waiters.delete(this);
  }

  /** Gives it what it waited for. `refuse` is called if the task ends without taking it. */
  choose(value: T, refuse: () => void): void {
    this.remove();
    if (this.#task === null) return this.#resolve(value);
    this.#task.core.wake(this.#task, RESUME_CLAIM, { take: () => value, refuse });
  }

  fail(error: unknown): void {
    this.remove();
    if (this.#task === null) return this.#reject(error);
    this.#task.core.wake(this.#task, RESUME_ERROR, error);
  }
}

/** Those who wait for the same thing, in the order they came. */
class Line<T> {
  readonly waiters = new Set<Waiter<T>>();

  get first(): Waiter<T> | undefined {
    const [first] = this.waiters;
    return first;
  }

  wait(task: TaskRecord | null, operation: string, brings?: unknown): Promise<T> {
    if (task === null) return new Waiter<T>(this, brings).promise();
    return begin(task, operation) ?? task.core.suspend(task, 'FUTURE_WAIT', new Waiter<T>(this, brings));
  }

  chooseAll(value: T): void {
    for (const waiter of [...this.waiters]) waiter.choose(value, () => {});
  }

  failAll(error: unknown): void {
    for (const waiter of [...this.waiters]) waiter.fail(error);
  }
}

/** The result of an operation that did not have to wait, in either world. */
function done<T>(task: TaskRecord | null, value: T): Promise<T> {
  return task === null ? Promise.resolve(value) : pass(task, value);
}

/**
 * An event for tasks and for ordinary async code.
 * @see Reference manual, "Universal Synchronizaton"
 */
export class UniversalEvent {
  #set = false;
  readonly #line = new Line<void>();

  isSet(): boolean {
    return this.#set;
  }

  /** Makes later waiters wait. Who has been woken stays woken. */
  clear(): void {
    this.#set = false;
  }

  /**
   * Waits until the event is set. Blocks (`FUTURE_WAIT`) unless it is.
   *
   * **Cancellation:** the task stops waiting; the event is as it was.
   */
  wait(): Promise<void> {
    const task = enter();
    return this.#set ? done(task, undefined) : this.#line.wait(task, 'UniversalEvent.wait()');
  }

  /** Sets the event and wakes everybody who waits. Does not block. */
  set(): Promise<void> {
    const task = enter();
    this.#set = true;
    this.#line.chooseAll(undefined);
    return done(task, undefined);
  }

  toString(): string {
    return `UniversalEvent(${this.#set ? 'set' : 'unset'}, ${this.#line.waiters.size} waiting)`;
  }
}

/**
 * A value, or an exception, that is set once, for tasks and for ordinary async code.
 * @see Reference manual, "Universal Synchronizaton"
 */
export class UniversalResult<T> {
  #state: 'unset' | 'value' | 'exception' = 'unset';
  #content: unknown;
  readonly #line = new Line<T>();

  isSet(): boolean {
    return this.#state !== 'unset';
  }

  /**
   * Waits for the value. Blocks (`FUTURE_WAIT`) until it is set.
   *
   * **Cancellation:** the task stops waiting.
   * @throws the exception that was set instead
   */
  unwrap(): Promise<T> {
    const task = enter();
    if (this.#state === 'value') return done(task, this.#content as T);
    if (this.#state === 'exception') return refuse(this.#content);
    return this.#line.wait(task, 'UniversalResult.unwrap()');
  }

  /**
   * Sets the value. Does not block.
   * @throws RuntimeError if something has been set before
   */
  setValue(value: T): Promise<void> {
    return this.#put('value', value, () => this.#line.chooseAll(value));
  }

  /**
   * Sets an exception, which `unwrap()` throws. Does not block.
   * @throws RuntimeError if something has been set before
   */
  setException(exc: unknown): Promise<void> {
    return this.#put('exception', exc, () => this.#line.failAll(exc));
  }

  #put(kind: 'value' | 'exception', content: unknown, wake: () => void): Promise<void> {
    const task = enter();
    if (this.isSet())
      return refuse(
        new RuntimeError('This UniversalResult has already been set. Make a new one for the next.'),
      );
    this.#state = kind;
    this.#content = content;
    wake();
    return done(task, undefined);
  }

  toString(): string {
    return `UniversalResult(${this.#state}, ${this.#line.waiters.size} waiting)`;
  }
}

/** Options of `new UniversalQueue()`. */
export interface UniversalQueueOptions {
  /** How many items fit; 0, the default, for any number. */
  maxsize?: number;
}

/**
 * A queue for tasks and for ordinary async code.
 * @see Reference manual, "Universal Synchronizaton"
 */
export class UniversalQueue<T> implements AsyncIterable<T> {
  readonly maxsize: number;
  // Items given back by a getter that ended before its turn go in front, so this is a plain array; see #head.
  #items: T[] = [];
  #head = 0;
  readonly #getters = new Line<T>();
  readonly #putters = new Line<void>();
  readonly #joiners = new Line<void>();
  #unfinished = 0;
  #shut = false;

  constructor({ maxsize = 0 }: UniversalQueueOptions = {}) {
    if (typeof maxsize !== 'number' || Number.isNaN(maxsize)) {
      throw new TypeError(`The size of a queue is a number, not ${describe(maxsize)}.`);
    }
    if (maxsize < 0) throw new RangeError(`The size of a queue is 0 (no limit) or more, not ${maxsize}.`);
    this.maxsize = maxsize === Number.POSITIVE_INFINITY ? 0 : maxsize;
  }

  empty(): boolean {
    return this.size() === 0;
  }

  full(): boolean {
    return this.maxsize > 0 && this.size() >= this.maxsize;
  }

  size(): number {
    return this.#items.length - this.#head;
  }

  /**
   * Takes an item. Blocks (`FUTURE_WAIT`) while there is none.
   *
   * **Cancellation:** nothing has been taken.
   * @throws RuntimeError after `shutdown()`
   */
  get(): Promise<T> {
    const task = enter();
    if (this.size() > 0) return done(task, this.#take());
    if (this.#shut) return refuse(wasShutDown());
    return this.#getters.wait(task, 'UniversalQueue.get()');
  }

  /**
   * Adds an item. Blocks (`FUTURE_WAIT`) while the queue is full.
   *
   * **Cancellation:** the item has not been added.
   * @throws RuntimeError after `shutdown()`
   */
  put(item: T): Promise<void> {
    const task = enter();
    if (this.#shut) return refuse(wasShutDown());
    if (this.full()) return this.#putters.wait(task, 'UniversalQueue.put()', item);
    this.#unfinished++;
    this.#add(item);
    return done(task, undefined);
  }

  /**
   * Waits until `taskDone()` has been called for every item. Blocks (`FUTURE_WAIT`) unless it has.
   *
   * **Cancellation:** the caller stops waiting.
   */
  join(): Promise<void> {
    const task = enter();
    return this.#unfinished === 0 ? done(task, undefined) : this.#joiners.wait(task, 'UniversalQueue.join()');
  }

  /**
   * Says that an item has been dealt with. Does not block.
   * @throws RuntimeError if it is called more often than `put`
   */
  taskDone(): Promise<void> {
    const task = enter();
    if (this.#unfinished === 0) {
      return refuse(new RuntimeError('UniversalQueue.taskDone() was called more often than items were put.'));
    }
    this.#unfinished--;
    if (this.#unfinished === 0) this.#joiners.chooseAll(undefined);
    return done(task, undefined);
  }

  /** Ends the queue: who still waits gets a RuntimeError; items that are in can be taken. Does not block. */
  shutdown(): Promise<void> {
    const task = enter();
    this.#shut = true;
    for (const line of [this.#getters, this.#putters, this.#joiners] as Line<unknown>[])
      line.failAll(wasShutDown());
    return done(task, undefined);
  }

  /** Items as they come, until the queue is shut down. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    while (!this.#shut || this.size() > 0) yield await this.get();
  }

  #take(): T {
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as T;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    const putter = this.#putters.first;
    if (putter !== undefined) {
      this.#unfinished++;
      this.#add(putter.brings as T);
      putter.choose(undefined, () => {});
    }
    return item;
  }

  #add(item: T): void {
    const getter = this.#getters.first;
    if (getter === undefined) this.#items.push(item);
    else getter.choose(item, () => this.#giveBack(item));
  }

  /** A getter that was given an item has ended without taking it. */
  #giveBack(item: T): void {
    const getter = this.#getters.first;
    if (getter !== undefined) return getter.choose(item, () => this.#giveBack(item));
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }
}

function wasShutDown(): RuntimeError {
  return new RuntimeError('The queue has been shut down.');
}
