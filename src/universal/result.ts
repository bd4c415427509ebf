/*
 * A value, or an exception, that is set once, for tasks of any kernel, for ordinary async
 * code outside them, and for threads.
 */

import { RuntimeError } from '../errors.ts';
import { due, elsewhere, enter } from '../traps.ts';
import { done, failed, Line } from './line.ts';
import type { Enlisted, Outcome } from './protocol.ts';
import { isElsewhere, provideShared, Shared, sharedFrom, type UniversalHandle } from './shared.ts';

/**
 * A value, or an exception, that somebody sets once and others wait for: tasks of any kernel, ordinary async
 * functions, and other threads, which it blocks.
 * @see Reference manual, "Universal Synchronizaton"
 */
export class UniversalResult<T> extends Shared {
  #state: 'unset' | 'value' | 'exception' = 'unset';
  #content: unknown;
  readonly #line = new Line<T>(this);

  constructor() {
    super();
    const there = isElsewhere() ? elsewhere() : null;
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, []) as this;
  }

  /**
   * The result that a handle is of: itself in the thread it lives in, and in another one that asks it, whose methods block
   * the thread.
   * @throws TypeError for what is no such handle
   */
  static from<T>(handle: UniversalHandle): UniversalResult<T> {
    return sharedFrom(handle, 'UniversalResult') as UniversalResult<T>;
  }

  /**
   * True once a value or an exception has been set. Does not block; in another thread than the object's it waits for that thread's answer.
   * @see Reference manual, "Universal Synchronizaton"
   */
  isSet(): boolean {
    if (this.far !== null) return this.far.look(this, 'isSet', []) as boolean;
    return this.#state !== 'unset';
  }

  /**
   * Waits for the value. Blocks (`FUTURE_WAIT`) until it is set.
   *
   * **Cancellation:** the task stops waiting.
   * @throws the exception that was set instead
   */
  unwrap(): Promise<T> {
    if (this.far !== null) return this.far.call(this, 'unwrap', []) as Promise<T>;
    const task = enter();
    const refusal = due(task, 'UniversalResult.unwrap()');
    if (refusal !== null) return refusal;
    if (this.#state === 'value') return done(task, this.#content as T);
    if (this.#state === 'exception') return failed(task, this.#content);
    return this.#line.wait(task, 'UniversalResult.unwrap()');
  }

  /**
   * Sets the value and wakes who waits for it. Does not block.
   * @throws RuntimeError if something has been set before
   */
  setValue(value: T): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'setValue', [value]) as Promise<void>;
    return this.#put('value', value, () => this.#line.chooseAll(value));
  }

  /**
   * Sets an exception, which `unwrap()` throws. Does not block.
   * @throws RuntimeError if something has been set before
   */
  setException(exc: unknown): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'setException', [exc]) as Promise<void>;
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

  /** @internal */
  protected readonly kind = 'UniversalResult';
  /** @internal */
  protected readonly terms = null;

  /** @internal */
  isOneWay(): boolean {
    return false;
  }

  /** @internal */
  waits(method: string): boolean {
    return method === 'unwrap';
  }

  /** @internal */
  enlist(_method: string, _args: readonly unknown[], { resolve, reject }: Outcome): Enlisted | null {
    if (!this.isSet()) return this.#line.enlist((value) => resolve(value), reject);
    if (this.#state === 'value') resolve(this.#content);
    else reject(this.#content);
    return null;
  }

  override toString(): string {
    if (this.far !== null) return this.far.look(this, 'toString', []) as string;
    return `UniversalResult(${this.#state}, ${this.#line.waiters.size} waiting)`;
  }
}

provideShared('UniversalResult', () => new UniversalResult());
