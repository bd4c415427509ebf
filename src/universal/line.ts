/*
 * Waiting in both worlds: a line in which tasks of any kernel and ordinary
 * promises stand side by side, first come, first served.
 *
 * It knows nothing of what they wait for.
 */

import { Lineup } from '../base/lineup.ts';
import {
  begin,
  block,
  fail,
  handled,
  pass,
  RESUME_CLAIM,
  RESUME_ERROR,
  refuse,
  type Subject,
  type TaskRecord,
  type Waitable,
} from '../traps.ts';

/** One who waits: a task, or an ordinary promise. */
export class Waiter<T> implements Waitable {
  readonly #line: Line<T>;
  /** What it brought: the item of a putter. */
  readonly brings: unknown;
  /** Null if it is an ordinary promise, which has what it is given at once. */
  task: TaskRecord | null = null;
  #resolve!: (value: T, receipt?: unknown) => void;
  #reject!: (error: unknown) => void;

  constructor(line: Line<T>, brings: unknown) {
    this.#line = line;
    this.brings = brings;
  }

  /** For reports. */
  get subject(): Subject {
    return this.#line.subject;
  }

  /** An ordinary promise that waits. */
  promise(): Promise<T> {
    return handled(new Promise((resolve, reject) => this.call(resolve, reject)));
  }

  /** Another thread that waits: it is told at once, like a promise. */
  call(resolve: (value: T, receipt?: unknown) => void, reject: (error: unknown) => void): this {
    this.#line.waiters.add(this);
    this.#resolve = resolve;
    this.#reject = reject;
    return this;
  }

  add(record: TaskRecord): void {
    this.task = record;
    this.#line.waiters.add(this);
  }

  remove(): void {
    this.#line.waiters.delete(this);
  }

  /** Gives it what it waited for; a task takes it at its turn, or refuses if it has ended by then. */
  choose(value: T, { taken = nothing, refused = nothing, receipt }: Terms = {}): void {
    this.remove();
    if (this.task === null) return this.#resolve(value, receipt);
    const take = () => {
      taken();
      return value;
    };
    this.task.core.wake(this.task, RESUME_CLAIM, { take, refuse: refused });
  }

  fail(error: unknown): void {
    this.remove();
    if (this.task === null) return this.#reject(error);
    this.task.core.wake(this.task, RESUME_ERROR, error);
  }
}

/** What becomes of what was given. */
interface Terms {
  /** A task has had its turn. */
  taken?(): void;
  /** It has ended before. */
  refused?(): void;
  /** With it, another thread can give back what it was given. */
  receipt?: unknown;
}

const nothing = () => {};

/** Those who wait for the same thing, in the order they came. */
export class Line<T> {
  readonly waiters = new Lineup<Waiter<T>>();
  readonly subject: Subject;

  /** @param subject what those wait for who stand here, for reports */
  constructor(subject: Subject) {
    this.subject = subject;
  }

  get first(): Waiter<T> | undefined {
    return this.waiters.first;
  }

  wait(task: TaskRecord | null, operation: string, brings?: unknown): Promise<T> {
    const waiter = new Waiter<T>(this, brings);
    if (task === null) return waiter.promise();
    return begin(task, operation) ?? block(task, 'FUTURE_WAIT', waiter);
  }

  /** Lets another thread wait. */
  enlist(
    resolve: (value: T, receipt?: unknown) => void,
    reject: (error: unknown) => void,
    brings?: unknown,
  ): Waiter<T> {
    return new Waiter<T>(this, brings).call(resolve, reject);
  }

  chooseAll(value: T): void {
    for (const waiter of [...this.waiters]) waiter.choose(value);
  }

  failAll(error: () => unknown): void {
    for (const waiter of [...this.waiters]) waiter.fail(error());
  }
}

/** The result of an operation that did not have to wait, in either world. */
export function done<T>(task: TaskRecord | null, value: T): Promise<T> {
  return task === null ? Promise.resolve(value) : pass(task, value);
}

/** The failure of one, in either world. */
export function failed(task: TaskRecord | null, error: unknown): Promise<never> {
  return task === null ? refuse(error) : fail(task, error);
}
