/*
 * A TLS connection as a handle: Node's TLSSocket over a connection that was a handle before. Once hands are shaken
 * (handshake.ts) Node reads while somebody wants to, and encrypts what it is given; the errors are put into sentences.
 *
 * It must not know tasks beyond waking the two slots, nor on which terms the two sides have agreed.
 */

import type { Socket as NetSocket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Address } from '../io/address.ts';
import { ByteQueue } from '../io/bytes.ts';
import { driver } from '../io/choice.ts';
import { SHUT_RD, SHUT_WR } from '../io/constants.ts';
import type { Direction, Handle } from '../io/driver.ts';
import { gather } from '../io/portable/gathering.ts';
import { checkHow, destroySoon, PortableHandle, unsupported } from '../io/portable/handle.ts';
import { closedError, type SystemError, systemError } from '../io/system.ts';
import { connectionError } from './error.ts';
import { Handshake, type Side } from './handshake.ts';

const EMPTY = Buffer.alloc(0);

/** How much Node is given at a time. */
const CHUNK = 65536;
/** How much that nobody has asked for yet is taken from Node; what comes then waits in its buffers, and at the peer. */
const AHEAD = 65536;
/** From here on more is taken. */
const LOW = 16384;

export class TlsHandle extends PortableHandle {
  readonly #handshake: Handshake;
  readonly #socket: TLSSocket;
  /** -1 where there is no such thing. */
  readonly #fd: number;
  readonly #local: Address | null;
  readonly #remote: Address | null;
  /** What has come and has not been asked for yet: as a rule one chunk, else the queue. */
  #chunk: Buffer | null = null;
  readonly #queue = new ByteQueue();
  #secure = false;
  #reading = false;
  #paused = false;
  #ended = false;
  #finished = false;
  /** Node has more to send than it wants to put aside. */
  #full = false;
  #flushing = false;
  #surrendered = false;
  #error: Error | null = null;

  /**
   * Begins to shake hands.
   * @param plain the connection, which is closed as a handle
   * @param received what has come over it already
   * @throws an Error with a code such as `EBADF` if it is none
   */
  constructor(plain: Handle, side: Side, received: Buffer) {
    super(plain.family, plain.type, plain.proto);
    this.#fd = plain instanceof PortableHandle ? -1 : plain.fileno();
    this.#local = known(() => plain.getsockname());
    this.#remote = known(() => plain.getpeername());
    const raw = plain.surrender();
    // Behind the end there is no putting back, and no handshake either.
    if (received.length > 0 && !raw.readableEnded) raw.unshift(received);
    this.#handshake = new Handshake(raw, side, {
      secured: this.#onSecure,
      failed: (error) => this.#fail(error),
      complained: this.#onError,
    });
    const socket = this.#handshake.socket;
    this.#socket = socket;
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    socket.on('drain', this.#onDrain);
    // Who waits keeps the process alive himself.
    socket.unref();
  }

  // ---- The handshake ----

  readonly #onSecure = (): void => {
    this.#secure = true;
    this.writer.ready();
  };

  /** True once the handshake is done. */
  get secure(): boolean {
    return this.#secure;
  }

  /** What the handshake has failed with. */
  get handshakeError(): Error | null {
    return this.#secure ? null : this.#error;
  }

  get socket(): TLSSocket {
    return this.#socket;
  }

  override handshake(): true | null {
    if (this.closed) throw closedError('handshake');
    if (this.#secure) return true;
    if (this.#error !== null) throw this.#error;
    return null;
  }

  // ---- What Node tells ----

  readonly #onData = (chunk: Buffer): void => {
    if (this.#chunk === null && this.#queue.length === 0) this.#chunk = chunk;
    else this.#enqueue(chunk);
    this.readable = true;
    gather(this.reader);
  };

  #enqueue(chunk: Buffer): void {
    if (this.#chunk !== null) this.#queue.push(this.#chunk);
    this.#chunk = null;
    this.#queue.push(chunk);
    if (this.#queue.length < AHEAD || this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  readonly #onDrain = (): void => {
    this.#full = false;
    this.writer.ready();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    if (!this.#secure)
      this.#fail(connectionError(systemError('ECONNRESET', 'handshake'), this.#handshake.peer));
    else this.#wakeReader();
  };

  #wakeReader(): void {
    this.readable = true;
    this.reader.ready();
  }

  readonly #onError = (error: SystemError): void => {
    if (!this.#secure) this.#fail(this.#handshake.refusal(error));
    else if (error.code?.startsWith('ERR_SSL_')) this.#fail(connectionError(error, this.#handshake.peer));
    else this.#fail(error);
  };

  readonly #onClose = (): void => {
    this.#handshake.stop();
    if (!this.#secure || !this.#ended)
      this.#fail(connectionError(systemError('ECONNRESET', 'read'), this.#handshake.peer));
    else this.writer.ready();
  };

  #fail(error: Error): void {
    if (this.#error !== null || this.closed) return;
    this.#handshake.stop();
    this.#error = error;
    this.#socket.destroy();
    this.#wakeReader();
    this.writer.ready();
  }

  // ---- Bytes ----

  arm(direction: Direction): void {
    this.mustBeOpen('poll');
    if (direction === 'reader') this.#start();
  }

  poll(direction: Direction): boolean {
    this.arm(direction);
    if (this.#error !== null) return true;
    if (direction === 'reader') return this.#chunk !== null || this.#queue.length > 0 || this.#ended;
    return this.#secure && !this.#full;
  }

  /** From now on Node reads ahead. Not before somebody wants to read: nothing is taken from a peer that nobody listens to. */
  #start(): void {
    if (this.#reading) return;
    this.#reading = true;
    this.#socket.on('data', this.#onData);
  }

  /** What a receive gives that finds nothing. */
  #nothing<T>(end: T): T | null {
    if (this.closed) throw closedError('read');
    if (this.#ended && this.#secure) return end;
    if (this.#error !== null) throw this.#error;
    this.#start();
    this.readable = false;
    return null;
  }

  /** Whether there is something, and then in the queue. */
  #queued(flags: number): boolean {
    if (flags !== 0) throw noFlags();
    if (this.closed) throw closedError('read');
    if (this.#chunk !== null) this.#queue.push(this.#chunk);
    this.#chunk = null;
    return this.#queue.length > 0;
  }

  #goOn(): void {
    if (!this.#paused || this.#queue.length > LOW) return;
    this.#paused = false;
    this.#socket.resume();
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    const chunk = this.#chunk;
    if (chunk !== null && chunk.length <= maxbytes && flags === 0 && !this.closed) {
      this.#chunk = null;
      this.readable = this.#ended || this.#error !== null;
      return chunk;
    }
    const some = this.#queued(flags);
    if (maxbytes === 0) return EMPTY;
    if (!some) return this.#nothing(EMPTY);
    const data = this.#queue.take(maxbytes);
    this.#goOn();
    return data;
  }

  override recvInto(target: Uint8Array, flags: number): number | null {
    const some = this.#queued(flags);
    if (target.length === 0) return 0;
    if (!some) return this.#nothing(0);
    const n = this.#queue.takeInto(target);
    this.#goOn();
    return n;
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    if (flags !== 0) throw noFlags();
    if (this.closed) throw closedError('write');
    if (this.#error !== null) throw this.#error;
    // What is sent before the other side is known might be for somebody else.
    if (!this.#secure) return null;
    const socket = this.#socket;
    if (this.#finished || !socket.writable) throw systemError('EPIPE', 'write');
    if (this.#full) return null;
    const length = Math.min(data.length - offset, CHUNK);
    if (length === 0) return 0;
    const part = length === data.length ? data : data.subarray(offset, offset + length);
    // The caller may use its memory again as soon as this returns. What Node has to put aside is copied; anything else it encrypts,
    // or copies, at once.
    this.#full = !socket.write(socket.writableLength > 0 ? Buffer.from(part) : part);
    return length;
  }

  override drained(): true | null {
    if (this.closed) throw closedError('write');
    if (this.#error !== null) throw this.#error;
    const socket = this.#socket;
    if (socket.writableLength === 0 || socket.destroyed) return true;
    if (this.#flushing) return null;
    this.#flushing = true;
    // Nothing can be written behind the end.
    if (this.#finished) socket.once('finish', this.#onFlushed);
    else socket.write(EMPTY, this.#onFlushed);
    return null;
  }

  readonly #onFlushed = (): void => {
    this.#flushing = false;
    this.writer.ready();
  };

  shutdown(how: number): void {
    checkHow(how);
    if (this.closed) throw closedError('shutdown');
    if (!this.#secure) throw this.#error ?? systemError('ENOTCONN', 'shutdown');
    if (how !== SHUT_RD && !this.#finished) {
      this.#finished = true;
      this.#socket.end();
      // After the end Node tells of no room any more.
      this.writer.ready();
    }
    if (how !== SHUT_WR) this.#onEnd();
  }

  /** For TLS inside TLS. */
  override surrender(): NetSocket {
    if (this.closed) throw closedError('surrender');
    if (!this.#secure) throw this.#error ?? systemError('ENOTCONN', 'surrender');
    const socket = this.#socket;
    socket
      .off('data', this.#onData)
      .off('end', this.#onEnd)
      .off('close', this.#onClose)
      .off('drain', this.#onDrain);
    socket.pause();
    if (this.#queued(0)) socket.unshift(this.#queue.takeAll());
    this.#surrendered = true;
    this.close();
    return socket;
  }

  protected leave(): void {
    this.#handshake.stop();
    if (this.#surrendered) return;
    const socket = this.#socket;
    if (!this.#secure || socket.destroyed) {
      socket.destroy();
      return;
    }
    // What has been sent goes on its way before the end does, even if the program has nothing else to do.
    if (socket.writableLength > 0) socket.ref();
    destroySoon(socket);
  }

  // ---- What needs no waiting ----

  connect(): true | null {
    this.mustBeOpen('connect');
    throw systemError('EISCONN', 'connect');
  }

  connected(): true | null {
    return this.connect();
  }

  bind(): void {
    this.mustBeOpen('bind');
    throw systemError('EINVAL', 'bind');
  }

  ready(): null {
    return null;
  }

  getsockname(): Address | null {
    this.mustBeOpen('getsockname');
    return this.#local;
  }

  getpeername(): Address {
    this.mustBeOpen('getpeername');
    if (this.#remote === null) throw systemError('ENOTCONN', 'getpeername');
    return this.#remote;
  }

  override fileno(): number {
    if (this.closed || this.#socket.destroyed) return -1;
    return this.#fd >= 0 ? this.#fd : super.fileno();
  }

  /** The options are still the descriptor's, where there is one. */
  #plainly<T>(operation: string, use: (plain: Handle) => T): T {
    this.mustBeOpen(operation);
    if (this.#socket.destroyed) throw closedError(operation);
    if (this.#fd < 0) throw unsupported(`${operation}() of a TLS socket`);
    const plain = driver().adopt(this.#fd, this.family, this.type, this.proto);
    try {
      return use(plain);
    } finally {
      plain.detach();
    }
  }

  override getsockopt(level: number, name: number, size: number): number | Buffer {
    return this.#plainly('getsockopt', (plain) => plain.getsockopt(level, name, size));
  }

  setsockopt(level: number, name: number, value: number | Uint8Array): void {
    this.#plainly('setsockopt', (plain) => plain.setsockopt(level, name, value));
  }
}

/** A name that a connection may no longer have. */
function known<T>(get: () => T): T | null {
  try {
    return get();
  } catch (error) {
    const { code } = error as SystemError;
    if (code === 'ENOTCONN' || code === 'EINVAL') return null;
    throw error;
  }
}

function noFlags(): Error {
  return new RangeError('A TLS socket takes no flags: what is read has been decrypted already.');
}
