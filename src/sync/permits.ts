/*
 * A number of permits and the tasks that wait for one: what locks and semaphores
 * have in common. A released permit goes straight to the task that has waited
 * longest; it is never free in between, so nobody can overtake.
 */

import {
  admit,
  begin,
  block,
  type Claim,
  pass,
  RESUME_CLAIM,
  refused,
  type Subject,
  TaskList,
  type TaskRecord,
  type TaskState,
  wakeFirst,
} from '../traps.ts';

export class Permits<G> {
  free: number;
  readonly waiting: TaskList;
  readonly #state: TaskState;
  readonly #operation: string;
  readonly #claim: Claim;
  readonly #grant: (task: TaskRecord) => G;

  /**
   * @param subject the lock or semaphore
   * @param grant makes what the task gets together with the permit
   * @param passOn releases a permit whose task has ended before its turn, and cannot use it
   */
  constructor(
    subject: Subject,
    free: number,
    state: TaskState,
    operation: string,
    grant: (task: TaskRecord) => G,
    passOn: () => void = () => this.release(),
  ) {
    this.waiting = new TaskList(subject);
    this.free = free;
    this.#state = state;
    this.#operation = operation;
    this.#grant = grant;
    this.#claim = { take: grant, refuse: passOn };
  }

  acquire(): Promise<G> {
    const task = admit();
    if (task === null) return refused(this.#operation);
    if (this.free > 0) {
      this.free--;
      return pass(task, this.#grant(task));
    }
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
