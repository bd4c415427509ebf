/*
 * A number of permits and the tasks that wait for one: what locks and semaphores
 * have in common. A released permit goes straight to the task that has waited
 * longest; it is never free in between, so nobody can overtake.
 */

import {
  begin,
  block,
  type Claim,
  enter,
  pass,
  RESUME_CLAIM,
  refused,
  TaskList,
  type TaskRecord,
  type TaskState,
  wakeFirst,
} from '../traps.ts';

export class Permits<G> {
  free: number;
  readonly waiting = new TaskList();
  readonly #state: TaskState;
  readonly #operation: string;
  readonly #claim: Claim;
  readonly #grant: () => G;

  /** @param grant makes what the task gets together with the permit */
  constructor(free: number, state: TaskState, operation: string, grant: () => G) {
    this.free = free;
    this.#state = state;
    this.#operation = operation;
    this.#grant = grant;
    // A task that ends before its turn cannot use the permit: the next one gets it.
    this.#claim = { take: grant, refuse: () => this.release() };
  }

  acquire(): Promise<G> {
    const task = enter();
    if (task === null) return refused(this.#operation);
    if (this.free > 0) {
      this.free--;
      return pass(task, this.#grant());
    }
    return this.join(task);
  }

  /** Waits in line. */
  join(task: TaskRecord): Promise<G> {
    return begin(task, this.#operation) ?? block(task, this.#state, this.waiting);
  }

  /** Gives a permit back, and says who has it now: the task that waited longest, or nobody. */
  release(): TaskRecord | null {
    const next = this.waiting.first;
    if (next === null) this.free++;
    else wakeFirst(this.waiting, RESUME_CLAIM, this.#claim);
    return next;
  }

  /** For debug strings. */
  describe(name: string, state: string): string {
    return `${name}(${state}, ${this.waiting.length} waiting)`;
  }
}
