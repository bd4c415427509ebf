/*
 * One connected stream of Node's (net.Socket, tls.TLSSocket), read in paused mode: Node
 * reads ahead as much as its buffer holds and then stops, and so does the peer.
 *
 * It must not know tasks: whoever owns it is told when there may be something to read
 * or room to write.
 */

import type { Socket as NetSocket } from 'node:net';
import { closedError, systemError } from '../system.ts';
import { peeks } from './handle.ts';

/** How much Node is given at a time. What it has not passed on when a send is cancelled is on its way all the same. */
const CHUNK = 65536;

const EMPTY = Buffer.alloc(0);

/** Who is told. */
export interface StreamOwner {
  onReadable(): void;
  onWritable(): void;
}

export class NodeStream {
  readonly socket: NetSocket;
  readonly #owner: StreamOwner;
  #reading = false;
  #ended = false;
  #finished = false;
  #busy = false;
  /** Why it has failed. */
  error: Error | null = null;
  #gone = false;

  constructor(socket: NetSocket, owner: StreamOwner) {
    this.socket = socket;
    this.#owner = owner;
    socket.on('error', (error) => {
      this.error ??= error;
      this.#tell();
    });
    socket.on('close', () => {
      this.#gone = true;
      this.#tell();
    });
    if (socket.destroyed) {
      this.error = socket.errored;
      this.#gone = true;
    }
    // Who waits keeps the process alive himself.
    socket.unref();
  }

  readonly #tell = (): void => {
    this.#owner.onReadable();
    this.#owner.onWritable();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#owner.onReadable();
  };

  /** From now on Node reads ahead. Not before somebody wants to read: nothing is taken from a peer that nobody listens to. */
  startReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    if (this.socket.readableEnded) this.#ended = true;
    else this.socket.on('end', this.#onEnd);
    this.socket.on('readable', () => this.#owner.onReadable());
  }

  /** True if `recv` would not come back with empty hands. */
  get hasInput(): boolean {
    return this.socket.readableLength > 0 || this.#ended || this.error !== null || this.#gone;
  }

  /** True if `send` would be given something. */
  get hasRoom(): boolean {
    return !this.#busy;
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    const peek = peeks(flags);
    this.startReading();
    const socket = this.socket;
    if (maxbytes === 0) return EMPTY;
    // `read(n)` gives nothing while there are fewer than n.
    const chunk = (socket.readableLength > maxbytes ? socket.read(maxbytes) : socket.read()) as Buffer | null;
    if (chunk !== null) {
      if (peek) socket.unshift(chunk);
      return chunk;
    }
    if (this.#ended) return EMPTY;
    if (this.error !== null) throw this.error;
    if (this.#gone) throw closedError('read');
    return null;
  }

  /** No more is waited for: after what has come already, the end of input comes next. */
  stopReading(): void {
    this.startReading();
    this.#ended = true;
    this.#owner.onReadable();
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    peeks(flags);
    if (this.error !== null) throw this.error;
    if (this.#finished || this.#gone || !this.socket.writable) throw systemError('EPIPE', 'write');
    if (this.#busy) return null;
    const length = Math.min(data.length - offset, CHUNK);
    if (length === 0) return 0;
    // A copy: the caller may use its memory again as soon as this returns, and Node may not be done with it then.
    const chunk = Buffer.from(data.subarray(offset, offset + length));
    this.#busy = true;
    this.socket.write(chunk, this.#onWritten);
    // The system has taken it already, as a rule.
    if (this.socket.writableLength === 0) this.#busy = false;
    return length;
  }

  readonly #onWritten = (): void => {
    this.#busy = this.socket.writableLength > 0;
    if (!this.#busy) this.#owner.onWritable();
  };

  /** Sends the end of input after what has been sent. */
  finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.socket.end();
  }

  /** Closes it, once what has been sent is gone. */
  leave(): void {
    if (this.socket.connecting || this.error !== null) this.socket.destroy();
    else this.socket.destroySoon();
  }
}
