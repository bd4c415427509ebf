/*
 * The kernel: it knows tasks, the ready queue, deadlines, cancellation and
 * waiting lists, and nothing else. Everything users see is built above it, on
 * the traps of traps.ts, which is the only door.
 *
 * How tasks take turns. A task blocks by storing the two ends of a promise in its
 * record (`suspend`); right there the kernel takes the next ready task and settles
 * *its* promise, so that the next microtask belongs to it (`dispatch`, `resume`).
 * Thus one task runs at a time, from one blocking operation to the next, and a
 * switch costs one promise. Three things make that robust:
 *
 * - A running task that awaits a foreign promise breaks the chain. A callback
 *   behind the microtask queue (`#onDrained`) notices that the queue ran dry
 *   while a task was still "running", parks it in PROMISE_WAIT, and goes on.
 * - After a budget of switches the next one goes through `setImmediate`
 *   (`#breathe`), so that I/O, timers and signals get their turn.
 * - A task's first step is a resumption like any other (`drive`), never a call
 *   inside its spawner's stack.
 */

import type { Activation } from '../activation.ts';
import type { AnyFunction } from '../base/callable.ts';
import { type Logger, logTo, stderrLogger } from '../base/logger.ts';
import { captureStack, errorText } from '../base/stack.ts';
import {
  CancelledError,
  DeadlockError,
  RuntimeError,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
} from '../errors.ts';
import { type Clock, realClock } from './clock.ts';
import { becomeTask } from './context.ts';
import { Deadlines } from './deadlines.ts';
import { unwatchForExit, watchForExit } from './exit.ts';
import { Observers } from './observers.ts';
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
import { began, Reports, taskTable, title } from './reports.ts';
import { TaskList } from './tasklist.ts';
import type { TimeoutFrame } from './timeouts.ts';

export interface CoreOptions {
  taskClass: TaskClass;
  clock?: Clock;
  logger?: Logger;
  stacks?: boolean;
  activations?: Activation[];
  /** The ready queue; another one can serve tasks in another order. */
  ready?: TaskList;
}

const NEVER = Number.POSITIVE_INFINITY;
const UNKNOWN = -1;
const RESOLVED = Promise.resolve();
const nothing = () => {};

/** Operations a task may do in a row without ever having to wait, before one of them yields. */
export const FREE_OPERATIONS = 1000;
/** Switches before the event loop gets its turn: the most, and how long they should take, in milliseconds. */
const MOST_SWITCHES = 256;
const BURST_MS = 2;
/** Seconds after which a cancelled task that still runs is reported. */
const PATIENCE = 10;

// The two ends of the promise made last. Storing them here instead of in a closure
// saves an allocation for every blocking operation.
let resolveEnd: (value: unknown) => void;
let rejectEnd: (error: unknown) => void;
function keepEnds(resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
  resolveEnd = resolve;
  rejectEnd = reject;
}

export class Core {
  /** Every live task by id; new ones are last. */
  readonly tasks = new Map<number, TaskRecord>();
  /** The task whose turn it is. */
  running: TaskRecord | null = null;
  /** Operations done in a row, in this turn, that did not have to wait. */
  free = 0;
  /** Null while nobody watches. */
  observers: Observers | null = null;
  stacks: boolean;
  readonly clock: Clock;
  readonly reports: Reports;
  /** The public face of this kernel, for activations and `getKernel()`. */
  owner: object | null = null;

  readonly #taskClass: TaskClass;
  readonly #ready: TaskList;
  readonly #deadlines = new Deadlines();
  readonly #activations: Activation[];
  readonly #hooks: (() => unknown)[] = [];
  readonly #cancelled = new Map<TaskRecord, number>();

  #state: 'stopped' | 'active' | 'closed' = 'stopped';
  #everRan = false;
  #idle = false;
  #breathing = false;
  #armed = false;
  #switches = MOST_SWITCHES;
  #budget = MOST_SWITCHES;
  #burstBegan = UNKNOWN;
  #spawned = 0;
  #alarm: (() => void) | null = null;
  #alarmAt = NEVER;
  #stall: (() => void) | null = null;
  #patience: (() => void) | null = null;
  #holds = 0;
  #keepAlive: NodeJS.Timeout | null = null;
  #main: TaskRecord | null = null;
  #finish: (() => void) | null = null;
  #deadlock: DeadlockError | null = null;
  #cyclesLeft = NEVER;

  constructor(options: CoreOptions) {
    this.#taskClass = options.taskClass;
    this.clock = options.clock ?? realClock;
    this.reports = new Reports(options.logger ?? stderrLogger);
    this.stacks = options.stacks ?? false;
    this.#activations = options.activations ?? [];
    this.#ready = options.ready ?? new TaskList();
  }

  get active(): boolean {
    return this.#state === 'active';
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  // ---- Tasks: made, resumed, suspended, ended -------------------------------------------

  /** Makes a task; it stands last in the ready queue. */
  spawn(
    parent: TaskRecord | null,
    fn: AnyFunction,
    args: readonly unknown[],
    daemon = false,
    name?: string,
    hidden = false,
  ): TaskRecord {
    const record = new this.#taskClass(this, parent, fn, args, daemon, name);
    if (parent !== null && parent.locals !== null) record.locals = copyLocals(parent.locals);
    this.#spawned++;
    record.promise = new Promise(keepEnds);
    record.resolve = resolveEnd;
    record.state = 'READY';
    if (hidden) record.hidden = true;
    else {
      this.tasks.set(record.id, record);
      if (this.observers !== null) this.observers.created(record);
    }
    drive(record);
    this.#ready.add(record);
    this.#stir();
    return record;
  }

  /**
   * To be called before a blocking operation does anything. Null when it may go on, else
   * the rejection to return.
   * @throws TaskBusyError if the task already waits in another operation
   */
  beginBlocking(record: TaskRecord, operation: string): Promise<never> | null {
    if (this.running !== record) {
      if (record.terminated) return Promise.reject(this.finished(record, operation));
      if (record.promise !== null) throw this.#busy(record, operation);
      this.#comeBack(record);
    }
    if (record.pending !== null && record.shield === 0) return this.#deliverPending(record);
    record.operation = operation;
    return null;
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

  /** Throws if the task already waits in an operation: for operations that are made of several. */
  beginComposite(record: TaskRecord, operation: string): boolean {
    if (this.running === record) return true;
    if (record.terminated) return false;
    if (record.promise !== null) throw this.#busy(record, operation);
    this.#comeBack(record);
    return true;
  }

  /** Blocks a task. `waitable` is where it waits; the task is entered there. */
  suspend<T>(record: TaskRecord, state: TaskState, waitable: Waitable | null): Promise<T> {
    if (record.state === 'PROMISE_WAIT') this.#runAgain(record);
    const promise = new Promise(keepEnds);
    record.promise = promise;
    record.resolve = resolveEnd;
    record.reject = rejectEnd;
    record.state = state;
    record.waitingIn = waitable;
    if (waitable !== null) waitable.add(record);
    // A timeout enters the heap only when its task blocks, and may stay there while the
    // task runs: most timeouts are set and lifted without the heap ever knowing.
    const deadline = record.sleepUntil < record.timeoutAt ? record.sleepUntil : record.timeoutAt;
    if (deadline !== NEVER) this.#deadlines.set(record, deadline);
    else if (record.heapIndex >= 0) this.#deadlines.remove(record);
    this.#leave(record);
    return promise as Promise<T>;
  }

  /** Lets the other ready tasks go first. The task stays ready; `mode` and `value` are as for `wake`. */
  yieldTurn<T>(record: TaskRecord, mode: number, value: unknown): Promise<T> {
    if (record.state === 'PROMISE_WAIT') this.#runAgain(record);
    const promise = new Promise(keepEnds);
    record.promise = promise;
    record.resolve = resolveEnd;
    record.reject = rejectEnd;
    record.state = 'READY';
    record.resumeMode = mode;
    record.resumeWith = value;
    this.#ready.add(record);
    this.#leave(record);
    return promise as Promise<T>;
  }

  /** The task has just blocked: somebody else's turn. */
  #leave(record: TaskRecord): void {
    if (this.stacks) record.stack = captureStack();
    if (this.observers !== null && !record.hidden) this.observers.suspended(record);
    if (this.running === record) {
      this.running = null;
      this.#dispatch();
    } else if (this.#idle) {
      this.#rest();
    }
  }

  /** What an operation returns that did not have to wait. The slow half of `pass` in traps.ts. */
  passSlowly<T>(record: TaskRecord, value: T): Promise<T> {
    if (this.running === record) {
      this.free = 0;
      this.#budget = 0;
      return this.yieldTurn(record, RESUME_VALUE, value);
    }
    // Between two runs of the kernel a task that comes back from an ordinary promise stands still here.
    if (!this.active && record.promise === null) return this.yieldTurn(record, RESUME_VALUE, value);
    return Promise.resolve(value);
  }

  /** Makes a waiting task ready. What it gets was decided by this call: later timeouts and cancellations hit its next operation. */
  wake(record: TaskRecord, mode: number, value: unknown): void {
    if (record.list !== null) record.list.remove(record);
    record.waitingIn = null;
    if (record.sleepUntil !== NEVER) {
      record.sleepUntil = NEVER;
      this.#deadlines.remove(record);
    }
    record.state = 'READY';
    record.resumeMode = mode;
    record.resumeWith = value;
    this.#ready.add(record);
    this.#stir();
  }

  /** Something became ready: if the kernel was at rest, it goes on. */
  #stir(): void {
    if (!this.#idle) return;
    this.#riseFromRest();
    this.#dispatch();
  }

  /** Gives the next ready task its turn. Only called while nobody runs. */
  #dispatch(): void {
    if (!this.active) return;
    const record = this.#ready.first;
    if (record === null) {
      if (this.#cyclesLeft !== NEVER) this.#endCycle();
      else this.#rest();
      return;
    }
    if (this.#cyclesLeft <= 0) return this.#endCycle();
    if (this.#budget <= 0) return this.#breathe();
    this.#budget--;
    this.#cyclesLeft--;
    this.#resume(this.#ready.shift() as TaskRecord);
  }

  #resume(record: TaskRecord): void {
    const { resolve, reject } = record;
    const promise = record.promise as Promise<unknown>;
    this.running = record;
    this.free = 0;
    record.state = 'RUNNING';
    record.cycles++;
    record.promise = record.resolve = record.reject = record.stack = null;
    this.#arm();
    if (this.observers !== null && !record.hidden) this.observers.running(record);
    const value = record.resumeWith;
    record.resumeWith = undefined;
    if (record.resumeMode === RESUME_VALUE) return resolve!(value);
    if (record.resumeMode === RESUME_CLAIM) {
      try {
        return resolve!((value as Claim).take(record));
      } catch (error) {
        // swallows: nothing, it becomes the result of the operation.
        return settleWithError(promise, reject!, error);
      }
    }
    settleWithError(promise, reject!, value);
  }

  /** The task's function has returned or thrown, or the task is given up. */
  terminate(record: TaskRecord, failed: boolean, outcome: unknown): void {
    if (record.terminated) return;
    if (this.observers !== null && !record.hidden && record.state === 'PROMISE_WAIT') this.#runAgain(record);
    if (record.promise !== null) this.#withdraw(record);
    record.state = 'TERMINATED';
    record.failed = failed;
    record.outcome = outcome;
    record.args = record.aborter = record.timeouts = record.locals = null;
    record.pending = null;
    this.#deadlines.remove(record);
    if (record.cancelled) this.#trusted(record);
    if (!record.hidden) {
      this.tasks.delete(record.id);
      if (failed && !record.main && !(outcome instanceof CancelledError)) this.reports.crash(record);
      else if (
        !record.joined &&
        !record.main &&
        !record.daemon &&
        !record.cancelled &&
        record.onEnd === null &&
        record.joiners === null
      ) {
        this.reports.unjoined(record);
      }
      if (this.observers !== null) {
        this.observers.suspended(record);
        this.observers.terminated(record);
      }
    }
    if (record.joiners !== null) this.wakeAll(record.joiners, RESUME_CLAIM, record);
    if (record.waiters !== null) this.wakeAll(record.waiters, RESUME_VALUE, undefined);
    if (record.onEnd !== null) record.onEnd.taskDone(record);
    const wasRunning = this.running === record;
    if (wasRunning) this.running = null;
    if (record === this.#main) this.#stop();
    else if (wasRunning) this.#dispatch();
  }

  /** Takes back an operation that nobody will ever get the result of. */
  #withdraw(record: TaskRecord): void {
    const chosenFor =
      record.state === 'READY' && record.resumeMode === RESUME_CLAIM ? (record.resumeWith as Claim) : null;
    this.reports.neverAwaited(record);
    record.waitingIn?.remove(record);
    record.list?.remove(record);
    record.waitingIn = record.promise = record.resolve = record.reject = null;
    record.resumeWith = undefined;
    chosenFor?.refuse(record);
  }

  /** Wakes every task of a waiting list, in order. They may belong to several kernels. */
  wakeAll(list: TaskList, mode: number, value: unknown): void {
    // Not before all are out: a kernel at rest resumes the first at once, which could wait again in the same list.
    for (let left = list.length; left > 0; left--) {
      const record = list.first as TaskRecord;
      record.core.wake(record, mode, value);
    }
  }

  // ---- Ordinary promises ----------------------------------------------------------------

  /** A task calls that was not known to run: the ordinary promise it awaited has settled. */
  #comeBack(record: TaskRecord): void {
    if (record.state !== 'PROMISE_WAIT') return;
    if (this.running !== null || !this.active) return;
    this.#riseFromRest();
    this.running = record;
    this.free = 0;
    this.#runAgain(record);
    this.#arm();
  }

  #runAgain(record: TaskRecord): void {
    record.state = 'RUNNING';
    record.cycles++;
    if (this.observers !== null && !record.hidden) this.observers.running(record);
  }

  /** Arms the callback behind the microtask queue, once a burst. */
  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    // Through a microtask: a tick that is queued from a timer's or a socket's callback
    // would run before the microtasks, and find the task "running" that has not begun.
    RESOLVED.then(this.#behindMicrotasks);
  }

  readonly #behindMicrotasks = (): void => {
    process.nextTick(this.#onDrained);
  };

  readonly #onDrained = (): void => {
    this.#armed = false;
    const record = this.running;
    if (record === null) return;
    // No microtask is left, and the task has not blocked: it awaits a promise that is not ours.
    this.running = null;
    record.state = 'PROMISE_WAIT';
    record.operation = '';
    if (record.timeoutAt !== NEVER) this.#deadlines.set(record, record.timeoutAt);
    if (this.observers !== null && !record.hidden) {
      record.trap = null;
      this.observers.suspended(record);
    }
    this.#dispatch();
  };

  // ---- Fairness, time, rest -------------------------------------------------------------

  /** Lets the event loop have its turn before the next task. */
  #breathe(): void {
    if (this.#breathing) return;
    this.#breathing = true;
    setImmediate(this.#onBreath);
  }

  readonly #onBreath = (): void => {
    this.#breathing = false;
    const now = performance.now();
    if (this.#burstBegan !== UNKNOWN) {
      // Long steps make short bursts: the event loop should not wait for more than a few milliseconds.
      const took = now - this.#burstBegan;
      this.#switches =
        took > BURST_MS
          ? Math.max(1, Math.floor((this.#switches * BURST_MS) / took))
          : Math.min(MOST_SWITCHES, this.#switches * 2);
    }
    this.#burstBegan = now;
    this.#budget = this.#switches;
    if (!this.active) return;
    if (this.#deadlines.size > 0) this.#expire();
    if (this.running === null && !this.#idle) this.#dispatch();
  };

  /** The event loop has turned since the kernel came to rest: a new burst may begin. */
  #riseFromRest(): void {
    if (!this.#idle) return;
    this.#idle = false;
    this.#budget = this.#switches;
    this.#burstBegan = UNKNOWN;
    this.#stall?.();
    this.#stall = null;
  }

  /** No task is ready. */
  #rest(): void {
    this.#idle = true;
    const first = this.#deadlines.first;
    if (first === undefined) {
      this.#disarmAlarm();
      this.#considerStall();
    } else if (first.deadline < this.#alarmAt) {
      this.#disarmAlarm();
      if (first.deadline <= this.clock.now()) {
        this.#idle = false;
        this.#breathe();
      } else if (first.deadline !== NEVER) {
        this.#alarmAt = first.deadline;
        this.#alarm = this.clock.schedule(first.deadline, this.#onAlarm);
      }
    }
  }

  #disarmAlarm(): void {
    if (this.#alarm !== null) this.#alarm();
    this.#alarm = null;
    this.#alarmAt = NEVER;
  }

  readonly #onAlarm = (): void => {
    this.#alarm = null;
    this.#alarmAt = NEVER;
    if (!this.active) return;
    const idle = this.#idle;
    this.#riseFromRest();
    this.#expire();
    if (idle) this.#dispatch();
  };

  /** Does what is due: ends sleeps, delivers timeouts. */
  #expire(): void {
    const now = this.clock.now();
    for (
      let record = this.#deadlines.first;
      record !== undefined && record.deadline <= now;
      record = this.#deadlines.first
    ) {
      this.#deadlines.remove(record);
      this.#due(record, now);
    }
  }

  #due(record: TaskRecord, now: number): void {
    const waiting = record.promise !== null && record.state !== 'READY';
    if (waiting && record.sleepUntil !== NEVER && record.sleepUntil <= record.timeoutAt) {
      if (record.sleepUntil <= now) this.wake(record, RESUME_VALUE, now);
      else this.#deadlines.set(record, record.sleepUntil);
      return;
    }
    // A task that has already been woken gets what it was woken with; if it then blocks
    // again inside the same timeout, `suspend` brings the deadline back.
    if (!waiting && record.state !== 'PROMISE_WAIT') return;
    if (record.timeoutAt > now) return;
    const exc = new TaskTimeout(
      record.operation === ''
        ? 'The timeout expired.'
        : `The timeout expired while waiting in ${record.operation}.`,
    );
    exc.clock = now;
    // The outermost timeout that is overdue is the one that expires. It is spent now, and so
    // are those inside it; what limits the task from here on is what stood around it.
    let owner: TimeoutFrame | null = null;
    for (let frame = record.timeouts; frame !== null; frame = frame.outer) {
      if (frame.deadline <= now) owner = frame;
    }
    record.timeoutAt = owner === null ? NEVER : owner.prior;
    for (let frame = record.timeouts; frame !== null && frame !== owner; frame = frame.outer) {
      frame.prior = record.timeoutAt;
    }
    if (record.pending === null) this.throwInto(record, exc);
    if (waiting && record.sleepUntil !== NEVER && record.state !== 'READY')
      this.#deadlines.set(record, record.sleepUntil);
  }

  /** Sets when the task's current timeout expires. */
  setTimeout(record: TaskRecord, deadline: number): void {
    record.timeoutAt = deadline;
    // The heap hears of a deadline when the task blocks; here it only forgets.
    if (record.heapIndex >= 0 && record.deadline !== deadline && record.sleepUntil === NEVER)
      this.#deadlines.remove(record);
  }

  // ---- Cancellation ---------------------------------------------------------------------

  /** Asks a task to stop. False if it has ended or was asked before. */
  cancel(target: TaskRecord, exc: unknown): boolean {
    if (target.terminated || target.cancelled) return false;
    target.cancelled = true;
    // A cancellation ends all limits on time: clean-up may take as long as it needs.
    this.setTimeout(target, NEVER);
    for (let frame = target.timeouts; frame !== null; frame = frame.outer) frame.prior = NEVER;
    this.#distrust(target);
    this.throwInto(target, exc);
    return true;
  }

  /** Delivers an exception now if the task waits, else at its next blocking operation. */
  throwInto(record: TaskRecord, exc: unknown): void {
    if (record.shield === 0) {
      abortSignals(record, exc);
      if (record.promise !== null && record.state !== 'READY') {
        record.waitingIn?.remove(record);
        this.wake(record, RESUME_ERROR, exc);
        return;
      }
    }
    record.pending = exc;
  }

  /** Ends a shield against cancellation; what was held back comes at the next blocking operation. */
  unshield(record: TaskRecord): void {
    record.shield--;
    if (record.shield === 0 && record.pending !== null) abortSignals(record, record.pending);
  }

  #deliverPending(record: TaskRecord): Promise<never> {
    const exc = record.pending;
    record.pending = null;
    return refuse(exc);
  }

  /** Remembers a cancelled task, to report it if it still runs after a while. */
  #distrust(record: TaskRecord): void {
    if (record.hidden) return;
    this.#cancelled.set(record, this.clock.now() + PATIENCE);
    if (this.#cancelled.size === 1) this.#watchPatience();
  }

  #trusted(record: TaskRecord): void {
    this.#cancelled.delete(record);
    if (this.#cancelled.size === 0 && this.#patience !== null) {
      this.#patience();
      this.#patience = null;
    }
  }

  #watchPatience(): void {
    const [first] = this.#cancelled.values();
    if (first === undefined || this.#patience !== null) return;
    this.#patience = this.clock.schedule(first, this.#onImpatience, true);
  }

  readonly #onImpatience = (): void => {
    this.#patience = null;
    const now = this.clock.now();
    for (const [record, at] of this.#cancelled) {
      if (at > now) break;
      this.#cancelled.delete(record);
      this.reports.swallowed(record, PATIENCE);
    }
    this.#watchPatience();
  };

  // ---- The run: begin, end, deadlock, shutdown ------------------------------------------

  /** Runs a main task until it ends; the other tasks then stand still. */
  async run(
    fn: AnyFunction,
    args: readonly unknown[],
    signal?: AbortSignal,
    hidden = false,
  ): Promise<unknown> {
    const main = this.spawn(null, fn, args, false, undefined, hidden);
    main.main = true;
    const abort = () => this.cancel(main, new TaskCancelled(undefined, { cause: signal?.reason }));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    try {
      await this.#start(main);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    const deadlock = this.#deadlock;
    this.#deadlock = null;
    if (deadlock !== null) throw deadlock;
    if (main.failed) throw main.outcome;
    return main.outcome;
  }

  /** One scheduling cycle: I/O and timers that are due, then one step of each task that is ready. */
  async cycle(): Promise<void> {
    this.#state = 'active';
    await new Promise((resolve) => setImmediate(resolve));
    this.#expire();
    this.#cyclesLeft = this.#ready.length;
    await this.#start(null);
    this.#cyclesLeft = NEVER;
  }

  #endCycle(): void {
    this.#stop();
  }

  /** Called once, before anything else runs in this kernel. */
  begin(): void {
    if (this.#everRan) return;
    this.#everRan = true;
    if (this.#activations.length === 0) return;
    this.observers = new Observers(this.#activations, this.reports.logger);
    this.observers.activate(this.owner as Parameters<Activation['activate']>[0]);
  }

  #start(main: TaskRecord | null): Promise<void> {
    this.#main = main;
    this.#state = 'active';
    this.#burstBegan = UNKNOWN;
    this.#budget = this.#switches;
    watchForExit(this);
    if (this.#holds > 0) this.#stayAlive();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#dispatch();
    });
  }

  #stop(): void {
    this.#state = 'stopped';
    this.#idle = false;
    this.running = null;
    this.#main = null;
    this.#disarmAlarm();
    this.#stall?.();
    this.#stall = null;
    this.#letDie();
    unwatchForExit(this);
    const finish = this.#finish;
    this.#finish = null;
    finish?.();
  }

  /** Registers what shutdown must close, in order. */
  atShutdown(hook: () => unknown): void {
    this.#hooks.push(hook);
  }

  /** Cancels every task left, newest first, waits for each; closes what was registered. */
  async shutdown(): Promise<void> {
    try {
      await this.run(async () => this.#reap(), [], undefined, true);
    } finally {
      this.#state = 'closed';
      this.#patience?.();
      this.reports.neverJoined();
    }
  }

  async #reap(): Promise<void> {
    const self = this.running as TaskRecord;
    while (this.tasks.size > 0) {
      const left = [...this.tasks.values()];
      const spawned = this.#spawned;
      // Clean-up may spawn. What it spawns is newer, and comes first.
      for (let task = left.pop(); task !== undefined && spawned === this.#spawned; task = left.pop()) {
        if (task.terminated) continue;
        this.cancel(
          task,
          new TaskCancelled(undefined, { cause: new RuntimeError('The kernel shuts down.') }),
        );
        task.waiters ??= new TaskList();
        this.beginBlocking(self, 'shutdown()');
        await this.suspend(self, 'TASK_JOIN', task.waiters);
      }
    }
    for (const hook of this.#hooks) {
      try {
        await hook();
      } catch (error) {
        // swallows: the other hooks must run too; there is nobody left to tell but the log.
        logTo(this.reports.logger, 'error', `Shutting down: ${errorText(error)}`);
      }
    }
  }

  /** Node would exit now. The tasks are cancelled and may clean up; then the run rejects. */
  declareDeadlock(): void {
    if (!this.#idle) return;
    if (this.#deadlock === null) {
      const table = taskTable(this.tasks.values(), this.clock.now());
      this.#deadlock = new DeadlockError(`Nothing can wake any of these tasks any more:\n${table}`);
      for (const record of [...this.tasks.values()]) {
        this.cancel(record, new TaskCancelled(undefined, { cause: this.#deadlock }));
      }
      if (!this.#idle) return;
    }
    // Cancelling has not helped: what is left awaits promises that never settle, or has
    // swallowed its cancellation and blocked again. Give those tasks up.
    const gone = new TaskCancelled(undefined, { cause: this.#deadlock });
    for (const record of [...this.tasks.values()]) {
      if (record.promise !== null) record.waitingIn?.remove(record);
      record.promise = record.resolve = record.reject = null;
      this.terminate(record, true, gone);
    }
  }

  #considerStall(): void {
    if (this.clock.stalled === undefined || this.#stall !== null || this.#holds > 0) return;
    for (const record of this.tasks.values()) {
      if (record.state === 'PROMISE_WAIT' || !(record.waitingIn instanceof TaskList)) return;
    }
    this.#stall = this.clock.stalled(() => {
      this.#stall = null;
      this.declareDeadlock();
    });
  }

  /** Something outside (a signal, say) may wake a task although no handle of Node's says so. */
  hold(): void {
    this.#holds++;
    if (this.active) this.#stayAlive();
  }

  release(): void {
    this.#holds--;
    if (this.#holds === 0) this.#letDie();
  }

  #stayAlive(): void {
    this.#keepAlive ??= setInterval(nothing, 0x7fff_ffff);
  }

  #letDie(): void {
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive);
    this.#keepAlive = null;
  }

  // ---- Errors ---------------------------------------------------------------------------

  finished(record: TaskRecord, operation: string): RuntimeError {
    return new RuntimeError(
      `${operation} was called on behalf of ${title(record)}, which has ended. ` +
        'Whatever outlives a task needs a task of its own: spawn() it.',
    );
  }

  #busy(record: TaskRecord, operation: string): TaskBusyError {
    const first = record.operation === '' ? 'an earlier operation' : record.operation;
    return new TaskBusyError(
      `${title(record)} called ${operation} while its ${first} was still waiting.${began(record)} ` +
        'A task does one blocking operation at a time: write await in front of the first, ' +
        'or give each a task of its own with gather([...]) or a TaskGroup.',
    );
  }
}

/** Runs a task's function from its first turn to its end. */
async function drive(record: TaskRecord): Promise<void> {
  let failed = false;
  let outcome: unknown;
  try {
    await record.promise;
    becomeTask(record);
    const args = record.args as never[];
    record.args = null;
    outcome = await record.fn(...args);
  } catch (error) {
    // swallows: nothing; whatever ended the task, CancelledError included, is its outcome.
    failed = true;
    outcome = error;
  }
  record.core.terminate(record, failed, outcome);
}

/** A rejected promise that does not count as unhandled if the user forgot to await it. */
export function refuse(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(nothing);
  return promise as Promise<never>;
}

function settleWithError(promise: Promise<unknown>, reject: (error: unknown) => void, error: unknown): void {
  promise.catch(nothing);
  reject(error);
}

/** Aborts the signals that end with this exception: all of them, or for a timeout those inside it. */
function abortSignals(record: TaskRecord, exc: unknown): void {
  let owner: TimeoutFrame | null = null;
  if (exc instanceof TaskTimeout) {
    for (let frame = record.timeouts; frame !== null; frame = frame.outer) {
      if (frame.deadline <= exc.clock) owner = frame;
    }
  }
  for (let frame = record.timeouts; frame !== null; frame = frame.outer) {
    frame.aborter?.abort(exc);
    frame.aborter = null;
    if (frame === owner) return;
  }
  record.aborter?.abort(exc);
  record.aborter = null;
}

/** A child starts with its parent's values; what either sets later stays its own. */
function copyLocals(locals: Map<object, object>): Map<object, object> {
  const copy = new Map<object, object>();
  for (const [local, values] of locals) copy.set(local, Object.assign(Object.create(null), values));
  return copy;
}
