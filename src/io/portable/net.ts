/*
 * A stream socket of the portable driver, TCP or Unix: an address and some options until it
 * connects or listens, then one of Node's net objects. Node binds and listens a
 * little later than it is told; `ready` waits for that.
 */

import type { Socket as NetSocket, Server } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { futureWait } from '../../traps.ts';
import { type Address, type Endpoint, endpoint } from '../address.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_V6ONLY,
  SHUT_RD,
  SHUT_WR,
  SO_ACCEPTCONN,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_TYPE,
  SOCK_STREAM,
  SOL_SOCKET,
  TCP_KEEPIDLE,
  TCP_NODELAY,
} from '../constants.ts';
import type { Direction, Handle } from '../driver.ts';
import { closedError, notTls, systemError } from '../system.ts';
import { gather } from './gathering.ts';
import { checkHow, destroySoon, PortableHandle, unsupported } from './handle.ts';
import { Listener } from './listener.ts';
import { Input, Output } from './stream.ts';
import { zonedHost, zoneNumber } from './zone.ts';

type Net = typeof import('node:net');

/** Loaded when first needed: it is not free. */
export function net(): Net {
  return process.getBuiltinModule('node:net');
}

export class NetHandle extends PortableHandle {
  #socket: NetSocket | null = null;
  #input: Input | null = null;
  #output: Output | null = null;
  #listener: Listener | null = null;
  #bound: Endpoint | null = null;
  /** The path at the other end; Node does not tell. */
  #peer = '';
  #connected = false;

  /** A socket that is neither connected nor listening. */
  static fresh(family: number, proto: number): NetHandle {
    return new NetHandle(family, SOCK_STREAM, proto);
  }

  /** The handle of a connection that Node has made. */
  static ofSocket(
    socket: NetSocket,
    family = socket.connecting ? AF_INET : familyOf(socket.remoteFamily),
  ): NetHandle {
    const handle = new NetHandle(family, SOCK_STREAM, 0);
    handle.#adopt(socket);
    return handle;
  }

  /** The handle of a server of Node's, listening or about to. */
  static ofServer(server: Server): NetHandle {
    const address = server.address();
    const family = typeof address === 'string' ? AF_UNIX : familyOf(address?.family);
    const handle = new NetHandle(family, SOCK_STREAM, 0);
    // A TLS server's own `connection` is one that has not shaken hands.
    const event = 'setSecureContext' in server ? 'secureConnection' : 'connection';
    handle.#listener = new Listener(server, () => handle.reader.ready(), event);
    return handle;
  }

  #adopt(socket: NetSocket): void {
    this.#socket = socket;
    // Where nobody listens any more, Node reads and throws away: as after once(socket, 'data').
    if (socket.readableFlowing && socket.listenerCount('data') === 0) socket.pause();
    this.#input = new Input(socket, () => gather(this.reader));
    this.#output = new Output(socket, () => this.writer.ready());
    // One that failed at the call, as with a path that is too long, is not connecting either.
    this.#connected = !socket.connecting && !socket.errored;
    if (!this.#connected) {
      socket.once('connect', () => {
        this.#connected = true;
        this.writer.ready();
      });
    }
    // Who waits keeps the process alive himself.
    socket.unref();
  }

  // ---- Readiness ----

  arm(direction: Direction): void {
    this.mustBeOpen('poll');
    if (direction === 'reader') this.#input?.start();
  }

  poll(direction: Direction): boolean {
    this.arm(direction);
    if (direction === 'reader') return this.#listener?.hasClients ?? this.#input?.ready ?? true;
    return this.#output === null || (this.#connected && this.#output.drained);
  }

  // ---- Bytes ----

  recv(maxbytes: number, flags: number): Buffer | null {
    if (this.closed || this.#input === null) throw this.#notConnected('read');
    return this.#input.recv(maxbytes, flags);
  }

  send(data: Uint8Array, offset: number, flags: number): number | null {
    if (this.closed || this.#output === null) throw this.#notConnected('write');
    return this.#output.send(data, offset, flags);
  }

  #notConnected(syscall: string): Error {
    return this.closed ? closedError(syscall) : systemError('ENOTCONN', syscall);
  }

  override drained(): true | null {
    if (this.closed || this.#output === null) throw this.#notConnected('write');
    this.#output.check();
    return this.#output.drained ? true : null;
  }

  override handshake(): true | null {
    const socket = this.#socket as TLSSocket | null;
    if (this.closed) throw closedError('handshake');
    if (typeof socket?.getFinished !== 'function') throw notTls();
    this.#output?.check();
    if (socket.getFinished() !== undefined) return true;
    if (socket.destroyed) throw systemError('ECONNRESET', 'handshake');
    socket.once('secure', () => this.writer.ready());
    return null;
  }

  shutdown(how: number): void {
    checkHow(how);
    if (this.closed || this.#input === null || this.#output === null) throw this.#notConnected('shutdown');
    if (how !== SHUT_RD) this.#output.finish();
    if (how !== SHUT_WR) this.#input.stop();
  }

  // ---- Connecting ----

  connect(to: Endpoint): true | null {
    this.mustBeOpen('connect');
    if (this.#listener !== null || this.#connected) throw systemError('EISCONN', 'connect');
    if (this.#socket !== null && !this.#socket.errored) return null;
    this.#checkPath(to, 'connect');
    const bound = this.#bound;
    const target =
      this.family === AF_UNIX
        ? { path: to.host as string }
        : {
            host: zonedHost(to),
            port: to.port,
            family: this.family === AF_INET6 ? 6 : 4,
            ...(bound === null ? {} : { localAddress: zonedHost(bound), localPort: bound.port }),
          };
    const { connect } = net();
    const socket = connect({ ...target, allowHalfOpen: true });
    socket.pause();
    this.#adopt(socket);
    this.#applyOptions(socket);
    if (this.family === AF_UNIX) this.#peer = to.host as string;
    return null;
  }

  connected(): true | null {
    this.mustBeOpen('connect');
    if (this.#connected) return true;
    if (this.#socket?.errored) throw this.#socket.errored;
    return null;
  }

  bind(to: Endpoint): void {
    this.mustBeOpen('bind');
    if (this.#bound !== null || this.#socket !== null) throw systemError('EINVAL', 'bind');
    this.#checkPath(to, 'bind');
    this.#bound = to;
  }

  /**
   * Some releases of Node cut off what of a path is too long, or stands behind a zero byte, and go to another one; without any they connect
   * by TCP. The zero byte in front of an abstract name belongs there.
   */
  #checkPath({ host }: Endpoint, syscall: string): void {
    if (this.family !== AF_UNIX) return;
    const path = host as string;
    if (Buffer.byteLength(path) > LONGEST_PATH) throw systemError('ENAMETOOLONG', syscall, path);
    if (path === '' || path.indexOf('\0') > 0) throw systemError('EINVAL', syscall, path);
  }

  override listen(backlog: number): void {
    this.mustBeOpen('listen');
    if (this.#socket !== null) throw systemError('EINVAL', 'listen');
    if (this.#listener !== null) return;
    // Clients find a Unix socket by its path only.
    if (this.#bound === null && this.family === AF_UNIX) throw systemError('EINVAL', 'listen');
    const bound = this.#bound ?? { ...NOWHERE, host: this.family === AF_INET6 ? '::' : '0.0.0.0' };
    const server = net().createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const where =
      this.family === AF_UNIX
        ? { path: bound.host as string }
        : {
            host: zonedHost(bound),
            port: bound.port,
            exclusive: true,
            ipv6Only: this.options.get(`${IPPROTO_IPV6}:${IPV6_V6ONLY}`) === 1,
            reusePort: this.options.get(`${SOL_SOCKET}:${SO_REUSEPORT}`) === 1,
          };
    this.#listener = new Listener(server, () => this.reader.ready());
    server.listen({ ...where, backlog });
  }

  ready(): Promise<void> | null {
    const listener = this.#listener;
    if (listener === null || listener.listening) return null;
    return futureWait(listener.settled);
  }

  override accept(): [handle: Handle, address: Address | null] | null {
    this.mustBeOpen('accept');
    if (this.#listener === null) throw systemError('EINVAL', 'accept');
    const socket = this.#listener.accept();
    if (socket === null) return null;
    const handle = NetHandle.ofSocket(socket, this.family);
    if (this.family === AF_UNIX) {
      const path = this.#listener.address;
      if (typeof path === 'string') handle.#bound = endpoint(path, AF_UNIX, 'accept');
    }
    return [handle, addressOf(this.family, socket.remoteAddress, socket.remotePort)];
  }

  override surrender(): NetSocket {
    const socket = this.#socket;
    if (this.closed || socket === null || !this.#connected) throw this.#notConnected('surrender');
    this.#socket = null;
    this.#input?.leave();
    this.close();
    return socket;
  }

  protected leave(): void {
    this.#listener?.leave();
    const socket = this.#socket;
    if (socket === null) return;
    // What has been sent goes on its way before the end does.
    if (socket.connecting || socket.errored) socket.destroy();
    else destroySoon(socket);
  }

  // ---- Names and options ----

  getsockname(): Address | null {
    this.mustBeOpen('getsockname');
    if (this.#listener !== null) {
      const address = this.#listener.address;
      if (address === null) throw notBoundYet('a socket is bound a little later; await sock.ready() first');
      return typeof address === 'string'
        ? address
        : addressOf(familyOf(address.family), address.address, address.port);
    }
    if (this.family === AF_UNIX) return (this.#bound?.host as string) ?? '';
    const socket = this.#socket;
    if (this.#connected && socket) return addressOf(this.family, socket.localAddress, socket.localPort);
    if (this.#bound !== null)
      throw notBoundYet(
        'a socket is bound when it listens or connects, and not before: await ready() after listen()',
      );
    return addressOf(this.family, undefined, undefined);
  }

  getpeername(): Address {
    this.mustBeOpen('getpeername');
    const socket = this.#socket;
    if (!this.#connected || !socket) throw systemError('ENOTCONN', 'getpeername');
    if (this.family === AF_UNIX) return this.#peer;
    if (socket.remoteAddress === undefined) throw systemError('ENOTCONN', 'getpeername');
    return addressOf(this.family, socket.remoteAddress, socket.remotePort);
  }

  override getsockopt(level: number, name: number, size: number): number | Buffer {
    this.mustBeOpen('getsockopt');
    if (level === SOL_SOCKET && size === 0) {
      if (name === SO_TYPE) return this.type;
      if (name === SO_ERROR) return 0;
      if (name === SO_ACCEPTCONN) return this.#listener === null ? 0 : 1;
    }
    if (size === 0 && SETTABLE.has(`${level}:${name}`) && !this.options.has(`${level}:${name}`)) return 0;
    return super.getsockopt(level, name, size);
  }

  setsockopt(level: number, name: number, value: number | Uint8Array): void {
    this.mustBeOpen('setsockopt');
    const reusePort = level === SOL_SOCKET && name === SO_REUSEPORT;
    if (
      typeof value !== 'number' ||
      !SETTABLE.has(`${level}:${name}`) ||
      (reusePort && value !== 0 && !hasReusePort())
    )
      throw unsupported(`setsockopt(${level}, ${name})`);
    this.remember(level, name, value);
    if (this.#socket !== null) this.#applyOptions(this.#socket);
  }

  #applyOptions(socket: NetSocket): void {
    const noDelay = this.options.get(`${IPPROTO_TCP}:${TCP_NODELAY}`);
    if (noDelay !== undefined) socket.setNoDelay(noDelay !== 0);
    const keepAlive = this.options.get(`${SOL_SOCKET}:${SO_KEEPALIVE}`);
    const idle = this.options.get(`${IPPROTO_TCP}:${TCP_KEEPIDLE}`) ?? 0;
    if (keepAlive !== undefined) socket.setKeepAlive(keepAlive !== 0, idle * 1000);
  }
}

/** Of `sockaddr_un`, without the NUL at its end. Windows has pipes instead. */
const LONGEST_PATH = { linux: 107, win32: Number.POSITIVE_INFINITY }[process.platform as string] ?? 103;

// libuv sets SO_REUSEADDR by itself.
const SETTABLE = new Set([
  `${SOL_SOCKET}:${SO_REUSEADDR}`,
  `${SOL_SOCKET}:${SO_REUSEPORT}`,
  `${SOL_SOCKET}:${SO_KEEPALIVE}`,
  `${IPPROTO_TCP}:${TCP_NODELAY}`,
  `${IPPROTO_TCP}:${TCP_KEEPIDLE}`,
  `${IPPROTO_IPV6}:${IPV6_V6ONLY}`,
]);

/** What is listened on that has not been bound, its host aside: any port. */
const NOWHERE = { port: 0, flowinfo: 0, scopeid: 0 };

/** Node knows `reusePort` from 22.12 and 23.1 on. */
export function hasReusePort(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  return major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);
}

function notBoundYet(when: string): Error {
  const error = systemError('EINVAL', 'getsockname');
  error.message += `: on the portable driver ${when}`;
  return error;
}

/** The family that Node calls `'IPv4'`, `'IPv6'`, or nothing at all for a Unix socket. */
export function familyOf(name: string | number | undefined): number {
  if (name === 'IPv6' || name === 6) return AF_INET6;
  return name === 'IPv4' || name === 4 ? AF_INET : AF_UNIX;
}

export function addressOf(family: number, host: string | undefined, port: number | undefined): Address {
  if (family === AF_UNIX) return '';
  if (family === AF_INET) return [host ?? '0.0.0.0', port ?? 0];
  const [literal, zone] = (host ?? '::').split('%') as [string, string?];
  return [literal, port ?? 0, 0, zone === undefined ? 0 : zoneNumber(zone)];
}
