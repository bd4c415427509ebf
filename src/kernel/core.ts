/*
 * The kernel: it knows tasks, the ready queue, deadlines, cancellation and
 * waiting lists, and nothing else. Everything users see is built above it, on
 * the traps of traps.ts, which is the only door.
 *
 * How tasks take turns. A task blocks by storing the two ends of a promise in its
 * record (`suspend`); right there the kernel takes the next ready task and settles
 * *its* promise, so that the next microtask belongs to it (`#dispatch`, `#resume`).
 * Thus one task runs at a time, from one blocking operation to the next, and a
 * switch costs one promise. Three things make that robust:
 *
 * - A running task that awaits a foreign promise breaks the chain. A callback
 *   behind the microtask queue (`#onDrained`) notices that the queue ran dry
 *   while a task was still "running", parks it in PROMISE_WAIT, and goes on.
 * - After a burst of switches the next one goes through `setImmediate`
 *   (`#breathe`), so that I/O, timers and signals get their turn.
 * - A task's first step is a resumption like any other (`start` in body.ts), never a call
 *   inside its spawner's stack.
 */

import type { Activation } from '../activation.ts';
import type { AnyFunction } from '../base/callable.ts';
import { type Logger, stderrLogger } from '../base/logger.ts';
import { nextTick, nextTurn } from '../base/loop.ts';
import { captureStack, comesOutAt, comesOutHere } from '../base/stack.ts';
import { TaskError } from '../errors.ts';
import { Alarm } from './alarm.ts';
import { start } from './body.ts';
import { Burst } from './burst.ts';
import { publishCancelled, publishCreated, publishTerminated } from './channels.ts';
import { type Clock, realClock } from './clock.ts';
import { Deadlines, earlier } from './deadlines.ts';
import { DeadlockWatch } from './deadlock.ts';
import { subscribeAgain } from './future.ts';
import { KeepAlive } from './keepalive.ts';
import { liveCores } from './live.ts';
import { Observers } from './observers.ts';
import { Patience } from './patience.ts';
import { beat, pause } from './pulse.ts';
import {
  type Claim,
  RESUME_CLAIM,
  RESUME_ERROR,
  RESUME_VALUE,
  type TaskClass,
  type TaskRecord,
  type TaskState,
  type Waitable,
} from './record.ts';
import { handled, refuse } from './rejection.ts';
import { busyError, finishedError, Reports } from './reports.ts';
import { Roster } from './roster.ts';
import { TaskList } from './tasklist.ts';
import { abortSignals, expireTimeout, voidTimeouts } from './timeouts.ts';

export interface SpawnOptions {
  daemon?: boolean;
  name?: string;
  /** The kernel's own: not in the roster, and not shown to activations. */
  hidden?: boolean;
}

export interface CoreOptions {
  taskClass: TaskClass;
  clock?: Clock;
  logger?: Logger;
  stacks?: boolean;
  /** The ready queue; another one can serve tasks in another order. */
  ready?: TaskList;
}

const NEVER = Number.POSITIVE_INFINITY;
const RESOLVED = Promise.resolve();

/** Operations a task may do in a row without ever having to wait, before one of them yields. */
export const FREE_OPERATIONS = 1000;

// What resolves the promise made last. Storing it here instead of in a closure saves an allocation for every
// blocking operation. The other end is never kept: a wait fails by being resolved with a rejected promise,
// which is slower, and rare, and makes every waiting task smaller.
let resolveLast: (value: unknown) => void;
function keepResolve(resolve: (value: unknown) => void): void {
  resolveLast = resolve;
}

export class Core {
  /** Every live task. */
  readonly tasks = new Roster();
  /** The task whose turn it is. */
  running: TaskRecord | null = null;
  /** Operations done in a row, in this turn, that did not have to wait. */
  free = 0;
  /** Null while nobody watches. */
  observers: Observers | null = null;
  stacks: boolean;
  /** True from the beginning of a run to its end; otherwise the tasks stand still. */
  active = false;
  /** The run may still be aborted from outside. */
  canAbort = false;
  /** True while this kernel runs, no task is ready, and none runs. */
  resting = false;
  /** The public face of this kernel, for activations and `getKernel()`. */
  owner: object | null = null;
  readonly clock: Clock;
  readonly reports: Reports;
  readonly keepAlive = new KeepAlive();
  readonly deadlock = new DeadlockWatch(this);
  readonly patience: Patience;
  /** What shutdown must close, in order. */
  readonly hooks: (() => unknown)[] = [];

  readonly #taskClass: TaskClass;
  readonly #ready: TaskList;
  readonly #deadlines = new Deadlines();
  readonly #alarm: Alarm;
  readonly #burst = new Burst();

  #breathing = false;
  #armed = false;
  #stepsLeft = NEVER;
  #main: TaskRecord | null = null;
  #finish: (() => void) | null = null;

  constructor(options: CoreOptions) {
    this.#taskClass = options.taskClass;
    this.clock = options.clock ?? realClock;
    this.reports = new Reports(options.logger ?? stderrLogger);
    this.stacks = options.stacks ?? false;
    this.#ready = options.ready ?? new TaskList();
    this.#alarm = new Alarm(this.clock, this.#onAlarm);
    this.patience = new Patience(this.clock, (record, seconds) => this.reports.swallowed(record, seconds));
  }

  // ---- May it block? --------------------------------------------------------------------

  /**
   * To be called before a blocking operation does anything. Null when it may go on, else
   * the rejection to return.
   * @throws TaskBusyError if the task already waits in another operation
   */
  beginBlocking(record: TaskRecord, operation: string): Promise<never> | null {
    if (this.running !== record && !this.#checkIn(record, operation))
      return refuse(finishedError(record, operation));
    if (record.pending !== null && record.shield === 0) return refuse(this.takePending(record, operation));
    record.operation = operation;
    return null;
  }

  /**
   * To be called before an operation made of several does anything. False when the task has ended.
   * @throws TaskBusyError if the task already waits in another operation
   */
  beginComposite(record: TaskRecord, operation: string): boolean {
    return this.running === record || this.#checkIn(record, operation);
  }

  /**
   * To be called before an operation that does not block does anything. False when the
   * task has ended. A callback in the context of a task that waits is welcome.
   */
  beginFree(record: TaskRecord): boolean {
    if (this.running === record) return true;
    if (record.terminated) return false;
    if (record.promise === null) this.#comeBack(record);
    return true;
  }

  #checkIn(record: TaskRecord, operation: string): boolean {
    if (record.terminated) return false;
    if (record.promise !== null) throw busyError(record, operation);
    this.#comeBack(record);
    return true;
  }

  // ---- Turns ----------------------------------------------------------------------------

  /** Makes a task; it stands last in the ready queue. */
  spawn(
    parent: TaskRecord | null,
    fn: AnyFunction,
    args: readonly unknown[],
    options: SpawnOptions = {},
  ): TaskRecord {
    const record = new this.#taskClass(this, parent, fn, args, options.daemon === true, options.name);
    // Through a promise like any other wait: the body runs in a turn of its own, and in whatever asynchronous
    // context (the user's, too) its spawner was in.
    record.promise = new Promise(keepResolve);
    record.resolve = resolveLast;
    void (record.promise as Promise<TaskRecord>).then(start);
    record.state = 'READY';
    record.resumeWith = record;
    record.hidden = options.hidden === true;
    if (!record.hidden) {
      this.tasks.add(record);
      if (this.observers !== null) this.observers.created(record);
      publishCreated(record, parent);
    }
    this.#ready.add(record);
    this.#stir();
    return record;
  }

  /** Blocks a task. `waitable` is where it waits; the task is entered there. */
  suspend<T>(record: TaskRecord, state: TaskState, waitable: Waitable | null): Promise<T> {
    const promise = this.#newWait(record);
    record.state = state;
    record.waitingIn = waitable;
    if (waitable !== null) waitable.add(record);
    // A timeout enters the heap only when its task blocks, and may stay there while the
    // task runs: most timeouts are set and lifted without the heap ever knowing.
    const deadline = earlier(record.sleepUntil, record.timeoutAt);
    if (deadline !== null) this.#deadlines.set(record, deadline);
    else if (record.heapIndex >= 0) this.#deadlines.remove(record);
    this.#leave(record);
    return promise as Promise<T>;
  }

  /** Lets the other ready tasks go first. The task stays ready; `mode` and `value` are as for `wake`. */
  yieldTurn<T>(record: TaskRecord, mode: number, value: unknown): Promise<T> {
    const promise = this.#newWait(record);
    record.state = 'READY';
    record.resumeMode = mode;
    record.resumeWith = value;
    // A task that only ever yields has its timeouts, too.
    if (record.timeoutAt !== null) this.#deadlines.set(record, record.timeoutAt);
    this.#ready.add(record);
    this.#leave(record);
    return promise as Promise<T>;
  }

  #newWait(record: TaskRecord): Promise<unknown> {
    if (record.state === 'PROMISE_WAIT') this.#runAgain(record);
    const promise = new Promise(keepResolve);
    record.promise = promise;
    record.resolve = resolveLast;
    return promise;
  }

  /** The task has just blocked: somebody else's turn. */
  #leave(record: TaskRecord): void {
    if (this.stacks) record.stack = captureStack();
    // Before activations see it: what they call on the task's behalf must find it waiting.
    const itsTurn = this.running === record;
    if (itsTurn) this.running = null;
    if (this.observers !== null && !record.hidden) this.observers.suspended(record);
    if (itsTurn) this.#dispatch();
    else if (this.resting) this.#rest();
  }

  /** What an operation returns that did not have to wait. The slow half of `pass` in operation.ts. */
  passSlowly<T>(record: TaskRecord, value: T): Promise<T> {
    if (this.running === record) return this.#takeBreath(record, RESUME_VALUE, value);
    // Between two runs of the kernel a task that comes back from an ordinary promise stands still here.
    if (!this.active && record.promise === null) return this.yieldTurn(record, RESUME_VALUE, value);
    return Promise.resolve(value);
  }

  /** The same for an operation that fails without having waited. */
  failSlowly(record: TaskRecord, error: unknown): Promise<never> {
    return this.running === record ? this.#takeBreath(record, RESUME_ERROR, error) : refuse(error);
  }

  #takeBreath<T>(record: TaskRecord, mode: number, outcome: unknown): Promise<T> {
    this.#burst.left = 0;
    // What it last waited in is long over.
    record.operation = '';
    return this.yieldTurn(record, mode, outcome);
  }

  /** Makes a waiting task ready. What it gets was decided by this call: later timeouts and cancellations hit its next operation. */
  wake(record: TaskRecord, mode: number, value: unknown, by: TaskRecord | null = this.running): void {
    if (record.list !== null) record.list.remove(record);
    record.waitingIn = null;
    if (record.sleepUntil !== null) {
      record.sleepUntil = null;
      this.#deadlines.remove(record);
    }
    record.state = 'READY';
    record.resumeMode = mode;
    record.resumeWith = value;
    if (this.observers !== null && !record.hidden) this.observers.woken(record, by);
    this.#ready.add(record);
    this.#stir();
  }

  /** Wakes every task of a waiting list, in order. They may belong to several kernels. */
  wakeAll(list: TaskList, mode: number, value: unknown, by: TaskRecord): void {
    for (let left = list.length; left > 0; left--) {
      const record = list.first as TaskRecord;
      record.core.wake(record, mode, value, by);
    }
  }

  /** Gives the next ready task its turn. Only called while nobody runs. */
  #dispatch(): void {
    if (!this.active) return;
    if (this.#ready.length === 0) return this.#stepsLeft === NEVER ? this.#rest() : this.#stop();
    if (this.#stepsLeft === 0) return this.#stop();
    if (this.#burst.left <= 0) return this.#breathe();
    this.#burst.left--;
    this.#stepsLeft--;
    this.#resume(this.#ready.shift() as TaskRecord);
  }

  #resume(record: TaskRecord): void {
    const promise = record.promise as Promise<unknown>;
    const resolve = record.resolve as (value: unknown) => void;
    const value = record.resumeWith;
    const { stack } = record;
    this.#runAgain(record);
    record.promise = record.resolve = record.stack = null;
    record.resumeWith = undefined;
    this.#begin(record);
    if (record.resumeMode === RESUME_VALUE) return resolve(value);
    if (record.resumeMode === RESUME_ERROR) return fail(promise, resolve, value);
    try {
      resolve((value as Claim).take(record));
    } catch (error) {
      // swallows: nothing, it becomes the result of the operation.
      if (stack !== null && error instanceof TaskError) comesOutAt(stack, error);
      else if (stack !== null) comesOutHere(error, stack);
      fail(promise, resolve, error);
    }
  }

  /** A task's turn begins. */
  #begin(record: TaskRecord): void {
    this.running = record;
    this.free = 0;
    beat(record.id);
    if (!this.#armed) this.#arm();
  }

  #runAgain(record: TaskRecord): void {
    record.state = 'RUNNING';
    record.cycles++;
    if (this.observers !== null && !record.hidden) this.observers.running(record);
  }

  // ---- Ordinary promises ----------------------------------------------------------------

  /** A task calls that was not known to run: the ordinary promise it awaited has settled. */
  #comeBack(record: TaskRecord): void {
    if (record.state !== 'PROMISE_WAIT' || this.running !== null || !this.active) return;
    this.#riseFromRest();
    this.#runAgain(record);
    this.#begin(record);
  }

  /** Arms the callback behind the microtask queue, once a burst. */
  #arm(): void {
    this.#armed = true;
    // Through a microtask: a tick that is queued from a timer's or a socket's callback
    // would run before the microtasks, and find the task "running" that has not begun.
    void RESOLVED.then(this.#behindMicrotasks);
  }

  readonly #behindMicrotasks = (): void => {
    nextTick(this.#onDrained);
  };

  readonly #onDrained = (): void => {
    this.#armed = false;
    const record = this.running;
    if (record === null) return;
    // No microtask is left, and the task has not blocked: it awaits a promise that is not ours.
    this.running = null;
    pause();
    record.state = 'PROMISE_WAIT';
    record.operation = '';
    if (record.timeoutAt !== null) this.#deadlines.set(record, record.timeoutAt);
    if (this.observers !== null && !record.hidden) {
      record.trap = null;
      this.observers.suspended(record);
    }
    this.#dispatch();
  };

  // ---- Fairness, time, rest -------------------------------------------------------------

  /** Lets the event loop have its turn before the next task. */
  #breathe(): void {
    pause();
    if (this.#breathing) return;
    this.#breathing = true;
    nextTurn(this.#onBreath);
  }

  readonly #onBreath = (): void => {
    this.#breathing = false;
    this.#burst.next();
    if (!this.active) return;
    if (this.#deadlines.size > 0) this.#expire();
    if (this.running === null && !this.resting) this.#dispatch();
  };

  /** No task is ready. */
  #rest(): void {
    this.resting = true;
    pause();
    this.keepAlive.rest();
    const next = this.#deadlines.next;
    if (next === null) {
      this.#alarm.clear();
      if (!this.keepAlive.held && !this.canAbort) this.deadlock.atRest();
    } else if (!this.#alarm.set(next)) {
      this.resting = false;
      this.#breathe();
    }
  }

  /** One reason less to wait. */
  letGo(): void {
    this.keepAlive.release();
    if (this.resting) this.#rest();
  }

  /** Something became ready: if the kernel was at rest, it goes on. */
  #stir(): void {
    if (!this.resting) return;
    this.#riseFromRest();
    this.#dispatch();
  }

  #riseFromRest(): void {
    if (!this.resting) return;
    this.resting = false;
    // What wakes a task within the same run of microtasks, a promise that had settled, has not let the event loop turn.
    if (!this.#armed) this.#burst.afterRest();
    this.deadlock.stirred();
    // A clock that jumps must not do so while tasks are busy. One that ticks may ring early.
    if (this.clock.stalled !== undefined) this.#alarm.clear();
  }

  readonly #onAlarm = (): void => {
    if (!this.active) return;
    const rested = this.resting;
    this.#riseFromRest();
    this.#expire();
    if (rested) this.#dispatch();
  };

  /** Does what is due: ends sleeps, delivers timeouts. */
  #expire(): void {
    const now = this.clock.now();
    for (let record = this.#deadlines.takeDue(now); record !== null; record = this.#deadlines.takeDue(now)) {
      this.#due(record, now);
    }
  }

  #due(record: TaskRecord, now: number): void {
    const waiting = record.waiting;
    const { sleepUntil, timeoutAt } = record;
    const overslept = sleepUntil !== null && sleepUntil <= now;
    const timedOut = timeoutAt !== null && timeoutAt <= now;
    if (waiting && overslept && !(timedOut && timeoutAt < sleepUntil))
      return this.wake(record, RESUME_VALUE, now);
    if (timedOut) {
      // A task that has already been woken gets what it was woken with; the timeout then comes at its
      // next blocking operation, unless it has left the timeout by then.
      const exc = expireTimeout(record, now);
      if (exc !== null) this.throwInto(record, exc);
    }
    // Shielded from the timeout, it waits on.
    if (record.waiting) {
      const next = earlier(record.sleepUntil, record.timeoutAt);
      if (next !== null) this.#deadlines.set(record, next);
    }
  }

  /** Sets when the task's current timeout expires; null for never. */
  setTimeout(record: TaskRecord, deadline: number | null): void {
    record.timeoutAt = deadline;
    // The heap hears of a deadline when the task blocks; here it only forgets.
    if (record.heapIndex >= 0 && record.deadline !== deadline && record.sleepUntil === null) {
      this.#deadlines.remove(record);
    }
  }

  // ---- Cancellation ---------------------------------------------------------------------

  /** Asks a task to stop. False if it has ended or was asked before. */
  cancel(target: TaskRecord, exc: unknown): boolean {
    if (target.terminated || target.cancelled) return false;
    target.cancelled = true;
    this.setTimeout(target, null);
    voidTimeouts(target);
    if (!target.hidden) {
      this.patience.begin(target);
      if (this.observers !== null) this.observers.cancelling(target, exc);
      publishCancelled(target, exc);
    }
    this.throwInto(target, exc);
    return true;
  }

  /** Delivers an exception now if the task waits, else at its next blocking operation. */
  throwInto(record: TaskRecord, exc: unknown): void {
    record.pending = exc;
    if (record.shield > 0) return;
    abortSignals(record, exc);
    if (!record.waiting) return;
    this.takePending(record, record.operation);
    record.waitingIn?.remove(record);
    this.wake(record, RESUME_ERROR, exc);
  }

  /** The exception that waits for a task is thrown at this operation of it. */
  takePending(record: TaskRecord, operation: string): unknown {
    const exc = record.pending;
    record.pending = null;
    if (this.observers !== null && !record.hidden) this.observers.delivered(record, exc, operation);
    return exc;
  }

  /** Ends a shield against cancellation; what was held back comes at the next blocking operation. */
  unshield(record: TaskRecord): void {
    record.shield--;
    if (record.shield === 0 && record.pending !== null) abortSignals(record, record.pending);
  }

  // ---- The end of a task ----------------------------------------------------------------

  /** The task's function has returned or thrown. */
  terminate(record: TaskRecord, failed: boolean, outcome: unknown): void {
    if (record.terminated) return;
    const itsTurn = this.running === record;
    if (itsTurn) this.running = null;
    if (record.promise !== null) this.#withdraw(record);
    if (record.state !== 'RUNNING') this.#runAgain(record);
    record.state = 'TERMINATED';
    record.failed = failed;
    record.outcome = outcome;
    record.args = record.timeouts = record.locals = record.pending = null;
    this.#deadlines.remove(record);
    if (record.cancelled) this.patience.end(record);
    if (!record.hidden) this.#bury(record);
    if (record.joiners !== null) this.wakeAll(record.joiners, RESUME_CLAIM, record, record);
    if (record.waiters !== null) this.wakeAll(record.waiters, RESUME_VALUE, undefined, record);
    if (record.onEnd !== null) record.onEnd.taskDone(record);
    if (record === this.#main) this.#stop();
    else if (itsTurn) this.#dispatch();
    // It came back from an ordinary promise only to end: whether this is a deadlock must be asked anew.
    else if (this.resting) this.#rest();
  }

  /** Ends a task that cannot be ended otherwise: nothing of its code runs any more. */
  giveUp(record: TaskRecord, exc: unknown): void {
    record.waitingIn?.remove(record);
    record.list?.remove(record);
    record.promise = record.resolve = record.waitingIn = null;
    this.terminate(record, true, exc);
  }

  /**
   * Ends a task in the middle of whatever it does. What of it still runs finds that it has ended at its next operation.
   * False if it has ended already.
   */
  kill(record: TaskRecord, exc: unknown): boolean {
    if (record.terminated) return false;
    if (record.promise !== null) this.#takeBack(record);
    this.terminate(record, true, exc);
    return true;
  }

  /** Code of this thread has been cut off from outside, and every microtask with it. Wakes whoever waited for one of ours. */
  mend(): void {
    this.#armed = false;
    if (this.running !== null) this.#arm();
    for (const record of this.tasks) subscribeAgain(record);
  }

  /** Takes back an operation that nobody will ever get the result of. */
  #withdraw(record: TaskRecord): void {
    this.reports.neverAwaited(record);
    this.#takeBack(record);
  }

  #takeBack(record: TaskRecord): void {
    const claim =
      record.state === 'READY' && record.resumeMode === RESUME_CLAIM ? (record.resumeWith as Claim) : null;
    record.waitingIn?.remove(record);
    record.list?.remove(record);
    record.promise = record.resolve = record.waitingIn = null;
    record.sleepUntil = null;
    record.resumeWith = undefined;
    claim?.refuse(record);
  }

  #bury(record: TaskRecord): void {
    this.tasks.delete(record);
    if (record !== this.#main) this.reports.ended(record);
    if (this.observers !== null) {
      this.observers.suspended(record);
      this.observers.terminated(record);
    }
    publishTerminated(record);
  }

  // ---- Runs -----------------------------------------------------------------------------

  /** From now on activations see what happens. */
  observe(activations: Activation[]): void {
    if (activations.length === 0) return;
    this.observers = new Observers(activations, this.reports.logger);
    this.observers.activate(this.owner as Parameters<Activation['activate']>[0]);
  }

  /** Lets the tasks run until this one, which is among them, has ended. */
  begin(main: TaskRecord | null): Promise<void> {
    this.#main = main;
    this.active = true;
    liveCores.add(this);
    this.#burst.afterRest();
    this.deadlock.begin();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#dispatch();
    });
  }

  /** Does what is due, and lets each task run that is ready then, for one step. */
  async beginCycle(): Promise<void> {
    this.#expire();
    this.#stepsLeft = this.#ready.length;
    await this.begin(null);
    this.#stepsLeft = NEVER;
  }

  #stop(): void {
    pause();
    liveCores.delete(this);
    this.active = false;
    this.resting = false;
    this.running = null;
    this.#main = null;
    this.#alarm.clear();
    this.deadlock.end();
    this.keepAlive.stop();
    const finish = this.#finish;
    this.#finish = null;
    finish?.();
  }
}

function fail(promise: Promise<unknown>, resolve: (value: unknown) => void, error: unknown): void {
  void handled(promise);
  resolve(Promise.reject(error));
}
