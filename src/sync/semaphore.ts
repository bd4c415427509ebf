/*
 * Semaphores: a number of permits, bounded or not.
 */

import { type Callable, describe, type Runner } from '../base/callable.ts';
import { Lineup } from '../base/lineup.ts';
import { printedAsText } from '../base/printing.ts';
import { RuntimeError } from '../errors.ts';
import { admit, callingTask, elsewhere, fail, pass, refused, type TaskRecord } from '../traps.ts';
import { Guard, runHolding } from './guard.ts';
import { Permits } from './permits.ts';

/**
 * A counter of permits: `acquire()` takes one, `release()` gives one back. First come, first served.
 * @see Reference manual, "Synchronization Primitives"
 */
export class Semaphore {
  static {
    printedAsText(this);
  }

  readonly #permits: Permits<Guard>;
  /** Who has permits, as far as that can be told: for reports. */
  readonly #out = new Lineup<TaskRecord>();
  /** How many more than one. */
  readonly #more = new Map<TaskRecord, number>();
  #counted = 0;
  readonly #most: number;

  /** @param value the permits to begin with; 0 is allowed */
  constructor(value = 1) {
    if (typeof value !== 'number')
      throw new TypeError(`A semaphore starts with a number of permits, not ${describe(value)}.`);
    if (!Number.isInteger(value) || value < 0) {
      throw new RangeError(`A semaphore starts with a whole number of permits, 0 or more, not ${value}.`);
    }
    this.#permits = new Permits(this, value, 'SEMA_ACQUIRE', `${this.constructor.name}.acquire()`, (task) =>
      this.#grant(task),
    );
    this.#most = value;
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, [value]) as this;
  }

  #grant(task: TaskRecord): Guard {
    // Where some release what others acquired, or without having acquired, nobody can say who holds what, and the
    // list must not grow.
    if (this.#counted < this.#most) {
      this.#counted++;
      if (this.#out.has(task)) this.#more.set(task, (this.#more.get(task) ?? 0) + 1);
      else this.#out.add(task);
    }
    return new Guard(this, task);
  }

  /** Whose permit is taken to be given back: the caller's own if it has one, else that of the task that has had one longest. */
  #giver(): TaskRecord | undefined {
    const caller = callingTask();
    return caller !== undefined && this.#out.has(caller) ? caller : this.#out.first;
  }

  #givenBack(task: TaskRecord): void {
    if (!this.#out.has(task)) return;
    this.#counted--;
    const more = this.#more.get(task) ?? 0;
    if (more > 1) this.#more.set(task, more - 1);
    else if (more === 1) this.#more.delete(task);
    else this.#out.delete(task);
  }

  /** @internal */
  holders(): Iterable<TaskRecord> {
    return this.#out;
  }

  /** The permits that are free. */
  get value(): number {
    return this.#permits.free;
  }

  /**
   * Takes a permit. Blocks (`SEMA_ACQUIRE`) while there is none.
   *
   * **Cancellation:** the task leaves the line, without a permit.
   */
  acquire(): Promise<Guard> {
    return this.#permits.acquire();
  }

  /** Gives a permit back; the task that has waited longest gets it. Does not block. */
  release(): Promise<void> {
    const task = admit();
    if (task === null) return refused('Semaphore.release()');
    try {
      this.letGo();
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(task, error);
    }
    return pass(task, undefined);
  }

  /** @internal */
  letGo(guard?: Guard): void {
    const giver = guard?.task ?? this.#giver();
    if (giver !== undefined) this.#givenBack(giver);
    this.#permits.release();
  }

  /** True while no permit is free. */
  locked(): boolean {
    return this.#permits.free === 0;
  }

  /** With something that runs functions elsewhere: `semaphore.with(runInThread, fn, ...args)`. Blocks, and leaves behind, what the other form does. */
  with<A extends unknown[], T>(runner: Runner<A, T>, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  /**
   * Runs `fn(...args)` while holding a permit, and gives its result. Blocks (`SEMA_ACQUIRE`) while there is none, and as `fn` does.
   *
   * **Cancellation:** the permit has been given back, wherever it was interrupted.
   */
  with<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  with(fn: unknown, ...args: unknown[]): Promise<unknown> {
    return runHolding('Semaphore.with', this, fn, args);
  }

  toString(): string {
    return this.#permits.describe(this.constructor.name, `value ${this.value}`);
  }
}

/**
 * A semaphore that never has more permits than it began with.
 * @see Reference manual, "Synchronization Primitives"
 */
export class BoundedSemaphore extends Semaphore {
  readonly #bound: number;

  constructor(value = 1) {
    super(value);
    this.#bound = value;
  }

  /** @internal */
  override letGo(guard?: Guard): void {
    if (this.value === this.#bound) {
      throw new RuntimeError(
        `BoundedSemaphore.release() was called more often than acquire(); its bound is ${this.#bound}.`,
      );
    }
    super.letGo(guard);
  }
}
