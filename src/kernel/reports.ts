/*
 * What the kernel tells about tasks without having been asked: crashes, tasks
 * nobody joined, operations nobody awaited, cancellations that were swallowed.
 */

import { type Logger, logTo } from '../base/logger.ts';
import { errorText, userFrames } from '../base/stack.ts';
import { Turnover } from '../base/turnover.ts';
import { CancelledError, RuntimeError, TaskBusyError } from '../errors.ts';
import type { TaskRecord } from './record.ts';

/** How many tasks that were never joined are remembered by name; the rest is only counted. */
const REMEMBERED = 100;

export class Reports {
  readonly logger: Logger;
  #unjoined = new Turnover<number, string>();
  readonly #threads = new WeakSet<TaskRecord>();
  #more = 0;

  constructor(logger: Logger) {
    this.logger = logger;
  }

  crash(record: TaskRecord): void {
    const [level, what] = this.#threads.has(record)
      ? (['warn', 'Thread'] as const)
      : (['error', 'Task'] as const);
    logTo(this.logger, level, `${what} Crash: ${title(record)}\n${errorText(record.outcome)}`);
  }

  /** The task stands for a thread: its crash is only a warning. */
  standsForThread(record: TaskRecord): void {
    this.#threads.add(record);
  }

  neverAwaited(record: TaskRecord): void {
    logTo(
      this.logger,
      'warn',
      `${title(record)} ended while its ${record.operation} was still waiting: the operation was never awaited, ` +
        `and has been withdrawn.${began(record)} Write await in front of it.`,
    );
  }

  /** An operation made of several, because the task did something else meanwhile, or ended. */
  cutShort(record: TaskRecord, error: unknown): void {
    misuses.delete(error as Error);
    logTo(
      this.logger,
      'warn',
      `${title(record)} began an operation that was cut short by what it did next. If it was not awaited, write await in front of it.\n` +
        errorText(error),
    );
  }

  swallowed(record: TaskRecord, seconds: number): void {
    let held = 'If it catches errors, let CancelledError through.';
    if (record.state === 'PROMISE_WAIT')
      held =
        'It awaits an ordinary promise, which cannot be cancelled: use wait(promise), abortable() or currentSignal().';
    else if (this.#threads.has(record))
      held = `A thread is told at its next AWAIT(): let it do one now and then. ${held}`;
    logTo(
      this.logger,
      'warn',
      `${title(record)} was cancelled ${seconds} s ago and still runs, in state ${record.state}` +
        `${record.operation === '' ? '' : ` (${record.operation})`}.${began(record)} ${held}`,
    );
  }

  /** A task has ended, and not as a main task. */
  ended(record: TaskRecord): void {
    const { joined, daemon, cancelled, joiners, onEnd } = record;
    if (record.failed && !isCancellation(record.outcome)) {
      if (onEnd?.excuses?.(record) !== true) this.crash(record);
    } else if (!joined && !daemon && !cancelled && joiners === null && onEnd === null) this.unjoined(record);
  }

  /** So far nobody has joined it. */
  unjoined(record: TaskRecord): void {
    record.missed = true;
    if (this.#unjoined.size < REMEMBERED) this.#unjoined.set(record.id, record.name);
    else this.#more++;
  }

  /** It has been joined after all. */
  joined(record: TaskRecord): void {
    if (!record.missed) return;
    record.missed = false;
    if (!this.#unjoined.delete(record.id)) this.#more--;
  }

  /** Warns of all tasks that nobody joined, a line for each name. */
  neverJoined(): void {
    const byName = new Map<string, number[]>();
    for (const [id, name] of this.#unjoined) {
      const ids = byName.get(name);
      if (ids === undefined) byName.set(name, [id]);
      else ids.push(id);
    }
    for (const [name, ids] of byName) {
      const text =
        ids.length === 1
          ? `Task never joined: Task(id=${ids[0]}, name='${name}'). Join it, put it into a TaskGroup, or spawn it with { daemon: true }.`
          : `Tasks never joined: ${ids.length} named '${name}' (id=${ids.slice(0, 5).join(', ')}` +
            `${ids.length > 5 ? ', …' : ''}). Join them, put them into a TaskGroup, or spawn them with { daemon: true }.`;
      logTo(this.logger, 'warn', text);
    }
    if (this.#more > 0) logTo(this.logger, 'warn', `Tasks never joined: ${this.#more} more.`);
    this.#unjoined = new Turnover();
    this.#more = 0;
  }
}

function isCancellation(outcome: unknown): boolean {
  try {
    return outcome instanceof CancelledError;
  } catch {
    // swallows: nothing; a proxy that was thrown refuses to say what it is.
    return false;
  }
}

/** The errors of those who do two things at once, or go on after their end, and whose they are. */
const misuses = new WeakMap<Error, TaskRecord>();

function misuse<E extends Error>(record: TaskRecord, error: E): E {
  misuses.set(error, record);
  return error;
}

/** Whose misuse this error tells of, if nobody has been told yet. */
export function misusedBy(error: unknown): TaskRecord | undefined {
  return misuses.get(error as Error);
}

/** For an operation on behalf of a task that is over. */
export function finishedError(record: TaskRecord, operation: string): RuntimeError {
  const error = new RuntimeError(
    `${operation} was called on behalf of ${title(record)}, which has ended. ` +
      'Whatever outlives a task needs a task of its own: spawn() it. ' +
      'A callback that the task has left behind can hand things to others with a UniversalQueue.',
  );
  return misuse(record, error);
}

/** For a second operation while the first still waits. */
export function busyError(record: TaskRecord, operation: string): TaskBusyError {
  const first = record.operation === '' ? 'an earlier operation' : record.operation;
  const error = new TaskBusyError(
    `${title(record)} called ${operation} while its ${first} was still waiting.${began(record)} ` +
      'A task does one blocking operation at a time: write await in front of the first, ' +
      'or give each a task of its own with gather([...]) or a TaskGroup. A callback does what blocks in a task that it spawns.',
  );
  return misuse(record, error);
}

/** How a task is called in messages. */
export function title(record: { id: number; name: string }): string {
  return `Task(id=${record.id}, name='${record.name}')`;
}

/** Where the operation a task waits in began, as half a sentence; empty when stacks are off. */
function began(record: TaskRecord): string {
  if (record.stack === null) return '';
  const frame = userFrames(record.stack)[0];
  return frame === undefined ? '' : ` It began at ${frame.file}:${frame.line}.`;
}

/** All tasks as a table, in the columns of the monitor's `ps`. */
export function taskTable(records: Iterable<TaskRecord>, now: number): string {
  const row = (id: string, state: string, cycles: string, timeout: string, name: string) =>
    `${id.padEnd(6)} ${state.padEnd(12)} ${cycles.padEnd(10)} ${timeout.padEnd(7)} ${name}`.trimEnd();
  const lines = [
    row('Task', 'State', 'Cycles', 'Timeout', 'Name'),
    row('-'.repeat(6), '-'.repeat(12), '-'.repeat(10), '-'.repeat(7), '-'.repeat(40)),
  ];
  for (const record of records) {
    const timeout = record.timeoutAt === null ? 'None' : (record.timeoutAt - now).toFixed(6).slice(0, 7);
    lines.push(row(String(record.id), record.state, String(record.cycles), timeout, record.name));
  }
  return lines.join('\n');
}
