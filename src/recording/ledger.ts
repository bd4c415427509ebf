/*
 * The ledger of cancellations: for each who asked, from where, at which operation it was delivered, and when the task
 * ended. The newest are kept; those that take long, or that a task swallowed, are logged.
 */

import { checkSeconds, describe } from '../base/callable.ts';
import { type Logger, type LogLevel, logTo } from '../base/logger.ts';
import { captureStack, userFrames, valueText } from '../base/stack.ts';
import { CancelledError } from '../errors.ts';
import type { Task } from '../task.ts';
import { atShutdown, clockOf, Observer, report, title } from '../traps.ts';

/** Options of `cancellations`. */
export interface CancellationsOptions {
  /** Seconds that a cancelled task may take to end. Default 1. */
  slow?: number | undefined;
  /** How many cancellations are remembered. Default 1000. */
  size?: number | undefined;
  /** The names of the tasks to watch; others are left out. */
  filter?: Set<string> | undefined;
  /** The severity to log with. Default `'warn'`. */
  level?: LogLevel | undefined;
  /** Where to log. Default: the run's logger. */
  log?: Logger | undefined;
}

/** One cancellation. Times are seconds of the kernel's clock. */
export interface Cancellation {
  /** The task that was to stop. */
  readonly id: number;
  readonly name: string;
  /** What was thrown into it. */
  readonly error: string;
  /** The cause of that, if it has one: a deadlock, the reason of a signal, the end of the kernel. */
  readonly cause: string | null;
  /** Id and name of the task that asked; null if none did. */
  readonly requestedBy: { id: number; name: string } | null;
  /** Where it was asked for. */
  readonly requestedAt: [filename: string, line: number] | null;
  readonly requested: number;
  /** When it was thrown at an operation; null as long as it waits for one. */
  delivered: number | null;
  /** That operation. */
  operation: string | null;
  /** When the task ended; null as long as it lives. */
  ended: number | null;
  /** How the task ended: with the cancellation, with a result all the same, or with another error. */
  outcome: 'cancelled' | 'returned' | 'failed' | null;
}

/** What is being watched. */
interface Watched {
  readonly entry: Cancellation;
  readonly exc: unknown;
  readonly kernel: object;
  /** The task's turns when it was delivered. */
  turns: number;
  stop: (() => void) | null;
}

/**
 * What `cancellations()` makes: `entries` for programs, and as a string a table for people. Nothing of it blocks, and reading it
 * changes nothing.
 *
 * @see Reference manual, "Debugging and Diagnostics"
 * @example
 * const ledger = cancellations();
 * await run({ debug: ledger }, main);
 * const slowest = ledger.entries.filter(({ outcome }) => outcome !== 'cancelled');
 */
export class CancellationLedger extends Observer {
  readonly #slow: number;
  readonly #size: number;
  readonly #filter: Set<string> | undefined;
  readonly #level: LogLevel;
  readonly #log: Logger | undefined;
  readonly #entries: Cancellation[] = [];
  /** Where the oldest entry is, once the ledger is full. */
  #oldest = 0;
  readonly #watched = new Map<number, Watched>();
  readonly #closing = new WeakSet<object>();

  constructor({ slow = 1, size = 1000, filter, level = 'warn', log }: CancellationsOptions = {}) {
    super();
    this.#slow = checkSeconds(slow, 'cancellations');
    if (!Number.isInteger(size) || size < 1)
      throw new RangeError(
        `A ledger keeps a whole number of cancellations, 1 or more, not ${describe(size)}.`,
      );
    if (filter !== undefined && typeof filter?.has !== 'function')
      throw new TypeError(
        `The filter of a ledger is a set of task names, not ${describe(filter)}: { filter: new Set(['spam']) }.`,
      );
    this.#size = size;
    this.#filter = filter;
    this.#level = level;
    this.#log = log;
  }

  /** The cancellations that are remembered, oldest first. */
  get entries(): readonly Readonly<Cancellation>[] {
    return [...this.#entries.slice(this.#oldest), ...this.#entries.slice(0, this.#oldest)];
  }

  override cancelling(task: Task<unknown>, exc: unknown): void {
    if (this.#filter !== undefined && !this.#filter.has(task.name)) return;
    const clock = clockOf(task);
    const cancelled = exc instanceof CancelledError ? exc : null;
    const by = cancelled?.requestedBy ?? null;
    const frame = by === null ? undefined : userFrames(captureStack())[0];
    const entry: Cancellation = {
      id: task.id,
      name: task.name,
      error: valueText(exc),
      cause: exc instanceof Error && exc.cause !== undefined ? valueText(exc.cause) : null,
      requestedBy: by === null ? null : { id: by.id, name: by.name },
      requestedAt: cancelled?.requestedAt ?? (frame === undefined ? null : [frame.file, frame.line]),
      requested: clock.now(),
      delivered: null,
      operation: null,
      ended: null,
      outcome: null,
    };
    this.#remember(entry);
    const watched: Watched = { entry, exc, kernel: task.core, turns: 0, stop: null };
    this.#watched.set(task.id, watched);
    if (this.#slow !== Number.POSITIVE_INFINITY)
      watched.stop = clock.schedule(entry.requested + this.#slow, () => this.#late(task, watched), true);
    this.#closeWith(task);
  }

  #remember(entry: Cancellation): void {
    if (this.#entries.length < this.#size) {
      this.#entries.push(entry);
      return;
    }
    this.#entries[this.#oldest] = entry;
    this.#oldest = (this.#oldest + 1) % this.#size;
  }

  /** A kernel that is shut down leaves no timer behind. */
  #closeWith(task: Task<unknown>): void {
    const kernel = task.core;
    if (this.#closing.has(kernel)) return;
    this.#closing.add(kernel);
    atShutdown(task, () => {
      this.#closing.delete(kernel);
      for (const [id, watched] of this.#watched) {
        if (watched.kernel !== kernel) continue;
        watched.stop?.();
        this.#watched.delete(id);
      }
    });
  }

  override delivered(task: Task<unknown>, exc: unknown, operation: string): void {
    const watched = this.#watched.get(task.id);
    if (watched === undefined || watched.exc !== exc || watched.entry.delivered !== null) return;
    watched.entry.delivered = clockOf(task).now();
    watched.entry.operation = operation;
    watched.turns = task.cycles;
  }

  override terminated(task: Task<unknown>): void {
    const watched = this.#watched.get(task.id);
    if (watched === undefined) return;
    this.#watched.delete(task.id);
    watched.stop?.();
    const { entry } = watched;
    entry.ended = clockOf(task).now();
    const outcome = task.failed ? task.exception : null;
    entry.outcome = !task.failed ? 'returned' : outcome instanceof CancelledError ? 'cancelled' : 'failed';
    const seconds = entry.ended - entry.requested;
    if (seconds > this.#slow)
      this.#say(task, `${title(task)} ended ${took(seconds)} after it was cancelled. ${story(entry)}`);
    // A task may well end with a result when it is asked to stop. One that goes on to its next operations as if nothing
    // had happened has most likely caught more than it meant to.
    else if (entry.outcome === 'returned' && entry.delivered !== null && task.cycles > watched.turns + 1)
      this.#say(
        task,
        `${title(task)} swallowed its cancellation: it went on for ${task.cycles - watched.turns - 1} more turns and ` +
          `returned. ${story(entry)} If it catches errors, let CancelledError through.`,
      );
  }

  /** It should have ended by now. */
  #late(task: Task<unknown>, { entry, turns }: Watched): void {
    const { state } = task;
    const operation = task.operation === '' ? '' : ` (${task.operation})`;
    const swallowed = entry.delivered !== null && task.cycles > turns + 1;
    this.#say(
      task,
      `${title(task)} was cancelled ${took(this.#slow)} ago and still runs, in state ${state}${operation}. ${story(entry)} ` +
        (swallowed ? `It has had ${task.cycles - turns - 1} more turns since.` : advice(entry, state)),
    );
  }

  #say(task: Task<unknown>, message: string): void {
    if (this.#log === undefined) report(task, this.#level, message);
    else logTo(this.#log, this.#level, message);
  }

  /** The ledger as a table. */
  override toString(): string {
    const rows = this.entries.map((entry) => [
      `${entry.id} ${entry.name}`,
      entry.requestedBy === null ? (entry.cause ?? '-') : `${entry.requestedBy.id} ${entry.requestedBy.name}`,
      entry.requestedAt === null ? '-' : `${entry.requestedAt[0]}:${entry.requestedAt[1]}`,
      after(entry, entry.delivered),
      entry.operation ?? '-',
      after(entry, entry.ended),
      entry.outcome ?? '-',
    ]);
    const head = ['Task', 'Asked by', 'From', 'Delivered', 'At', 'Ended', 'Outcome'];
    const widths = head.map((_, n) => Math.max(...[head, ...rows].map((row) => row[n]!.length)));
    const line = (cells: string[]) =>
      cells
        .map((cell, n) => cell.padEnd(widths[n]!))
        .join('  ')
        .trimEnd();
    return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
  }
}

const took = (seconds: number) => `${Number(seconds.toFixed(3))} s`;

const after = ({ requested }: Cancellation, time: number | null) =>
  time === null ? '-' : `+${took(time - requested)}`;

function story({ requestedBy, requestedAt, cause, delivered, operation, requested }: Cancellation): string {
  const who = requestedBy === null ? (cause === null ? 'No task' : `No task (${cause})`) : title(requestedBy);
  const where = requestedAt === null ? '' : ` at ${requestedAt[0]}:${requestedAt[1]}`;
  const when =
    delivered === null
      ? 'it has not been delivered'
      : `it was delivered in ${operation || 'its turn'} ${took(delivered - requested)} later`;
  return `${who} asked for it${where}; ${when}.`;
}

function advice({ delivered }: Cancellation, state: string): string {
  if (delivered !== null) return 'Its clean-up takes its time.';
  if (state === 'PROMISE_WAIT')
    return 'It awaits an ordinary promise, which cannot be cancelled: use wait(promise), abortable() or currentSignal().';
  return 'It is shielded by disableCancellation(), or does not block.';
}

/**
 * Keeps a ledger of cancellations: who asked, from where, when and at which operation each was delivered, when the task
 * ended. Those that take longer than `slow` seconds are logged, and so are tasks that swallow them. `entries` has the
 * newest; printed as a string they are a table. Timeouts are not among them.
 *
 * @see Reference manual, "Debugging and Diagnostics"
 * @example
 * const ledger = cancellations({ slow: 0.5 });
 * await run({ debug: ledger }, main);
 * console.log(String(ledger));
 */
export function cancellations(options: CancellationsOptions = {}): CancellationLedger {
  return new CancellationLedger(options);
}
