/*
 * A UDP socket of the portable driver. Datagrams that nobody has received yet stand in
 * line; when the line is full, further ones are dropped, as the operating system does.
 */

import type { Socket as DgramSocket, RemoteInfo } from 'node:dgram';
import { Deque } from '../../base/deque.ts';
import { futureWait } from '../../traps.ts';
import type { Address, Endpoint } from '../address.ts';
import {
  AF_INET6,
  IP_ADD_MEMBERSHIP,
  IP_DROP_MEMBERSHIP,
  IP_MULTICAST_IF,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  SO_BROADCAST,
  SO_ERROR,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_TYPE,
  SOCK_DGRAM,
  SOL_SOCKET,
} from '../constants.ts';
import type { Direction } from '../driver.ts';
import { systemError } from '../system.ts';
import { PortableHandle, peeks, unsupported } from './handle.ts';
import { addressOf, familyOf, hasReusePort } from './net.ts';
import { zonedHost } from './zone.ts';

type Dgram = typeof import('node:dgram');

/** Bytes that may stand in line, and what each datagram counts besides its own. */
const LINE = 1024 * 1024;
const OVERHEAD = 256;
/** Bytes Node may have been given to send before a sender waits. */
const BACKLOG = 1024 * 1024;
const LARGEST = 65507;

export class DgramHandle extends PortableHandle {
  #socket: DgramSocket | null = null;
  readonly #line = new Deque<{ data: Buffer; from: Address }>();
  #lineBytes = 0;
  /** What the last send, or the network, complained about; the next operation throws it. */
  #error: Error | null = null;
  #bound = false;
  #binding: Promise<void> | null = null;
  #connected = false;

  static fresh(family: number): DgramHandle {
    return new DgramHandle(family, SOCK_DGRAM, 0);
  }

  static of(socket: DgramSocket): DgramHandle {
    const family = familyOf((socket as unknown as { type: string }).type === 'udp6' ? 6 : 4);
    const handle = new DgramHandle(family, SOCK_DGRAM, 0);
    handle.#bound = answers('EBADF', () => socket.address());
    handle.#connected = answers('ERR_SOCKET_DGRAM_NOT_CONNECTED', () => socket.remoteAddress());
    handle.#adopt(socket);
    return handle;
  }

  /** Node's socket, made when the options that only its birth can set are known. */
  get #node(): DgramSocket {
    if (this.#socket !== null) return this.#socket;
    const { createSocket } = process.getBuiltinModule('node:dgram') as Dgram;
    const socket = createSocket({
      type: this.family === AF_INET6 ? 'udp6' : 'udp4',
      reuseAddr: this.#option(SOL_SOCKET, SO_REUSEADDR) === 1,
      reusePort: this.#option(SOL_SOCKET, SO_REUSEPORT) === 1,
      ipv6Only: this.#option(IPPROTO_IPV6, IPV6_V6ONLY) === 1,
      // Hosts are literals by now. Without a look-up Node binds and sends at once.
      lookup: ((
        host: string,
        family: unknown,
        done: (error: null, address: string, kind: number) => void,
      ) => {
        done(null, host, typeof family === 'number' ? family : 4);
      }) as never,
    } as Parameters<Dgram['createSocket']>[0]);
    this.#adopt(socket);
    return socket;
  }

  #adopt(socket: DgramSocket): void {
    this.#socket = socket;
    socket.on('message', this.#enter);
    socket.on('error', this.#fail);
    socket.on('listening', () => {
      this.#bound = true;
    });
    socket.on('connect', () => {
      this.#connected = true;
      this.writer.ready();
    });
    socket.unref();
  }

  readonly #enter = (data: Buffer, from: RemoteInfo): void => {
    if (this.#lineBytes >= LINE) return;
    this.#lineBytes += data.length + OVERHEAD;
    this.#line.push({ data, from: addressOf(this.family, from.address, from.port) });
    this.reader.ready();
  };

  readonly #fail = (error: Error): void => {
    this.#error = error;
    this.reader.ready();
    this.writer.ready();
  };

  #option(level: number, name: number): number {
    return this.options.get(`${level}:${name}`) ?? 0;
  }

  #throwError(): void {
    const error = this.#error;
    this.#error = null;
    if (error !== null) throw error;
  }

  // ---- Readiness ----

  arm(): void {
    this.mustBeOpen('poll');
  }

  poll(direction: Direction): boolean {
    this.mustBeOpen('poll');
    if (this.#error !== null) return true;
    return direction === 'reader' ? this.#line.length > 0 : this.#hasRoom;
  }

  get #hasRoom(): boolean {
    return this.#socket === null || !this.#bound || this.#socket.getSendQueueSize() < BACKLOG;
  }

  // ---- Datagrams ----

  #take(flags: number): { data: Buffer; from: Address } | null {
    this.mustBeOpen('recv');
    const peek = peeks(flags);
    const first = this.#line.shift();
    if (first === undefined) {
      this.#throwError();
      return null;
    }
    if (peek) {
      this.#line.unshift(first);
      // A copy: the caller may change it, and the next one gets what was sent.
      return { ...first, data: Buffer.from(first.data) };
    }
    this.#lineBytes -= first.data.length + OVERHEAD;
    return first;
  }

  recv(maxbytes: number, flags: number): Buffer | null {
    return this.#take(flags)?.data.subarray(0, maxbytes) ?? null;
  }

  override recvfrom(maxbytes: number, flags: number): [data: Buffer, address: Address] | null {
    const first = this.#take(flags);
    return first === null ? null : [first.data.subarray(0, maxbytes), first.from];
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    if (!this.#connected) {
      this.mustBeOpen('send');
      throw systemError('EDESTADDRREQ', 'send');
    }
    return this.#send(data.subarray(offset), flags, null);
  }

  override sendto(data: Uint8Array, flags: number, to: Endpoint): number | null {
    this.mustBeOpen('sendto');
    if (this.#connected) throw systemError('EISCONN', 'sendto');
    return this.#send(data, flags, to);
  }

  #send(data: Uint8Array, flags: number, to: Endpoint | null): number | null {
    this.mustBeOpen('send');
    peeks(flags);
    this.#throwError();
    if (data.length > LARGEST) throw systemError('EMSGSIZE', 'send');
    const socket = this.#node;
    if (!this.#hasRoom) return null;
    // A copy: the caller may use its memory again as soon as this returns.
    const copy = Buffer.from(data);
    if (to === null) socket.send(copy, this.#onSent);
    else socket.send(copy, to.port, zonedHost(to), this.#onSent);
    return data.length;
  }

  readonly #onSent = (error: Error | null): void => {
    if (error !== null && !this.closed) this.#error = error;
    this.writer.ready();
  };

  // ---- Names ----

  connect(to: Endpoint): true | null {
    this.mustBeOpen('connect');
    if (this.#connected) {
      this.#node.disconnect();
      this.#connected = false;
    }
    this.#node.connect(to.port, zonedHost(to));
    return null;
  }

  connected(): true | null {
    this.mustBeOpen('connect');
    if (this.#connected) return true;
    this.#throwError();
    return null;
  }

  bind(to: Endpoint): void {
    this.mustBeOpen('bind');
    if (this.#bound || this.#binding !== null) throw systemError('EINVAL', 'bind');
    const socket = this.#node;
    const binding = new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: zonedHost(to), port: to.port, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    binding.catch(
      // swallows: nothing; the error is kept too, and thrown by the next operation.
      () => {},
    );
    this.#binding = binding;
    // As a rule Node has bound by now, or failed.
    if (!this.#bound) this.#throwError();
  }

  ready(): Promise<void> | null {
    if (this.#binding === null || this.#bound) return null;
    return futureWait(this.#binding);
  }

  shutdown(): void {
    this.mustBeOpen('shutdown');
    if (!this.#connected) throw systemError('ENOTCONN', 'shutdown');
    throw unsupported('shutdown() of a UDP socket');
  }

  protected leave(): void {
    this.#socket?.close();
    this.#socket?.on('error', () => {});
  }

  getsockname(): Address {
    this.mustBeOpen('getsockname');
    if (this.#bound) {
      const { address, port } = this.#node.address();
      return addressOf(this.family, address, port);
    }
    if (this.#binding === null) return addressOf(this.family, undefined, undefined);
    const error = systemError('EINVAL', 'getsockname');
    error.message += ': on the portable driver a socket is bound a little later; await sock.ready() first';
    throw error;
  }

  getpeername(): Address {
    this.mustBeOpen('getpeername');
    if (!this.#connected) throw systemError('ENOTCONN', 'getpeername');
    const { address, port } = this.#node.remoteAddress();
    return addressOf(this.family, address, port);
  }

  // ---- Options ----

  override getsockopt(level: number, name: number, size: number): number | Buffer {
    this.mustBeOpen('getsockopt');
    if (level === SOL_SOCKET && size === 0) {
      if (name === SO_TYPE) return this.type;
      if (name === SO_ERROR) return 0;
      if (this.#bound && name === SO_RCVBUF) return this.#node.getRecvBufferSize();
      if (this.#bound && name === SO_SNDBUF) return this.#node.getSendBufferSize();
    }
    return super.getsockopt(level, name, size);
  }

  setsockopt(level: number, name: number, value: number | Uint8Array): void {
    this.mustBeOpen('setsockopt');
    const set =
      typeof value === 'number' ? this.#setNumber(level, name, value) : this.#setBytes(level, name, value);
    if (!set) throw unsupported(`setsockopt(${level}, ${name})`);
    if (typeof value === 'number') this.remember(level, name, value);
  }

  #setNumber(level: number, name: number, value: number): boolean {
    if (level === SOL_SOCKET && (name === SO_REUSEADDR || name === SO_REUSEPORT)) {
      if (name === SO_REUSEPORT && value !== 0 && !hasReusePort()) return false;
      return this.#socket === null;
    }
    if (level === IPPROTO_IPV6 && name === IPV6_V6ONLY) return this.#socket === null;
    const apply = setterOf(level, name);
    if (apply === null) return false;
    // Node sets these on bound sockets only.
    const socket = this.#node;
    if (this.#bound) apply(socket, value);
    else socket.once('listening', () => apply(socket, value));
    return true;
  }

  /** `IP_ADD_MEMBERSHIP` and its opposite: the group's address and that of the interface. */
  #setBytes(level: number, name: number, value: Uint8Array): boolean {
    if (level !== IPPROTO_IP || value.length < 8) return false;
    if (name !== IP_ADD_MEMBERSHIP && name !== IP_DROP_MEMBERSHIP) return false;
    const group = value.subarray(0, 4).join('.');
    const local = value.subarray(4, 8).join('.');
    const via = local === '0.0.0.0' ? undefined : local;
    if (name === IP_ADD_MEMBERSHIP) this.#node.addMembership(group, via);
    else this.#node.dropMembership(group, via);
    return true;
  }
}

/** Whether a question to Node's socket has an answer; `code` is its way of saying that it has none. */
function answers(code: string, question: () => unknown): boolean {
  try {
    question();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== code) throw error;
    return false;
  }
}

function setterOf(level: number, name: number): ((socket: DgramSocket, value: number) => void) | null {
  if (level === SOL_SOCKET) {
    if (name === SO_BROADCAST) return (socket, value) => socket.setBroadcast(value !== 0);
    if (name === SO_RCVBUF) return (socket, value) => socket.setRecvBufferSize(value);
    if (name === SO_SNDBUF) return (socket, value) => socket.setSendBufferSize(value);
  }
  if ((level === IPPROTO_IP && name === IP_TTL) || (level === IPPROTO_IPV6 && name === IPV6_UNICAST_HOPS))
    return (socket, value) => void socket.setTTL(value);
  if (
    (level === IPPROTO_IP && name === IP_MULTICAST_TTL) ||
    (level === IPPROTO_IPV6 && name === IPV6_MULTICAST_HOPS)
  )
    return (socket, value) => void socket.setMulticastTTL(value);
  if (
    (level === IPPROTO_IP && name === IP_MULTICAST_LOOP) ||
    (level === IPPROTO_IPV6 && name === IPV6_MULTICAST_LOOP)
  )
    return (socket, value) => void socket.setMulticastLoopback(value !== 0);
  if (level === IPPROTO_IP && name === IP_MULTICAST_IF)
    return (socket, value) =>
      socket.setMulticastInterface([24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.'));
  return null;
}
