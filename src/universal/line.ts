/*
 * Waiting in both worlds: a line in which tasks of any kernel and ordinary
 * promises stand side by side, first come, first served.
 *
 * It knows nothing of what they wait for.
 */

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
  #resolve!: (value: T) => void;
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
    this.#line.waiters.add(this);
    return handled(
      new Promise((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      }),
    );
  }

  add(record: TaskRecord): void {
    this.task = record;
    this.#line.waiters.add(this);
  }

  remove(): void {
    this.#line.waiters.delete(this);
  }

  /** Gives it what it waited for; a task takes it at its turn, or refuses if it has ended by then. */
  choose(value: T, { taken = nothing, refused = nothing }: { taken?(): void; refused?(): void } = {}): void {
    this.remove();
    if (this.task === null) return this.#resolve(value);
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

const nothing = () => {};

/** Those who wait for the same thing, in the order they came. */
export class Line<T> {
  readonly waiters = new Set<Waiter<T>>();
  readonly subject: Subject;

  /** @param subject what those wait for who stand here, for reports */
  constructor(subject: Subject) {
    this.subject = subject;
  }

  get first(): Waiter<T> | undefined {
    const [first] = this.waiters;
    return first;
  }

  wait(task: TaskRecord | null, operation: string, brings?: unknown): Promise<T> {
    const waiter = new Waiter<T>(this, brings);
    if (task === null) return waiter.promise();
    return begin(task, operation) ?? block(task, 'FUTURE_WAIT', waiter);
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
