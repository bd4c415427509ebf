/*
 * A descriptor that is read and written in Node's thread pool: a regular file, whose disk may be
 * slow and which is always "ready", and on the portable driver devices.
 */

import { largeBuffer } from '../../base/ballast.ts';
import type { BlockingFile, Direction } from '../driver.ts';
import { common, filled } from '../filled.ts';
import { systemError } from '../system.ts';
import { BlockingDescriptor } from './blocking.ts';
import { NoSocketHandle } from './no-socket.ts';

const CHUNK = 65536;
const EMPTY = Buffer.alloc(0);

const fs = () => process.getBuiltinModule('node:fs');

export class FileDescriptorHandle extends NoSocketHandle {
  readonly #fd: number;
  /** What a read that was under way has brought. It stays for the next reader if the one who asked has left. */
  #read: Buffer | null = null;
  #readError: Error | null = null;
  #reading = false;
  #ended = false;
  #writing = false;
  #writeError: Error | null = null;

  constructor(fd: number) {
    super('a file');
    this.#fd = fd;
  }

  arm(): void {
    this.mustBeOpen('poll');
  }

  poll(direction: Direction): boolean {
    this.arm();
    return direction === 'reader' ? !this.#reading : !this.#writing;
  }

  recv(maxbytes: number): Buffer | null {
    this.mustBeOpen('read');
    if (maxbytes === 0) return EMPTY;
    if (this.#reading) return null;
    if (this.#readError !== null) {
      const error = this.#readError;
      this.#readError = null;
      throw error;
    }
    if (this.#read !== null) {
      const chunk = this.#read.subarray(0, maxbytes);
      this.#read = chunk.length < this.#read.length ? common(this.#read).subarray(maxbytes) : null;
      return chunk;
    }
    if (this.#ended) {
      // The next call looks again: files grow.
      this.#ended = false;
      return EMPTY;
    }
    this.#reading = true;
    const area = largeBuffer(Math.min(maxbytes, CHUNK));
    fs().read(this.#fd, area, 0, area.length, null, (error, n) => {
      this.#reading = false;
      if (error !== null) this.#readError = error;
      else if (n === 0) this.#ended = true;
      else this.#read = filled(area, n);
      this.#afterwards();
      this.reader.ready();
    });
    return null;
  }

  send(data: Uint8Array, offset: number): number | null {
    this.mustBeOpen('write');
    if (this.#writing) return null;
    this.#throwWriteError();
    const length = Math.min(data.length - offset, CHUNK);
    if (length === 0) return 0;
    // A copy: the caller may use its memory again as soon as this returns.
    this.#write(Buffer.from(data.subarray(offset, offset + length)));
    return length;
  }

  #write(chunk: Buffer): void {
    this.#writing = true;
    fs().write(this.#fd, chunk, 0, chunk.length, null, (error, n) => {
      this.#writing = false;
      if (error !== null) this.#writeError = error;
      else if (n < chunk.length) return this.#write(chunk.subarray(n));
      this.#afterwards();
      this.writer.ready();
    });
  }

  #throwWriteError(): void {
    const error = this.#writeError;
    this.#writeError = null;
    if (error !== null) throw error;
  }

  override drained(): true | null {
    this.mustBeOpen('write');
    if (this.#writing) return null;
    this.#throwWriteError();
    return true;
  }

  override setBlocking(on: boolean): BlockingFile {
    this.mustBeOpen('blocking');
    if (on) this.#mustBeStill();
    return new BlockingDescriptor(this.#fd, this);
  }

  /** Synchronous calls would overtake what is under way, and not find what was read for a task that has left. */
  #mustBeStill(): void {
    const unread = this.#reading || this.#read !== null;
    if (!unread && !this.#writing) return;
    const error = systemError('EIO', 'blocking');
    error.message += unread
      ? ': there is unread data in the stream; read it first'
      : ': the stream is still being written; await its flush() first';
    throw error;
  }

  override fileno(): number {
    return this.closed ? -1 : this.#fd;
  }

  protected leave(): void {
    this.#afterwards();
  }

  /** The descriptor is closed when nothing uses it any more. */
  #afterwards(): void {
    if (!this.closed || this.#reading || this.#writing) return;
    fs().close(this.#fd, () => {});
  }
}
