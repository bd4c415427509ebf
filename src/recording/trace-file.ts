/*
 * A file in the trace event format, which ui.perfetto.dev and chrome://tracing open. Whatever happens to the process,
 * what has been written so far is a whole JSON document: each batch of events overwrites the closing brackets, and
 * brings them again.
 *
 * It must not know what the events tell.
 */

import { closeSync, openSync, writeSync } from 'node:fs';
import { outsideTasks } from '../traps.ts';

/** One event; times are microseconds. */
export interface TraceEvent {
  ph: 'X' | 'i' | 's' | 'f' | 'M';
  name: string;
  tid: number;
  ts?: number;
  dur?: number;
  cat?: string;
  /** Scope of an instant: its track, or everything. */
  s?: 't' | 'g';
  /** Binds the two ends of a flow. */
  id?: number;
  bp?: 'e';
  args?: Record<string, unknown>;
}

const HEAD = '{"displayTimeUnit":"ms","traceEvents":[';
const TAIL = '\n]}\n';

/** So many characters are gathered before they are written. */
const BATCH = 1 << 16;
/** Milliseconds after which what has been gathered is written, however little it is. */
const DELAY = 100;

/** The text of an event. */
export function traceLine(event: TraceEvent): string {
  return JSON.stringify({ pid: process.pid, ...event });
}

export class TraceFile {
  readonly #fd: number;
  readonly #failed: (error: unknown) => void;
  #place = HEAD.length;
  #first = true;
  #text = '';
  #timer: NodeJS.Timeout | null = null;
  #open = true;

  /**
   * @param failed is told when the file cannot be written; nothing is written any more then
   * @throws the system's error, if it cannot be opened
   */
  constructor(path: string, failed: (error: unknown) => void) {
    this.#failed = failed;
    this.#fd = openSync(path, 'w');
    writeSync(this.#fd, HEAD + TAIL);
    process.on('exit', this.#atExit);
  }

  write(event: TraceEvent): void {
    if (!this.#open) return;
    this.#text += `${this.#first ? '' : ','}\n${traceLine(event)}`;
    this.#first = false;
    if (this.#text.length >= BATCH) this.flush();
    else this.#timer ??= outsideTasks(() => setTimeout(this.#atExit, DELAY).unref());
  }

  /** Writes what has been gathered. Does not return before the operating system has it. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (!this.#open || this.#text === '') return;
    const bytes = Buffer.from(this.#text + TAIL);
    this.#text = '';
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#place + done);
      }
    } catch (error) {
      // swallows: a full disk must not end the program that is being watched; whoever records is told.
      this.#end();
      return this.#failed(error);
    }
    this.#place += bytes.length - TAIL.length;
  }

  readonly #atExit = (): void => this.flush();

  close(): void {
    this.flush();
    this.#end();
  }

  #end(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.#atExit);
    if (this.#timer !== null) clearTimeout(this.#timer);
    closeSync(this.#fd);
  }
}
