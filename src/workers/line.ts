/*
 * Calls of one function that take turns, so that no more than one worker does them.
 */

import type { Call } from './call.ts';
import type { Pool } from './pool.ts';

const lines = new WeakMap<Pool, Map<object, Line>>();

/** The line of those who call this function. */
export function lineOf(pool: Pool, fn: object): Line {
  let own = lines.get(pool);
  if (own === undefined) {
    own = new Map();
    lines.set(pool, own);
  }
  let line = own.get(fn);
  if (line === undefined) {
    const all = own;
    line = new Line(pool, () => void all.delete(fn));
    all.set(fn, line);
  }
  return line;
}

class Line {
  readonly #pool: Pool;
  readonly #empty: () => void;
  readonly #waiting = new Set<Call>();
  #current: Call | null = null;

  constructor(pool: Pool, empty: () => void) {
    this.#pool = pool;
    this.#empty = empty;
  }

  submit(call: Call): void {
    if (this.#current === null) this.#begin(call);
    else {
      call.withdraw = () => void this.#waiting.delete(call);
      this.#waiting.add(call);
    }
  }

  #begin(call: Call): void {
    this.#current = call;
    call.over = () => this.#next();
    try {
      this.#pool.submit(call);
    } catch (error) {
      call.over = () => {};
      this.#next();
      throw error;
    }
  }

  /** The one whose turn it was has what it wanted, or has gone. */
  #next(): void {
    this.#current = null;
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      try {
        return this.#begin(call);
      } catch (error) {
        // swallows: nothing; it is what the caller gets. The turn has gone to the one behind.
        call.fail(error);
        return;
      }
    }
    if (this.#current === null) this.#empty();
  }
}
