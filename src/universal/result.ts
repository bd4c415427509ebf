/*
 * A value, or an exception, that is set once, for tasks of any kernel and for
 * ordinary async code outside them.
 */

import { RuntimeError } from '../errors.ts';
import { enter } from '../traps.ts';
import { done, failed, Line } from './line.ts';

/**
 * A value, or an exception, that somebody sets once and others wait for: tasks of any kernel, and ordinary async
 * functions.
 * @see Reference manual, "Universal Synchronizaton"
 */
export class UniversalResult<T> {
  #state: 'unset' | 'value' | 'exception' = 'unset';
  #content: unknown;
  readonly #line = new Line<T>(this);

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
    if (this.#state === 'exception') return failed(task, this.#content);
    return this.#line.wait(task, 'UniversalResult.unwrap()');
  }

  /**
   * Sets the value and wakes who waits for it. Does not block.
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
    return this.#put('exception', exc, () => this.#line.failAll(() => exc));
  }

  #put(kind: 'value' | 'exception', content: unknown, wake: () => void): Promise<void> {
    const task = enter();
    if (this.isSet()) {
      const advice = 'Make a new one for the next.';
      return failed(task, new RuntimeError(`This UniversalResult has already been set. ${advice}`));
    }
    this.#state = kind;
    this.#content = content;
    wake();
    return done(task, undefined);
  }

  toString(): string {
    return `UniversalResult(${this.#state}, ${this.#line.waiters.size} waiting)`;
  }
}
