/*
 * Mutual exclusion: `Lock`, and `RLock`, which its owner may take again.
 */

import type { Callable, Runner } from '../base/callable.ts';
import { printedAsText } from '../base/printing.ts';
import { RuntimeError } from '../errors.ts';
import { admit, callingTask, elsewhere, fail, pass, refused, type TaskRecord, title } from '../traps.ts';
import { Guard, runHolding } from './guard.ts';
import { Permits } from './permits.ts';

/**
 * A mutual exclusion lock. First come, first served: on release it passes straight to the task that
 * has waited longest.
 * @see Reference manual, "Synchronization Primitives"
 * @example
 * const lock = new Lock();
 * {
 *   await using _ = await lock.acquire();
 *   // has the lock
 * }
 */
export class Lock {
  static {
    printedAsText(this);
  }

  readonly #permits = new Permits<Guard>(this, 1, 'LOCK_ACQUIRE', 'Lock.acquire()', (task) => {
    this.#guard = new Guard(this, task);
    return this.#guard;
  });
  /** What its holder was given; null while nobody has it, and while it waits for the turn of the one it was passed to. */
  #guard: Guard | null = null;

  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, []) as this;
  }

  /**
   * Acquires the lock. Blocks (`LOCK_ACQUIRE`) while another task has it.
   *
   * **Cancellation:** the task leaves the line, without the lock.
   */
  acquire(): Promise<Guard> {
    return this.#permits.acquire();
  }

  /**
   * Releases the lock. Does not block.
   * @throws RuntimeError if nobody holds it
   */
  release(): Promise<void> {
    const task = admit();
    if (task === null) return refused('Lock.release()');
    if (!this.locked())
      return fail(
        task,
        new RuntimeError(
          'Lock.release() was called on a lock that nobody holds. Write await lock.acquire() first.',
        ),
      );
    this.#passOn();
    return pass(task, undefined);
  }

  /** @internal */
  letGo(guard: Guard): void {
    // The lock may have been passed on since: it is not this guard's to release.
    if (guard !== this.#guard) throw releasedBefore();
    this.#passOn();
  }

  #passOn(): void {
    this.#guard = null;
    this.#permits.release();
  }

  /** True while somebody holds the lock. */
  locked(): boolean {
    return this.#permits.free === 0;
  }

  /** With something that runs functions elsewhere: `lock.with(runInThread, fn, ...args)`. Blocks, and leaves behind, what the other form does. */
  with<A extends unknown[], T>(runner: Runner<A, T>, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  /**
   * Runs `fn(...args)` while holding the lock, and gives its result. Blocks (`LOCK_ACQUIRE`) while another task has it, and as
   * `fn` does.
   *
   * **Cancellation:** the lock is not held afterwards, wherever it was interrupted.
   */
  with<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  with(fn: unknown, ...args: unknown[]): Promise<unknown> {
    return runHolding('Lock.with', this, fn, args);
  }

  /** @internal True if this task may wait on a condition over this lock. */
  heldBy(task: TaskRecord): boolean {
    return this.#guard?.task === task;
  }

  /** @internal */
  holders(): TaskRecord[] {
    return this.#guard === null ? [] : [this.#guard.task];
  }

  /** @internal Lets go completely, and gives what `restoreHold` needs. */
  suspendHold(): unknown {
    const guard = this.#guard;
    this.#passOn();
    return guard;
  }

  /** @internal Takes the lock again: the guard from before is good again. */
  async restoreHold(guard: unknown): Promise<void> {
    await this.acquire();
    this.#guard = guard as Guard;
  }

  toString(): string {
    return this.#permits.describe('Lock', this.locked() ? 'locked' : 'unlocked');
  }
}

function releasedBefore(): RuntimeError {
  return new RuntimeError(
    'A guard was disposed of whose lock had been released before, with Lock.release(). Do one or the other: ' +
      'guard.release() releases early, and makes disposal do nothing.',
  );
}

/**
 * A lock that the task holding it may acquire again; it is free after as many releases.
 * @see Reference manual, "Synchronization Primitives"
 */
export class RLock {
  static {
    printedAsText(this);
  }

  readonly #permits = new Permits<Guard>(
    this,
    1,
    'LOCK_ACQUIRE',
    'RLock.acquire()',
    (task) => new Guard(this, task),
    () => this.#handOver(),
  );
  #owner: TaskRecord | null = null;
  #depth = 0;

  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, []) as this;
  }

  /**
   * Acquires the lock, or one more level of it. Blocks (`LOCK_ACQUIRE`) while another task has it.
   *
   * **Cancellation:** the task leaves the line, without the lock.
   */
  acquire(): Promise<Guard> {
    const task = admit();
    if (task === null) return refused('RLock.acquire()');
    if (this.#owner === task) {
      this.#depth++;
      return pass(task, new Guard(this, task));
    }
    if (this.#permits.free > 0) {
      this.#owner = task;
      this.#depth = 1;
    }
    return this.#permits.acquire();
  }

  /**
   * Releases one level. Does not block.
   * @throws RuntimeError if the calling task does not hold the lock
   */
  release(): Promise<void> {
    const task = admit();
    if (task === null) return refused('RLock.release()');
    if (this.#owner !== task) return fail(task, this.#notOwner());
    this.#releaseLevel();
    return pass(task, undefined);
  }

  /** @internal */
  letGo(): void {
    if (this.#owner === null || this.#owner !== callingTask()) throw this.#notOwner();
    this.#releaseLevel();
  }

  #releaseLevel(): void {
    if (--this.#depth === 0) this.#handOver();
  }

  #handOver(): void {
    this.#owner = this.#permits.release();
    this.#depth = this.#owner === null ? 0 : 1;
  }

  #notOwner(): RuntimeError {
    const holder = this.#owner === null ? 'nobody holds' : `${title(this.#owner)} holds`;
    return new RuntimeError(
      `RLock.release() was called on a lock that ${holder}. Only its owner can release it.`,
    );
  }

  /** True while somebody holds the lock. */
  locked(): boolean {
    return this.#owner !== null;
  }

  /** With something that runs functions elsewhere: `lock.with(runInThread, fn, ...args)`. Blocks, and leaves behind, what the other form does. */
  with<A extends unknown[], T>(runner: Runner<A, T>, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  /**
   * Runs `fn(...args)` while holding the lock, and gives its result. Blocks (`LOCK_ACQUIRE`) while another task has it, and as
   * `fn` does.
   *
   * **Cancellation:** the lock is not held afterwards, wherever it was interrupted.
   */
  with<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  with(fn: unknown, ...args: unknown[]): Promise<unknown> {
    return runHolding('RLock.with', this, fn, args);
  }

  /** @internal */
  heldBy(task: TaskRecord): boolean {
    return this.#owner === task;
  }

  /** @internal */
  holders(): TaskRecord[] {
    return this.#owner === null ? [] : [this.#owner];
  }

  /** @internal */
  suspendHold(): unknown {
    const depth = this.#depth;
    this.#handOver();
    return depth;
  }

  /** @internal */
  async restoreHold(depth: unknown): Promise<void> {
    await this.acquire();
    this.#depth = depth as number;
  }

  toString(): string {
    return this.#permits.describe('RLock', this.locked() ? `locked, depth ${this.#depth}` : 'unlocked');
  }
}
