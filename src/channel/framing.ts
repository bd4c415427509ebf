/*
 * Messages over a stream of bytes, framed as Python's multiprocessing does it: the length in four bytes, big end first and with
 * a sign; for what is longer than they can say, -1 and the length in eight; then the message.
 *
 * Whatever is cut short here leaves both ends in step, or leaves a fault that every later call shows. It must not know
 * what is in the messages.
 */

import { constants } from 'node:buffer';
import { CancelledError, ConnectionError, CurioError, EOFError } from '../errors.ts';
import { systemError } from '../io/system.ts';

/** What messages are read from: a `FileStream` or `SocketStream`, say. */
export interface MessageReader {
  /** Exactly so many bytes. If that fails, and the input has not ended, they can still be read. */
  readExactly(n: number): PromiseLike<Uint8Array>;
  close(): unknown;
}

/** What messages are written to: a `FileStream` or `SocketStream`, say. */
export interface MessageWriter {
  /** Writes all of it. If that fails, `bytesWritten` of the error says how much had been. */
  write(data: Uint8Array): PromiseLike<unknown>;
  close(): unknown;
}

const SHORT = 4;
const LONG = 12;
const LONGEST_SHORT = 0x7fff_ffff;
/** From here on header and message are written one after the other, which saves copying. */
const LARGE = 16384;

export class Framing {
  readonly #reader: MessageReader;
  readonly #writer: MessageWriter;
  /** The length of the message that comes next, once it has been read. */
  #length: number | null = null;
  /** Its eight bytes come next. */
  #long = false;
  #readFault: Error | null = null;
  #writeFault: Error | null = null;

  constructor(reader: MessageReader, writer: MessageWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  // ---- Receiving ----

  /**
   * The next message. If it is longer than `limit`, it has not been received, and can be with a greater one.
   * @throws an Error with the code EMSGSIZE for a longer one
   * @throws EOFError at the end of input
   */
  async receive(limit: number): Promise<Buffer> {
    if (this.#readFault !== null) throw brokenBy(this.#readFault, 'received');
    if (this.#length === null) this.#length = await this.#readLength();
    if (this.#length > Math.min(limit, constants.MAX_LENGTH)) throw tooLong(this.#length, limit);
    const message = await this.#read(this.#length);
    this.#length = null;
    return message;
  }

  async #readLength(): Promise<number> {
    if (!this.#long) {
      const length = (await this.#read(SHORT)).readInt32BE();
      if (length >= 0) return length;
      if (length !== -1) throw this.#unreadable(`a length of ${length} bytes has been announced`);
      this.#long = true;
    }
    const length = Number((await this.#read(LONG - SHORT)).readBigUInt64BE());
    this.#long = false;
    return length;
  }

  async #read(n: number): Promise<Buffer> {
    const bytes = await this.#reader.readExactly(n).then(undefined, (error) => {
      throw error instanceof EOFError ? atEnd(error, n) : error;
    });
    if (bytes.length !== n)
      throw this.#unreadable(`readExactly(${n}) of the reader has given ${bytes.length} bytes`);
    return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, n);
  }

  /** Nobody knows where the next message begins. */
  #unreadable(why: string): Error {
    this.#readFault = systemError('EBADMSG', 'recv');
    this.#readFault.message += `: ${why}, which cannot be. The peer speaks another protocol`;
    return this.#readFault;
  }

  // ---- Sending ----

  /** Sends a message. If that is cut short, either nothing has been sent, or nothing more can be. */
  async send(message: Uint8Array): Promise<void> {
    if (this.#writeFault !== null) throw brokenBy(this.#writeFault, 'sent');
    const header = headerOf(message.length);
    let begun = 0;
    try {
      if (message.length < LARGE) await this.#writer.write(Buffer.concat([header, message]));
      else {
        await this.#writer.write(header);
        begun = header.length;
        await this.#writer.write(message);
      }
    } catch (error) {
      const written = begun + bytesWritten(error);
      if (written > 0) this.#writeFault = cutShort(written, header.length + message.length, error);
      throw error;
    }
  }

  // ---- The end ----

  async close(): Promise<void> {
    const [reader, writer] = [this.#reader, this.#writer] as [Closable, Closable];
    // A message that was cut off is of no use to the peer: closing does not wait until it has read what there is of it.
    const close = (side: Closable) =>
      this.#writeFault !== null && side.readiness ? side.readiness.close() : side.close();
    try {
      await close(reader);
    } finally {
      if (writer !== reader) await close(writer);
    }
  }
}

interface Closable {
  close(): unknown;
  /** Streams of Curio's have one, and can be closed at once. */
  readonly readiness?: { close(): void };
}

function atEnd(error: EOFError, n: number): EOFError {
  const { bytesRead } = error;
  const where = bytesRead.length === 0 ? '' : `, after ${bytesRead.length} of ${n} bytes`;
  return new EOFError(`The peer has closed the connection${where}.`, { bytesRead, cause: error });
}

function headerOf(length: number): Buffer {
  if (length <= LONGEST_SHORT) {
    const header = Buffer.allocUnsafe(SHORT);
    header.writeInt32BE(length);
    return header;
  }
  const header = Buffer.allocUnsafe(LONG);
  header.writeInt32BE(-1);
  header.writeBigUInt64BE(BigInt(length), SHORT);
  return header;
}

/** How much had been written when this error came. A writer that does not say may have written anything. */
function bytesWritten(error: unknown): number {
  const { bytesWritten: told } = (error ?? {}) as { bytesWritten?: unknown };
  if (typeof told === 'number') return told;
  // What Curio refuses it has not begun.
  return error instanceof CurioError && !(error instanceof CancelledError) ? 0 : Number.POSITIVE_INFINITY;
}

function cutShort(written: number, length: number, cause: unknown): Error {
  const part = Number.isFinite(written) ? `after ${written} of its ${length} bytes` : 'in its middle';
  return new Error(`a message was cut off ${part}, and the peer waits for the rest`, { cause });
}

function brokenBy(fault: Error, what: 'sent' | 'received'): ConnectionError {
  return new ConnectionError(`Nothing more can be ${what} on this connection: ${fault.message}. Close it.`, {
    cause: fault,
  });
}

export function tooLong(length: number, limit: number): Error {
  const error = systemError('EMSGSIZE', 'recv');
  error.message += `: the peer sends a message of ${length} bytes, and ${limit} are allowed`;
  return error;
}
