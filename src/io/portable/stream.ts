/*
 * The two sides of a stream of Node's: one that is read in paused mode, where Node reads ahead as much
 * as its buffer holds and then stops, and so does the peer; and one that is written to
 * a piece at a time.
 *
 * It must not know tasks: whoever owns a side is told when there may be something to read
 * or room to write.
 */

import type { Readable, Writable } from 'node:stream';
import { closedError, systemError } from '../system.ts';
import { peeks } from './handle.ts';

/** How much Node is given at a time. What it has not passed on when a send is cancelled is on its way all the same. */
const CHUNK = 65536;

const EMPTY = Buffer.alloc(0);

/** The side that is read. */
export class Input {
  readonly #stream: Readable;
  readonly #onReadable: () => void;
  #reading = false;
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

  /** From now on Node reads ahead. Not before somebody wants to read: nothing is taken from a peer that nobody listens to. */
  start(): void {
    if (this.#reading) return;
    this.#reading = true;
    if (this.#stream.readableEnded) this.#ended = true;
    else this.#stream.on('end', this.#onEnd);
    this.#stream.on('readable', this.#onReadable);
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#onReadable();
  };

  /** True if `recv` would not come back with empty hands. */
  get ready(): boolean {
    return this.#stream.readableLength > 0 || this.#ended || this.#gone || this.#stream.errored !== null;
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    const peek = peeks(flags);
    this.start();
    const stream = this.#stream;
    if (maxbytes === 0) return EMPTY;
    // `read(n)` gives nothing while there are fewer than n.
    let chunk = stream.readableLength > maxbytes ? stream.read(maxbytes) : stream.read();
    if (chunk !== null) {
      if (typeof chunk === 'string') chunk = Buffer.from(chunk, stream.readableEncoding ?? 'utf8');
      if (peek) stream.unshift(chunk);
      return chunk;
    }
    if (this.#ended) return EMPTY;
    if (stream.errored !== null) throw stream.errored;
    if (this.#gone) throw closedError('read');
    return null;
  }

  /** From now on somebody else reads. What Node has read ahead is still in its stream. */
  leave(): void {
    this.#stream.off('readable', this.#onReadable);
    this.#stream.off('end', this.#onEnd);
  }

  /** No more is waited for: after what has come already, the end of input comes next. */
  stop(): void {
    this.start();
    this.#ended = true;
    this.#onReadable();
  }
}

/** The side that is written to. */
export class Output {
  readonly #stream: Writable;
  readonly #onWritable: () => void;
  #finished = false;
  #busy = false;

  /** @param onWritable called when there may be room, or an error */
  constructor(stream: Writable, onWritable: () => void) {
    this.#stream = stream;
    this.#onWritable = onWritable;
    stream.on('error', onWritable);
    stream.on('close', onWritable);
  }

  /** False while Node holds something that it has not passed on. */
  get drained(): boolean {
    return !this.#busy || !this.#stream.writable;
  }

  /** @throws the error that the stream has failed with */
  check(): void {
    if (this.#stream.errored) throw this.#stream.errored;
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
    // A copy: the caller may use its memory again as soon as this returns, and Node may not be done with it then.
    const chunk = Buffer.from(data.subarray(offset, offset + length));
    this.#busy = true;
    stream.write(chunk, this.#onWritten);
    // The system has taken it already, as a rule.
    if (stream.writableLength === 0) this.#busy = false;
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
    this.#stream.end();
  }
}
