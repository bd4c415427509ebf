/*
 * Mutual exclusion: `Lock`, and `RLock`, which its owner may take again.
 */

import { type Callable, callable } from '../base/callable.ts';
import { RuntimeError } from '../errors.ts';
import {
  callingTask,
  enter,
  enterComposite,
  fail,
  handled,
  pass,
  refused,
  type TaskRecord,
  title,
} from '../traps.ts';
import { Guard } from './guard.ts';
import { Permits } from './permits.ts';

/** Acquires, runs, releases. */
export async function withGuard(
  acquire: () => Promise<Guard>,
  fn: (...args: unknown[]) => unknown,
  args: unknown[],
): Promise<unknown> {
  const guard = await acquire();
  try {
    return await fn(...args);
  } finally {
    guard.release();
  }
}

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
  readonly #permits = new Permits<Guard>(1, 'LOCK_ACQUIRE', 'Lock.acquire()', () => new Guard(this));

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
    const task = enter();
    if (task === null) return refused('Lock.release()');
    if (!this.locked())
      return fail(task, new RuntimeError('Lock.release() was called on a lock that nobody holds.'));
    this.#permits.release();
    return pass(task, undefined);
  }

  /** @internal */
  letGo(): void {
    this.#permits.release();
  }

  /** True while somebody holds the lock. */
  locked(): boolean {
    return this.#permits.free === 0;
  }

  /** Runs `fn(...args)` while holding the lock. */
  with<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>> {
    const target = callable(fn, 'Lock.with');
    if (enterComposite('Lock.with()') === null) return refused('Lock.with()');
    return handled(withGuard(() => this.acquire(), target, args)) as Promise<Awaited<T>>;
  }

  /** @internal True if this task may wait on a condition over this lock. */
  heldBy(_task: TaskRecord): boolean {
    return this.locked();
  }

  /** @internal Lets go completely, and gives what `restore` needs. */
  suspendHold(): number {
    this.#permits.release();
    return 1;
  }

  /** @internal */
  async restoreHold(_depth: number): Promise<void> {
    await this.acquire();
  }

  toString(): string {
    return this.#permits.describe('Lock', this.locked() ? 'locked' : 'unlocked');
  }
}

/**
 * A lock that the task holding it may acquire again; it is free after as many releases.
 * @see Reference manual, "Synchronization Primitives"
 */
export class RLock {
  readonly #permits = new Permits<Guard>(1, 'LOCK_ACQUIRE', 'RLock.acquire()', () => new Guard(this));
  #owner: TaskRecord | null = null;
  #depth = 0;

  /**
   * Acquires the lock, or one more level of it. Blocks (`LOCK_ACQUIRE`) while another task has it.
   *
   * **Cancellation:** the task leaves the line, without the lock.
   */
  acquire(): Promise<Guard> {
    const task = enter();
    if (task === null) return refused('RLock.acquire()');
    if (this.#owner === task) {
      this.#depth++;
      return pass(task, new Guard(this));
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
    const task = enter();
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

  /** Runs `fn(...args)` while holding the lock. */
  with<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>> {
    const target = callable(fn, 'RLock.with');
    if (enterComposite('RLock.with()') === null) return refused('RLock.with()');
    return handled(withGuard(() => this.acquire(), target, args)) as Promise<Awaited<T>>;
  }

  /** @internal */
  heldBy(task: TaskRecord): boolean {
    return this.#owner === task;
  }

  /** @internal */
  suspendHold(): number {
    const depth = this.#depth;
    this.#handOver();
    return depth;
  }

  /** @internal */
  async restoreHold(depth: number): Promise<void> {
    await this.acquire();
    this.#depth = depth;
  }

  toString(): string {
    return this.#permits.describe('RLock', this.locked() ? `locked, depth ${this.#depth}` : 'unlocked');
  }
}
