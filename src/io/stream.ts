/*
 * Streams of bytes and lines over a handle. What has been received and not yet been read stays
 * in the stream, so that nothing is lost to a cancellation.
 *
 * What a stream is over is in file-stream.ts and socket-stream.ts. Files with text, seek and tell are in file/; here bytes only
 * come and go.
 */

import { blocksAreAwaited, loopsAreAwaited } from '../base/awaited.ts';
import { describe, isIterable } from '../base/callable.ts';
import { printedAsText } from '../base/printing.ts';
import { EOFError } from '../errors.ts';
import {
  admitComposite,
  enter,
  enterComposite,
  handled,
  pass,
  refused,
  type TaskRecord,
  takeBreath,
} from '../traps.ts';
import {
  bytesOf,
  checkCount,
  type Data,
  memoryOf,
  movedAway,
  tryDrained,
  tryEnded,
  tryRecv,
} from './attempts.ts';
import { Blocking } from './blocking.ts';
import { ByteQueue } from './bytes.ts';
import type { BlockingFile, Handle } from './driver.ts';
import { sendAll } from './sending.ts';
import { reading, writing } from './slot.ts';
import { attach, refusedAt, systemError } from './system.ts';

/** What is asked for at a time. */
const CHUNK = 65536;

/**
 * What `FileStream` and `SocketStream` have in common.
 *
 * `for await (const line of stream)` gives lines, each with its newline.
 *
 * @see Reference manual, "Streams"
 */
export abstract class Stream implements AsyncDisposable, AsyncIterable<Buffer> {
  static {
    blocksAreAwaited(this, 'A stream closes');
    loopsAreAwaited(this, 'stream');
    printedAsText(this);
  }

  readonly #handle: Handle;
  readonly #bytes = new ByteQueue();
  readonly #keepOpen: boolean;

  /** @internal */
  constructor(handle: Handle, keepOpen: boolean) {
    this.#handle = handle;
    this.#keepOpen = keepOpen;
  }

  // ---- Reading ----

  /** The calling task, if it may read now. */
  #reader(operation: string): TaskRecord | Promise<never> {
    const task = admitComposite(operation);
    if (task === null) return refused(operation);
    const { reader } = this.#handle;
    return reader.task === null ? task : reader.busy(operation);
  }

  #receive(operation: string, maxbytes: number): Promise<Buffer> {
    return reading(this.#handle, operation, tryRecv, maxbytes, undefined, undefined);
  }

  /** Receives some more; false at the end of input. */
  async #fill(operation: string): Promise<boolean> {
    const chunk = await this.#receive(operation, CHUNK);
    this.#bytes.push(chunk);
    return chunk.length > 0;
  }

  /**
   * Reads what has been received already, at most `maxbytes` (-1: all of it); if that is nothing, waits for more, up to 64 KiB. Empty at
   * the end of input. Blocks (`READ_WAIT`) while nothing is there.
   *
   * **Cancellation:** nothing has been read.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Streams"
   */
  read(maxbytes = -1): Promise<Buffer> {
    const limit = maxbytes < 0 ? Number.POSITIVE_INFINITY : checkCount(maxbytes, 'maxbytes', 'read()');
    if (this.#bytes.length === 0 && limit > 0)
      return this.#receive('Stream.read()', limit < CHUNK ? limit : CHUNK);
    const task = this.#reader('Stream.read()');
    return task instanceof Promise ? task : pass(task, this.#bytes.take(limit));
  }

  /**
   * Reads everything up to the end of input. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** `bytesRead` of the exception is everything that had come; it has been read.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Streams"
   */
  readall(): Promise<Buffer> {
    const task = this.#reader('Stream.readall()');
    if (task instanceof Promise)
      return handled(refusedAt(task, () => ({ bytesRead: this.#bytes.takeAll() })));
    return this.#readall();
  }

  async #readall(): Promise<Buffer> {
    try {
      while (await this.#fill('Stream.readall()'));
    } catch (error) {
      attach(error, 'bytesRead', this.#bytes.takeAll());
      throw error;
    }
    return this.#bytes.takeAll();
  }

  /**
   * Reads exactly `n` bytes. Blocks (`READ_WAIT`) until they are there; `readExactly(0)` does not.
   *
   * **Cancellation:** what had come stays readable; `bytesRead` of the exception shows it.
   * @throws EOFError if the input ends before; its `bytesRead` is what came
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Streams"
   */
  readExactly(n: number): Promise<Buffer> {
    checkCount(n, 'number of bytes', 'readExactly()');
    const task = this.#reader('Stream.readExactly()');
    if (task instanceof Promise)
      return handled(refusedAt(task, () => ({ bytesRead: this.#bytes.peekAll() })));
    return this.#bytes.length >= n ? pass(task, this.#bytes.take(n)) : this.#readExactly(n);
  }

  async #readExactly(n: number): Promise<Buffer> {
    try {
      while (this.#bytes.length < n) {
        if (await this.#fill('Stream.readExactly()')) continue;
        const bytesRead = this.#bytes.takeAll();
        throw new EOFError(
          `The input ended after ${bytesRead.length} bytes, and readExactly() was asked for ${n}.`,
          { bytesRead },
        );
      }
    } catch (error) {
      if (!(error instanceof EOFError)) attach(error, 'bytesRead', this.#bytes.peekAll());
      throw error;
    }
    return this.#bytes.take(n);
  }

  /**
   * Reads into `buffer` until it is full or the input ends, and gives the number of bytes; 0 at the end. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** `bytesRead` of the exception is the part of the buffer that was filled; it has been read.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Streams"
   */
  readinto(buffer: ArrayBufferView | ArrayBufferLike): Promise<number> {
    const target = memoryOf(buffer, 'readinto()');
    const task = this.#reader('Stream.readinto()');
    if (task instanceof Promise) return handled(refusedAt(task, () => ({ bytesRead: Buffer.alloc(0) })));
    const filled = this.#bytes.takeInto(target);
    return filled === target.length ? pass(task, filled) : this.#readinto(target, filled);
  }

  async #readinto(target: Uint8Array, begun: number): Promise<number> {
    let filled = begun;
    try {
      while (filled < target.length) {
        const chunk = await this.#receive('Stream.readinto()', Math.min(CHUNK, target.length - filled));
        if (chunk.length === 0) break;
        if (target.length < filled + chunk.length) {
          this.#bytes.push(chunk);
          throw movedAway('Stream.readinto()', 'read into');
        }
        target.set(chunk, filled);
        filled += chunk.length;
      }
    } catch (error) {
      const isThere = target.length >= filled && target.length > 0;
      attach(error, 'bytesRead', isThere ? Buffer.from(target.subarray(0, filled)) : Buffer.alloc(0));
      throw error;
    }
    return filled;
  }

  /**
   * Reads a line with its newline; at the end of input what is left without one, and then empty. Of a line that is longer than `maxbytes`
   * (-1: as long as it likes) the first so many bytes, without waiting for more: a peer that never ends its line fills no more memory
   * than that. Blocks (`READ_WAIT`) while the line is not complete.
   *
   * **Cancellation:** nothing has been read; what had come of the line stays readable.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Streams"
   */
  readline(maxbytes = -1): Promise<Buffer> {
    const limit = maxbytes < 0 ? Number.POSITIVE_INFINITY : checkCount(maxbytes, 'maxbytes', 'readline()');
    const task = this.#reader('Stream.readline()');
    if (task instanceof Promise) return task;
    const line = limit === 0 ? this.#bytes.take(0) : this.#bytes.takeLine(limit);
    return line === null ? this.#readline('Stream.readline()', limit) : pass(task, line);
  }

  async #readline(operation: string, limit = Number.POSITIVE_INFINITY): Promise<Buffer> {
    for (;;) {
      if (!(await this.#fill(operation))) return this.#bytes.takeAll();
      const line = this.#bytes.takeLine(limit);
      if (line !== null) return line;
    }
  }

  /**
   * Reads all lines up to the end of input. Blocks (`READ_WAIT`).
   *
   * **Cancellation:** `linesRead` of the exception are the complete lines; of an incomplete one nothing has been read.
   * @throws ReadResourceBusy if another task is reading
   * @see Reference manual, "Streams"
   */
  readlines(): Promise<Buffer[]> {
    const task = this.#reader('Stream.readlines()');
    if (task instanceof Promise) return handled(refusedAt(task, () => ({ linesRead: [] })));
    return this.#readlines();
  }

  async #readlines(): Promise<Buffer[]> {
    const lines: Buffer[] = [];
    try {
      for (;;) {
        const line = this.#bytes.takeLine() ?? (await this.#readline('Stream.readlines()'));
        if (line.length === 0) return lines;
        lines.push(line);
      }
    } catch (error) {
      attach(error, 'linesRead', lines);
      throw error;
    }
  }

  /** Lines up to the end of input, each with its newline. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    // In what users get to see it has one parameter: TypeScript before 5.6 knows no others.
    const iterator: AsyncIterableIterator<Buffer, undefined> = {
      next: () => {
        const task = this.#reader('Stream iteration');
        if (task instanceof Promise) return task;
        const value = this.#bytes.takeLine();
        return value === null ? this.#nextLine() : pass(task, { value, done: false });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  async #nextLine(): Promise<IteratorResult<Buffer, undefined>> {
    const value = await this.#readline('Stream iteration');
    return value.length > 0 ? { value, done: false } : { value: undefined, done: true };
  }

  // ---- Writing ----

  /**
   * Writes all of `data`, and gives the number of bytes. Blocks (`WRITE_WAIT`) while there is no room.
   *
   * **Cancellation:** `bytesWritten` of the exception is how many bytes the other side will read.
   * @throws WriteResourceBusy if another task is writing
   * @see Reference manual, "Streams"
   */
  write(data: Data): Promise<number> {
    const bytes = bytesOf(data, 'write()');
    return sendAll(this.#handle, 'Stream.write()', bytes, 0, 'bytesWritten', bytes.length);
  }

  /**
   * Writes the pieces of `lines` one after the other; nothing is put between them. They are asked for one by one, so that there may be
   * no end of them. Blocks (`WRITE_WAIT`) while there is no room.
   *
   * **Cancellation:** `bytesWritten` of the exception is how many bytes of them all the other side will read.
   * @throws WriteResourceBusy if another task is writing
   * @see Reference manual, "Streams"
   */
  writelines(lines: Iterable<Data> | AsyncIterable<Data>): Promise<void> {
    if (!isIterable(lines))
      throw new TypeError(`Stream.writelines() wants something to iterate over, not ${describe(lines)}.`);
    const task = enterComposite('Stream.writelines()');
    return task === null ? refused('Stream.writelines()') : handled(this.#writelines(task, lines));
  }

  async #writelines(task: TaskRecord, lines: Iterable<Data> | AsyncIterable<Data>): Promise<void> {
    let written = 0;
    try {
      // There may be nothing to write, again and again.
      const breath = takeBreath(task, 'Stream.writelines()');
      if (breath !== null) await breath;
      for await (const line of lines) written += await this.write(line);
    } catch (error) {
      attach(error, 'bytesWritten', written + ((error as { bytesWritten?: number })?.bytesWritten ?? 0));
      throw error;
    }
  }

  /**
   * Waits until nothing that was written is held back here. On the posix driver nothing ever is, and it does not block; a stream
   * of Node's may hold back the last piece (`WRITE_WAIT`).
   *
   * **Cancellation:** the caller stops waiting.
   * @throws the error that writing has ended with
   * @see Reference manual, "Streams"
   */
  flush(): Promise<void> {
    return writing(this.#handle, 'Stream.flush()', tryDrained, undefined, undefined, undefined);
  }

  /**
   * Flushes, and closes the stream and what is under it. Tasks that wait in it are woken with an Error whose code is `EBADF`; closing
   * twice is harmless. Blocks as `flush()` does, and a stream of Node's also until it has finished: a compressor has more to write then.
   *
   * **Cancellation:** the stream is closed.
   * @see Reference manual, "Streams"
   */
  close(): Promise<void> {
    const task = enter();
    if (task === null) return refused('Stream.close()');
    const handle = this.#handle;
    if (handle.closed || this.#keepOpen) return pass(task, undefined);
    // Another task may be writing; then what it waits for is over.
    if (!handle.hasWriter && !isDone(tryEnded, handle)) return this.#endAndClose();
    handle.close();
    return pass(task, undefined);
  }

  async #endAndClose(): Promise<void> {
    try {
      await writing(this.#handle, 'Stream.close()', tryEnded, undefined, undefined, undefined);
    } finally {
      this.#handle.close();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // ---- The rest ----

  /** @internal How many bytes have been received that nobody has read. */
  get unread(): number {
    return this.#bytes.length;
  }

  /** @internal Takes what has been received that nobody has read. */
  takeUnread(): Buffer {
    return this.#bytes.takeAll();
  }

  /** The descriptor; -1 once the stream is closed. */
  fileno(): number {
    return this.#handle.fileno();
  }

  /** Where tasks wait for this stream: what makes `readWait(stream)` work. */
  get readiness(): Handle {
    return this.#handle;
  }

  /**
   * The raw file in blocking mode, for synchronous code; on the way out it no longer blocks. Meanwhile the stream's own
   * operations are refused as busy.
   *
   * Beware: a call of `raw` holds up every task of the thread.
   * @throws an Error if something has been received that has not been read; without `fn` also if a file is still being written: `await
   * flush()` first
   * @throws NotSupportedError for streams of Node's and of the web, and for sockets and pipes on the portable driver
   * @see Reference manual, "Streams"
   */
  blocking(): Blocking<BlockingFile>;
  blocking<T>(fn: (raw: BlockingFile) => T | PromiseLike<T>): Promise<T>;
  blocking<T>(fn?: (raw: BlockingFile) => T | PromiseLike<T>): Blocking<BlockingFile> | Promise<T> {
    // A block that is awaited can wait for what is still being written.
    return fn === undefined || isDone(tryDrained, this.#handle) ? this.#blocking(fn) : this.#flushed(fn);
  }

  async #flushed<T>(fn: (raw: BlockingFile) => T | PromiseLike<T>): Promise<T> {
    await this.flush();
    return this.#blocking(fn) as Promise<T>;
  }

  #blocking<T>(
    fn: ((raw: BlockingFile) => T | PromiseLike<T>) | undefined,
  ): Blocking<BlockingFile> | Promise<T> {
    return Blocking.of(this.#handle, 'Stream.blocking()', fn, () => {
      const length = this.unread;
      if (length === 0) return;
      const error = systemError('EIO', 'blocking');
      error.message += `: there is unread data in the stream, ${length} bytes; read it first`;
      throw error;
    });
  }

  toString(): string {
    const unread = this.unread === 0 ? '' : `, ${this.unread} bytes unread`;
    return `${this.constructor.name}(${this.#handle.closed ? 'closed' : 'open'}${unread})`;
  }
}

/** True if nothing is left to be waited for. */
function isDone(attempt: (handle: Handle) => undefined | null, handle: Handle): boolean {
  try {
    return attempt(handle) !== null;
  } catch {
    // swallows: nothing waits here; a stream that has failed has nothing left to write.
    return true;
  }
}
