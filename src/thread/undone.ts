/*
 * The operations of an async thread that have been called and not been AWAITed. One that is left behind has been forgotten:
 * it never happens, which nothing else would tell.
 *
 * It must not know how an operation is done.
 */

import type { Target } from './messages.ts';
import type { Operation } from './operation.ts';

/** What an operation is called by. */
export interface Called {
  on: Target;
  method: string | null;
}

interface Entry {
  called: Called;
  /** How many AWAITs there had been when it was called. */
  at: number;
}

/** An operation may be kept while this many others are done. One that is older is not coming back. */
const PATIENCE = 2;

export class Undone {
  readonly #entries = new Map<Operation, Entry>();
  readonly #told = new Set<string>();
  readonly #tell: (called: Called) => void;
  #awaits = 0;

  /** @param tell called with what has been forgotten, once for each that looks the same */
  constructor(tell: (called: Called) => void) {
    this.#tell = tell;
  }

  add(operation: Operation, called: Called): void {
    this.#entries.set(operation, { called, at: this.#awaits });
  }

  /** It is being done. */
  remove(operation: Operation): void {
    this.#entries.delete(operation);
    this.#awaits++;
    if (this.#entries.size > 0) this.#forget(PATIENCE);
  }

  /** The thread's function has ended. */
  end(): void {
    this.#forget(0);
  }

  #forget(patience: number): void {
    for (const [operation, { called, at }] of this.#entries) {
      if (this.#awaits - at < patience) return;
      this.#entries.delete(operation);
      const key = JSON.stringify(called);
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      this.#tell(called);
    }
  }
}
