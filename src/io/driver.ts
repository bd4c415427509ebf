/*
 * What a driver must be able to do for Socket and the streams to stand on it: the one
 * interface with two implementations, posix/ and portable/.
 *
 * A handle is one open socket. None of its verbs ever waits: one that cannot go on at
 * once gives null, and whoever wants to wait does so in `reader` or `writer` after
 * `arm`. Names have been resolved by then; what goes wrong is thrown in Node's form.
 */

import type { Socket as NetSocket } from 'node:net';
import type { Readiness } from '../readiness.ts';
import type { Address, Endpoint } from './address.ts';
import type { Slot } from './slot.ts';

/** Ancillary data, such as `[SOL_SOCKET, SCM_RIGHTS, new Int32Array([fd])]`. */
export type Ancillary<Bytes = Uint8Array> = readonly [level: number, type: number, data: Bytes];

/** What `recvmsg` gives. */
export type Message = [bytes: number, ancillary: Ancillary<Buffer>[], flags: number, address: Address | null];

export type Direction = 'reader' | 'writer';

export interface Handle extends Readiness {
  readonly family: number;
  readonly type: number;
  readonly proto: number;
  readonly reader: Slot;
  readonly writer: Slot;
  /** True while a task is in `writer`, which need not be made to know that. */
  readonly hasWriter: boolean;
  readonly closed: boolean;
  /** False while reading is known to find nothing until an event comes; true means try. */
  readable: boolean;
  /** False while writing is known to find no room until an event comes; true means try. */
  writable: boolean;

  /** Before somebody waits: sees to it that the end of the wait will be told. */
  arm(direction: Direction): void;

  /** What `recv` has given and nobody has taken: the next `recv` gives it again. */
  giveBack(data: Buffer): void;
  /** At most `maxbytes`, as an object that nobody else will write to. Empty at the end of input. */
  recv(maxbytes: number, flags: number): Buffer | null;
  recvInto(target: Uint8Array, flags: number): number | null;
  recvfrom(maxbytes: number, flags: number): [data: Buffer, address: Address | null] | null;
  recvfromInto(target: Uint8Array, flags: number): [bytes: number, address: Address | null] | null;
  recvmsg(targets: readonly Uint8Array[], ancillarySize: number, flags: number): Message | null;
  /** Sends what it can of `data` from `offset` on. */
  send(data: Uint8Array, offset: number, flags: number): number | null;
  sendto(data: Uint8Array, flags: number, to: Endpoint): number | null;
  sendmsg(
    buffers: readonly Uint8Array[],
    ancillary: readonly Ancillary[],
    flags: number,
    to: Endpoint | null,
  ): number | null;

  /** True once nothing that was sent is still held back here. */
  drained(): true | null;
  /** Ends what is written, if that has an end of its own: true once it has been reached. Then `drained` matters no more. */
  ended?(): true | null;

  accept(): [handle: Handle, address: Address | null] | null;
  /** Begins to connect: true if it is done, null if `connected` will tell once the handle is writable. */
  connect(to: Endpoint): true | null;
  connected(to: Endpoint): true | null;
  bind(to: Endpoint): void;
  listen(backlog: number): void;
  /** When binding and listening have taken place; null where they have already. */
  ready(): Promise<void> | null;
  /** True once the TLS handshake is done. */
  handshake(): true | null;
  shutdown(how: number): void;
  /** Wakes who waits here with EBADF. A second call does nothing. */
  close(): void;

  getsockname(): Address | null;
  getpeername(): Address;
  /** A number, or with `size` that many bytes. */
  getsockopt(level: number, name: number, size: number): number | Buffer;
  setsockopt(level: number, name: number, value: number | Uint8Array): void;
  fileno(): number;
  /** Gives the descriptor away; the handle is closed without closing it. */
  detach(): number;
  /** Gives the connection away as a socket of Node's; the handle is closed without closing it. */
  surrender(): NetSocket;
  dup(): Handle;
  /** Blocking or not, for `Socket.blocking()`. Gives what does synchronous calls. */
  setBlocking(on: boolean): BlockingSocket | BlockingFile;
}

/** A socket in blocking mode: what `Socket.blocking()` shows. Each call blocks the whole thread. */
export interface BlockingSocket {
  /** Blocks this thread until there is something. */
  recv(maxbytes: number, flags?: number): Buffer;
  /** Blocks this thread until there is room; the number of bytes sent. */
  send(data: string | Uint8Array, flags?: number): number;
  /** Blocks this thread until everything has been sent. */
  sendall(data: string | Uint8Array, flags?: number): void;
  fileno(): number;
}

/** A descriptor in blocking mode: what `FileStream.blocking()` shows. Each call blocks the whole thread. */
export interface BlockingFile {
  /** Blocks this thread until there is something; empty at the end. */
  read(maxbytes: number): Buffer;
  /** Blocks this thread until everything has been written; the number of bytes. */
  write(data: string | Uint8Array): number;
  fileno(): number;
}

export interface Driver {
  readonly name: 'posix' | 'portable';
  open(family: number, type: number, proto: number): Handle;
  pair(family: number, type: number, proto: number): [Handle, Handle];
  /** The two descriptors of a new pipe, which are the caller's to close. */
  pipe(): [readEnd: number, writeEnd: number];
  /** Closes one of them. (In a thread, Node warns of descriptors that it closes and has not opened.) */
  closeEnd(fd: number): void;
  /** Takes over a descriptor; what is not given is found out. */
  adopt(fd: number, family?: number, type?: number, proto?: number): Handle;
  /** A second descriptor for what `fd` stands for. */
  dup(fd: number): number;
  /** Takes over a descriptor that need not be a socket's: a pipe's, a terminal's, a file's. */
  file(fd: number): Handle;
  /** The readiness of a bare descriptor, null if nothing waits for it; with `create` it begins to be watched. */
  readiness(fd: number, create: boolean): Readiness | null;
}
