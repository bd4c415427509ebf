/*
 * What an async thread holds in its kernel: guards of what it has acquired, and groups it has made. However it ends, the guards
 * are let go of, and the groups have an end.
 *
 * It must not know threads, nor how they ask for any of this.
 */

import { RuntimeError } from '../errors.ts';
import { TaskGroup } from '../group.ts';
import { Guard } from '../sync/guard.ts';

interface Holding {
  guard: Guard;
  /** The object it was acquired from. */
  from: unknown;
}

export class Holdings {
  readonly #guards: Holding[] = [];
  readonly #groups = new Set<TaskGroup>();

  /** The thread has got this from a call on `from`. */
  got(value: unknown, from: unknown): void {
    if (value instanceof Guard) this.#guards.push({ guard: value, from });
  }

  /** The thread has made this. A group that it was only given is not its to end. */
  made(object: object): void {
    if (object instanceof TaskGroup) this.#groups.add(object);
  }

  /** A guard, or what was acquired from an object, is about to be let go of. Gives the guard, which need not be known any more. */
  letGo(of: unknown): Guard | null {
    const holding = this.#guards.filter(({ guard, from }) => guard === of || from === of).pop();
    if (holding === undefined) return null;
    this.#guards.splice(this.#guards.lastIndexOf(holding), 1);
    return holding.guard;
  }

  /** Lets go of everything. */
  async end(): Promise<void> {
    for (const { guard } of this.#guards.splice(0).reverse()) {
      try {
        guard.release();
      } catch (error) {
        if (!(error instanceof RuntimeError)) throw error;
        // swallows: it has been released behind the guard's back.
      }
    }
    for (const group of this.#groups) await group[Symbol.asyncDispose]();
  }
}
