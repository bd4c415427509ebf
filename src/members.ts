/*
 * The members of a task group: who belongs to it, who still runs, who has ended and has not been collected yet, and the
 * tasks that wait for one to end. It must not know what for: the policies of a group, and when it cancels, are in group.ts.
 */

import { Lineup } from './base/lineup.ts';
import type { Task } from './task.ts';
import {
  begin,
  block,
  type Claim,
  handled,
  markJoined,
  pass,
  RESUME_CLAIM,
  RESUME_VALUE,
  type Subject,
  TaskList,
  type TaskRecord,
  wakeFirst,
  wakeSome,
} from './traps.ts';

export class Members<T> {
  /** All but daemons, until they are forgotten. */
  readonly #tracked = new Lineup<Task<T>>();
  readonly #running = new Lineup<Task<T>>();
  readonly #daemons = new Lineup<Task<T>>();
  /** Those that nobody has collected yet, in the order they ended. */
  readonly #ended = new Lineup<Task<T>>();
  /** Tasks that wait for a member to end. */
  readonly #waiting: TaskList;
  /** How many of those that have ended are reserved for a task that has been woken and has not run yet. */
  #reserved = 0;

  readonly #watch = {
    taskDone: (task: TaskRecord) => this.#taskDone(task as Task<T>),
    taskJoined: (task: TaskRecord) => this.forget(task as Task<T>),
  };

  readonly #claim: Claim = {
    take: () => {
      this.#reserved--;
      return this.#firstEnded();
    },
    refuse: () => {
      this.#reserved--;
      this.#serve();
    },
  };

  /** @param group what waiting tasks wait for, in reports */
  constructor(group: Subject) {
    this.#waiting = new TaskList(group);
  }

  // ---- Who they are, always in the order of their creation ----

  /** No daemons, and nobody who has been forgotten. */
  get tracked(): Task<T>[] {
    return byId([...this.#tracked]);
  }

  /** Those that have not ended; no daemons. */
  get running(): Task<T>[] {
    return byId([...this.#running]);
  }

  /** Those that have not ended, daemons included. */
  get alive(): Task<T>[] {
    return byId([...this.#running, ...this.#daemons]);
  }

  toString(): string {
    return `${this.#running.size} running, ${this.#ended.size} ended, ${this.#daemons.size} daemons`;
  }

  // ---- Coming and going ----

  add(task: Task<T>): void {
    task.onEnd = this.#watch;
    if (!task.daemon) this.#tracked.add(task);
    if (task.terminated) this.#taskDone(task);
    else (task.daemon ? this.#daemons : this.#running).add(task);
  }

  has(task: Task<T>): boolean {
    return task.onEnd === this.#watch;
  }

  #taskDone(task: Task<T>): void {
    if (task.daemon) {
      this.#daemons.delete(task);
      return markReaped(task);
    }
    this.#running.delete(task);
    this.#ended.add(task);
    this.#serve();
  }

  /** The group is no longer responsible for a task that has ended: it has been fetched, or somebody joined it explicitly. */
  forget(task: Task<T>): void {
    this.#ended.delete(task);
    this.#tracked.delete(task);
    task.onEnd = null;
  }

  /** The same for one that has not. */
  letGo(task: Task<T>): void {
    this.#running.delete(task);
    this.#daemons.delete(task);
    this.forget(task);
  }

  // ---- Collecting those that end ----

  /** Takes note of a member that has ended, by default the first: its result stays in the group. Null if there is none. */
  collect(task = this.#firstEnded()): Task<T> | null {
    if (task !== null) markReaped(task);
    return task;
  }

  /** Collects all that have ended; none runs any more, and nobody need wait. */
  close(): void {
    while (this.collect() !== null);
    this.#serve();
  }

  /** Gives the next to end, which leaves the group; null when there is none. Blocks unless one has ended. */
  next(caller: TaskRecord, operation: string): Promise<Task<T> | null> {
    // Who has been chosen and has not run yet is not to be overtaken.
    const unreserved = this.#ended.size - this.#reserved;
    if (unreserved > 0 ? this.#reserved > 0 : this.moreWillEnd(caller))
      return handled(this.#next(caller, operation));
    return pass(caller, unreserved > 0 ? this.#takeOut(this.#firstEnded()) : null);
  }

  async #next(caller: TaskRecord, operation: string): Promise<Task<T> | null> {
    let task: Task<T> | null;
    do {
      task = await this.untilOneEnds(caller, operation);
      // It may have come back from somebody who ended without taking it.
      if (task === null && this.#ended.size > this.#reserved) task = this.#firstEnded();
    } while (task === null && this.moreWillEnd(caller));
    return this.#takeOut(task);
  }

  #takeOut(task: Task<T> | null): Task<T> | null {
    if (task !== null) this.forget(task);
    return this.collect(task);
  }

  /** Blocks until a member ends, and gives it, uncollected; null when none will, or when somebody else has it. */
  untilOneEnds(caller: TaskRecord, operation: string): Promise<Task<T> | null> {
    const refusal = begin(caller, operation);
    if (refusal !== null) return refusal;
    const done = block<Task<T> | null>(caller, 'TASK_JOIN', this.#waiting);
    // One may have ended already, behind those that are reserved for others.
    this.#serve();
    return done;
  }

  /** False if `caller` would wait for ever: no member runs but those that wait here themselves. */
  moreWillEnd(caller: TaskRecord | null): boolean {
    if (this.#running.size > this.#waiting.length + 1) return true;
    for (const task of this.#running) if (task !== caller && task.list !== this.#waiting) return true;
    return false;
  }

  #firstEnded(): Task<T> | null {
    const task = this.#ended.first;
    if (task === undefined) return null;
    this.#ended.delete(task);
    return task;
  }

  /** Reserves a member that has ended for the task that has waited longest; lets all go when no more will end. */
  #serve(): void {
    if (this.#waiting.length > 0 && this.#ended.size > this.#reserved) {
      this.#reserved++;
      wakeFirst(this.#waiting, RESUME_CLAIM, this.#claim);
    }
    if (this.#waiting.length > 0 && !this.moreWillEnd(null))
      wakeSome(this.#waiting, this.#waiting.length, RESUME_VALUE, null);
  }
}

function byId<T>(tasks: Task<T>[]): Task<T>[] {
  return tasks.sort((a, b) => a.id - b.id);
}

/** The group has seen the task's end, so nobody needs to join it. */
function markReaped(task: TaskRecord): void {
  task.onEnd = null;
  markJoined(task);
}
