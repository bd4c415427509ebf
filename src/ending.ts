/*
 * How a task group ends: whose end it waits for, which member's result is the group's, and that whatever still runs
 * then is cancelled and waited for, so that no member survives. Who the members are is in members.ts.
 */

import { TaskCancelled } from './errors.ts';
import type { Members } from './members.ts';
import type { Task } from './task.ts';
import {
  enter,
  enterComposite,
  handled,
  refused,
  requestCancel,
  shield,
  type TaskRecord,
  takeBreath,
  unshield,
} from './traps.ts';

/** Which tasks `join()` waits for: every one, the first to end, the first with a result, or none. */
export type WaitPolicy = 'all' | 'any' | 'object' | null;

export class Ending<T> {
  readonly #members: Members<T>;
  readonly #wait: WaitPolicy;
  /** Those whose cancellation the group itself asked for. */
  readonly #cancelled = new Set<Task<T>>();
  /** True once no member runs any more, and none can come. */
  joined = false;
  /** The first member that ended with a result the policy accepts, or failed. */
  completed: Task<T> | null = null;
  /** Why members are cancelled, where something went wrong: another one failed, or the waiting was cut short. */
  reason: unknown;

  constructor(members: Members<T>, wait: WaitPolicy) {
    this.#members = members;
    this.#wait = wait;
  }

  /** Waits for the members according to the policy, and ends those that still run then. */
  async join(caller: TaskRecord): Promise<void> {
    try {
      const breath = takeBreath(caller, 'TaskGroup.join()');
      if (breath !== null) await breath;
      while (this.#wait !== null) {
        for (let task = this.#members.collect(); task !== null; task = this.#members.collect()) {
          if (this.#completedBy(task)) return;
        }
        if (!this.#members.moreWillEnd(caller)) return;
        const task = await this.#members.untilOneEnds(caller, 'TaskGroup.join()');
        if (this.#members.collect(task) !== null && this.#completedBy(task as Task<T>)) return;
      }
    } catch (error) {
      this.reason ??= error;
      throw error;
    } finally {
      await this.#reap(caller);
    }
  }

  /** Takes note of a member that has ended. True if that ends the wait. */
  #completedBy(task: Task<T>): boolean {
    if (this.#wait === 'object' && !task.failed && isNothing(task.result)) return false;
    this.completed ??= task;
    if (task.failed) this.reason ??= task.exception;
    return task.failed || this.#wait !== 'all';
  }

  /** Cancels and awaits, one by one in the order of creation, whatever still runs. */
  async #reap(caller: TaskRecord): Promise<void> {
    // No member may survive, so the caller's own cancellation waits until this is done.
    shield(caller);
    try {
      for (let left = this.#members.alive; left.length > 0; left = this.#members.alive) {
        for (const task of left) {
          this.#cancel(task, caller);
          if (task !== caller) await task.wait();
          // A member that joins its own group cannot wait for itself.
          else this.#members.letGo(task);
        }
      }
    } finally {
      this.joined = true;
      this.#members.close();
      unshield(caller);
    }
  }

  #cancel(task: Task<T>, caller: TaskRecord): void {
    if (task === caller || task.cancelled) return;
    const options = this.reason === undefined ? undefined : { cause: this.reason };
    if (requestCancel(task, TaskCancelled, caller, undefined, options)) this.#cancelled.add(task);
  }

  /** True if it was the group that asked for the task's cancellation. */
  hasCancelled(task: Task<T>): boolean {
    return this.#cancelled.has(task);
  }

  /** Waits for members that have been asked to stop, and takes them out of the group. */
  async #seeOff(members: Task<T>[], caller: TaskRecord): Promise<void> {
    const breath = takeBreath(caller, 'TaskGroup.cancelRemaining()');
    if (breath !== null) await breath;
    for (const task of members) {
      await task.wait();
      if (this.#members.has(task)) this.#members.forget(task);
    }
  }

  /** Cancels the members that still run, and waits for them; daemons go on. */
  cancelRemaining(caller: TaskRecord): Promise<void> {
    const members = this.#others(caller);
    for (const task of members) this.#cancel(task, caller);
    return handled(this.#seeOff(members, caller));
  }

  /** Cancels and awaits the members, unless the group has been joined. */
  async dispose(): Promise<void> {
    if (this.joined) return;
    const caller = enter();
    if (caller === null) return refused('TaskGroup disposal');
    // Even if a forgotten await keeps the caller from waiting for them, no member goes on undisturbed.
    for (const task of this.#members.alive) this.#cancel(task, caller);
    enterComposite('TaskGroup disposal');
    try {
      const breath = takeBreath(caller, 'TaskGroup disposal');
      if (breath !== null) await breath;
    } finally {
      await this.#reap(caller);
    }
  }

  /** The same for a group whose body, or the join after it, has thrown. */
  async abandon(error: unknown): Promise<void> {
    this.reason ??= error;
    const caller = enter();
    if (caller === null) return;
    for (const task of this.#members.alive) this.#cancel(task, caller);
    try {
      enterComposite('taskGroup()');
    } catch {
      // swallows: the TaskBusyError of an operation the body forgot to await. The members have been asked to
      // stop and cannot be waited for; the error of the body is the one to come out.
      return;
    }
    shield(caller);
    try {
      // What a member spawns into the group while it cleans up has to stop, too.
      for (let left = this.#others(caller); left.length > 0; left = this.#others(caller)) {
        for (const task of left) this.#cancel(task, caller);
        await this.#seeOff(left, caller);
      }
    } finally {
      unshield(caller);
    }
    await this.join(caller);
  }

  #others(caller: TaskRecord): Task<T>[] {
    return this.#members.running.filter((task) => task !== caller);
  }
}

function isNothing(value: unknown): boolean {
  return value === null || value === undefined;
}
