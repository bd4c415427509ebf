/*
 * A file in blocking mode: the same methods, synchronous, for code that knows nothing of tasks. Each of them holds up the
 * whole thread.
 */

import { describe } from '../base/callable.ts';
import { RuntimeError } from '../errors.ts';
import { memoryOf } from '../io/attempts.ts';
import { during } from '../io/blocking.ts';
import { systemError } from '../io/system.ts';
import { enterComposite, outsideError } from '../traps.ts';
import { ALL, type Contents, SEEK_SET, type Writable } from './contents.ts';
import type { Steps } from './device.ts';
import type { Turns } from './turns.ts';

/** What a number of characters to read means: any if it is negative. @throws TypeError */
export function checkLimit(value: unknown, operation: string): number {
  if (value === null || value === undefined) return ALL;
  if (typeof value !== 'number' || Number.isNaN(value))
    throw new TypeError(`${operation} wants a number, not ${describe(value)}.`);
  return value < 0 ? ALL : Math.floor(value);
}

/** A place in a file, or a distance. @throws TypeError */
export function checkPlace(value: unknown, operation: string): number {
  if (Number.isSafeInteger(value)) return value as number;
  throw new TypeError(`${operation} wants a whole number, not ${describe(value)}.`);
}

/** What a file is given to write. @throws TypeError for bytes where text is wanted, or the other way round */
export function checkData(data: unknown, text: boolean, operation: string): void {
  if (typeof data === 'string') return;
  if (text)
    throw new TypeError(`${operation} wants a string, for the file is open for text, not ${describe(data)}.`);
  memoryOf(data, operation);
}

/**
 * The file itself, in blocking mode: what `AsyncFile.blocking()` gives.
 * @see Reference manual, "Files"
 */
export class BlockingFile<D extends string | Buffer = string | Buffer> implements Iterable<D> {
  readonly #contents: Contents<D>;
  readonly #text: boolean;
  readonly #over: () => boolean;

  /** @internal */
  constructor(contents: Contents<D>, text: boolean, over: () => boolean) {
    this.#contents = contents;
    this.#text = text;
    this.#over = over;
  }

  #do<T>(steps: Steps<T>): T {
    if (this.#over())
      throw new RuntimeError('The block of blocking() is over: from here on use the AsyncFile itself.');
    for (;;) {
      const { done, value } = steps.next();
      if (done) return value;
      this.#contents.device.performSync(value);
    }
  }

  /** Up to `n` characters or bytes; all if `n` is negative. */
  read(n = -1): D {
    return this.#do(this.#contents.read(checkLimit(n, 'read()')));
  }

  /** Up to `n` bytes, by one call of the operating system at most. */
  read1(n = -1): Buffer {
    return this.#do(this.#contents.readOnce(checkLimit(n, 'read1()'), 'read1()'));
  }

  /** Everything up to the end. */
  readall(): D {
    return this.#do(this.#contents.all());
  }

  /** A line, or its first `maxbytes`. */
  readline(maxbytes = -1): D {
    return this.#do(this.#contents.line(checkLimit(maxbytes, 'readline()')));
  }

  /** All lines, or enough of them for `hint` characters or bytes. */
  readlines(hint = -1): D[] {
    return this.#do(this.#contents.lines(checkLimit(hint || -1, 'readlines()')));
  }

  /** Fills a buffer, and gives the number of bytes. */
  readinto(buffer: ArrayBufferView | ArrayBufferLike): number {
    return this.#do(this.#contents.readInto(memoryOf(buffer, 'readinto()'), false, 'readinto()'));
  }

  /** The same, by one call of the operating system at most. */
  readinto1(buffer: ArrayBufferView | ArrayBufferLike): number {
    return this.#do(this.#contents.readInto(memoryOf(buffer, 'readinto1()'), true, 'readinto1()'));
  }

  /** Writes, and gives the number of characters or bytes. */
  write(data: Writable<D>): number {
    checkData(data, this.#text, 'write()');
    return this.#do(this.#contents.write(data));
  }

  /** Writes several pieces, with nothing between them. */
  writelines(lines: Iterable<Writable<D>>): void {
    for (const line of lines) this.write(line);
  }

  /** Hands what was written to the operating system. */
  flush(): void {
    this.#do(this.#contents.flush());
  }

  /** Cuts the file off, or lengthens it; gives its size. */
  truncate(size: number | null = null): number {
    return this.#do(this.#contents.truncate(size === null ? null : checkPlace(size, 'truncate()')));
  }

  /** Goes to another place, and gives it. */
  seek(offset: number, whence: number = SEEK_SET): number {
    return this.#do(this.#contents.seek(checkPlace(offset, 'seek()'), whence));
  }

  /** Where the file stands. */
  tell(): number {
    return this.#do(this.#contents.tell());
  }

  /** The descriptor. */
  fileno(): number {
    return this.#contents.device.handle.fd;
  }

  /** Lines up to the end. */
  *[Symbol.iterator](): Generator<D, void, void> {
    for (let line = this.readline(); line.length > 0; line = this.readline()) yield line;
  }
}

/**
 * A file in blocking mode: what `blocking()` of an `AsyncFile` gives. Disposal ends the mode.
 * @see Reference manual, "Files"
 */
export class BlockingMode<D extends string | Buffer> implements Disposable {
  readonly raw: BlockingFile<D>;
  #leave: (() => void) | null;

  /** @internal Enters the mode; with a function, for as long as that runs. */
  static of<D extends string | Buffer, T>(
    turns: Turns<D>,
    text: boolean,
    fn?: (raw: BlockingFile<D>) => T | PromiseLike<T>,
  ): BlockingMode<D> | Promise<T> {
    return fn === undefined ? enter(turns, text) : during(() => enter(turns, text), fn);
  }

  /** @internal */
  constructor(raw: BlockingFile<D>, leave: () => void) {
    this.raw = raw;
    this.#leave = leave;
  }

  /** Ends the mode; a second call does nothing. */
  [Symbol.dispose](): void {
    const leave = this.#leave;
    this.#leave = null;
    leave?.();
  }
}

function enter<D extends string | Buffer>(turns: Turns<D>, text: boolean): BlockingMode<D> {
  const operation = 'AsyncFile.blocking()';
  if (enterComposite(operation) === null) throw outsideError(operation);
  turns.requireUnused(operation);
  const { contents } = turns;
  if (contents.input.unread) {
    const error = systemError('EIO', 'blocking');
    error.message +=
      ': part of the file has been read ahead; await file.seek(await file.tell()) first, which forgets it';
    throw error;
  }
  let over = false;
  const raw = new BlockingFile(contents, text, () => over);
  raw.flush();
  turns.enterBlocking();
  return new BlockingMode(raw, () => {
    over = true;
    turns.leaveBlocking();
  });
}
