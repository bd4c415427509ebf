/*
 * Async threads as tasks see them: starting one, joining and cancelling it. For each stands a task of the kernel,
 * which does what the thread AWAITs.
 */

import { type AnyFunction, type Callable, callable, functionName, isOptions } from '../base/callable.ts';
import { DeferredModule } from '../base/deferred-module.ts';
import { printedAsText } from '../base/printing.ts';
import { RuntimeError } from '../errors.ts';
import { provideThreads } from '../group.ts';
import { type CancelOptions, newTask, type Task } from '../task.ts';
import {
  admit,
  elsewhere,
  fail,
  handled,
  pass,
  refused,
  standsForThread,
  type TaskRecord,
  type TaskState,
} from '../traps.ts';
import { learnFromStack } from '../workers/travel/script.ts';
import { addClass, addFunction } from './registry.ts';

type Launcher = typeof import('./launch.ts');

const launcher = new DeferredModule(() => {
  // Whose function it is shows on the stack, and only now.
  learnFromStack();
  return import('./launch.ts');
});

/** Options of `spawnThread()`. */
export interface ThreadOptions {
  /** Nobody wants its result, and the kernel's shutdown ends it wherever it is. */
  daemon?: boolean | undefined;
  /** What to call it, instead of the function's name. */
  name?: string | undefined;
}

/**
 * A function that runs in a thread of its own, and does operations of its kernel with `AWAIT()`. Made by `spawnThread()`.
 * @see Reference manual, "Asynchronous Threads"
 */
export class AsyncThread<T = unknown> {
  static {
    printedAsText(this);
  }

  readonly #fn: AnyFunction | null;
  readonly #args: readonly unknown[];
  readonly #options: ThreadOptions;
  #task: Task<T> | null = null;

  /** A thread that is not started yet; see `start()`. */
  constructor();
  constructor(fn: AnyFunction, ...args: unknown[]);
  constructor(options: ThreadOptions, fn?: AnyFunction, ...args: unknown[]);
  constructor(...call: unknown[]) {
    this.#options = isOptions(call[0]) ? (call.shift() as ThreadOptions) : {};
    const [target, ...args] = call;
    this.#fn = target === undefined ? null : (callable(target, 'AsyncThread') as AnyFunction);
    this.#args = args;
  }

  /**
   * Starts the thread. Does not block.
   * @throws RuntimeError if it was made without a function, or has been started before
   * @throws TypeError if the function cannot travel
   */
  start(): Promise<void> {
    const parent = admit();
    if (parent === null) return refused('AsyncThread.start()');
    if (launcher.now === null) return handled(launcher.load().then(() => this.start()));
    try {
      this.#begin(parent, true);
    } catch (error) {
      // swallows: nothing; operations reject.
      return fail(parent, error);
    }
    return pass(parent, undefined);
  }

  /** @internal Starts it on behalf of a task, once the launcher is there. What stands for it is a daemon unless a group looks after it. */
  begin(parent: TaskRecord, daemon: boolean): Task<T> {
    return this.#begin(parent, daemon);
  }

  #begin(parent: TaskRecord, daemon: boolean): Task<T> {
    const fn = this.#fn;
    if (fn === null) {
      throw new RuntimeError('The thread has no function to run. Write new AsyncThread(fn, ...args).');
    }
    if (this.#task !== null) throw new RuntimeError('The thread has been started before. Make a new one.');
    const name = this.#options.name ?? functionName(fn);
    // Here, so that what cannot travel makes this very call fail.
    const service = (launcher.now as Launcher).launch(fn, this.#args, { name, daemon: this.daemon });
    const task = newTask(parent, () => service.run(), [], { daemon, name });
    standsForThread(task);
    this.#task = task as Task<T>;
    return this.#task;
  }

  get #started(): Task<T> {
    if (this.#task !== null) return this.#task;
    throw new RuntimeError('The thread has not been started. Write await thread.start() first.');
  }

  /**
   * Waits for the thread to end, and gives its result. Blocks (`TASK_JOIN`) unless it has ended.
   *
   * **Cancellation:** the caller stops waiting; the thread goes on, and can be joined again.
   * @throws TaskError if the thread failed or was cancelled; `cause` is its own exception
   * @see Reference manual, "Asynchronous Threads"
   */
  join(): Promise<T> {
    return this.#started.join();
  }

  /**
   * Waits for the thread to end. Gives nothing and throws nothing of the thread's. Blocks (`TASK_JOIN`) unless it has ended.
   *
   * **Cancellation:** the caller stops waiting; the thread goes on.
   * @see Reference manual, "Asynchronous Threads"
   */
  wait(): Promise<void> {
    return this.#started.wait();
  }

  /**
   * Asks the thread to stop: `exc` is thrown out of the `AWAIT` it is in, or else out of its next one. Then waits until
   * it has ended, unless `blocking` is false. A thread that never AWAITs is not stopped, only waited for.
   *
   * **Cancellation:** the caller stops waiting; the request stands.
   * @see Reference manual, "Asynchronous Threads"
   */
  cancel(options?: CancelOptions): Promise<void> {
    return this.#started.cancel(options);
  }

  /** The number of the task that stands for the thread. */
  get id(): number {
    return this.#started.id;
  }

  /** The name of the function it runs, unless another was given. */
  get name(): string {
    return this.#options.name ?? (this.#fn === null ? 'anonymous' : functionName(this.#fn));
  }

  /** What the task that stands for the thread is doing; `'FUTURE_WAIT'` while the thread computes. */
  get state(): TaskState {
    return this.#task === null ? 'INITIAL' : this.#task.state;
  }

  /** True for a thread whose result nobody wants. */
  get daemon(): boolean {
    return this.#options.daemon === true;
  }

  /** True once the thread has ended. */
  get terminated(): boolean {
    return this.#task?.terminated ?? false;
  }

  /** True once somebody asked for its cancellation. */
  get cancelled(): boolean {
    return this.#task?.cancelled ?? false;
  }

  /**
   * The thread's result.
   * @throws RuntimeError before the thread has ended
   * @throws the thread's own exception, if it failed
   */
  get result(): T {
    return this.#started.result;
  }

  /**
   * The exception the thread failed with, or null.
   * @throws RuntimeError before the thread has ended
   */
  get exception(): unknown {
    return this.#started.exception;
  }

  toString(): string {
    const id = this.#task === null ? '' : `id=${this.#task.id}, `;
    return `AsyncThread(${id}name='${this.name}', state='${this.state}')`;
  }
}

addClass('AsyncThread', AsyncThread, 'start join wait cancel');

/**
 * Starts a thread that runs `fn(...args)`, and gives it. Does not block. The function travels as with `runInThread`;
 * Curio's objects and functions among the arguments stay in the kernel, and the thread calls their methods with `AWAIT()`.
 *
 * @throws TypeError if the function or an argument cannot travel
 * @see Reference manual, "Asynchronous Threads"
 * @example
 * const thread = await spawnThread(consumer, queue);
 * await queue.put('work');
 * await thread.cancel();
 */
export function spawnThread<A extends unknown[], T>(
  fn: Callable<A, T>,
  ...args: A
): Promise<AsyncThread<Awaited<T>>>;
export function spawnThread<A extends unknown[], T>(
  options: ThreadOptions,
  fn: Callable<A, T>,
  ...args: A
): Promise<AsyncThread<Awaited<T>>>;
export function spawnThread(first: unknown, ...rest: unknown[]): Promise<AsyncThread> {
  const options = isOptions(first) ? (first as ThreadOptions) : {};
  const [target, ...args] = isOptions(first) ? rest : [first, ...rest];
  const fn = callable(target, 'spawnThread') as AnyFunction;
  const there = elsewhere();
  if (there !== null) return there.call('spawnThread', [first, ...rest]) as Promise<AsyncThread>;
  const parent = admit();
  if (parent === null) return refused('spawnThread()');
  if (launcher.now === null)
    return handled(launcher.load().then(() => spawnThread(options, fn as () => unknown, ...(args as []))));
  const thread = new AsyncThread(options, fn, ...args);
  try {
    thread.begin(parent, true);
  } catch (error) {
    // swallows: nothing; operations reject.
    return fail(parent, error);
  }
  return pass(parent, thread);
}

addFunction('spawnThread', spawnThread as AnyFunction, true);

provideThreads({
  loading: () => (launcher.now === null ? launcher.load() : null),
  start(parent, options, fn, args) {
    const thread = new AsyncThread(options, fn, ...args);
    return { thread, task: thread.begin(parent, options.daemon === true) };
  },
});
