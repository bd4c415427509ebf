/*
 * `run({ record: 'trace.json' })`: all that tasks do, written down for ui.perfetto.dev and chrome://tracing. A track
 * for each task, with a slice for each of its turns and each of its waits; an arrow from what woke a task to the turn
 * that follows; a mark where a cancellation is asked for, and where it is delivered.
 */

import { basename } from 'node:path';
import { valueText } from '../base/stack.ts';
import { CancelledError } from '../errors.ts';
import type { Task } from '../task.ts';
import { atShutdown, Observer, report } from '../traps.ts';
import { TraceFile } from './trace-file.ts';

/** What is to be remembered of a task between two of its turns. */
interface Track {
  /** When its turn, or its wait, began. */
  since: number;
  /** What it waits in; empty before its first turn. */
  state: string;
  operation: string;
  /** The arrow that leads to its next turn; 0 for none. */
  flow: number;
}

const microseconds = () => Math.round(performance.now() * 1e6) / 1e3;

export class TraceRecorder extends Observer {
  readonly #path: string;
  readonly #tracks = new Map<number, Track>();
  #file: TraceFile | null = null;
  #flows = 0;
  /** Whose logger is told when the file cannot be written. */
  #witness: Task<unknown> | null = null;

  constructor(path: string) {
    super();
    this.#path = path;
  }

  override activate(): void {
    this.#file = new TraceFile(this.#path, (error) => {
      if (this.#witness !== null)
        report(this.#witness, 'error', `${this.#path}: the recording ends here: ${valueText(error)}`);
    });
    const name = `curio ${basename(process.argv[1] ?? 'node')}`;
    this.#file.write({ ph: 'M', name: 'process_name', tid: 0, args: { name } });
  }

  override created(task: Task<unknown>): void {
    const file = this.#file;
    if (file === null) return;
    if (this.#witness === null) {
      this.#witness = task;
      atShutdown(task, () => this.#close());
    }
    const now = microseconds();
    const track: Track = { since: now, state: '', operation: '', flow: 0 };
    this.#tracks.set(task.id, track);
    const called = `${task.id} ${task.name}`;
    file.write({ ph: 'M', name: 'thread_name', tid: task.id, args: { name: called } });
    file.write({ ph: 'M', name: 'thread_sort_index', tid: task.id, args: { sort_index: task.id } });
    if (task.parentId !== null) this.#arrow(track, 'spawn', task.parentId, now);
  }

  /** The beginning of an arrow, on the track of whoever makes the task ready. */
  #arrow(track: Track, name: string, from: number, now: number): void {
    track.flow = ++this.#flows;
    this.#file?.write({ ph: 's', name, cat: 'wake', id: track.flow, tid: from, ts: now });
  }

  override woken(task: Task<unknown>, by: Task<unknown> | null): void {
    const track = this.#tracks.get(task.id);
    if (track !== undefined && by !== null) this.#arrow(track, 'wake', by.id, microseconds());
  }

  override running(task: Task<unknown>): void {
    const file = this.#file;
    const track = this.#tracks.get(task.id);
    if (file === null || track === undefined) return;
    const now = microseconds();
    const { since, state, operation, flow } = track;
    if (state !== '') {
      const args = operation === '' ? undefined : { operation };
      file.write({ ph: 'X', name: state, cat: 'wait', tid: task.id, ts: since, dur: now - since, args });
    }
    if (flow !== 0)
      file.write({
        ph: 'f',
        name: state === '' ? 'spawn' : 'wake',
        cat: 'wake',
        bp: 'e',
        id: flow,
        tid: task.id,
        ts: now,
      });
    track.since = now;
    track.flow = 0;
  }

  override suspended(task: Task<unknown>): void {
    const track = this.#tracks.get(task.id);
    if (track === undefined) return;
    const now = microseconds();
    const { since } = track;
    track.since = now;
    track.state = task.state;
    track.operation = task.operation;
    const args = { turn: task.cycles, until: task.terminated ? 'TERMINATED' : task.operation || task.state };
    this.#file?.write({
      ph: 'X',
      name: task.name,
      cat: 'run',
      tid: task.id,
      ts: since,
      dur: now - since,
      args,
    });
  }

  override terminated(task: Task<unknown>): void {
    this.#tracks.delete(task.id);
    if (task.failed && !(task.exception instanceof CancelledError))
      this.#mark(task, 'failed', { error: valueText(task.exception) });
  }

  override cancelling(task: Task<unknown>, exc: unknown): void {
    const by = exc instanceof CancelledError && exc.requestedBy !== null ? String(exc.requestedBy) : null;
    this.#mark(task, 'cancellation asked for', { with: valueText(exc), by, why: whyOf(exc) });
  }

  override delivered(task: Task<unknown>, exc: unknown, operation: string): void {
    this.#mark(task, 'delivered', { what: valueText(exc), operation });
  }

  override deadlocked(text: string): void {
    this.#file?.write({
      ph: 'i',
      s: 'g',
      name: 'deadlock',
      cat: 'error',
      tid: 0,
      ts: microseconds(),
      args: { text },
    });
    this.#file?.flush();
  }

  #mark(task: Task<unknown>, name: string, args: Record<string, unknown>): void {
    this.#file?.write({ ph: 'i', s: 't', name, cat: 'cancel', tid: task.id, ts: microseconds(), args });
  }

  #close(): void {
    this.#file?.close();
    this.#file = null;
    this.#tracks.clear();
  }
}

function whyOf(exc: unknown): string | null {
  return exc instanceof Error && exc.cause !== undefined ? valueText(exc.cause) : null;
}
