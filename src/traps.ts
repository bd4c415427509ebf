/*
 * The wall: the one module that reaches the kernel. Above it stand tasks, locks,
 * queues, sockets and all the rest; none of them knows how a task is suspended
 * or which queue it then stands in.
 *
 * Part of what goes through is shown as the kernel has it: how an operation
 * begins and ends, which is told in kernel/operation.ts, timeouts, and kernels
 * seen from outside any task. Written here are the traps of the reference manual
 * (those that wait for descriptors are in readiness.ts), which `curio/traps`
 * shows to users, and then what the library's own modules do to tasks besides:
 * synchronous, unchecked, and not exported from the package.
 */

import { type Away, away } from './base/away.ts';
import { type AnyFunction, checkSeconds, describe, isThenable } from './base/callable.ts';
import { type LogLevel, logTo } from './base/logger.ts';
import { captureStack, userFrames, withoutStack } from './base/stack.ts';
import { CancelledError, RuntimeError, TaskCancelled, TaskTimeout } from './errors.ts';
import type { Clock } from './kernel/clock.ts';
import { callingTask, outsideTasks } from './kernel/context.ts';
import { waitForPromise } from './kernel/future.ts';
import { Observer } from './kernel/observers.ts';
import {
  admit,
  admitComposite,
  begin,
  block,
  due,
  enter,
  enterComposite,
  fail,
  note,
  outsideError,
  pass,
  refused,
  takeBreath,
} from './kernel/operation.ts';
import { mendKernels, reportIn, spawnIn, tasksOf, whenShutDown } from './kernel/outside.ts';
import { suspendedStack } from './kernel/probe.ts';
import { pulse } from './kernel/pulse.ts';
import {
  type Claim,
  RESUME_CLAIM,
  RESUME_ERROR,
  RESUME_VALUE,
  type Subject,
  TaskRecord,
  type TaskState,
  type Waitable,
} from './kernel/record.ts';
import { aboutToFail, composite, handled, refuse } from './kernel/rejection.ts';
import { title } from './kernel/reports.ts';
import { WaitSlot } from './kernel/slot.ts';
import { TaskList } from './kernel/tasklist.ts';
import {
  carried,
  enterTimeout,
  leaveTimeout,
  overdue,
  signalOf,
  spendTimeouts,
  TimeoutFrame,
} from './kernel/timeouts.ts';
import { type Wait, type WaitGraph, waitedFor, waitGraph, waitReport } from './kernel/waits.ts';
import type { Kernel } from './run.ts';
import type { Task } from './task.ts';

export type { Claim, Subject, TaskState, Wait, Waitable, WaitGraph };
export {
  aboutToFail,
  admit,
  admitComposite,
  begin,
  block,
  callingTask,
  carried,
  composite as handled,
  due,
  enter,
  enterComposite,
  enterTimeout,
  fail,
  leaveTimeout,
  mendKernels,
  note,
  Observer,
  outsideError,
  outsideTasks,
  overdue,
  pass,
  pulse,
  RESUME_CLAIM,
  RESUME_ERROR,
  RESUME_VALUE,
  refuse,
  refused,
  reportIn,
  signalOf,
  spawnIn,
  spendTimeouts,
  suspendedStack,
  TaskList,
  TaskRecord,
  TimeoutFrame,
  takeBreath,
  tasksOf,
  title,
  WaitSlot,
  waitedFor,
  waitGraph,
  waitReport,
  whenShutDown,
};

const NEVER = Number.POSITIVE_INFINITY;

// ---- The traps of the reference manual ----------------------------------------------------

/**
 * Waits for an ordinary promise and gives its value, or throws its error. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the task is released at once; what the promise does later is ignored.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function futureWait<T>(promise: PromiseLike<T>): Promise<T> {
  const task = callingTask();
  let refusal: Promise<never> | null;
  try {
    refusal = task === undefined ? refused('wait()') : task.core.beginBlocking(task, 'wait()');
  } catch (error) {
    neglect(promise);
    throw error;
  }
  if (refusal !== null || task === undefined) {
    neglect(promise);
    return refusal as Promise<never>;
  }
  if (!isThenable(promise)) throw new TypeError(`wait() wants a promise, not ${describe(promise)}.`);
  note(task, 'futureWait', [promise]);
  return waitForPromise(task, promise);
}

/** Nobody will wait for this promise. Its rejection is no reason to end the process; a thenable may be lazy, and must not be started. */
function neglect(promise: unknown): void {
  if (promise instanceof Promise) void handled(promise);
}

/**
 * Asks a task to stop, and does not wait for it. Does not block. Gives false if it has ended or has been asked before.
 *
 * @param exc the class to make the exception of, or the exception itself
 * @param val the message for a class
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function cancelTask(
  task: Task<unknown>,
  exc: unknown = TaskCancelled,
  val?: string,
): Promise<boolean> {
  const caller = enter();
  if (caller === null) return refused('cancelTask()');
  if (!(task instanceof TaskRecord)) throw new TypeError(`cancelTask() wants a task, not ${describe(task)}.`);
  note(caller, 'cancelTask', [task, exc]);
  return pass(caller, requestCancel(task, exc, caller, val));
}

/**
 * Goes to sleep in a scheduling primitive. Blocks; `state` becomes the task's state name.
 * Gives the value that `schedulerWake` was called with.
 *
 * **Cancellation:** the task leaves the primitive; it has been given nothing.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function schedulerWait<T = unknown>(sched: TaskList, state: string): Promise<T> {
  const task = callingTask();
  if (task === undefined) return refused(`suspend('${state}')`);
  // A pending cancellation comes before the arguments are looked at.
  return begin(task, `suspend('${state}')`) ?? block(task, state, checkSched(sched, 'schedulerWait'));
}

/**
 * Wakes up to `n` tasks of a scheduling primitive, first come first served. Does not block.
 *
 * @param value what their `schedulerWait` gives
 * @param exc or what it throws
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function schedulerWake(sched: TaskList, n = 1, value?: unknown, exc: unknown = null): Promise<void> {
  const task = admit();
  if (task === null) return refused('wake()');
  checkSched(sched, 'schedulerWake');
  if (typeof n !== 'number' || Number.isNaN(n))
    throw new TypeError(`wake() wants a number of tasks, not ${describe(n)}.`);
  note(task, 'schedulerWake', [sched, n]);
  wakeSome(sched, n, exc === null ? RESUME_VALUE : RESUME_ERROR, exc === null ? value : exc);
  return pass(task, undefined);
}

/**
 * The kernel that runs the calling task. Does not block.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function getKernel(): Promise<Kernel> {
  const task = admit();
  if (task === null) return refused('getKernel()');
  return pass(task, task.core.owner as Kernel);
}

/**
 * The calling task. Does not block.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function getCurrent(): Promise<Task<unknown>> {
  const task = admit();
  if (task === null) return refused('currentTask()');
  return pass(task, task as Task<unknown>);
}

/**
 * Sleeps for `seconds`; zero or less only lets the other ready tasks go first. Blocks (`TIME_SLEEP`).
 * Gives the kernel's clock, in seconds, at the time of waking.
 *
 * **Cancellation:** the sleep is cut short.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function sleep(seconds: number): Promise<number> {
  const task = callingTask();
  if (task === undefined) return refused('sleep()');
  const core = task.core;
  const refusal = core.beginBlocking(task, 'sleep()');
  if (refusal !== null) return refusal;
  checkSeconds(seconds, 'sleep');
  if (core.observers?.traps) task.trap = { name: 'sleep', args: [seconds] };
  if (seconds <= 0) return core.yieldTurn(task, RESUME_CLAIM, CLOCK);
  // Infinity is no deadline: only a cancellation ends that sleep.
  if (seconds !== NEVER) task.sleepUntil = core.clock.now() + seconds;
  return core.suspend(task, 'TIME_SLEEP', null);
}

function checkSched(sched: TaskList, who: string): TaskList {
  if (sched instanceof TaskList) return sched;
  throw new TypeError(`${who}() wants a scheduling primitive, such as a SchedFIFO, not ${describe(sched)}.`);
}

/** Hands over the time at which a task goes on. */
const CLOCK: Claim = {
  take: (task) => task.core.clock.now(),
  refuse() {},
};

/**
 * Sets a timeout for the calling task, unless an earlier one is already in force, and gives the
 * deadline that was in force before (null for none), for `unsetTimeout`. Does not block.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function setTimeout(seconds: number | null): Promise<number | null> {
  const task = enter();
  if (task === null) return refused('setTimeout()');
  if (seconds !== null) checkSeconds(seconds, 'setTimeout');
  note(task, 'setTimeout', [seconds]);
  const previous = task.timeoutAt;
  if (seconds !== null) {
    const deadline = task.core.clock.now() + seconds;
    if (previous === null || deadline < previous) task.core.setTimeout(task, deadline);
  }
  return pass(task, previous);
}

/**
 * Ends a timeout that `setTimeout` began; `previous` is what that call gave. Does not block.
 * A timeout that has expired without having been delivered is forgotten.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function unsetTimeout(previous: number | null): Promise<void> {
  const task = enter();
  if (task === null) return refused('unsetTimeout()');
  if (previous !== null) checkSeconds(previous, 'unsetTimeout');
  note(task, 'unsetTimeout', [previous]);
  task.core.setTimeout(task, previous);
  if (task.pending instanceof TaskTimeout) task.pending = null;
  return pass(task, undefined);
}

/**
 * The kernel's monotonic clock, in seconds. Does not block.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function clock(): Promise<number> {
  const task = admit();
  if (task === null) return refused('clock()');
  return pass(task, task.core.clock.now());
}

// ---- For the library's own modules --------------------------------------------------------

/** Wakes the first task of a waiting list with what it was chosen for. */
export function wakeFirst(list: TaskList, mode: number, value: unknown): void {
  const task = list.first as TaskRecord;
  task.core.wake(task, mode, value);
}

/** Wakes up to `n` tasks, in order. Works from outside any task, too. */
export function wakeSome(list: TaskList, n: number, mode: number, value: unknown): void {
  for (let left = Math.min(n, list.length); left > 0; left--) wakeFirst(list, mode, value);
}

/** Creates a task of the caller's kernel. */
export function spawnTask(
  parent: TaskRecord,
  fn: AnyFunction,
  args: readonly unknown[],
  options?: { daemon?: boolean; name?: string },
): TaskRecord {
  note(parent, 'spawn', [fn]);
  return parent.core.spawn(parent, fn, args, options);
}

/** Asks for a cancellation; `caller` is the task that asks, null when none does. */
export function requestCancel(
  target: TaskRecord,
  exc: unknown,
  caller: TaskRecord | null,
  message?: string,
  options?: ErrorOptions,
): boolean {
  if (target.terminated || target.cancelled) return false;
  const error = instanceOf(exc, target.core.stacks, message, options);
  if (!(error instanceof Error)) {
    throw new TypeError(`A task is cancelled with an error class or an error, not with ${describe(exc)}.`);
  }
  if (error instanceof CancelledError) {
    error.requestedBy ??= caller as Task<unknown> | null;
    if (target.core.stacks && error.requestedAt === null) {
      const frame = userFrames(captureStack())[0];
      if (frame !== undefined) error.requestedAt = [frame.file, frame.line];
    }
  }
  return target.core.cancel(target, error);
}

/** What a task is cancelled with: an error of the class that was given, or what was given. */
function instanceOf(exc: unknown, stacks: boolean, message?: string, options?: ErrorOptions): unknown {
  if (exc === TaskCancelled && !stacks) return withoutStack(TaskCancelled, message, options);
  // Only what can be constructed has a prototype: an arrow function is no class.
  if (typeof exc !== 'function' || exc.prototype === undefined) return exc;
  return new (exc as new (message?: string, options?: ErrorOptions) => unknown)(message, options);
}

/** Throws into a task without marking it as cancelled: at its wait, or at its next blocking operation. */
export function interrupt(target: TaskRecord, make: (now: number) => unknown): void {
  if (!target.terminated) target.core.throwInto(target, make(target.core.clock.now()));
}

/** Ends a task in the middle of whatever it does. False if it has ended already. */
export function killTask(task: TaskRecord, exc: unknown): boolean {
  return task.core.kill(task, exc);
}

/** Waits in a list that `terminate` wakes: `joiners` get the task's result, `waiters` nothing. */
export function awaitEnd<T>(
  caller: TaskRecord,
  task: TaskRecord,
  list: 'joiners' | 'waiters',
  operation: string,
): Promise<T> {
  if (caller === task) {
    return refuse(
      new RuntimeError(
        `${title(task)} called ${operation} on itself, which would wait for ever. ` +
          'Return from its function instead, or let another task wait for it.',
      ),
    );
  }
  const refusal = begin(caller, operation);
  if (refusal !== null) return refusal;
  let waiting = task[list];
  if (waiting === null) task[list] = waiting = new TaskList(task);
  return block(caller, 'TASK_JOIN', waiting);
}

/** Somebody has taken responsibility for a task's result. */
export function markJoined(task: TaskRecord): void {
  if (task.joined) return;
  task.joined = true;
  if (task.terminated) task.core.reports.joined(task);
  task.onEnd?.taskJoined(task);
}

/** Somebody has dealt with a task that has ended: it is not reported as never joined. It stays in its group. */
export function lookedAfter(task: TaskRecord): void {
  task.core.reports.joined(task);
}

/** Holds cancellations and timeouts back from a task until as many `unshield`s. */
export function shield(task: TaskRecord): void {
  task.shield++;
}

export function unshield(task: TaskRecord): void {
  task.core.unshield(task);
}

/** Logs with the logger of the task's run. */
export function report(task: TaskRecord, level: LogLevel, message: string): void {
  logTo(task.core.reports.logger, level, message);
}

/** The task stands for a thread: should it crash, that is logged as a warning. */
export function standsForThread(task: TaskRecord): void {
  task.core.reports.standsForThread(task);
}

/** What an operation called here becomes, in an async thread; null where it is to be done as usual. */
export function elsewhere(): Away | null {
  const there = away();
  return there !== null && callingTask() === undefined ? there : null;
}

/** Every live task of the kernel a task belongs to, oldest first; that task itself may have ended. */
export function tasksBeside(task: TaskRecord): TaskRecord[] {
  return [...task.core.tasks];
}

/** The clock of the kernel a task belongs to. */
export function clockOf(task: TaskRecord): Clock {
  return task.core.clock;
}

/** Registers what the caller's kernel must close when it shuts down, in order. */
export function atShutdown(task: TaskRecord, hook: () => unknown): void {
  task.core.hooks.push(hook);
}

/** Something that Node does not count as work to do may wake this task: its process stays alive until `release`. */
export function hold(task: TaskRecord): void {
  task.core.keepAlive.hold();
}

export function release(task: TaskRecord): void {
  task.core.keepAlive.release();
}

/** The same for a task that goes on waiting, though nothing will come: its kernel, if it rests, looks once more whether it waits in vain. */
export function letGo(task: TaskRecord): void {
  task.core.letGo();
}
