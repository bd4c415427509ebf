/*
 * Queues between tasks: first in first out, by priority, last in first out.
 */

import { describe } from './base/callable.ts';
import { Deque } from './base/deque.ts';
import { type Compare, Heap, naturalOrder } from './base/heap.ts';
import { printedAsText } from './base/printing.ts';
import { Turnover } from './base/turnover.ts';
import { RuntimeError } from './errors.ts';
import {
  admit,
  begin,
  block,
  type Claim,
  elsewhere,
  fail,
  pass,
  RESUME_CLAIM,
  RESUME_ERROR,
  RESUME_VALUE,
  refused,
  TaskList,
  type TaskRecord,
  wakeFirst,
  wakeSome,
} from './traps.ts';

/** How a queue keeps its items: what goes in with `push` comes out with `shift`. */
interface Store<T> {
  readonly length: number;
  push(item: T): void;
  shift(): T | undefined;
}

/** The tasks that wait to put something, each with its item. */
class Offers<T> extends TaskList {
  /** Null until somebody waits. */
  #items: Turnover<TaskRecord, T> | null = null;
  #next: T | undefined;

  /** To be followed by `add`: what the next task to come brings. */
  offering(item: T): this {
    this.#next = item;
    return this;
  }

  override add(record: TaskRecord): void {
    this.#items ??= new Turnover();
    this.#items.set(record, this.#next as T);
    this.#next = undefined;
    super.add(record);
  }

  override remove(record: TaskRecord): void {
    this.#items?.delete(record);
    super.remove(record);
  }

  /** The item of the task that has waited longest. */
  get firstItem(): T {
    return this.#items?.get(this.first as TaskRecord) as T;
  }
}

/**
 * A queue of items between tasks. Waiters are served first come, first served. What a woken getter was
 * chosen for stays in the queue, reserved for it, until it runs.
 *
 * @see Reference manual, "Queues"
 * @example
 * const queue = new Queue<number>(10);
 * await queue.put(1);
 * const item = await queue.get();
 * await queue.taskDone();
 */
export class Queue<T> implements AsyncIterable<T> {
  static {
    printedAsText(this);
  }

  readonly #maxsize: number;
  readonly #store: Store<T>;
  readonly #getters = new TaskList(this);
  readonly #putters = new Offers<T>(this);
  readonly #joiners = new TaskList(this);
  #reserved = 0;
  #unfinished = 0;

  readonly #claim: Claim = {
    take: () => {
      this.#reserved--;
      try {
        return this.#take();
      } catch (error) {
        // A comparator threw. The item is still there, and whoever waits for one shall know.
        this.#serve();
        throw error;
      }
    },
    refuse: () => {
      this.#reserved--;
      this.#serve();
    },
  };

  /** @param maxsize how many items fit; 0 for any number */
  constructor(maxsize = 0) {
    if (typeof maxsize !== 'number')
      throw new TypeError(`The size of a queue is a number, not ${describe(maxsize)}.`);
    if (!(maxsize >= 0) || (maxsize % 1 !== 0 && maxsize !== Number.POSITIVE_INFINITY)) {
      throw new RangeError(`The size of a queue is a whole number, 0 for no limit, not ${maxsize}.`);
    }
    this.#maxsize = maxsize === Number.POSITIVE_INFINITY ? 0 : maxsize;
    this.#store = this.makeStore();
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, [maxsize]) as this;
  }

  /** @internal */
  protected makeStore(): Store<T> {
    return new Deque<T>();
  }

  /** True if there is no item. */
  empty(): boolean {
    return this.#store.length === 0;
  }

  /** How many items fit; 0 for any number. */
  get maxsize(): number {
    return this.#maxsize;
  }

  /** True if no further item fits. */
  full(): boolean {
    return this.#maxsize > 0 && this.#store.length >= this.#maxsize;
  }

  /** The number of items, those reserved for a woken getter included. */
  size(): number {
    return this.#store.length;
  }

  /**
   * Takes an item. Blocks (`QUEUE_GET`) while there is none, or while others wait for one.
   *
   * **Cancellation:** nothing has been taken.
   */
  get(): Promise<T> {
    const task = admit();
    if (task === null) return refused('Queue.get()');
    if (this.#store.length === 0 || this.#reserved > 0) return this.#waitInLine(task);
    try {
      return pass(task, this.#take());
    } catch (error) {
      // swallows: nothing; operations reject, also when a comparator throws.
      return fail(task, error);
    }
  }

  #waitInLine(task: TaskRecord): Promise<T> {
    const refusal = begin(task, 'Queue.get()');
    if (refusal !== null) return refusal;
    const item = block<T>(task, 'QUEUE_GET', this.#getters);
    // There may be an item that nobody has been chosen for, behind those of getters that have not run yet.
    this.#serve();
    return item;
  }

  /**
   * Adds an item. Blocks (`QUEUE_PUT`) while the queue is full.
   *
   * **Cancellation:** the item has not been added.
   */
  put(item: T): Promise<void> {
    const task = admit();
    if (task === null) return refused('Queue.put()');
    if (!this.full()) {
      try {
        this.#store.push(item);
      } catch (error) {
        // swallows: nothing; operations reject, also when a comparator throws.
        return fail(task, error);
      }
      this.#added();
      return pass(task, undefined);
    }
    const refusal = begin(task, 'Queue.put()');
    if (refusal !== null) return refusal;
    return block(task, 'QUEUE_PUT', this.#putters.offering(item));
  }

  /**
   * Waits until `taskDone()` has been called for every item that was put. Blocks (`QUEUE_JOIN`) unless it has.
   *
   * **Cancellation:** the caller stops waiting.
   */
  join(): Promise<void> {
    const task = admit();
    if (task === null) return refused('Queue.join()');
    if (this.#unfinished === 0) return pass(task, undefined);
    return begin(task, 'Queue.join()') ?? block(task, 'QUEUE_JOIN', this.#joiners);
  }

  /**
   * Says that an item has been dealt with. Does not block; the last one wakes all who `join()`.
   * @throws RuntimeError if it is called more often than `put`
   */
  taskDone(): Promise<void> {
    const task = admit();
    if (task === null) return refused('Queue.taskDone()');
    if (this.#unfinished === 0) {
      return fail(
        task,
        new RuntimeError('Queue.taskDone() was called more often than items were put. Call it once an item.'),
      );
    }
    this.#unfinished--;
    if (this.#unfinished === 0) wakeSome(this.#joiners, this.#joiners.length, RESUME_VALUE, undefined);
    return pass(task, undefined);
  }

  /** Items as they come, without end. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, never> {
    for (;;) yield await this.get();
  }

  #added(): void {
    this.#unfinished++;
    this.#serve();
  }

  /** Takes an item out, which makes room for the putter that has waited longest. */
  #take(): T {
    const item = this.#store.shift() as T;
    while (this.#putters.length > 0 && !this.full()) {
      const offered = this.#putters.firstItem;
      try {
        this.#store.push(offered);
      } catch (error) {
        // swallows: nothing; a comparator threw at that item, and that is its putter's to know.
        wakeFirst(this.#putters, RESUME_ERROR, error);
        continue;
      }
      wakeFirst(this.#putters, RESUME_VALUE, undefined);
      this.#added();
    }
    return item;
  }

  /** Reserves an item for the getter that has waited longest. */
  #serve(): void {
    if (this.#getters.length === 0 || this.#store.length <= this.#reserved) return;
    this.#reserved++;
    wakeFirst(this.#getters, RESUME_CLAIM, this.#claim);
  }

  toString(): string {
    const limit = this.#maxsize === 0 ? '' : ` of ${this.#maxsize}`;
    const waiting = `${this.#getters.length} getting, ${this.#putters.length} putting`;
    return `${this.constructor.name}(${this.size()}${limit} items, ${waiting})`;
  }
}

/**
 * A queue that gives the smallest item first, and equal ones in the order they came.
 * @see Reference manual, "Queues"
 * @example
 * const queue = new PriorityQueue<[number, string]>();
 * await queue.put([2, 'later']);
 * await queue.put([1, 'sooner']);
 */
export class PriorityQueue<T> extends Queue<T> {
  // Filled before the fields of this class exist: Queue's constructor makes the store.
  declare private order: Compare<T>;

  /**
   * @param compare negative if its first argument goes first; default `<`, arrays element by element. What it throws comes
   * out of the `put()` or `get()` that compared
   */
  constructor(maxsize = 0, compare: Compare<T> = naturalOrder) {
    super(maxsize);
    if (typeof compare !== 'function')
      throw new TypeError(`A PriorityQueue compares with a function, not ${describe(compare)}.`);
    this.order = compare;
  }

  /** @internal */
  protected override makeStore(): Store<T> {
    return new Heap<T>((a, b) => this.order(a, b));
  }
}

/**
 * A queue that gives the newest item first.
 * @see Reference manual, "Queues"
 */
export class LifoQueue<T> extends Queue<T> {
  /** @internal */
  protected override makeStore(): Store<T> {
    const items: T[] = [];
    return {
      get length() {
        return items.length;
      },
      push: (item) => items.push(item),
      shift: () => items.pop(),
    };
  }
}
