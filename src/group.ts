/*
 * Task groups: tasks that are waited for together, and of which none survives
 * the group. Who belongs to one is in members.ts, how it ends in ending.ts;
 * `taskGroup` and `gather`, the forms most programs want, are in gather.ts.
 */

import { blocksAreAwaited } from './base/awaited.ts';
import {
  type AnyFunction,
  type Callable,
  callable,
  describe,
  isOptions,
  type Runner,
} from './base/callable.ts';
import { printedAsText } from './base/printing.ts';
import { Ending, type WaitPolicy } from './ending.ts';
import { RuntimeError } from './errors.ts';
import { Members } from './members.ts';
import { named, newTask, type SpawnOptions, Task } from './task.ts';
import type { AsyncThread, ThreadOptions } from './thread/async-thread.ts';
import { elsewhere, enter, enterComposite, fail, handled, pass, refused, type TaskRecord } from './traps.ts';

export type { WaitPolicy };

/** Options of `new TaskGroup()`. */
export interface TaskGroupOptions<T> {
  /** Tasks that exist already. */
  tasks?: Iterable<Task<T>> | undefined;
  /** Default `'all'`. */
  wait?: WaitPolicy | undefined;
}

/**
 * A group of tasks. `join()` waits for them according to the group's policy; when one fails, or
 * `join()` itself is cancelled, the others are cancelled. No member survives the group.
 *
 * A member's failure is not thrown by `join()`: it shows in `exception`, `exceptions`, and when
 * `result` or `results` is read.
 *
 * Disposal (`await using`) cancels and awaits what `join()` has not already waited for, since
 * a disposer cannot know whether its block threw: a normal end calls `await group.join()` itself.
 *
 * @see Reference manual, "Task Groups"
 * @example
 * await using group = new TaskGroup<number>();
 * await group.spawn(one);
 * await group.spawn(two);
 * await group.join();
 * console.log(group.results);
 */
export class TaskGroup<T = unknown> implements AsyncDisposable, AsyncIterable<Task<T>> {
  static {
    printedAsText(this);
    blocksAreAwaited(this, 'A task group ends');
  }

  readonly #members = new Members<T>(this);
  readonly #ending: Ending<T>;

  constructor(options: TaskGroupOptions<T> = {}) {
    if (!isOptions(options)) {
      throw new TypeError(
        `new TaskGroup() takes options, such as { tasks, wait: 'any' }, not ${describe(options)}.`,
      );
    }
    const { tasks = [], wait = 'all' } = options;
    if (wait !== 'all' && wait !== 'any' && wait !== 'object' && wait !== null) {
      throw new TypeError(`A group waits for 'all', 'any', 'object' or null, not ${describe(wait)}.`);
    }
    this.#ending = new Ending(this.#members, wait);
    const members = new Set(tasks);
    const there = elsewhere();
    // biome-ignore lint/correctness/noConstructorReturn: in an async thread it is made in the kernel.
    if (there !== null) return there.construct(new.target, [{ tasks: [...members], wait }]) as this;

    for (const task of members) mustBeTask(task, 'new TaskGroup({ tasks })');
    // All or none: no task shall belong to a group that nobody has.
    for (const task of members) if (task.onEnd !== null) throw alreadyMember(task);
    for (const task of members) this.#members.add(task);
  }

  // ---- Members ----

  /** With options: `group.spawn({ daemon: true }, fn, ...args)`. Does not block. */
  spawn<A extends unknown[], U>(
    options: SpawnOptions,
    fn: Callable<A, U>,
    ...args: A
  ): Promise<Task<Awaited<U>>>;
  /** With options, and something that runs functions elsewhere: `group.spawn({ name: 'sum' }, runInThread, fn, ...args)`. Does not block. */
  spawn<A extends unknown[], U>(
    options: SpawnOptions,
    runner: Runner<A, U>,
    fn: Callable<A, U>,
    ...args: A
  ): Promise<Task<Awaited<U>>>;
  /** With something that runs functions elsewhere: `group.spawn(runInThread, fn, ...args)`. Does not block. */
  spawn<A extends unknown[], U extends T | PromiseLike<T>>(
    runner: Runner<A, U>,
    fn: Callable<A, U>,
    ...args: A
  ): Promise<Task<Awaited<U>>>;
  /**
   * Starts a task in the group. Does not block. A daemon's result is disregarded, and `join()` cancels it.
   * @throws RuntimeError if the group has been joined
   * @see Reference manual, "Task Groups"
   */
  spawn<A extends unknown[], U extends T | PromiseLike<T>>(
    fn: Callable<A, U>,
    ...args: A
  ): Promise<Task<Awaited<U>>>;
  spawn(first: unknown, ...rest: unknown[]): Promise<Task<never>> {
    const options = isOptions(first) ? (first as SpawnOptions) : undefined;
    const target = options === undefined ? first : rest[0];
    const args = options === undefined ? rest : rest.slice(1);
    const fn = callable(target, 'TaskGroup.spawn');
    const parent = enter();
    if (parent === null) return refused('TaskGroup.spawn()');
    if (this.#ending.joined) return fail(parent, alreadyJoined());
    const task = newTask(parent, fn, args, named(options, target)) as Task<T>;
    this.#members.add(task);
    return pass(parent, task as Task<never>);
  }

  /**
   * Starts an async thread in the group. Does not block. Its task is a member like any other: joined, and cancelled, with
   * the rest. A daemon's result is disregarded, and `join()` cancels it.
   * @throws RuntimeError if the group has been joined
   * @throws TypeError if the function or an argument cannot travel
   * @see Reference manual, "Task Groups"
   */
  spawnThread<A extends unknown[], U extends T | PromiseLike<T>>(
    fn: Callable<A, U>,
    ...args: A
  ): Promise<AsyncThread<Awaited<U>>>;
  /** With options: `group.spawnThread({ daemon: true }, fn, ...args)`. Does not block. */
  spawnThread<A extends unknown[], U>(
    options: ThreadOptions,
    fn: Callable<A, U>,
    ...args: A
  ): Promise<AsyncThread<Awaited<U>>>;
  spawnThread(first: unknown, ...rest: unknown[]): Promise<AsyncThread<never>> {
    const options = isOptions(first) ? (first as ThreadOptions) : {};
    const [target, ...args] = isOptions(first) ? rest : [first, ...rest];
    const fn = callable(target, 'TaskGroup.spawnThread') as AnyFunction;
    const parent = enter();
    if (parent === null) return refused('TaskGroup.spawnThread()');
    if (this.#ending.joined) return fail(parent, alreadyJoined());
    if (threads === null) {
      return fail(
        parent,
        new RuntimeError("TaskGroup.spawnThread() needs threads: import 'curio/thread' first."),
      );
    }
    const loading = threads.loading();
    if (loading !== null)
      return handled(loading.then(() => this.spawnThread(options, fn as () => never, ...(args as []))));
    let started: ReturnType<Threads['start']>;
    try {
      started = threads.start(parent, options, fn, args);
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(parent, error);
    }
    this.#members.add(started.task as Task<T>);
    return pass(parent, started.thread as AsyncThread<never>);
  }

  /**
   * Adds a task that exists already, ended or not. Does not block.
   * @throws RuntimeError if it belongs to a group, or this one has been joined
   * @throws TypeError for what is not a task
   * @see Reference manual, "Task Groups"
   */
  addTask(task: Task<T>): Promise<void> {
    mustBeTask(task, 'TaskGroup.addTask()');
    const caller = enter();
    if (caller === null) return refused('TaskGroup.addTask()');
    if (this.#ending.joined) return fail(caller, alreadyJoined());
    if (task.onEnd !== null) return fail(caller, alreadyMember(task));
    this.#members.add(task);
    return pass(caller, undefined);
  }

  /** @internal Who must end before a task goes on that waits here: any one of these. */
  holders(): Iterable<TaskRecord> {
    return this.#members.alive;
  }

  toString(): string {
    return `TaskGroup(${this.#members})`;
  }

  // ---- Collecting them one by one ----

  /**
   * Waits for the next member to end, takes it out of the group and gives it; null when none is
   * left. Blocks (`TASK_JOIN`) unless one has ended. Its failure is the caller's to see: nothing is cancelled.
   *
   * **Cancellation:** no member has been taken out.
   * @see Reference manual, "Task Groups"
   */
  nextDone(): Promise<Task<T> | null> {
    const caller = enterComposite('TaskGroup.nextDone()');
    return caller === null
      ? refused('TaskGroup.nextDone()')
      : this.#members.next(caller, 'TaskGroup.nextDone()');
  }

  /**
   * The result of the next member to end, which is taken out of the group. Blocks (`TASK_JOIN`) unless one has ended.
   *
   * **Cancellation:** no member has been taken out.
   * @throws the member's own exception, if it failed
   * @throws RuntimeError if no member is left
   * @see Reference manual, "Task Groups"
   */
  nextResult(): Promise<T> {
    if (enterComposite('TaskGroup.nextResult()') === null) return refused('TaskGroup.nextResult()');
    return handled(this.#nextResult());
  }

  async #nextResult(): Promise<T> {
    const task = await this.nextDone();
    if (task === null)
      throw new RuntimeError(
        'TaskGroup.nextResult(): no task is left in the group. Spawn one first, or use nextDone(), which gives null then.',
      );
    return task.result;
  }

  /** Members in the order they end; each is taken out of the group. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Task<T>, void> {
    for (let task = await this.nextDone(); task !== null; task = await this.nextDone()) yield task;
  }

  // ---- Ending it ----

  /**
   * Waits for the members according to the group's policy. If one fails, the wait is over. Whatever
   * still runs then is cancelled and waited for, daemons included. Blocks.
   *
   * **Cancellation:** every member has been cancelled and has ended before the error comes out.
   * @see Reference manual, "Task Groups"
   */
  join(): Promise<void> {
    const caller = enterComposite('TaskGroup.join()');
    return caller === null ? refused('TaskGroup.join()') : handled(this.#ending.join(caller));
  }

  /**
   * Cancels the members that still run, waits for them, and takes them out of the group. Daemons go on,
   * and new members may still be spawned. Blocks (`TASK_JOIN`).
   *
   * **Cancellation:** all members have been asked to stop; the caller stops waiting for them.
   * @see Reference manual, "Task Groups"
   */
  cancelRemaining(): Promise<void> {
    const caller = enterComposite('TaskGroup.cancelRemaining()');
    if (caller === null) return refused('TaskGroup.cancelRemaining()');
    return this.#ending.cancelRemaining(caller);
  }

  /** Cancels and awaits the members that `join()` has not already waited for. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#ending.dispose();
  }

  /** @internal What `taskGroup` does when its body, or the join after it, has thrown. */
  abandon(error: unknown): Promise<void> {
    return this.#ending.abandon(error);
  }

  /** @internal Why members will be cancelled, if it is none of their failures. */
  because(reason: unknown): void {
    this.#ending.reason ??= reason;
  }

  // ---- Outcome ----

  /** The first member that ended with a result the policy accepts, or failed; null before `join()` and if there is none. */
  get completed(): Task<T> | null {
    return this.#ending.completed;
  }

  /**
   * The result of `completed`.
   * @throws RuntimeError before `join()`, or if no member qualified
   * @throws the member's own exception, if it failed
   */
  get result(): T {
    this.#mustBeJoined('result');
    if (this.#ending.completed === null)
      throw new RuntimeError(
        'No task of the group has completed with a result. See group.completed, which is null then.',
      );
    return this.#ending.completed.result;
  }

  /** The exception of `completed`, or null. @throws RuntimeError before `join()` */
  get exception(): unknown {
    this.#mustBeJoined('exception');
    return this.#ending.completed === null ? null : this.#ending.completed.exception;
  }

  /**
   * The results of all members, in the order of their creation.
   * @throws RuntimeError before `join()`
   * @throws the exception of the first member, in the order of creation, that failed or was cancelled
   */
  get results(): T[] {
    this.#mustBeJoined('results');
    return this.#members.tracked.map((task) => task.result);
  }

  /** The exceptions of all members, in the order of their creation; null for a success. @throws RuntimeError before `join()` */
  get exceptions(): unknown[] {
    this.#mustBeJoined('exceptions');
    return this.#members.tracked.map((task) => task.exception);
  }

  /**
   * The members, in the order of their creation: no daemons, and none that somebody has joined, fetched or
   * cancelled by itself.
   */
  get tasks(): Task<T>[] {
    return this.#members.tracked.filter((task) => !task.cancelled || this.#ending.hasCancelled(task));
  }

  #mustBeJoined(what: string): void {
    if (!this.#ending.joined)
      throw new RuntimeError(`TaskGroup.${what} is there after join(). Write await group.join() first.`);
  }
}

/** Threads, as a group sees them. */
interface Threads {
  /** What is to be waited for before the first is started; null afterwards. */
  loading(): Promise<unknown> | null;
  /** Starts a thread on behalf of a task; gives it, and the task that stands for it. */
  start(
    parent: TaskRecord,
    options: ThreadOptions,
    fn: AnyFunction,
    args: readonly unknown[],
  ): { thread: AsyncThread; task: Task<unknown> };
}

let threads: Threads | null = null;

/** Threads, which live above groups, register themselves here. */
export function provideThreads(those: Threads): void {
  threads = those;
}

function mustBeTask(task: unknown, who: string): void {
  if (!(task instanceof Task))
    throw new TypeError(`${who} wants tasks, as spawn() gives them, not ${describe(task)}.`);
}

function alreadyJoined(): RuntimeError {
  return new RuntimeError('The group has already been joined. Make a new TaskGroup for more tasks.');
}

function alreadyMember(task: Task<never> | Task<unknown>): RuntimeError {
  return new RuntimeError(`${task} already belongs to a group. Spawn another one for this group.`);
}
