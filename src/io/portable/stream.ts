/*
 * The two sides of a stream of Node's: one that is read in paused mode, where Node reads ahead as much
 * as its buffer holds and then stops, and so does the peer; and one that is written to
 * a piece at a time.
 *
 * It must not know tasks: whoever owns a side is told when there may be something to read
 * or room to write.
 */

import { Buffer } from 'node:buffer';
import type { Readable, Writable } from 'node:stream';
import { weigh } from '../../base/ballast.ts';
import { common } from '../filled.ts';
import { closedError, systemError } from '../system.ts';
import { discard, draft } from './drafts.ts';
import { peeks } from './handle.ts';

/** How much Node is given at a time. What it has not passed on when a send is cancelled is on its way all the same. */
const CHUNK = 65536;

const EMPTY = Buffer.alloc(0);

/**
 * What a stream has failed with. One that somebody destroys while Node writes has failed with no more than that, though recent
 * releases of Node say that the write was cancelled, as if a task had been.
 */
function failure(stream: Readable | Writable): Error | null {
  const error = stream.errored ?? null;
  return (error as NodeJS.ErrnoException | null)?.code === 'ECANCELED' ? null : error;
}

/** The side that is read. */
export class Input {
  readonly #stream: Readable;
  readonly #onReadable: () => void;
  // Node hands over each chunk as it comes, which costs half of what asking for it does. One that finds two
  // waiting here stops the stream, until all have been received.
  #first: Buffer | null = null;
  #second: Buffer | null = null;
  #stopped = true;
  #started = false;
  #ended = false;
  #gone: boolean;

  /** @param onReadable called when there may be something, the end or an error included */
  constructor(stream: Readable, onReadable: () => void) {
    this.#stream = stream;
    this.#onReadable = onReadable;
    this.#gone = stream.destroyed;
    stream.on('error', onReadable);
    stream.on('close', () => {
      this.#gone = true;
      onReadable();
    });
  }

  /** From now on Node reads. Not before somebody wants to: nothing is taken from a peer that nobody listens to. */
  start(): void {
    if (!this.#stopped) return;
    if (!this.#started) {
      this.#started = true;
      if (this.#stream.readableEnded) this.#ended = true;
      this.#stream.on('end', this.#onEnd);
      this.#stream.on('data', this.#onData);
    }
    this.#stopped = false;
    this.#stream.resume();
  }

  readonly #onData = (data: Buffer | string): void => {
    weigh(data.length);
    const chunk =
      typeof data === 'string' ? Buffer.from(data, this.#stream.readableEncoding ?? 'utf8') : data;
    if (this.#first === null) this.#first = chunk;
    else if (this.#second === null) this.#second = chunk;
    else {
      this.#second = Buffer.concat([this.#second, chunk]);
      this.#stopped = true;
      this.#stream.pause();
    }
    this.#onReadable();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#onReadable();
  };

  /** True if `recv` would not come back with empty hands. */
  get ready(): boolean {
    return this.#first !== null || this.#ended || this.#gone || failure(this.#stream) !== null;
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    const peek = flags !== 0 && peeks(flags);
    if (maxbytes === 0) return EMPTY;
    const chunk = this.#first;
    if (chunk === null) {
      if (this.#ended) return EMPTY;
      const error = failure(this.#stream);
      if (error !== null) throw error;
      if (this.#gone) throw closedError('read');
      this.start();
      return null;
    }
    const part = chunk.length <= maxbytes ? chunk : chunk.subarray(0, maxbytes);
    if (peek) return Buffer.from(part);
    if (part === chunk) {
      this.#first = this.#second;
      this.#second = null;
    } else this.#first = common(chunk).subarray(maxbytes);
    return part;
  }

  /** True if others have begun to read. */
  get isReadElsewhere(): boolean {
    const stream = this.#stream;
    return !this.#started && stream.listenerCount('data') + stream.listenerCount('readable') > 0;
  }

  /** From now on somebody else reads. What has come already is in Node's stream again. */
  leave(): void {
    const stream = this.#stream;
    stream.off('data', this.#onData);
    stream.off('end', this.#onEnd);
    stream.pause();
    if (!this.#ended)
      for (const chunk of [this.#second, this.#first]) if (chunk !== null) stream.unshift(chunk);
    this.#first = this.#second = null;
    this.#stopped = false;
  }

  /** No more is waited for: after what has come already, the end of input comes next. */
  stop(): void {
    this.#ended = true;
    this.#onReadable();
  }
}

/** The side that is written to. */
export class Output {
  readonly #stream: Writable;
  readonly #onWritable: () => void;
  /** A socket of Node's tells at once whether the system has taken a piece. */
  readonly #prompt: boolean;
  #finished = false;
  #busy = false;

  /** @param onWritable called when there may be room, or an error */
  constructor(stream: Writable, onWritable: () => void) {
    this.#stream = stream;
    this.#onWritable = onWritable;
    this.#prompt = stream instanceof process.getBuiltinModule('node:net').Socket;
    stream.on('error', onWritable);
    stream.on('close', onWritable);
  }

  /** False while Node holds something that it has not passed on. */
  get drained(): boolean {
    return !this.#busy || !this.#stream.writable;
  }

  /** True once the end has been passed on, or never will be. */
  get ended(): boolean {
    return this.#stream.writableFinished || this.#stream.destroyed;
  }

  get failed(): boolean {
    return failure(this.#stream) !== null;
  }

  /** @throws the error that the stream has failed with */
  check(): void {
    const error = failure(this.#stream);
    if (error !== null) throw error;
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    if (flags !== 0) peeks(flags);
    const stream = this.#stream;
    if (this.#finished || !stream.writable) {
      this.check();
      throw systemError('EPIPE', 'write');
    }
    if (this.#busy) return null;
    const length = Math.min(data.length - offset, CHUNK);
    if (length === 0) return 0;
    const chunk = draft(data, offset, length);
    if (this.#prompt) {
      // As a rule the system has taken it already, and then a callback would only cost time. If not, the one of an
      // empty piece behind it tells.
      stream.write(chunk);
      if (stream.writableLength === 0) {
        discard(chunk);
        return length;
      }
      this.#busy = true;
      stream.write(EMPTY, this.#onWritten);
    } else {
      this.#busy = true;
      stream.write(chunk, this.#onWritten);
      if (stream.writableLength === 0) this.#busy = false;
    }
    return length;
  }

  readonly #onWritten = (): void => {
    if (!this.#busy) return;
    this.#busy = this.#stream.writableLength > 0;
    if (!this.#busy) this.#onWritable();
  };

  /** The end, after what has been sent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#stream.once('finish', this.#onWritable);
    this.#stream.end();
    // Who waits for room need not: there will be none for it.
    this.#onWritable();
  }
}
