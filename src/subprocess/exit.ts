/*
 * The end of a process: what it ended with, or why it never began, and the tasks that wait to hear of it. Knows nothing of
 * processes.
 */

import { HeldSlot } from '../io/held.ts';
import { admit, begin, block, fail, pass, refused } from '../traps.ts';

/** Where one task waits. */
class Waiter extends HeldSlot {
  readonly #all: Set<Waiter>;

  constructor(all: Set<Waiter>) {
    super();
    this.#all = all;
    all.add(this);
  }

  protected override left(): void {
    this.#all.delete(this);
  }
}

export class Exit {
  /** Null while the process runs, and for ever if it never began. */
  returncode: number | null = null;
  /** Why the process never began. */
  error: Error | null = null;
  /** True once somebody has been told of `error`. */
  told = false;
  readonly #waiting = new Set<Waiter>();

  get over(): boolean {
    return this.returncode !== null || this.error !== null;
  }

  ended(returncode: number): void {
    if (this.over) return;
    this.returncode = returncode;
    for (const waiter of [...this.#waiting]) waiter.wake(returncode);
  }

  failed(error: Error): void {
    if (this.over) return;
    this.error = error;
    for (const waiter of [...this.#waiting]) {
      this.told = true;
      waiter.fail(error);
    }
  }

  /** Waits for the end. Blocks unless it has come. */
  wait(operation: string): Promise<number> {
    const task = admit();
    if (task === null) return refused(operation);
    if (this.returncode !== null) return pass(task, this.returncode);
    if (this.error !== null) {
      this.told = true;
      return fail(task, this.error);
    }
    return begin(task, operation) ?? block(task, 'FUTURE_WAIT', new Waiter(this.#waiting));
  }
}
