/*
 * An event for tasks of any kernel, for ordinary async code outside them, and for threads.
 */

import { due, elsewhere, enter } from '../traps.ts';
import { done, Line } from './line.ts';
import type { Enlisted, Outcome } from './protocol.ts';
import { isElsewhere, provideShared, Shared, sharedFrom, type UniversalHandle } from './shared.ts';

/**
 * A flag that tasks of any kernel, ordinary async functions and other threads can wait for. Outside of tasks its methods
 * give ordinary promises, which nothing cancels; in another thread they block it.
 * @see Reference manual, "Universal Synchronizaton"
 * @example
 * const ready = new UniversalEvent();
 * server.on('listening', () => ready.set());
 * await run(async () => {
 *   await ready.wait();
 * });
 */
export class UniversalEvent extends Shared {
  #set = false;
  readonly #line = new Line<void>(this);

  constructor() {
    super();
    const there = isElsewhere() ? elsewhere() : null;
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, []) as this;
  }

  /**
   * The event that a handle is of: itself in the thread it lives in, and in another one that asks it, whose methods block
   * the thread.
   * @throws TypeError for what is no such handle
   */
  static from(handle: UniversalHandle): UniversalEvent {
    return sharedFrom(handle, 'UniversalEvent') as UniversalEvent;
  }

  /**
   * True while the event is set. Does not block; in another thread than the object's it waits for that thread's answer.
   * @see Reference manual, "Universal Synchronizaton"
   */
  isSet(): boolean {
    if (this.far !== null) return this.far.look(this, 'isSet', []) as boolean;
    return this.#set;
  }

  /** Makes later waiters wait. Who has been woken stays woken. */
  clear(): void {
    if (this.far !== null) this.far.look(this, 'clear', []);
    else this.#set = false;
  }

  /**
   * Waits until the event is set. Blocks (`FUTURE_WAIT`) unless it is.
   *
   * **Cancellation:** the task stops waiting; the event is as it was.
   */
  wait(): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'wait', []) as Promise<void>;
    const task = enter();
    const refusal = due(task, 'UniversalEvent.wait()');
    if (refusal !== null) return refusal;
    return this.#set ? done(task, undefined) : this.#line.wait(task, 'UniversalEvent.wait()');
  }

  /** Sets the event and wakes everybody who waits, in the order they came. Does not block. */
  set(): Promise<void> {
    if (this.far !== null) return this.far.call(this, 'set', []) as Promise<void>;
    const task = enter();
    this.#set = true;
    this.#line.chooseAll(undefined);
    return done(task, undefined);
  }

  /** @internal */
  protected readonly kind = 'UniversalEvent';
  /** @internal */
  protected readonly terms = null;

  /** @internal */
  isOneWay(): boolean {
    return false;
  }

  /** @internal */
  waits(method: string): boolean {
    return method === 'wait';
  }

  /** @internal */
  enlist(_method: string, _args: readonly unknown[], { resolve, reject }: Outcome): Enlisted | null {
    if (!this.#set) return this.#line.enlist(() => resolve(undefined), reject);
    resolve(undefined);
    return null;
  }

  override toString(): string {
    if (this.far !== null) return this.far.look(this, 'toString', []) as string;
    return `UniversalEvent(${this.#set ? 'set' : 'unset'}, ${this.#line.waiters.size} waiting)`;
  }
}

provideShared('UniversalEvent', () => new UniversalEvent());
