/*
 * The timeouts a task stands in, innermost first, and the AbortSignals that end
 * with them.
 */

import { comesOutAt, withoutStack } from '../base/stack.ts';
import { CancelledError, TaskTimeout } from '../errors.ts';
import type { TaskRecord } from './record.ts';

const NEVER = Number.POSITIVE_INFINITY;

/** What errors are called that say that a signal was aborted: by Node, the browsers and most libraries; by axios. */
const ABORTED: ReadonlySet<string> = new Set(['AbortError', 'CanceledError']);
/** What a failure and that of the clean-up after it become, in a block with `using`. Where Node has no such class, compilers bring one. */
const SUPPRESSED = 'SuppressedError';

export class TimeoutFrame {
  /** The frame around this one. */
  outer: TimeoutFrame | null;
  /** When this frame's own time is up, in seconds of the kernel's clock; Infinity for never. */
  readonly deadline: number;
  /** The deadline that was in force before, to be restored on leaving; null for none. */
  prior: number | null;
  /** The clock when it expired, or NaN once a cancellation has ended it: in a block it expires only once. */
  spent: number | null = null;
  /** The innermost frame when it was spent: caught in there, it has not been heard of here. */
  thrownIn: TimeoutFrame | null = null;
  /** True once its own timeout was thrown. */
  expired = false;
  /** Made when somebody inside asked for `currentSignal()`. */
  aborter: AbortController | null = null;

  constructor(outer: TimeoutFrame | null, deadline: number, prior: number | null) {
    this.outer = outer;
    this.deadline = deadline;
    this.prior = prior;
  }
}

/** Enters a timeout of `seconds`; null for none of its own. */
export function enterTimeout(task: TaskRecord, seconds: number | null): TimeoutFrame {
  const deadline = seconds === null || seconds === NEVER ? NEVER : task.core.clock.now() + seconds;
  const frame = new TimeoutFrame(task.timeouts, deadline, task.timeoutAt);
  task.timeouts = frame;
  if (deadline !== NEVER && (task.timeoutAt === null || deadline < task.timeoutAt)) {
    task.core.setTimeout(task, deadline);
  }
  return frame;
}

/** Leaves a timeout; gives the clock if it had a deadline. */
export function leaveTimeout(task: TaskRecord, frame: TimeoutFrame): number {
  const waiting = task.pending instanceof TaskTimeout ? overdue(frame.outer, task.pending.clock) : null;
  if (waiting === null && task.pending instanceof TaskTimeout) task.pending = null;
  if (task.timeouts === frame) {
    task.timeouts = frame.outer;
    if (frame.spent !== null) restore(frame, waiting !== null);
    task.core.setTimeout(task, frame.spent === null ? frame.prior : limitAround(frame));
  } else {
    // Two timeouts of one task overlap without nesting, which only raw promises make possible.
    // The one that is left restores what stood around both.
    let inner = task.timeouts;
    while (inner !== null && inner.outer !== frame) inner = inner.outer;
    if (inner !== null) {
      inner.outer = frame.outer;
      inner.prior = frame.prior;
    }
  }
  return frame.deadline === NEVER ? Number.NEGATIVE_INFINITY : task.core.clock.now();
}

/**
 * A frame is left in which timeouts of those around it were thrown. Whoever caught them in there, a retry that catches
 * everything say, has not ended what they limit: they expire again. One that still waits will be thrown in the frame around.
 */
function restore(left: TimeoutFrame, waits: boolean): void {
  for (let frame = left.outer; frame !== null; frame = frame.outer) {
    if (frame.thrownIn !== left) continue;
    frame.thrownIn = waits ? left.outer : null;
    if (!waits) frame.spent = null;
  }
}

/** The deadline that limits the task around a frame in which a timeout expired; null for none. */
function limitAround(left: TimeoutFrame): number | null {
  // The one that was in force before, unless it is that of a frame: `setTimeout()` knows no frames.
  let limit = left.prior ?? NEVER;
  for (let frame = left.outer; frame !== null; frame = frame.outer) {
    if (frame.deadline === left.prior) limit = NEVER;
  }
  for (let frame = left.outer; frame !== null; frame = frame.outer) {
    if (frame.spent === null && frame.deadline < limit) limit = frame.deadline;
  }
  return limit === NEVER ? null : limit;
}

/** The signal that is aborted when the task is cancelled or its innermost timeout expires. */
export function signalOf(task: TaskRecord): AbortSignal {
  if (task.pending !== null && task.shield === 0) return AbortSignal.abort(task.pending);
  // Outside all timeouts the signal hangs on a frame that never expires.
  task.timeouts ??= new TimeoutFrame(null, NEVER, null);
  task.timeouts.aborter ??= new AbortController();
  return task.timeouts.aborter.signal;
}

/** The outermost of these frames that is due at `clock`: the one a timeout of that time belongs to. */
export function overdue(frames: TimeoutFrame | null, clock: number): TimeoutFrame | null {
  let found: TimeoutFrame | null = null;
  for (let frame = frames; frame !== null; frame = frame.outer) {
    if (frame.deadline <= clock && (frame.spent === null || frame.spent >= clock)) found = frame;
  }
  return found;
}

/** The time that limits a task is up. Gives what is to be thrown into it; null if something comes first that already waits for it. */
export function expireTimeout(record: TaskRecord, now: number): TaskTimeout | null {
  const owner = overdue(record.timeouts, now);
  record.timeoutAt = spendTimeouts(record, owner, now);
  if (!outranks(owner, record.pending)) return null;
  const where = record.operation === '' ? '' : ` while waiting in ${record.operation}`;
  const message = `The timeout expired${where}.`;
  // What there is to be seen here is a timer's callback, and nothing of the task.
  const exc = record.stack === null ? withoutStack(TaskTimeout, message) : new TaskTimeout(message);
  if (record.stack !== null) comesOutAt(record.stack, exc);
  exc.clock = now;
  return exc;
}

/**
 * Spends the timeout that has expired, and all inside it. Gives the deadline that limits the task from
 * here on: that of what stands around the one that expired.
 */
export function spendTimeouts(record: TaskRecord, owner: TimeoutFrame | null, now: number): number | null {
  for (let frame = record.timeouts; frame !== null; frame = frame.outer) {
    if (frame.spent === null) {
      frame.spent = now;
      frame.thrownIn = record.timeouts;
    }
    if (frame === owner) break;
  }
  if (owner === null) return null;
  owner.expired = true;
  return owner.prior;
}

/** A cancelled task has no limits on its time any more: clean-up may take as long as it needs. */
export function voidTimeouts(record: TaskRecord): void {
  for (let frame = record.timeouts; frame !== null; frame = frame.outer) {
    frame.prior = null;
    frame.spent ??= Number.NaN;
    frame.thrownIn = null;
  }
}

/** True if the timeout of `owner` is to be delivered rather than what already waits: a cancellation, or the timeout of a frame around it. */
function outranks(owner: TimeoutFrame | null, pending: unknown): boolean {
  if (pending === null) return true;
  return (
    pending instanceof TaskTimeout && overdue(owner === null ? null : owner.outer, pending.clock) === null
  );
}

/** Aborts the signals that end with this exception: all of them, or for a timeout those inside it. */
export function abortSignals(record: TaskRecord, exc: unknown): void {
  const owner = exc instanceof TaskTimeout ? overdue(record.timeouts, exc.clock) : null;
  for (let frame = record.timeouts; frame !== null; frame = frame.outer) {
    const aborter = frame.aborter;
    // Dropped first: what listens is the user's code, and may ask for a new one.
    frame.aborter = null;
    aborter?.abort(exc);
    if (frame === owner) return;
  }
}

/**
 * What has been thrown. Node's own functions put the reason of an aborted signal into an AbortError; the reason is meant. Other
 * libraries make an error of theirs of it and drop the reason: then what is meant is the cancellation that still waits for the task. And
 * `await using` wraps what interrupts its clean-up together with what had begun it.
 */
export function carried(error: unknown, record: TaskRecord): unknown {
  try {
    // Where modules are loaded in a context of their own, Node's errors are of no class that is known there.
    const { name, cause } = error as Error;
    if (name === SUPPRESSED) return superseded(error as SuppressedError, record);
    if (!ABORTED.has(name)) return error;
    if (cause instanceof CancelledError) return cause;
    return record.pending instanceof CancelledError && record.shield === 0 ? record.pending : error;
  } catch {
    // swallows: nothing; what does not let itself be looked at carries nothing.
    return error;
  }
}

/**
 * Clean-up that was interrupted. In a `finally` the interruption would come out alone, and it is what everybody around waits for; what had
 * gone wrong before becomes its cause, if that was more than an interruption as well.
 */
function superseded(both: SuppressedError, record: TaskRecord): unknown {
  const last = carried(both.error, record);
  if (!(last instanceof CancelledError)) return both;
  const first = carried(both.suppressed, record);
  if (!(first instanceof CancelledError)) last.cause ??= first;
  return last;
}
