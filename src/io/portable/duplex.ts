/*
 * Any stream of Node's or of the web's as a handle: a pipe of a child process, standard input,
 * a file, a compressor. What only sockets can do is refused.
 */

import type { Socket as NetSocket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { SHUT_RD, SHUT_WR } from '../constants.ts';
import type { Direction } from '../driver.ts';
import { systemError } from '../system.ts';
import { NoSocketHandle } from './no-socket.ts';
import { Input, Output } from './stream.ts';

// Of the web's streams there are two declarations, Node's and the browser's (the library "dom"), and neither will do for the other.
// What both have is enough.

/** A `ReadableStream` of the web's. */
export interface WebReadable {
  readonly locked: boolean;
  getReader(): unknown;
  cancel(reason?: unknown): Promise<void>;
}

/** A `WritableStream` of the web's. */
export interface WebWritable {
  readonly locked: boolean;
  getWriter(): unknown;
  abort(reason?: unknown): Promise<void>;
}

/** What can be read or written as a stream. */
export type NodeStreamLike = Readable | Writable | WebReadable | WebWritable;

export class DuplexHandle extends NoSocketHandle {
  readonly #streams: (Readable | Writable)[];
  readonly #input: Input | null = null;
  readonly #output: Output | null = null;

  /** The handle of a stream; null for what is none. */
  static of(object: object): DuplexHandle | null {
    const has = (name: string) => typeof (object as Record<string, unknown>)[name] === 'function';
    if (has('getReader')) {
      const { Readable } = process.getBuiltinModule('node:stream');
      return new DuplexHandle(Readable.fromWeb(object as ReadableStream), null);
    }
    if (has('getWriter')) {
      const { Writable } = process.getBuiltinModule('node:stream');
      return new DuplexHandle(null, Writable.fromWeb(object as WritableStream));
    }
    const readable = has('read') && has('on') ? (object as Readable) : null;
    const writable = has('write') && has('end') ? (object as Writable) : null;
    return readable === null && writable === null ? null : new DuplexHandle(readable, writable);
  }

  private constructor(readable: Readable | null, writable: Writable | null) {
    super('a stream');
    if (readable?.readableObjectMode || writable?.writableObjectMode) {
      throw new TypeError(
        'A stream of objects cannot be read or written as bytes. If all of them are bytes or strings, make it with ' +
          '{ objectMode: false }: Readable.from(chunks, { objectMode: false }).',
      );
    }
    if (readable !== null) this.#input = new Input(readable, () => this.reader.ready());
    if (writable !== null) this.#output = new Output(writable, () => this.writer.ready());
    this.#streams = [...new Set([readable, writable])].filter((stream) => stream !== null);
    // Who waits keeps the process alive himself.
    for (const stream of this.#streams) (stream as { unref?(): void }).unref?.();
  }

  arm(direction: Direction): void {
    this.mustBeOpen('poll');
    if (direction === 'reader') this.#input?.start();
  }

  poll(direction: Direction): boolean {
    this.arm(direction);
    return direction === 'reader' ? (this.#input?.ready ?? true) : (this.#output?.drained ?? true);
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    this.mustBeOpen('read');
    if (this.#input === null) throw notOpenFor('reading');
    return this.#input.recv(maxbytes, flags);
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    this.mustBeOpen('write');
    if (this.#output === null) throw notOpenFor('writing');
    return this.#output.send(data, offset, flags);
  }

  override drained(): true | null {
    this.mustBeOpen('write');
    this.#output?.check();
    return (this.#output?.drained ?? true) ? true : null;
  }

  ended(): true | null {
    this.mustBeOpen('write');
    const output = this.#output;
    if (output === null || this.#leadsNowhere()) return true;
    output.check();
    output.finish();
    // What has failed just now is told to whoever asks again.
    return output.ended && !output.failed ? true : null;
  }

  override shutdown(how: number): void {
    this.mustBeOpen('shutdown');
    if (how !== SHUT_RD) this.#output?.finish();
    if (how !== SHUT_WR) this.#input?.stop();
  }

  override surrender(): NetSocket {
    this.mustBeOpen('surrender');
    const [stream] = this.#streams.splice(0);
    this.#input?.leave();
    this.close();
    return stream as NetSocket;
  }

  protected leave(): void {
    if (this.#streams.length === 0) return;
    const output = this.#output;
    const unfinished = output !== null && !output.ended && !output.failed && !this.#leadsNowhere();
    output?.finish();
    for (const stream of this.#streams) {
      if (unfinished && 'writable' in stream) stream.once('finish', () => this.#release(stream));
      else this.#release(stream);
    }
  }

  /** True of a transformation whose results nobody but this handle could read: what is left of them goes with it. */
  #leadsNowhere(): boolean {
    const [stream] = this.#streams;
    return (
      this.#input !== null && stream !== undefined && '_transform' in stream && !this.#input.isReadElsewhere
    );
  }

  #release(stream: Readable | Writable): void {
    // What has finished closes by itself, and others may still have to do with it: who reads from a compressor, or
    // the connection of an HTTP response.
    const finished = (stream as Partial<Writable>).writableFinished === true && !stream.errored;
    if (finished && (this.#input === null || this.#input.isReadElsewhere)) return;
    closeStream(stream);
  }
}

function closeStream(stream: Readable | Writable): void {
  // Whoever closes does not want to hear of it.
  stream.on('error', () => {});
  stream.destroy();
}

function notOpenFor(what: string): Error {
  const error = systemError('EBADF', what === 'reading' ? 'read' : 'write');
  error.message += `: the stream is not open for ${what}`;
  return error;
}
