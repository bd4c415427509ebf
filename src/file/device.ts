/*
 * The file as the operating system has it: a FileHandle, where the next byte is read or written, and the one
 * step that is under way in the thread pool.
 *
 * Node has no lseek(). So what goes on where the descriptor stands uses the descriptor's own offset, which keeps it
 * right for a child process that inherits it; after a seek each step names its place.
 *
 * A step cannot be called back. It belongs to the file, not to the task that asked for it: when it ends, the file
 * takes note of it, whether the task still waits or not. Knows no text and no buffers but those it is given.
 */

import { fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { systemError } from '../io/system.ts';
import { begin, outsideTasks, type TaskRecord } from '../traps.ts';
import { PoolSlot } from './wait.ts';

/** One call of the operating system. */
export interface Step {
  /** Makes it in the thread pool. */
  start(): Promise<number>;
  /** Makes it here and now. */
  now(): number;
  /** Takes note of its result. */
  done(result: number): void;
  result: number;
  error: unknown;
}

/** What an operation does: it asks for steps, one after the other, and goes on when each has been done. */
export type Steps<T> = Generator<Step, T, void>;

/** One step, and its result. */
export function* perform(step: Step): Steps<number> {
  yield step;
  return step.result;
}

/** What is known about an open file. */
export interface DeviceInfo {
  readonly size: number;
  readonly seekable: boolean;
}

/** What a file is, by its status: `stat` of Node's. */
export function deviceInfo(
  fd: number,
  stat: { size: number; isFile(): boolean; isBlockDevice(): boolean; isCharacterDevice(): boolean },
): DeviceInfo {
  const seekable =
    stat.isFile() ||
    stat.isBlockDevice() ||
    (stat.isCharacterDevice() && !process.getBuiltinModule('node:tty').isatty(fd));
  return { size: stat.isFile() ? stat.size : 0, seekable };
}

/** Who must know what becomes of steps. */
export interface DeviceListener {
  /** No step is under way any more. */
  stepEnded(): void;
  /** A task has ended that was waiting for a step. */
  taskEnded(): void;
}

export class Device {
  readonly handle: FileHandle;
  readonly append: boolean;
  readonly seekable: boolean;
  /** The size of the file when it was opened. */
  readonly #size: number;
  /** Where the next byte is read or written. NaN if only the operating system knows: after appending. */
  at: number;
  /** Where the descriptor itself stands. */
  #offset = 0;
  /**
   * True if the last read has shown the end of the file: it got less than it asked for, and all that was there at the opening has been
   * read. Files of /proc, which are of any length, say that theirs is zero.
   */
  ended = false;
  /** The step that is under way. */
  step: Step | null = null;
  #settled: Promise<void> = Promise.resolve();
  readonly #slot: PoolSlot;
  readonly #listener: DeviceListener;

  constructor(handle: FileHandle, append: boolean, { size, seekable }: DeviceInfo, listener: DeviceListener) {
    this.#listener = listener;
    this.handle = handle;
    this.append = append;
    this.seekable = seekable;
    this.#size = size;
    this.at = append && seekable ? size : 0;
    this.#slot = new PoolSlot((task) => {
      // A task that was cancelled sees that itself, when it goes on. One that is ending does not go on.
      queueMicrotask(() => {
        if (task.terminated) listener.taskEnded();
      });
    });
  }

  /** How many bytes are believed to follow; Infinity where nothing is known. */
  get left(): number {
    return this.seekable && this.at <= this.#size ? this.#size - this.at : Number.POSITIVE_INFINITY;
  }

  // ---- Steps ----

  /** The place to name: null where the descriptor stands already. */
  get #place(): number | null {
    return this.at === this.#offset || !this.seekable ? null : this.at;
  }

  /** True if the descriptor stands where the file does, or will when something is appended. */
  get inPlace(): boolean {
    return this.append || this.#place === null;
  }

  #moved(bytes: number, place: number | null): void {
    this.at += bytes;
    if (place === null) this.#offset += bytes;
  }

  /** Reads into `target` from `start` to its end; 0 at the end of the file. */
  read(target: Buffer, start: number, done: (bytes: number) => void): Step {
    const length = target.length - start;
    const place = this.#place;
    return this.#step(
      async () => (await this.handle.read(target, start, length, place)).bytesRead,
      () => readSync(this.handle.fd, target, start, length, place),
      (bytes) => {
        this.#moved(bytes, place);
        this.ended = bytes < length && this.#size > 0 && this.at >= this.#size;
        done(bytes);
      },
    );
  }

  /** Writes what stands in `source` from `start` to `end`, or the beginning of it. */
  write(source: Buffer, start: number, end: number, done: (bytes: number) => void): Step {
    const length = end - start;
    const place = this.append ? null : this.#place;
    return this.#step(
      async () => (await this.handle.write(source, start, length, place)).bytesWritten,
      () => writeSync(this.handle.fd, source, start, length, place),
      (bytes) => {
        // Others may append, too: only the operating system knows where that ended.
        if (this.append && this.seekable) this.at = this.#offset = Number.NaN;
        else this.#moved(bytes, place);
        done(bytes);
      },
    );
  }

  /** The size of the file. */
  size(): Step {
    return this.#step(
      async () => (await this.handle.stat()).size,
      () => fstatSync(this.handle.fd).size,
    );
  }

  truncate(size: number): Step {
    return this.#step(
      async () => {
        await this.handle.truncate(size);
        return size;
      },
      () => {
        ftruncateSync(this.handle.fd, size);
        return size;
      },
    );
  }

  #step(start: () => Promise<number>, now: () => number, done: (result: number) => void = () => {}): Step {
    return { start, now, done, result: 0, error: null };
  }

  // ---- Doing them ----

  /** Begins a step, which goes on whoever waits. Only one at a time. */
  start(step: Step): Promise<void> {
    this.step = step;
    // Outside the task: a step that never ends must not hold on to it.
    this.#settled = outsideTasks(() => step.start()).then(
      (result) => {
        step.result = result;
        step.done(result);
        this.#finish();
      },
      (error) => {
        // swallows: nothing; whoever waits for the step throws it, and what was not written will be tried again.
        step.error = error;
        this.#finish();
      },
    );
    return this.#settled;
  }

  #finish(): void {
    this.step = null;
    this.#listener.stepEnded();
    this.#slot.done();
  }

  /** Settles when no step is under way any more. Does not reject. */
  settled(): Promise<void> {
    return this.#settled;
  }

  /** Does a step for a task, which waits (`FUTURE_WAIT`). */
  async perform(task: TaskRecord, operation: string, step: Step): Promise<void> {
    const refusal = begin(task, operation);
    if (refusal !== null) return refusal;
    void this.start(step);
    await this.#slot.suspend(task, step);
    if (step.error !== null) throw step.error;
  }

  /** Waits for the end of a step that a cancelled task has left behind. */
  async join(task: TaskRecord, operation: string): Promise<void> {
    if (this.step === null) return;
    const refusal = begin(task, operation);
    if (refusal !== null) return refusal;
    await this.#slot.suspend(task, this.step);
  }

  /** Does a step at once. */
  performSync(step: Step): void {
    step.result = step.now();
    step.done(step.result);
  }

  /** Throws an error into the task that waits for a step; `make` is told in which operation. */
  interrupt(make: (operation: string) => unknown): void {
    const { task } = this.#slot;
    if (task !== null) this.#slot.fail(make(task.operation));
  }

  // ---- The end ----

  /** True once there is no descriptor any more. */
  get closed(): boolean {
    return this.handle.fd < 0;
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  /** @throws an Error with the code `ESPIPE` */
  requireSeekable(syscall: string): void {
    if (!this.seekable) throw systemError('ESPIPE', syscall);
  }
}
