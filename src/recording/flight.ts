/*
 * The flight recorder: the last few thousand things that tasks did, in a ring that is made once, and written to a file
 * when something goes wrong. It is meant to be left on, so a switch costs it a few stores: the clock, which costs as much
 * as all the rest, is read at every eighth entry and whenever something from outside wakes a task.
 */

import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { describe, isOptions } from '../base/callable.ts';
import { valueText } from '../base/stack.ts';
import { CancelledError } from '../errors.ts';
import type { Task } from '../task.ts';
import {
  atShutdown,
  Observer,
  outsideTasks,
  report,
  type TaskRecord,
  tasksBeside,
  title,
  waitGraph,
  waitReport,
} from '../traps.ts';
import { type TraceEvent, traceLine } from './trace-file.ts';
import { treeOf } from './tree.ts';

/** Options of `flightRecorder`. */
export interface FlightRecorderOptions {
  /** How many entries are kept. Default 10,000. */
  size?: number | undefined;
  /** Where the files go. Default: the current directory. */
  directory?: string | undefined;
  /** The signal that makes it write a file; null for none. Default `'SIGUSR2'`. */
  signal?: NodeJS.Signals | null | undefined;
  /** How many files are written by itself, of crashes and deadlocks, so that a disk is not filled. Default 10. */
  files?: number | undefined;
}

const TURN = 0;
const OUTSIDE = 1;
const CREATED = 2;
const ENDED = 3;
const CANCELLING = 4;
const DELIVERED = 5;
const KINDS = ['turn', 'woken from outside', 'created', 'ended', 'cancellation asked for', 'delivered'];

/** The clock is read once for so many entries. */
const STRIDE = 8;

let files = 0;

/**
 * What `flightRecorder()` makes: the ring, and `dump()`, which writes it to a file. It belongs to one run, and nothing of it blocks a task.
 *
 * @see Reference manual, "Debugging and Diagnostics"
 * @example
 * const recorder = flightRecorder({ size: 1000 });
 * await run({ debug: recorder }, async function main() {
 *   console.log(recorder.dump('to see what is going on'));
 * });
 */
export class FlightRecorder extends Observer {
  readonly #size: number;
  readonly #directory: string;
  readonly #signal: NodeJS.Signals | null;
  #filesLeft: number;

  // The ring, a column for each thing that is known of an entry.
  readonly #times: Float64Array;
  readonly #ids: Float64Array;
  readonly #kinds: Uint8Array;
  readonly #names: string[];
  readonly #details: string[];
  #next = 0;
  #total = 0;

  #now = performance.now();
  #untilClock = 0;
  #witness: Task<unknown> | null = null;

  constructor(options: FlightRecorderOptions = {}) {
    super();
    if (!isOptions(options))
      throw new TypeError(
        `A flight recorder takes options, such as { size: 1000 }, not ${describe(options)}.`,
      );
    const { size = 10_000, directory = '.', signal = 'SIGUSR2', files = 10 } = options;
    if (typeof directory !== 'string')
      throw new TypeError(`The directory of a flight recorder is a path, not ${describe(directory)}.`);
    if (!Number.isInteger(size) || size < 1)
      throw new RangeError(
        `A flight recorder keeps a whole number of entries, 1 or more, not ${describe(size)}.`,
      );
    if (signal !== null && !Object.hasOwn(constants.signals, signal))
      throw new TypeError(
        `The signal of a flight recorder is a name such as 'SIGUSR2', or null, not ${describe(signal)}.`,
      );
    this.#size = size;
    this.#directory = directory;
    this.#signal = signal;
    this.#filesLeft = files;
    this.#times = new Float64Array(size);
    this.#ids = new Float64Array(size);
    this.#kinds = new Uint8Array(size);
    this.#names = new Array(size).fill('');
    this.#details = new Array(size).fill('');
  }

  #enter(kind: number, task: TaskRecord, detail: string): void {
    if (this.#untilClock-- <= 0) {
      this.#now = performance.now();
      this.#untilClock = STRIDE - 1;
    }
    const at = this.#next;
    this.#times[at] = this.#now;
    this.#ids[at] = task.id;
    this.#kinds[at] = kind;
    this.#names[at] = task.name;
    this.#details[at] = detail;
    this.#next = at + 1 === this.#size ? 0 : at + 1;
    this.#total++;
  }

  override created(task: Task<unknown>): void {
    if (this.#witness === null) this.#begin(task);
    this.#enter(CREATED, task, '');
  }

  #begin(task: Task<unknown>): void {
    this.#witness = task;
    outsideTasks(() => {
      process.on('uncaughtExceptionMonitor', this.#onUncaught);
      if (this.#signal !== null) process.on(this.#signal, this.#onSignal);
    });
    atShutdown(task, () => {
      process.off('uncaughtExceptionMonitor', this.#onUncaught);
      if (this.#signal !== null) process.off(this.#signal, this.#onSignal);
      this.#witness = null;
    });
  }

  override suspended(task: Task<unknown>): void {
    if (task.terminated) return;
    const record: TaskRecord = task;
    this.#enter(TURN, record, record.operation === '' ? record.state : record.operation);
  }

  override woken(task: Task<unknown>, by: Task<unknown> | null): void {
    if (by !== null) return;
    // Time may have passed since the last entry.
    this.#untilClock = 0;
    this.#enter(OUTSIDE, task, task.state);
  }

  override terminated(task: Task<unknown>): void {
    const failed = task.failed ? valueText(task.exception) : '';
    this.#enter(ENDED, task, failed);
    if (task.failed && !(task.exception instanceof CancelledError))
      this.#alarm(`${title(task)} crashed: ${failed}`);
  }

  override cancelling(task: Task<unknown>, exc: unknown): void {
    const by =
      exc instanceof CancelledError && exc.requestedBy !== null ? ` by ${title(exc.requestedBy)}` : '';
    this.#enter(CANCELLING, task, `${valueText(exc)}${by}`);
  }

  override delivered(task: Task<unknown>, exc: unknown, operation: string): void {
    this.#enter(DELIVERED, task, `${valueText(exc)} in ${operation || 'its turn'}`);
  }

  override deadlocked(): void {
    this.#alarm('Deadlock');
  }

  readonly #onUncaught = (error: unknown): void => this.#alarm(`Uncaught exception: ${valueText(error)}`);

  readonly #onSignal = (signal: NodeJS.Signals): void => this.#write(`The signal ${signal} came`);

  #alarm(reason: string): void {
    if (this.#filesLeft <= 0) return;
    this.#filesLeft--;
    this.#write(reason);
  }

  #write(reason: string): void {
    const witness = this.#witness;
    if (witness === null) return;
    try {
      const path = this.dump(reason);
      report(
        witness,
        'warn',
        `${reason}. The flight recorder has written what went before to ${path}; ui.perfetto.dev opens it.`,
      );
    } catch (error) {
      // swallows: it is a recorder's business to watch; that the disk is full must not become the program's failure.
      report(
        witness,
        'error',
        `${reason}. The flight recorder could not write its file: ${valueText(error)}`,
      );
    }
  }

  /**
   * Writes what is in the ring, and the tree of the tasks that live, to a new file, and gives its path. Does not block the
   * task, but the thread, until the file is written.
   * @param reason stands in the file
   * @throws the system's error, if that cannot be done
   * @see Reference manual, "Debugging and Diagnostics"
   */
  dump(reason = 'dump() was called'): string {
    const tasks = this.#witness === null ? [] : tasksBeside(this.#witness);
    const about = {
      reason,
      time: new Date().toISOString(),
      node: process.version,
      program: process.argv.slice(1),
      entries: Math.min(this.#total, this.#size),
      forgotten: Math.max(0, this.#total - this.#size),
      tasks: treeOf(tasks),
      waiting: waitReport(waitGraph(tasks)).split('\n'),
    };
    const events = this.#events().map(traceLine).join(',\n');
    return this.#writeNew(
      `{"displayTimeUnit":"ms",\n"otherData":${JSON.stringify(about, null, 1)},\n"traceEvents":[\n${events}\n]}\n`,
    );
  }

  /** Writes a file that was not there. Other threads of the process count for themselves, and so did a process that had its number. */
  #writeNew(text: string): string {
    for (;;) {
      const path = join(this.#directory, `curio-flight-${process.pid}-${++files}.json`);
      try {
        writeFileSync(path, text, { flag: 'wx' });
        return path;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        // swallows: somebody else's; the next number may be free.
      }
    }
  }

  /** The entries as trace events, oldest first. One task runs at a time: a turn began when what came before it ended. */
  #events(): TraceEvent[] {
    const count = Math.min(this.#total, this.#size);
    const first = this.#total > this.#size ? this.#next : 0;
    const events: TraceEvent[] = [];
    const tracks = new Map<number, string>();
    let before = count === 0 ? 0 : this.#times[first]!;
    for (let n = 0; n < count; n++) {
      const at = (first + n) % this.#size;
      const [tid, kind, detail] = [this.#ids[at]!, this.#kinds[at]!, this.#details[at]!];
      const ts = Math.round(this.#times[at]! * 1e6) / 1e3;
      const began = Math.round(before * 1e6) / 1e3;
      tracks.set(tid, this.#names[at]!);
      if (kind === TURN) {
        const args = { until: detail };
        events.push({ ph: 'X', name: this.#names[at]!, cat: 'run', tid, ts: began, dur: ts - began, args });
      } else {
        events.push({ ph: 'i', s: 't', name: KINDS[kind]!, cat: 'event', tid, ts, args: { detail } });
      }
      before = this.#times[at]!;
    }
    const named = [...tracks].map(
      ([tid, name]): TraceEvent => ({ ph: 'M', name: 'thread_name', tid, args: { name: `${tid} ${name}` } }),
    );
    return [...named, ...events];
  }
}

/**
 * Keeps the last few thousand things that tasks did in memory, and writes them to a file when a task crashes, when nothing
 * can wake any task any more, at an uncaught exception, and at a signal: `curio-flight-<pid>-<n>.json`, with the tree of
 * the tasks. Cheap enough to be left on. Entries are in order; their times are some turns coarse.
 *
 * @see Reference manual, "Debugging and Diagnostics"
 * @example
 * await run({ debug: flightRecorder() }, main);
 */
export function flightRecorder(options: FlightRecorderOptions = {}): FlightRecorder {
  return new FlightRecorder(options);
}
