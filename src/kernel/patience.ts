/*
 * Tasks that were cancelled and have not ended. After a while each is reported:
 * it has swallowed its cancellation, or hangs in an ordinary promise.
 */

import { Turnover } from '../base/turnover.ts';
import type { Clock } from './clock.ts';
import type { TaskRecord } from './record.ts';

/** Seconds that a cancelled task may take. */
const PATIENCE = 10;

export class Patience {
  readonly #clock: Clock;
  readonly #report: (record: TaskRecord, seconds: number) => void;
  /** In the order in which they were cancelled, which is that of their deadlines. */
  readonly #tasks = new Turnover<TaskRecord, number>();
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, report: (record: TaskRecord, seconds: number) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  /** A task has been cancelled. */
  begin(record: TaskRecord): void {
    const deadline = this.#clock.now() + PATIENCE;
    this.#tasks.set(record, deadline);
    if (this.#tasks.size > 1) this.#watch();
    else this.#watchFor(deadline);
  }

  /** A cancelled task has ended. */
  end(record: TaskRecord): void {
    this.#tasks.delete(record);
    if (this.#tasks.size === 0) this.stop();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #watch(): void {
    if (this.#cancel !== null) return;
    const [first] = this.#tasks;
    if (first !== undefined) this.#watchFor(first[1]);
  }

  #watchFor(deadline: number): void {
    this.#cancel ??= this.#clock.schedule(deadline, this.#lost, true);
  }

  readonly #lost = (): void => {
    this.#cancel = null;
    const now = this.#clock.now();
    for (const [record, deadline] of this.#tasks) {
      if (deadline > now) break;
      this.#tasks.delete(record);
      this.#report(record, PATIENCE);
    }
    this.#watch();
  };
}
