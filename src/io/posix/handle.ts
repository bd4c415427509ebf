/*
 * An open socket of the posix driver: a descriptor, read and written directly, watched
 * once for its whole life, edge-triggered. What epoll has said is remembered in
 * `readable` and `writable`; a call that would block says so again.
 *
 * It must not know tasks beyond waking its two slots.
 */

import { Buffer } from 'node:buffer';
import type { Socket as NetSocket } from 'node:net';
import { constants as os } from 'node:os';
import { largeBuffer } from '../../base/ballast.ts';
import type { Address, Endpoint } from '../address.ts';
import { tryRecv } from '../attempts.ts';
import {
  AF_INET,
  AF_INET6,
  MSG_PEEK,
  SCM_RIGHTS,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../constants.ts';
import type { Ancillary, BlockingFile, BlockingSocket, Direction, Handle, Message } from '../driver.ts';
import { filled } from '../filled.ts';
import { Slot } from '../slot.ts';
import { closedError, notTls, systemError } from '../system.ts';
import type { Posix } from './addon.ts';
import { PosixBlocking } from './blocking.ts';
import { ENDING, EPOLLPRI, INTEREST, POLLIN, POLLOUT, READING, WRITING } from './epoll.ts';
import { AREA, type Home } from './home.ts';
import type { Kind } from './kind.ts';
import type { Watched } from './poller.ts';

const { EAGAIN, EINPROGRESS, EALREADY, ECONNABORTED, EPROTO, ENOTCONN } = os.errno;
const EMPTY = Buffer.alloc(0);

/** After a piece of this size the next one is believed to be large, too. */
const LARGE = AREA / 2;

// There is one for each connection, so that every field counts. A method with a # would be one more.
export class PosixHandle implements Handle, Watched {
  protected readonly home: Home;
  readonly #kind: Kind;
  readonly reader: Slot = new Slot(this);
  /** Made for the first who writes: a connection that only waits to read does without. */
  #writer: Slot | null = null;
  readable = true;
  writable = true;
  /** The descriptor; -1 once it is closed. */
  protected fd: number;
  token = 0;
  /** True while a receive that is shorter than asked for means that nothing is left. */
  #drains: boolean;
  /** True while large pieces come: each is then received straight into the Buffer that its receiver gets. */
  #bulk = false;
  /** What was received for a task that ended before it took it. */
  #back: Buffer | null = null;
  /** The description may live on when this descriptor is closed. */
  #shared = false;

  constructor(home: Home, fd: number, kind: Kind) {
    this.home = home;
    this.fd = fd;
    this.#kind = kind;
    this.#drains = kind.drains;
    home.handles[fd] = this;
    if (home.mayBeTerminated) home.posix.closeAtExit(fd, true);
  }

  protected get posix(): Posix {
    return this.home.posix;
  }

  get family(): number {
    return this.#kind.family;
  }

  get type(): number {
    return this.#kind.type;
  }

  get proto(): number {
    return this.#kind.proto;
  }

  get writer(): Slot {
    this.#writer ??= new Slot(this);
    return this.#writer;
  }

  get hasWriter(): boolean {
    return this.#writer !== null && this.#writer.task !== null;
  }

  get closed(): boolean {
    return this.fd < 0;
  }

  // ---- Readiness ----

  arm(): void {
    if (this.token !== 0) return;
    if (this.fd < 0) throw closedError('epoll_ctl');
    this.home.poller.watch(this.fd, this, INTEREST);
  }

  event(mask: number): void {
    if ((mask & READING) !== 0) {
      // With the end in sight, or urgent data inside, a short receive no longer means that nothing is left.
      if ((mask & (ENDING | EPOLLPRI)) !== 0) this.#drains = false;
      this.readable = true;
      if (this.room >= 0) this.home.inbox.ask(this);
      else this.reader.ready();
    }
    if ((mask & WRITING) !== 0) {
      this.writable = true;
      this.#writer?.ready();
    }
  }

  poll(direction: Direction): boolean {
    if (this.fd < 0) throw closedError('poll');
    this.arm();
    if (direction === 'reader' && this.#back !== null) return true;
    return this.posix.poll(this.fd, direction === 'reader' ? POLLIN : POLLOUT, 0) !== 0;
  }

  // ---- Bytes ----

  giveBack(data: Buffer): void {
    this.#back = data;
    this.readable = true;
  }

  /** Takes from what was given back; null if that is nothing. */
  private again(maxbytes: number, flags: number): Buffer | null {
    const back = this.#back;
    if (back === null) return null;
    const part = back.subarray(0, maxbytes);
    if ((flags & MSG_PEEK) !== 0) return part;
    // Of a datagram that is cut off the rest is lost.
    this.#back = part.length < back.length && this.type !== SOCK_DGRAM ? back.subarray(maxbytes) : null;
    return part;
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    if (this.#back !== null) return this.again(maxbytes, flags);
    if (this.#bulk && maxbytes >= LARGE) return this.receiveStraight(Math.min(maxbytes, AREA), flags);
    const data = this.receive(maxbytes, flags);
    if (data !== null) this.#bulk = data.length >= LARGE && this.#kind.flows;
    return data;
  }

  private receiveStraight(room: number, flags: number): Buffer | null {
    const area = largeBuffer(room);
    const n = this.receiveInto(area, flags);
    if (n === null) return null;
    this.#bulk = n >= LARGE;
    return filled(area, n);
  }

  protected receive(maxbytes: number, flags: number): Buffer | null {
    if (maxbytes > AREA && this.type !== SOCK_STREAM) return this.recvLarge(maxbytes, flags);
    const room = maxbytes < AREA ? maxbytes : AREA;
    const n = this.posix.recvScratch(this.fd, 0, room, flags);
    if (n < room) {
      if (n < 0) return this.cannotRead(n, 'recv');
      // At the end of input the next call must find the end again.
      if (n === 0) return EMPTY;
      if (this.#drains && flags === 0) this.readable = false;
    }
    return this.home.scratch.copy(n < room ? n : room);
  }

  // ---- What the inbox receives for the waiting task ----

  /** How many bytes it may receive; -1 if none waits, or had better receive for itself. */
  protected get room(): number {
    if (this.#back !== null || !this.reader.awaits(tryRecv)) return -1;
    const maxbytes = this.reader.argument as number;
    if (this.#bulk && maxbytes >= LARGE) return -1;
    if (maxbytes <= AREA) return maxbytes;
    return this.type === SOCK_STREAM ? AREA : -1;
  }

  request(requests: Int32Array, at: number): void {
    const { room } = this;
    requests[at] = room < 0 ? -1 : this.fd;
    requests[at + 1] = room;
  }

  /** @param n the length of `data`, or a negated errno */
  received(n: number, data: Buffer): void {
    const { room } = this;
    if (room < 0) {
      // An activation has taken the task away, meanwhile.
      if (n > 0) this.giveBack(data);
    } else if (n < 0) {
      this.failed(n);
    } else {
      // At the end of input the next call must find the end again.
      if (n > 0 && n < room && this.#drains) this.readable = false;
      this.reader.readyWith(data);
      this.#bulk = n >= LARGE && this.#kind.flows;
    }
  }

  private failed(result: number): void {
    try {
      this.cannotRead(result, 'recv');
    } catch (error) {
      // swallows: nothing; it is thrown at the task's turn.
      this.reader.readyToThrow(error);
    }
  }

  private recvLarge(maxbytes: number, flags: number): Buffer | null {
    const area = largeBuffer(maxbytes);
    const n = this.posix.recv(this.fd, area, 0, maxbytes, flags);
    if (n < 0) return this.cannotRead(n, 'recv');
    return filled(area, Math.min(n, maxbytes));
  }

  recvInto(target: Uint8Array, flags: number): number | null {
    const again = this.again(target.length, flags);
    if (again === null) return this.receiveInto(target, flags);
    target.set(again);
    return again.length;
  }

  protected receiveInto(target: Uint8Array, flags: number): number | null {
    const room = target.length;
    const n = this.posix.recv(this.fd, target, 0, room, flags);
    if (n < 0) return this.cannotRead(n, 'recv');
    if (n > 0 && n < room && this.#drains && flags === 0) this.readable = false;
    return n < room ? n : room;
  }

  recvfrom(maxbytes: number, flags: number): [data: Buffer, address: Address | null] | null {
    const again = this.again(maxbytes, flags);
    if (again !== null) return [again, null];
    const { scratch } = this.home;
    const large = maxbytes > AREA ? largeBuffer(maxbytes) : null;
    const n = this.posix.recvfrom(this.fd, large ?? scratch.area, 0, maxbytes, flags);
    if (n < 0) return this.cannotRead(n, 'recvfrom');
    const length = Math.min(n, maxbytes);
    return [large === null ? scratch.copy(length) : filled(large, length), this.lastAddress()];
  }

  recvfromInto(target: Uint8Array, flags: number): [bytes: number, address: Address | null] | null {
    const again = this.again(target.length, flags);
    if (again !== null) {
      target.set(again);
      return [again.length, null];
    }
    const n = this.posix.recvfrom(this.fd, target, 0, target.length, flags);
    if (n < 0) return this.cannotRead(n, 'recvfrom');
    return [Math.min(n, target.length), this.lastAddress()];
  }

  recvmsg(targets: readonly Uint8Array[], ancillarySize: number, flags: number): Message | null {
    const [first] = targets;
    const again = first === undefined ? null : this.again(first.length, flags);
    if (again !== null) {
      first!.set(again);
      return [again.length, [], 0, null];
    }
    const result = this.posix.recvmsg(this.fd, targets, ancillarySize, flags);
    if (typeof result === 'number') return this.cannotRead(result, 'recvmsg');
    const [n, ancillary, outcome, address] = result;
    return [n, ancillary, outcome, address as Address | null];
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    const length = data.length - offset;
    const { posix, fd } = this;
    const n =
      offset === 0 && flags === 0 ? posix.send(fd, data) : posix.send(fd, data, offset, length, flags);
    if (n < 0) return this.cannotWrite(n, 'send', null);
    if (n < length) this.writable = false;
    return n;
  }

  sendto(data: Uint8Array, flags: number, to: Endpoint): number | null {
    const { host, port, flowinfo, scopeid } = to;
    const n = this.posix.sendto(
      this.fd,
      data,
      0,
      data.length,
      flags,
      this.family,
      host,
      port,
      flowinfo,
      scopeid,
    );
    return n < 0 ? this.cannotWrite(n, 'sendto', to) : n;
  }

  sendmsg(
    buffers: readonly Uint8Array[],
    ancillary: readonly Ancillary[],
    flags: number,
    to: Endpoint | null,
  ): number | null {
    const family = to === null ? undefined : this.family;
    for (const [level, type] of ancillary) {
      if (level === SOL_SOCKET && type === SCM_RIGHTS) this.markPassed(ancillary);
    }
    const n = this.posix.sendmsg(
      this.fd,
      buffers,
      ancillary as [number, number, Uint8Array][],
      flags,
      family,
      to?.host,
      to?.port,
      to?.flowinfo,
      to?.scopeid,
    );
    return n < 0 ? this.cannotWrite(n, 'sendmsg', to) : n;
  }

  /** Descriptors that travel live on elsewhere, so that closing them here does not end their watching. */
  private markPassed(ancillary: readonly Ancillary[]): void {
    for (const [level, type, data] of ancillary) {
      if (level !== SOL_SOCKET || type !== SCM_RIGHTS) continue;
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      for (let at = 0; at + 4 <= data.byteLength; at += 4) {
        const handle = this.home.handles[view.getInt32(at, LITTLE_ENDIAN)];
        if (handle !== undefined) handle.#shared = true;
      }
    }
  }

  protected cannotRead(result: number, syscall: string): null {
    if (result !== -EAGAIN) throw this.error(result, syscall, null);
    this.readable = false;
    return null;
  }

  protected cannotWrite(result: number, syscall: string, to: Endpoint | null): null {
    if (result !== -EAGAIN) throw this.error(result, syscall, to);
    this.writable = false;
    return null;
  }

  private error(result: number, syscall: string, to: Endpoint | null): Error {
    if (this.fd < 0) return closedError(syscall);
    const code = this.posix.errorNames[-result] ?? `E${-result}`;
    return systemError(code, syscall, to === null ? null : this.addressOf(to));
  }

  private addressOf({ host, port }: Endpoint): Address {
    if (this.family === AF_INET || this.family === AF_INET6) return [host as string, port];
    return typeof host === 'string' ? host : Buffer.from(host);
  }

  private lastAddress(): Address | null {
    return this.posix.lastAddress() as Address | null;
  }

  /** The same for what is kept as long as a connection: many come from one host, whose name is then kept once. */
  private lastPeer(): Address | null {
    const { home } = this;
    const address = this.posix.lastAddress();
    if (!Array.isArray(address)) return address as Address | null;
    if (address[0] === home.lastHost) address[0] = home.lastHost;
    else home.lastHost = address[0];
    return address as unknown as Address;
  }

  drained(): true {
    if (this.fd < 0) throw closedError('write');
    return true;
  }

  // ---- Connecting ----

  accept(): [handle: Handle, address: Address | null] | null {
    for (;;) {
      const fd = this.posix.accept(this.fd);
      if (fd >= 0) {
        return [new PosixHandle(this.home, fd, this.#kind), this.lastPeer()];
      }
      // A client that gave up while it waited in line; the next one may be there.
      if (fd !== -ECONNABORTED && fd !== -EPROTO) return this.cannotRead(fd, 'accept');
    }
  }

  connect(to: Endpoint): true | null {
    const { host, port, flowinfo, scopeid } = to;
    const result = this.posix.connect(this.fd, this.family, host, port, flowinfo, scopeid);
    if (result === 0) return true;
    if (result !== -EINPROGRESS && result !== -EALREADY) throw this.error(result, 'connect', to);
    this.writable = false;
    return null;
  }

  connected(to: Endpoint): true | null {
    const failed = this.posix.socketError(this.fd);
    if (failed < 0) {
      this.askAgain(to);
      throw this.error(failed, 'connect', to);
    }
    if (typeof this.posix.getpeername(this.fd) !== 'number') {
      this.askAgain(to);
      return true;
    }
    if (this.posix.poll(this.fd, POLLOUT, 0) === 0) return null;
    throw this.error(-ENOTCONN, 'connect', to);
  }

  /** The system wants to be asked once more how connecting has ended: it would take the next connect for that. */
  private askAgain({ host, port, flowinfo, scopeid }: Endpoint): void {
    this.posix.connect(this.fd, this.family, host, port, flowinfo, scopeid);
  }

  bind(to: Endpoint): void {
    const { host, port, flowinfo, scopeid } = to;
    const result = this.posix.bind(this.fd, this.family, host, port, flowinfo, scopeid);
    if (result < 0) throw this.error(result, 'bind', to);
  }

  listen(backlog: number): void {
    this.check(this.posix.listen(this.fd, backlog), 'listen');
  }

  ready(): null {
    return null;
  }

  handshake(): never {
    throw notTls();
  }

  shutdown(how: number): void {
    this.check(this.posix.shutdown(this.fd, how), 'shutdown');
  }

  close(): void {
    const fd = this.fd;
    if (fd < 0) return;
    this.leave();
    this.posix.close(fd);
    this.reader.closed();
    this.#writer?.closed();
  }

  /** The descriptor is this handle's no more. */
  private leave(): void {
    const fd = this.fd;
    if (this.token !== 0) {
      this.home.poller.forget(this);
      if (this.#shared) this.posix.unwatch(fd);
    }
    if (this.home.mayBeTerminated) this.posix.closeAtExit(fd, false);
    this.fd = -1;
    this.readable = this.writable = true;
    if (this.home.handles[fd] === this) this.home.handles[fd] = undefined;
  }

  // ---- Names, options, the descriptor ----

  private check<T>(result: T | number, syscall: string): T {
    if (typeof result === 'number' && result < 0) throw this.error(result, syscall, null);
    return result as T;
  }

  getsockname(): Address | null {
    return this.check(this.posix.getsockname(this.fd), 'getsockname') as Address;
  }

  getpeername(): Address {
    return this.check(this.posix.getpeername(this.fd), 'getpeername') as Address;
  }

  getsockopt(level: number, name: number, size: number): number | Buffer {
    if (size > 0)
      return this.check(this.posix.getsockoptBytes(this.fd, level, name, size), 'getsockopt') as Buffer;
    return this.check(this.posix.getsockopt(this.fd, level, name), 'getsockopt') | 0;
  }

  setsockopt(level: number, name: number, value: number | Uint8Array): void {
    const result =
      typeof value === 'number'
        ? this.posix.setsockopt(this.fd, level, name, value)
        : this.posix.setsockoptBytes(this.fd, level, name, value);
    this.check(result, 'setsockopt');
  }

  fileno(): number {
    this.#shared = true;
    return this.fd;
  }

  detach(): number {
    const fd = this.fd;
    if (fd < 0) return fd;
    this.#shared = true;
    this.leave();
    this.reader.closed();
    this.#writer?.closed();
    return fd;
  }

  surrender(): NetSocket {
    const { Socket } = process.getBuiltinModule('node:net');
    const back = this.#back;
    const fd = this.detach();
    if (fd < 0) throw closedError('surrender');
    try {
      const socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
      if (back !== null) socket.unshift(back);
      return socket;
    } catch (error) {
      this.posix.close(fd);
      throw error;
    }
  }

  dup(): Handle {
    const fd = this.check(this.posix.dup(this.fd), 'dup');
    this.#shared = true;
    const copy = new PosixHandle(this.home, fd, this.#kind);
    copy.#shared = true;
    return copy;
  }

  setBlocking(on: boolean): BlockingSocket & BlockingFile {
    this.check(this.posix.setNonblocking(this.fd, !on), 'fcntl');
    return new PosixBlocking(this.posix, this.fd, this);
  }
}

const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
