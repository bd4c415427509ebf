/*
 * An event for tasks of any kernel and for ordinary async code outside them.
 */

import { enter } from '../traps.ts';
import { done, Line } from './line.ts';

/**
 * A flag that tasks of any kernel and ordinary async functions can wait for. Outside of tasks its methods give
 * ordinary promises, which nothing cancels.
 * @see Reference manual, "Universal Synchronizaton"
 * @example
 * const ready = new UniversalEvent();
 * server.on('listening', () => ready.set());
 * await run(async () => {
 *   await ready.wait();
 * });
 */
export class UniversalEvent {
  #set = false;
  readonly #line = new Line<void>(this);

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

  /** Sets the event and wakes everybody who waits, in the order they came. Does not block. */
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
