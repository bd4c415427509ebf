/*
 * What all handles of the portable driver have in common: the two slots, and a refusal
 * for everything that Node has no way to do.
 */

import type { Socket as NetSocket } from 'node:net';
import { NotSupportedError, RuntimeError } from '../../errors.ts';
import type { Address, Endpoint } from '../address.ts';
import { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK, SHUT_RD, SHUT_RDWR, SHUT_WR } from '../constants.ts';
import type { Ancillary, BlockingFile, BlockingSocket, Direction, Handle, Message } from '../driver.ts';
import { Slot } from '../slot.ts';
import { closedError, notTls, systemError } from '../system.ts';

const HARMLESS = MSG_DONTWAIT | MSG_NOSIGNAL | 0;

/** Milliseconds that a closed connection may take to get rid of what it was given. */
const LINGER = 10_000;

export abstract class PortableHandle implements Handle {
  readonly family: number;
  readonly type: number;
  readonly proto: number;
  readonly reader: Slot = new Slot(this);
  readonly writer: Slot = new Slot(this);
  // Node has already done the system call when an operation tries: trying is cheap.
  readable = true;
  writable = true;
  closed = false;
  /** The numbers that were set and that Node will not tell. */
  protected readonly options = new Map<string, number>();

  constructor(family: number, type: number, proto: number) {
    this.family = family;
    this.type = type;
    this.proto = proto;
  }

  get hasWriter(): boolean {
    return this.writer.task !== null;
  }

  abstract arm(direction: Direction): void;
  abstract poll(direction: Direction): boolean;
  abstract recv(maxbytes: number, flags: number): Buffer | null;
  abstract send(data: Uint8Array, offset: number, flags: number): number | null;
  abstract connect(to: Endpoint): true | null;
  abstract connected(to: Endpoint): true | null;
  abstract bind(to: Endpoint): void;
  abstract ready(): Promise<void> | null;
  abstract shutdown(how: number): void;
  abstract getsockname(): Address | null;
  abstract getpeername(): Address;
  abstract setsockopt(level: number, name: number, value: number | Uint8Array): void;
  /** Lets go of Node's object. Called once. */
  protected abstract leave(): void;

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.leave();
    this.reader.closed();
    this.writer.closed();
  }

  giveBack(): never {
    // Nothing is ever received before a task's turn: Node has received it already.
    throw new RuntimeError('The portable driver takes nothing back.');
  }

  recvInto(target: Uint8Array, flags: number): number | null {
    const data = this.recv(target.length, flags);
    if (data === null) return null;
    target.set(data);
    return data.length;
  }

  recvfrom(maxbytes: number, flags: number): [data: Buffer, address: Address | null] | null {
    const data = this.recv(maxbytes, flags);
    return data === null ? null : [data, null];
  }

  recvfromInto(target: Uint8Array, flags: number): [bytes: number, address: Address | null] | null {
    const received = this.recvfrom(target.length, flags);
    if (received === null) return null;
    target.set(received[0]);
    return [received[0].length, received[1]];
  }

  sendto(_data: Uint8Array, _flags: number, _to: Endpoint): number | null {
    this.mustBeOpen('sendto');
    throw systemError('EISCONN', 'sendto');
  }

  accept(): [handle: Handle, address: Address | null] | null {
    this.mustBeOpen('accept');
    throw systemError('EINVAL', 'accept');
  }

  listen(_backlog: number): void {
    throw systemError('EOPNOTSUPP', 'listen');
  }

  drained(): true | null {
    this.mustBeOpen('write');
    return true;
  }

  handshake(): true | null {
    throw notTls();
  }

  recvmsg(_targets: readonly Uint8Array[], _ancillarySize: number, _flags: number): Message | null {
    throw unsupported('recvmsg()');
  }

  sendmsg(
    _buffers: readonly Uint8Array[],
    _ancillary: readonly Ancillary[],
    _flags: number,
    _to: Endpoint | null,
  ): number | null {
    throw unsupported('sendmsg()');
  }

  getsockopt(level: number, name: number, size: number): number | Buffer {
    this.mustBeOpen('getsockopt');
    const value = this.options.get(`${level}:${name}`);
    if (value === undefined || size > 0) throw unsupported(`getsockopt(${level}, ${name})`);
    return value;
  }

  fileno(): number {
    if (this.closed) return -1;
    throw unsupported('fileno()');
  }

  detach(): number {
    throw unsupported('detach()');
  }

  surrender(): NetSocket {
    throw unsupported('Giving this socket away');
  }

  dup(): Handle {
    throw unsupported('dup()');
  }

  setBlocking(_on: boolean): BlockingSocket | BlockingFile {
    throw unsupported('blocking() for sockets');
  }

  protected mustBeOpen(syscall: string): void {
    if (this.closed) throw closedError(syscall);
  }

  protected remember(level: number, name: number, value: number): void {
    this.options.set(`${level}:${name}`, value);
  }
}

/** The flags that Node can honour: true if the data is only to be looked at. */
export function peeks(flags: number): boolean {
  if (flags === 0) return false;
  const rest = flags & ~HARMLESS & ~MSG_PEEK;
  if (rest !== 0) throw unsupported(`The flags 0x${rest.toString(16)}`);
  return (flags & MSG_PEEK) !== 0;
}

/** @throws an Error with the code EINVAL for what `shutdown` does not know */
export function checkHow(how: number): void {
  if (how !== SHUT_RD && how !== SHUT_WR && how !== SHUT_RDWR) throw systemError('EINVAL', 'shutdown');
}

/**
 * Closes a connection when it has got rid of what it was given. That keeps the process alive, and so a peer that takes nothing is not
 * waited for for ever.
 */
export function destroySoon(socket: NetSocket): void {
  const timer = setTimeout(() => socket.destroy(), LINGER);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
  socket.destroySoon();
}

export function unsupported(what: string): NotSupportedError {
  return new NotSupportedError(
    `${what}: Node has no way to do that. So the portable driver cannot, and TLS sockets and sockets and streams of ` +
      'Node’s cannot on any driver. The posix driver can, for sockets and pipes of its own.',
  );
}
