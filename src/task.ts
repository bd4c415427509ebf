/*
 * Tasks as users meet them: spawning one, and joining, cancelling and looking
 * at it. What the kernel knows of a task is in kernel/record.ts.
 */

import { relative } from 'node:path';
import {
  type AnyFunction,
  type Callable,
  Coroutine,
  callable,
  describe,
  isOptions,
  type Runner,
} from './base/callable.ts';
import { printedAsText } from './base/printing.ts';
import { type Frame, userFrames } from './base/stack.ts';
import { RuntimeError, TaskCancelled } from './errors.ts';
import {
  admit,
  awaitEnd,
  elsewhere,
  fail,
  getCurrent,
  lookedAfter,
  markJoined,
  note,
  pass,
  refused,
  requestCancel,
  spawnTask,
  TaskRecord,
  type TaskState,
} from './traps.ts';

/** Options of `task.cancel()`. */
export interface CancelOptions {
  /** False to return at once instead of waiting until the task has ended. */
  blocking?: boolean | undefined;
  /** The error class, or the error, to throw into the task. Default `TaskCancelled`. */
  exc?: (new (message?: string) => Error) | Error | undefined;
}

/** Options of `spawn()`. */
export interface SpawnOptions {
  /** The task is never joined, and nobody wants its result. */
  daemon?: boolean | undefined;
  /** What to call it, instead of the function's name. */
  name?: string | undefined;
}

/**
 * A function that runs concurrently with others. Made by `spawn()`.
 * @see Reference manual, "Tasks"
 */
export class Task<T = unknown> extends TaskRecord {
  static {
    printedAsText(this);
  }

  // The kernel writes these; users read them.
  declare readonly state: TaskState;
  declare readonly cycles: number;
  declare readonly cancelled: boolean;

  /**
   * Waits for the task to end, and gives its result. Blocks (`TASK_JOIN`) unless the task has ended.
   *
   * **Cancellation:** the caller stops waiting; the task goes on, and can be joined again.
   * @throws TaskError if the task failed or was cancelled; `cause` is the task's own exception
   * @see Reference manual, "Tasks"
   * @example
   * const task = await spawn(countdown, 10);
   * const result = await task.join();
   */
  join(): Promise<T> {
    const caller = admit();
    if (caller === null) return refused('Task.join()');
    if (!this.terminated) return awaitEnd(caller, this, 'joiners', 'Task.join()');
    try {
      return pass(caller, this.take() as T);
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(caller, error);
    }
  }

  /**
   * Hands the result to a task that joined this one. Only now has it been joined: a join that was cut
   * short leaves the task to whoever was responsible for it, its group say.
   * @internal
   */
  override take(): unknown {
    markJoined(this);
    return super.take();
  }

  /**
   * Waits for the task to end. Gives nothing and throws nothing of the task's; it does not count
   * as joining. Blocks (`TASK_JOIN`) unless the task has ended.
   *
   * **Cancellation:** the caller stops waiting; the task goes on.
   * @see Reference manual, "Tasks"
   */
  wait(): Promise<void> {
    const caller = admit();
    if (caller === null) return refused('Task.wait()');
    return this.terminated ? pass(caller, undefined) : awaitEnd(caller, this, 'waiters', 'Task.wait()');
  }

  /**
   * Asks the task to stop: `exc` is thrown at the operation it is blocked in, or else at the next
   * one that blocks. Then waits until it has ended, unless `blocking` is false.
   *
   * A task is cancelled only once; further calls just wait. A task that has ended is left alone.
   * What the task throws while it stops is logged, not thrown here.
   *
   * **Cancellation:** the caller stops waiting; the request stands.
   * @see Reference manual, "Tasks"
   */
  cancel(options: CancelOptions = {}): Promise<void> {
    if (!isOptions(options)) {
      throw new TypeError(`Task.cancel() takes options, such as { exc: MyError }, not ${describe(options)}.`);
    }
    const { blocking = true, exc = TaskCancelled } = options;
    const caller = admit();
    if (caller === null) return refused('Task.cancel()');
    if (this.terminated) {
      lookedAfter(this);
      return pass(caller, undefined);
    }
    if (blocking && caller === this) {
      const advice =
        'Write await task.cancel({ blocking: false }); the next operation that blocks then throws.';
      return fail(
        caller,
        new RuntimeError(`${this} cancelled itself and would wait for its own end. ${advice}`),
      );
    }
    note(caller, 'cancelTask', [this, exc]);
    requestCancel(this, exc, caller);
    return blocking ? awaitEnd(caller, this, 'waiters', 'Task.cancel()') : pass(caller, undefined);
  }

  /**
   * The task's result. A task whose result was read is not reported as never joined.
   * @throws RuntimeError before the task has ended
   * @throws the task's own exception, if it failed
   */
  get result(): T {
    this.#mustHaveEnded('result');
    lookedAfter(this);
    if (this.failed) throw this.outcome;
    return this.outcome as T;
  }

  /**
   * The exception the task failed with, or null.
   * @throws RuntimeError before the task has ended
   */
  get exception(): unknown {
    this.#mustHaveEnded('exception');
    return this.failed ? this.outcome : null;
  }

  #mustHaveEnded(what: string): void {
    if (this.terminated) return;
    throw new RuntimeError(`${this} has not ended, so it has no ${what} yet. Write await task.join() first.`);
  }

  /**
   * `[filename, line]` of the operation the task is blocked in, in the user's own code. Null while
   * the task runs, and when stacks are off.
   * @see Reference manual, "Debugging and Diagnostics"
   */
  where(): [filename: string, line: number] | null {
    const frame = this.#frames()[0];
    return frame === undefined ? null : [frame.file, frame.line];
  }

  /**
   * The chain of functions the task is blocked in, the user's lines only, most recent call last.
   * @see Reference manual, "Debugging and Diagnostics"
   */
  traceback(): string {
    const title = `Stack for Task(id=${this.id}, name='${this.name}', state='${this.state}')`;
    if (this.terminated) return `${title}: no stack, the task has ended.`;
    if (!this.core.stacks) {
      return `${title}: no stack. Turn stacks on with run({ stacks: true }, …) or the environment variable CURIO_STACKS=1.`;
    }
    const frames = this.#frames();
    if (frames.length === 0) return `${title}: no stack, the task is not blocked in an operation.`;
    const lines = frames
      .reverse()
      .map((frame) => `  File "${frame.file}", line ${frame.line}, in ${frame.fn}`);
    return `${title} (most recent call last):\n${lines.join('\n')}`;
  }

  /** `Task(id=3, name='child', state='TIME_SLEEP') at file.ts:9` */
  override toString(): string {
    const where = this.where();
    const place = where === null ? '' : ` at ${relative(process.cwd(), where[0])}:${where[1]}`;
    return `Task(id=${this.id}, name='${this.name}', state='${this.state}')${place}`;
  }

  #frames(): Frame[] {
    return this.stack === null ? [] : userFrames(this.stack);
  }
}

/** With options: `spawn({ daemon: true, name: 'logger' }, writeLog)`. Does not block. */
export function spawn<A extends unknown[], T>(
  options: SpawnOptions,
  fn: Callable<A, T>,
  ...args: A
): Promise<Task<Awaited<T>>>;
/** With options, and something that runs functions elsewhere: `spawn({ daemon: true }, runInThread, fn, ...args)`. Does not block. */
export function spawn<A extends unknown[], T>(
  options: SpawnOptions,
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Task<Awaited<T>>>;
/** With something that runs functions elsewhere: `spawn(runInThread, fn, ...args)`. Does not block. */
export function spawn<A extends unknown[], T>(
  runner: Runner<A, T>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Task<Awaited<T>>>;
/**
 * Starts a task that runs `fn(...args)` concurrently with its spawner, and gives the task. Does not
 * block: the new task first runs when its spawner blocks, in the order of spawning.
 *
 * @throws TypeError for a promise, a class, or anything else that is not a function
 * @see Reference manual, "Tasks"
 * @example
 * const task = await spawn(echoClient, client, address);
 * const logger = await spawn({ daemon: true, name: 'logger' }, writeLog);
 */
export function spawn<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Task<Awaited<T>>>;
export function spawn(first: unknown, ...rest: unknown[]): Promise<Task<unknown>> {
  const options = isOptions(first) ? (first as SpawnOptions) : undefined;
  const target = options === undefined ? first : rest[0];
  const args = options === undefined ? rest : rest.slice(1);
  const fn = callable(target, 'spawn');
  const there = elsewhere();
  if (there !== null) return there.call('spawn', [first, ...rest]) as Promise<Task<unknown>>;
  const parent = admit();
  return parent === null
    ? refused('spawn()')
    : pass(parent, newTask(parent, fn, args, named(options, target)));
}

/** Creates a task on behalf of `parent`. Not part of the package's surface. */
export function newTask(
  parent: TaskRecord,
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  options?: SpawnOptions,
): Task<unknown> {
  return spawnTask(parent, fn as AnyFunction, args, options) as Task<unknown>;
}

/** A task that runs a prepared call is named after what that calls. */
export function named(options: SpawnOptions | undefined, target: unknown): SpawnOptions | undefined {
  return target instanceof Coroutine ? { name: target.name, ...options } : options;
}

/**
 * The calling task. Does not block.
 * @see Reference manual, "Tasks"
 */
export function currentTask(): Promise<Task<unknown>> {
  const there = elsewhere();
  return there === null ? getCurrent() : (there.call('currentTask', []) as Promise<Task<unknown>>);
}
