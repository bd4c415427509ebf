/*
 * Files as tasks use them. What is there already is handed out at once; otherwise the operation stands in line for
 * the file, and its task waits for the thread pool step by step.
 *
 * What the operations do is in contents.ts; whose turn it is, and what becomes of an operation when its task is cancelled or
 * the file is closed, in turns.ts.
 */

import type { PathLike } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { blocksAreAwaited, loopsAreAwaited } from '../base/awaited.ts';
import { describe, isIterable } from '../base/callable.ts';
import { printedAsText } from '../base/printing.ts';
import { memoryOf } from '../io/attempts.ts';
import { attach, refusedAt } from '../io/system.ts';
import {
  admitComposite,
  callingTask,
  enterComposite,
  fail,
  handled,
  pass,
  RESUME_VALUE,
  refused,
  type TaskRecord,
  takeBreath,
} from '../traps.ts';
import { type BlockingFile, BlockingMode, checkData, checkLimit, checkPlace } from './blocking.ts';
import { ALL, type Contents, SEEK_CUR, SEEK_END, SEEK_SET, type Writable } from './contents.ts';
import type { Steps } from './device.ts';
import type { FileOptions } from './format.ts';
import type { Mode } from './mode.ts';
import { found, type Opened } from './opened.ts';
import { Turns } from './turns.ts';

const ITERATION = 'AsyncFile iteration';
/** Lines that a loop is given, none of which it has to wait for, before other tasks have their turn. */
const LINES = 1000;

/**
 * A file whose operations block the calling task only. What `read`, `write` and the others give and take are strings, or
 * Buffers if it was opened in binary mode. Characters are counted as Python does, by code points.
 *
 * Tasks may share a file. They take turns, first come, first served, operation by operation: no two lines are mixed up, and each
 * byte is read by one of them.
 *
 * **Cancellation:** what the operating system is doing for a cancelled task cannot be called back. The file waits for its end
 * before it does anything else, and takes note of it: no byte is lost, and `tell()` is right.
 *
 * `for await (const line of file)` gives lines, each with its newline. `await using file = await aopen(path)` closes the file
 * at the end of the block.
 *
 * @see Reference manual, "Files"
 */
export class AsyncFile<D extends string | Buffer = string | Buffer>
  implements AsyncDisposable, AsyncIterable<D>
{
  static {
    printedAsText(this);
    blocksAreAwaited(this, 'A file closes');
    loopsAreAwaited(this, 'file');
  }

  /** What the file was opened as. */
  readonly name: PathLike;
  /** The mode it was opened in, as it was written. */
  readonly mode: string;
  /** How text is encoded; null in binary mode. */
  readonly encoding: string | null;
  readonly #mode: Mode;
  readonly #turns: Turns<D>;
  readonly #contents: Contents<D>;

  /**
   * Wraps a file that was opened with `fs.promises.open`, and of which nothing has been read or written yet.
   *
   * @param fileobj from now on this object's; it is closed when the file is
   * @param mode what it was opened for, as for `aopen()`
   */
  constructor(fileobj: FileHandle, mode?: string, options?: FileOptions);
  /** @internal */
  constructor(fileobj: FileHandle, opened: Opened);
  constructor(fileobj: FileHandle, mode: string | Opened = 'r', options: FileOptions = {}) {
    const opened = typeof mode === 'string' ? found(fileobj, mode, options) : mode;
    this.name = opened.name;
    this.mode = opened.mode.text;
    this.encoding = opened.format?.codec.name ?? null;
    this.#mode = opened.mode;
    this.#turns = new Turns(this, fileobj, opened);
    this.#contents = this.#turns.contents;
  }

  // ---- Reading ----

  /**
   * Reads `n` characters (bytes in binary mode), fewer only at the end of the file; everything up to the end if `n` is negative.
   * Empty at the end. Blocks (`FUTURE_WAIT`) unless they have been read ahead.
   *
   * **Cancellation:** nothing has been read.
   * @throws TypeError, with the `byte` it stands at, when reading comes to what is not text in this encoding
   * @throws NotSupportedError if the file was not opened for reading
   * @see Reference manual, "Files"
   */
  read(n: number | null = -1): Promise<D> {
    return this.#turns.operate('AsyncFile.read()', this.#contents.read(checkLimit(n, 'read()')));
  }

  /**
   * Reads up to `n` bytes with at most one call of the operating system: what has been read ahead, or else what comes first. Only
   * in binary mode. Blocks (`FUTURE_WAIT`) if nothing has been read ahead.
   *
   * **Cancellation:** nothing has been read.
   * @see Reference manual, "Files"
   */
  read1(n: number | null = -1): Promise<Buffer> {
    const operation = 'AsyncFile.read1()';
    return this.#turns.operate(operation, this.#contents.readOnce(checkLimit(n, 'read1()'), operation));
  }

  /**
   * Reads everything up to the end. Blocks (`FUTURE_WAIT`).
   *
   * **Cancellation:** `bytesRead` of the exception is what was read, a string or a Buffer; reading goes on after it.
   * @see Reference manual, "Files"
   */
  readall(): Promise<D> {
    const { empty } = this.#contents.input;
    return this.#turns.operate('AsyncFile.readall()', this.#contents.all(), { bytesRead: empty });
  }

  /**
   * Reads a line with its newline, or its first `maxbytes` characters (bytes in binary mode). At the end of the file the line may have no
   * newline, and then is empty. Blocks (`FUTURE_WAIT`) unless the line has been read ahead.
   *
   * **Cancellation:** nothing has been read.
   * @see Reference manual, "Files"
   */
  readline(maxbytes: number | null = -1): Promise<D> {
    const limit = checkLimit(maxbytes, 'readline()');
    if (limit === ALL) {
      const task = admitComposite('AsyncFile.readline()');
      if (task === null) return refused('AsyncFile.readline()');
      const line = this.#contents.free ? this.#contents.input.quickLine() : null;
      if (line !== null) return pass(task, line);
    }
    return this.#turns.operate('AsyncFile.readline()', this.#contents.line(limit));
  }

  /**
   * Reads all lines up to the end; or, if `maxbytes` is more than 0, no more of them than are needed for as many characters or bytes.
   * Blocks (`FUTURE_WAIT`).
   *
   * **Cancellation:** `linesRead` of the exception are the complete lines; of an incomplete one nothing has been read.
   * @see Reference manual, "Files"
   */
  readlines(maxbytes: number | null = -1): Promise<D[]> {
    const hint = checkLimit(maxbytes || -1, 'readlines()');
    return this.#turns.operate('AsyncFile.readlines()', this.#contents.lines(hint), { linesRead: [] });
  }

  /**
   * Reads into `buffer` until it is full or the file ends, and gives the number of bytes. Only in binary mode. Blocks (`FUTURE_WAIT`).
   *
   * **Cancellation:** nothing has been read, and `buffer` is as it was.
   * @see Reference manual, "Files"
   */
  readinto(buffer: ArrayBufferView | ArrayBufferLike): Promise<number> {
    const operation = 'AsyncFile.readinto()';
    return this.#turns.operate(
      operation,
      this.#contents.readInto(memoryOf(buffer, operation), false, operation),
    );
  }

  /**
   * Reads into `buffer` with at most one call of the operating system, and gives the number of bytes. Only in binary mode. Blocks
   * (`FUTURE_WAIT`) if nothing has been read ahead.
   *
   * **Cancellation:** nothing has been read, and `buffer` is as it was.
   * @see Reference manual, "Files"
   */
  readinto1(buffer: ArrayBufferView | ArrayBufferLike): Promise<number> {
    const operation = 'AsyncFile.readinto1()';
    return this.#turns.operate(
      operation,
      this.#contents.readInto(memoryOf(buffer, operation), true, operation),
    );
  }

  /** Lines up to the end, each with its newline; several tasks may ask for them. */
  [Symbol.asyncIterator](): AsyncIterableIterator<D> {
    // In what users get to see it has one parameter: TypeScript before 5.6 knows no others.
    const contents = this.#contents;
    const starter = callingTask() ?? null;
    let left = LINES;
    const iterator: AsyncIterableIterator<D, undefined> = {
      // Programs spend their time here: nothing is made for a line but the line, its result and the promise for that. While it is
      // the turn of the task that began the loop, who is asking need not be looked up, and turns are counted here.
      next: () => {
        const itsTurn = starter !== null && starter.core.running === starter;
        const task = itsTurn ? starter : enterComposite(ITERATION);
        if (task === null) return refused(ITERATION);
        const value = contents.free ? contents.input.quickLine() : null;
        if (value === null) return this.#nextLine();
        const result: IteratorResult<D, undefined> = { value, done: false };
        if (!itsTurn) return pass(task, result);
        if (--left > 0) return Promise.resolve(result);
        left = LINES;
        return task.core.yieldTurn(task, RESUME_VALUE, result);
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  #nextLine(): Promise<IteratorResult<D, undefined>> {
    return this.#turns.operate(ITERATION, nextOf(this.#contents.line(ALL)));
  }

  // ---- Writing ----

  /**
   * Writes all of `data`, and gives the number of characters (bytes in binary mode). It is collected, and handed to the operating
   * system when there is enough of it, on `flush()`, and before anything else is done with the file. Blocks (`FUTURE_WAIT`) when there is enough.
   *
   * **Cancellation:** `bytesWritten` of the exception is how much of `data` the file has taken, counted as this method counts; that will be
   * written, the rest will not. The same is true of errors.
   * @param data a string; in binary mode also bytes, a string being UTF-8
   * @throws RangeError, with nothing written, for text that this encoding has no bytes for
   * @throws NotSupportedError if the file was not opened for writing
   * @throws an Error with a code such as `ENOSPC`; what could not be written is tried again by what comes next
   * @see Reference manual, "Files"
   */
  write(data: Writable<D>): Promise<number> {
    checkData(data, !this.#mode.binary, 'AsyncFile.write()');
    const task = admitComposite('AsyncFile.write()');
    if (task === null) return handled(refusedAt(refused('AsyncFile.write()'), () => ({ bytesWritten: 0 })));
    const written = this.#contents.free ? this.#contents.quickWrite(data) : -1;
    if (written >= 0) return pass(task, written);
    return this.#turns.operate('AsyncFile.write()', this.#contents.write(data), { bytesWritten: 0 });
  }

  /**
   * Writes the pieces of `lines` one after the other; nothing is put between them. They are asked for one by one, so that there may be no
   * end of them, and other tasks may write between two of them. Blocks (`FUTURE_WAIT`) when enough has been collected.
   *
   * **Cancellation:** `bytesWritten` of the exception is how much of them all the file has taken, counted as `write()` counts.
   * @see Reference manual, "Files"
   */
  writelines(lines: Iterable<Writable<D>> | AsyncIterable<Writable<D>>): Promise<void> {
    if (!isIterable(lines))
      throw new TypeError(`AsyncFile.writelines() wants something to iterate over, not ${describe(lines)}.`);
    const task = enterComposite('AsyncFile.writelines()');
    return task === null ? refused('AsyncFile.writelines()') : handled(this.#writelines(task, lines));
  }

  async #writelines(
    task: TaskRecord,
    lines: Iterable<Writable<D>> | AsyncIterable<Writable<D>>,
  ): Promise<void> {
    let written = 0;
    try {
      // They may be few or none, again and again.
      const breath = takeBreath(task, 'AsyncFile.writelines()');
      if (breath !== null) await breath;
      if (typeof lines === 'object' && Symbol.asyncIterator in lines) {
        for await (const line of lines) written += await this.write(line);
        return;
      }
      for (const line of lines) {
        checkData(line, !this.#mode.binary, 'AsyncFile.writelines()');
        const quickly = this.#contents.free ? this.#contents.quickWrite(line) : -1;
        written += quickly >= 0 ? quickly : await this.write(line);
      }
    } catch (error) {
      const last = (error as { bytesWritten?: number } | null)?.bytesWritten ?? 0;
      attach(error, 'bytesWritten', written + last);
      throw error;
    }
  }

  /**
   * Hands what was written to the operating system. Blocks (`FUTURE_WAIT`) if there is anything.
   *
   * **Cancellation:** some of it may not have been handed over yet.
   * @see Reference manual, "Files"
   */
  flush(): Promise<void> {
    return this.#turns.operate('AsyncFile.flush()', this.#contents.flush());
  }

  /**
   * Cuts the file off after `size` bytes, by default where it stands, or lengthens it with zeros, and gives the size. Where the file
   * stands does not change. Blocks (`FUTURE_WAIT`).
   *
   * **Cancellation:** it may have been done or not.
   * @see Reference manual, "Files"
   */
  truncate(size: number | null = null): Promise<number> {
    if (size !== null && checkPlace(size, 'AsyncFile.truncate()') < 0) {
      return this.#failing('AsyncFile.truncate()', new RangeError(`truncate(): ${size} is no size.`));
    }
    return this.#turns.operate('AsyncFile.truncate()', this.#contents.truncate(size));
  }

  // ---- Places ----

  /**
   * Goes to another place, and gives it: `offset` bytes from the beginning (`SEEK_SET`), from here (`SEEK_CUR`) or from the end (`SEEK_END`).
   * In text mode the places to go to are 0, the end, and what `tell()` gave. Blocks (`FUTURE_WAIT`) if something waits to be written, and to find the end.
   *
   * **Cancellation:** the file stands where it stood.
   * @throws RangeError for a place before the beginning
   * @throws NotSupportedError for a distance in text mode
   * @throws an Error with the code `ESPIPE` for a pipe or a terminal
   * @see Reference manual, "Files"
   */
  seek(offset: number, whence: number = SEEK_SET): Promise<number> {
    checkPlace(offset, 'AsyncFile.seek()');
    if (whence !== SEEK_SET && whence !== SEEK_CUR && whence !== SEEK_END) {
      const error = new RangeError(
        `AsyncFile.seek() counts from SEEK_SET, SEEK_CUR or SEEK_END, not from ${describe(whence)}.`,
      );
      return this.#failing('AsyncFile.seek()', error);
    }
    return this.#turns.operate('AsyncFile.seek()', this.#contents.seek(offset, whence));
  }

  /**
   * Where the file stands, for `seek()`: the number of bytes before it. In text mode that holds for all encodings that need nothing else to be known there;
   * `utf-16` with its high bytes first and `iso-2022-jp` give numbers that only `seek()` understands. Does not block, but for a file open for appending (`FUTURE_WAIT`).
   *
   * @throws an Error with the code `ESPIPE` for a pipe or a terminal
   * @see Reference manual, "Files"
   */
  tell(): Promise<number> {
    return this.#turns.operate('AsyncFile.tell()', this.#contents.tell());
  }

  #failing(operation: string, error: Error): Promise<never> {
    const task = enterComposite(operation);
    return task === null ? refused(operation) : fail(task, error);
  }

  // ---- The end ----

  /** True once `close()` has been called. */
  get closed(): boolean {
    return this.#turns.closed;
  }

  /**
   * Hands over what was written, and closes the file. A task that waits in one of its operations is woken with an Error whose `code` is
   * `EBADF`, as is whoever uses the file afterwards; closing it twice is harmless. Blocks (`FUTURE_WAIT`).
   *
   * **Cancellation:** the file is closed all the same, as soon as the operating system has done what it is about. An error
   * that nobody waits for any more is logged.
   * @throws an Error with a code such as `ENOSPC` if something could not be written; the file is closed, and that is lost
   * @see Reference manual, "Files"
   */
  close(): Promise<void> {
    return this.#turns.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- The rest ----

  /** The descriptor; -1 once the file is closed. */
  fileno(): number {
    return this.#turns.device.handle.fd;
  }

  /** @internal Before a process is given the descriptor. */
  handOver(who: string): void {
    this.#turns.handOver(who);
  }

  /** True if the file was opened for reading. */
  readable(): boolean {
    return this.#mode.readable;
  }

  /** True if the file was opened for writing. */
  writable(): boolean {
    return this.#mode.writable;
  }

  /** True unless it is a pipe or a terminal, in which there are no places to go to. */
  seekable(): boolean {
    return this.#turns.device.seekable;
  }

  /**
   * The file itself in blocking mode, for synchronous code: `read`, `write` and the others without a promise, and
   * `for (const line of raw)`. What waits to be written is written first. Until the block ends the operations of tasks are refused.
   *
   * Beware: a call of `raw` holds up every task of the thread.
   * @throws an Error if something has been read ahead; `await file.seek(await file.tell())` forgets it
   * @throws ResourceBusy if a task is using the file
   * @see Reference manual, "Files"
   * @example
   * using b = file.blocking();
   * const data = b.raw.read();
   */
  blocking(): BlockingMode<D>;
  blocking<T>(fn: (raw: BlockingFile<D>) => T | PromiseLike<T>): Promise<T>;
  blocking<T>(fn?: (raw: BlockingFile<D>) => T | PromiseLike<T>): BlockingMode<D> | Promise<T> {
    return BlockingMode.of(this.#turns, !this.#mode.binary, fn);
  }

  toString(): string {
    return `AsyncFile(name='${String(this.name)}', mode='${this.mode}'${this.closed ? ', closed' : ''})`;
  }
}

/** A line as what an iterator gives. */
function* nextOf<D extends string | Buffer>(line: Steps<D>): Steps<IteratorResult<D, undefined>> {
  const value = yield* line;
  return value.length > 0 ? { value, done: false } : { value: undefined, done: true };
}
