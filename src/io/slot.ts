/*
 * The place where one task waits for one direction of a handle, and the one loop
 * behind all socket operations: try; if it would block, wait until ready; again.
 *
 * The second try is made by the slot itself, as a claim, at the turn of the woken task. So an
 * operation that waits costs one promise, and a task that is cancelled before its
 * turn has received nothing. Knows handles only as the argument of an attempt.
 */

import { ReadResourceBusy, WriteResourceBusy } from '../errors.ts';
import {
  admitComposite,
  begin,
  enterComposite,
  fail,
  hold,
  pass,
  RESUME_CLAIM,
  refuse,
  refused,
  release,
  type TaskRecord,
  title,
  WaitSlot,
} from '../traps.ts';
import type { Direction, Handle } from './driver.ts';
import { closedError } from './system.ts';

/** Whose connection an error is about that says that the other side has gone. */
const lost = new WeakMap<object, Handle>();

/** What an operation on a handle has thrown: remembered, if the other side has gone. */
export function failed(handle: Handle, error: unknown): void {
  const { code } = error as { code?: unknown };
  if (code === 'ECONNRESET' || code === 'EPIPE') lost.set(error as Error, handle);
}

/** The handle an operation of which has thrown this error because the other side has gone; undefined for other errors. */
export function lostBy(error: unknown): Handle | undefined {
  return lost.get(error as Error);
}

/** One try of an operation. Null means that it would block. */
export type Attempt<T, A, B, C> = (handle: Handle, a: A, b: B, c: C) => T | null;
type AnyAttempt = Attempt<unknown, unknown, unknown, unknown>;

/** What an attempt has thrown that was made before the task's turn. */
class Early {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

// There is one for each connection that waits, so that every field counts. A method with a # would be one more.
export class Slot extends WaitSlot {
  readonly #handle: Handle;
  #attempt: AnyAttempt | null = null;
  /** What an attempt has given, or `Early` what it has thrown, that was made before the task's turn; null while there was none. */
  #early: unknown = null;
  #a: unknown;
  #b: unknown;
  #c: unknown;

  constructor(handle: Handle) {
    super();
    this.#handle = handle;
  }

  get direction(): Direction {
    return this.#handle.reader === this ? 'reader' : 'writer';
  }

  /** True from the beginning of a wait until the task is woken; `task` stays until the task has had its turn. */
  private get waiting(): boolean {
    return this.task !== null && this.task.waitingIn === this;
  }

  /** Lets a task wait here, and then try again. To be called right after `begin`. */
  wait<T, A, B, C>(task: TaskRecord, attempt: Attempt<T, A, B, C> | null, a?: A, b?: B, c?: C): Promise<T> {
    this.#attempt = attempt as AnyAttempt | null;
    this.#a = a;
    this.#b = b;
    this.#c = c;
    return this.suspend(task);
  }

  private suspend<T>(task: TaskRecord): Promise<T> {
    const reading = this.#handle.reader === this;
    if (task.core.observers?.traps)
      task.trap = { name: reading ? 'readWait' : 'writeWait', args: [this.#handle] };
    return task.core.suspend(task, reading ? 'READ_WAIT' : 'WRITE_WAIT', this);
  }

  override add(record: TaskRecord): void {
    this.task = record;
    hold(record);
  }

  override remove(): void {
    if (this.waiting) release(this.task as TaskRecord);
    this.forget();
  }

  private forget(): void {
    this.task = null;
    this.#attempt = null;
    this.#early = null;
    this.#a = this.#b = this.#c = undefined;
  }

  /** The direction has become ready. */
  ready(): void {
    if (!this.waiting) return;
    const record = this.task as TaskRecord;
    release(record);
    record.core.wake(record, RESUME_CLAIM, this);
  }

  // Many system calls in a row cost less than each between two steps of tasks. So what a task waits to do may be done for it
  // beforehand; if it then ends without having taken the result, `giveBack` of the handle is called with that.

  /** True if a task waits to make this very attempt. */
  awaits(attempt: unknown): boolean {
    return this.#attempt === attempt && this.waiting;
  }

  /** The first argument of that attempt. */
  get argument(): unknown {
    return this.#a;
  }

  /** Wakes the task with what the attempt has given. */
  readyWith(result: unknown): void {
    this.#early = result;
    this.ready();
  }

  /** Wakes the task with what the attempt has thrown. */
  readyToThrow(error: unknown): void {
    if (!this.waiting) return;
    failed(this.#handle, error);
    this.readyWith(new Early(error));
  }

  override wake(): boolean {
    if (!this.waiting) return false;
    this.ready();
    return true;
  }

  override fail(error: unknown): boolean {
    if (!this.waiting) return false;
    release(this.task as TaskRecord);
    const handed = super.fail(error);
    this.forget();
    return handed;
  }

  /** The handle has been closed. Most are when nobody waits, and an error costs more than the rest of closing. */
  closed(): void {
    if (this.waiting) this.fail(closedError(this.direction === 'reader' ? 'read' : 'write'));
  }

  /** @internal The turn of the woken task: tries again, and waits again if that still would block. */
  take(record: TaskRecord): unknown {
    const early = this.#early;
    if (early !== null) {
      this.forget();
      if (early instanceof Early) throw early.error;
      return early;
    }
    let result: unknown;
    try {
      result = this.again();
    } catch (error) {
      failed(this.#handle, error);
      this.forget();
      throw error;
    }
    // A cancellation that has come since comes before another wait.
    const refusal = result === null ? begin(record, record.operation) : null;
    if (result === null && refusal === null) return this.suspend(record);
    this.forget();
    return refusal ?? result;
  }

  /** Null if it would block again; then the end of that will be told. */
  private again(): unknown {
    const attempt = this.#attempt;
    const handle = this.#handle;
    if (attempt === null) {
      if (handle.closed) throw closedError(this.direction === 'reader' ? 'read' : 'write');
      return undefined;
    }
    const result = attempt(handle, this.#a, this.#b, this.#c);
    if (result === null) handle.arm(this.direction);
    return result;
  }

  /** @internal The task ended before its turn; what had been taken for it is for the next. */
  refuse(): void {
    const early = this.#early;
    this.forget();
    if (early !== null && !(early instanceof Early)) this.#handle.giveBack(early as Buffer);
  }

  /** Keeps the place for a task that does not wait in it, so that others are refused. */
  occupy(record: TaskRecord): void {
    this.task = record;
  }

  vacate(): void {
    if (!this.waiting) this.forget();
  }

  /** What a second task gets. */
  busy(operation: string): Promise<never> {
    return refuse(this.busyError(operation));
  }

  busyError(operation: string): Error {
    const record = this.task as TaskRecord;
    const reading = this.direction === 'reader';
    const ResourceBusy = reading ? ReadResourceBusy : WriteResourceBusy;
    const holder = title(record);
    if (!this.waiting && record.resumeWith !== this)
      return new ResourceBusy(`${operation}: ${holder} has this in blocking mode, which has to end first.`);
    return new ResourceBusy(
      `${operation}: ${holder} is already ${reading ? 'reading' : 'writing'} here. ` +
        'One task does so at a time: use a Lock, or let one task do it for the others.',
    );
  }
}

/**
 * An operation that reads: `attempt` until it does not block.
 * @param always true to make the first attempt also where nothing can be there: what cannot be done is to say so before anybody waits
 */
export function reading<T, A, B, C>(
  handle: Handle,
  operation: string,
  attempt: Attempt<T, A, B, C>,
  a: A,
  b: B,
  c: C,
  always = false,
): Promise<T> {
  const task = admitComposite(operation);
  if (task === null) return refused(operation);
  const slot = handle.reader;
  if (slot.task !== null) return slot.busy(operation);
  // Where nothing can be there before the next event, the call that would say so is saved. But data that no event has told
  // of yet counts against a timeout, which may be zero.
  const atOnce = always || handle.readable || task.timeoutAt !== null || task.pending !== null;
  return attempted(task, handle, 'reader', operation, attempt, a, b, c, atOnce);
}

/** An operation that writes: `attempt` until it does not block. */
export function writing<T, A, B, C>(
  handle: Handle,
  operation: string,
  attempt: Attempt<T, A, B, C>,
  a: A,
  b: B,
  c: C,
): Promise<T> {
  const task = admitComposite(operation);
  if (task === null) return refused(operation);
  if (handle.hasWriter) return handle.writer.busy(operation);
  return attempted(task, handle, 'writer', operation, attempt, a, b, c, true);
}

/** Waits until one direction is ready, for operations made of several tries. */
export function untilReady(handle: Handle, direction: Direction, operation: string): Promise<void> {
  const task = enterComposite(operation);
  if (task === null) return refused(operation);
  const slot = handle[direction];
  if (slot.task !== null) return slot.busy(operation);
  if (handle.closed) return fail(task, closedError(direction === 'reader' ? 'read' : 'write'));
  return attempted(task, handle, direction, operation, null, undefined, undefined, undefined, false);
}

/**
 * Tries, and waits if that would block.
 * @param atOnce false to wait before the first try, or for an operation without one
 */
function attempted<T, A, B, C>(
  task: TaskRecord,
  handle: Handle,
  direction: Direction,
  operation: string,
  attempt: Attempt<T, A, B, C> | null,
  a: A,
  b: B,
  c: C,
  atOnce: boolean,
): Promise<T> {
  try {
    if (atOnce) {
      const result = (attempt as Attempt<T, A, B, C>)(handle, a, b, c);
      if (result !== null) return pass(task, result);
    }
    handle.arm(direction);
  } catch (error) {
    // swallows: nothing; operations reject.
    failed(handle, error);
    return fail(task, error);
  }
  const refusal = begin(task, operation);
  if (refusal !== null) return refusal;
  return (direction === 'reader' ? handle.reader : handle.writer).wait(task, attempt, a, b, c);
}
