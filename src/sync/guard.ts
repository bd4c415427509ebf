/*
 * What `acquire()` gives: proof of holding something, to be disposed of. And `with()`, which
 * acquires, runs a function, and lets go.
 */

import { callable } from '../base/callable.ts';
import { explained } from '../base/unbound.ts';
import { enterComposite, handled, refused, type TaskRecord } from '../traps.ts';

/** What a guard lets go of. */
interface Releasable {
  /** Lets go, from wherever the guard is disposed of. */
  letGo(guard: Guard): void;
}

/**
 * Held until it is disposed of: `await using _ = await lock.acquire()`. Disposing twice, or after an explicit
 * `release()` by way of the guard, does nothing.
 * @see Reference manual, "Synchronization Primitives"
 * @example
 * const guard = await lock.acquire();
 * try {
 *   // has the lock
 * } finally {
 *   guard.release();
 * }
 */
export class Guard implements Disposable, AsyncDisposable {
  #held: Releasable | null;
  /** @internal Who acquired it. */
  readonly task: TaskRecord;

  /** @internal */
  constructor(held: Releasable, task: TaskRecord) {
    this.#held = held;
    this.task = task;
  }

  /**
   * Releases what is held. Does not block.
   * @throws RuntimeError if it has been released behind the guard's back, with `lock.release()`
   */
  release(): void {
    const held = this.#held;
    this.#held = null;
    held?.letGo(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
  }
}

/** What `with()` of locks and semaphores does; `who` is what it is called. */
export function runHolding(
  who: string,
  lock: { acquire(): Promise<Guard> },
  fn: unknown,
  args: unknown[],
): Promise<unknown> {
  const target = callable(fn, who);
  if (enterComposite(`${who}()`) === null) return refused(`${who}()`);
  return handled(hold(lock, target, args));
}

async function hold(
  lock: { acquire(): Promise<Guard> },
  fn: (...args: unknown[]) => unknown,
  args: unknown[],
): Promise<unknown> {
  const guard = await lock.acquire();
  try {
    return await fn(...args);
  } catch (error) {
    // swallows: nothing; whatever it has failed with goes on.
    throw explained(error, fn);
  } finally {
    guard.release();
  }
}
