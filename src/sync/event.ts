/*
 * An event that tasks wait for, and a result that is set once.
 */

import { printedAsText } from '../base/printing.ts';
import { RuntimeError } from '../errors.ts';
import {
  admit,
  begin,
  block,
  elsewhere,
  fail,
  pass,
  RESUME_ERROR,
  RESUME_VALUE,
  refused,
  TaskList,
  wakeSome,
} from '../traps.ts';

/**
 * A flag that tasks can wait for.
 * @see Reference manual, "Synchronization Primitives"
 */
export class Event {
  static {
    printedAsText(this);
  }

  #set = false;
  readonly #waiting = new TaskList(this);

  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, []) as this;
  }

  /** True from `set()` until `clear()`. Does not block. */
  isSet(): boolean {
    return this.#set;
  }

  /** Makes later waiters wait. Who has been woken stays woken. Does not block. */
  clear(): void {
    this.#set = false;
  }

  /**
   * Waits until the event is set. Blocks (`EVENT_WAIT`) unless it is.
   *
   * **Cancellation:** the task stops waiting; the event is as it was.
   */
  wait(): Promise<void> {
    const task = admit();
    if (task === null) return refused('Event.wait()');
    return this.#set
      ? pass(task, undefined)
      : (begin(task, 'Event.wait()') ?? block(task, 'EVENT_WAIT', this.#waiting));
  }

  /** Sets the event, and wakes every task that waits for it, in the order they came. Does not block. */
  set(): Promise<void> {
    const task = admit();
    if (task === null) return refused('Event.set()');
    this.#set = true;
    wakeSome(this.#waiting, this.#waiting.length, RESUME_VALUE, undefined);
    return pass(task, undefined);
  }

  toString(): string {
    return `Event(${this.#set ? 'set' : 'unset'}, ${this.#waiting.length} waiting)`;
  }
}

/**
 * A value, or an exception, that one task sets and others wait for.
 * @see Reference manual, "Universal Synchronizaton"
 */
export class Result<T> {
  static {
    printedAsText(this);
  }

  #state: 'unset' | 'value' | 'exception' = 'unset';
  #content: unknown;
  readonly #waiting = new TaskList(this);

  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, []) as this;
  }

  /** True once a value or an exception has been set. Does not block. */
  isSet(): boolean {
    return this.#state !== 'unset';
  }

  /**
   * Waits for the value. Blocks (`EVENT_WAIT`) until it is set.
   *
   * **Cancellation:** the task stops waiting.
   * @throws the exception that was set instead
   */
  unwrap(): Promise<T> {
    const task = admit();
    if (task === null) return refused('Result.unwrap()');
    if (this.#state === 'value') return pass(task, this.#content as T);
    if (this.#state === 'exception') return fail(task, this.#content);
    return begin(task, 'Result.unwrap()') ?? block(task, 'EVENT_WAIT', this.#waiting);
  }

  /**
   * Sets the value and wakes who waits for it. Does not block.
   * @throws RuntimeError if something has been set before
   */
  setValue(value: T): Promise<void> {
    return this.#put('value', value);
  }

  /**
   * Sets an exception, which `unwrap()` throws. Does not block.
   * @throws RuntimeError if something has been set before
   */
  setException(exc: unknown): Promise<void> {
    return this.#put('exception', exc);
  }

  #put(kind: 'value' | 'exception', content: unknown): Promise<void> {
    const task = admit();
    if (task === null) return refused(kind === 'value' ? 'Result.setValue()' : 'Result.setException()');
    if (this.isSet())
      return fail(task, new RuntimeError('This Result has already been set. Make a new one for the next.'));
    this.#state = kind;
    this.#content = content;
    wakeSome(this.#waiting, this.#waiting.length, kind === 'value' ? RESUME_VALUE : RESUME_ERROR, content);
    return pass(task, undefined);
  }

  toString(): string {
    return `Result(${this.#state}, ${this.#waiting.length} waiting)`;
  }
}
