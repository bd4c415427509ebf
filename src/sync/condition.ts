/*
 * Condition variables.
 */

import { type Callable, callable, describe, isThenable, type Runner } from '../base/callable.ts';
import { printedAsText } from '../base/printing.ts';
import { RuntimeError } from '../errors.ts';
import {
  admit,
  begin,
  block,
  type Claim,
  elsewhere,
  enterComposite,
  fail,
  handled,
  pass,
  RESUME_CLAIM,
  refused,
  shield,
  TaskList,
  type TaskRecord,
  takeBreath,
  unshield,
  wakeSome,
} from '../traps.ts';
import { type Guard, runHolding } from './guard.ts';
import { Lock, RLock } from './lock.ts';

/** What a predicate gives when it holds. */
type Truthy<T> = Exclude<T, null | undefined | false | 0 | 0n | ''>;

/**
 * A condition variable over a lock (by default one of its own): tasks that hold the lock wait for
 * something to become true, and are notified by tasks that made it so.
 * @see Reference manual, "Synchronization Primitives"
 */
export class Condition {
  static {
    printedAsText(this);
  }

  readonly #lock: Lock | RLock;
  readonly #waiting = new TaskList(this);

  // A notification is for somebody who can use it: if that task has ended before its turn, the next one gets it.
  readonly #claim: Claim = {
    take() {},
    refuse: () => wakeSome(this.#waiting, 1, RESUME_CLAIM, this.#claim),
  };

  constructor(lock: Lock | RLock = new Lock()) {
    if (!(lock instanceof Lock || lock instanceof RLock))
      throw new TypeError(`A condition is made over a Lock or an RLock, not ${describe(lock)}.`);
    this.#lock = lock;
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    return elsewhere()?.construct(new.target, [lock]) as this;
  }

  /**
   * Acquires the underlying lock. Blocks (`LOCK_ACQUIRE`) while another task has it.
   *
   * **Cancellation:** the task leaves the line, without the lock.
   */
  acquire(): Promise<Guard> {
    return this.#lock.acquire();
  }

  /** Releases the underlying lock. Does not block. */
  release(): Promise<void> {
    return this.#lock.release();
  }

  /** True while somebody holds the lock. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /** With something that runs functions elsewhere: `condition.with(runInThread, fn, ...args)`. Blocks, and leaves behind, what the other form does. */
  with<A extends unknown[], T>(runner: Runner<A, T>, fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  /**
   * Runs `fn(...args)` while holding the lock, and gives its result. Blocks as the lock, and as `fn` does.
   *
   * **Cancellation:** the lock is not held afterwards, wherever it was interrupted.
   */
  with<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
  with(fn: unknown, ...args: unknown[]): Promise<unknown> {
    return runHolding('Condition.with', this, fn, args);
  }

  /**
   * Releases the lock, waits to be notified, and acquires the lock again. Blocks (`COND_WAIT`).
   * What was waited for may be over by then: test it again, in a loop, or use `waitFor`.
   *
   * **Cancellation:** the error comes only after the lock has been acquired again.
   * @throws RuntimeError if the caller does not hold the lock
   */
  wait(): Promise<void> {
    const task = enterComposite('Condition.wait()');
    if (task === null) return refused('Condition.wait()');
    if (!this.#lock.heldBy(task)) return fail(task, notHeld('wait'));
    return handled(this.#wait(task));
  }

  async #wait(task: TaskRecord): Promise<void> {
    // A cancellation that is already due comes before the lock is given away.
    const refusal = begin(task, 'Condition.wait()');
    if (refusal !== null) return refusal;
    // A predicate of waitFor() is the user's, and may have released it.
    if (!this.#lock.heldBy(task)) throw notHeld('wait');
    const hold = this.#lock.suspendHold();
    try {
      await block(task, 'COND_WAIT', this.#waiting);
    } finally {
      shield(task);
      try {
        await this.#lock.restoreHold(hold);
      } finally {
        unshield(task);
      }
    }
  }

  /**
   * Waits until `predicate()` gives something true, and gives that. The predicate is tested at once, and
   * again after each notification, while the lock is held. Blocks (`COND_WAIT`) unless it is true at once.
   *
   * **Cancellation:** the error comes only after the lock has been acquired again.
   * @throws RuntimeError if the caller does not hold the lock
   */
  waitFor<T>(predicate: () => T | PromiseLike<T>): Promise<Truthy<T>> {
    const test = callable(predicate, 'Condition.waitFor', '', ')') as () => T;
    const task = enterComposite('Condition.waitFor()');
    if (task === null) return refused('Condition.waitFor()');
    if (!this.#lock.heldBy(task)) return fail(task, notHeld('waitFor'));
    return handled(this.#waitFor(task, test));
  }

  async #waitFor<T>(task: TaskRecord, test: () => T | PromiseLike<T>): Promise<Truthy<T>> {
    const breath = takeBreath(task, 'Condition.waitFor()');
    if (breath !== null) await breath;
    for (;;) {
      const answer = test();
      const truth = isThenable(answer) ? await answer : answer;
      if (truth) return truth as Truthy<T>;
      await this.#wait(task);
    }
  }

  /**
   * Wakes up to `n` tasks that wait, in the order they came; fewer if fewer wait. Does not block: they go on when
   * the lock is free.
   * @throws RuntimeError if the caller does not hold the lock
   * @throws TypeError if `n` is no number
   * @throws RangeError if `n` is negative
   */
  notify(n = 1): Promise<void> {
    if (typeof n !== 'number' || Number.isNaN(n))
      throw new TypeError(`Condition.notify() wants a number of tasks, not ${describe(n)}.`);
    if (n < 0) throw new RangeError(`Condition.notify() wants a number of tasks, 0 or more, not ${n}.`);
    return this.#notify('notify', n);
  }

  /**
   * Wakes every task that waits. Does not block.
   * @throws RuntimeError if the caller does not hold the lock
   */
  notifyAll(): Promise<void> {
    return this.#notify('notifyAll', this.#waiting.length);
  }

  #notify(who: string, n: number): Promise<void> {
    const task = admit();
    if (task === null) return refused(`Condition.${who}()`);
    if (!this.#lock.heldBy(task)) return fail(task, notHeld(who));
    wakeSome(this.#waiting, n, RESUME_CLAIM, this.#claim);
    return pass(task, undefined);
  }

  toString(): string {
    return `Condition(${this.locked() ? 'locked' : 'unlocked'}, ${this.#waiting.length} waiting)`;
  }
}

function notHeld(who: string): RuntimeError {
  return new RuntimeError(
    `Condition.${who}() was called without holding the lock. Write await using _ = await condition.acquire() first.`,
  );
}
