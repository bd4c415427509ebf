/*
 * The portable driver: handles over Node's own net and dgram, for machines without the addon,
 * and on any driver for the objects of Node's that users wrap.
 */

import type { Socket as DgramSocket } from 'node:dgram';
import type { Socket as NetSocket, Server, SocketConstructorOpts } from 'node:net';
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from '../constants.ts';
import type { Driver, Handle } from '../driver.ts';
import { DgramHandle } from './dgram.ts';
import { DuplexHandle } from './duplex.ts';
import { FileDescriptorHandle } from './file.ts';
import { unsupported } from './handle.ts';
import { NetHandle, net } from './net.ts';

/** What of Node's can be wrapped as a socket. A `tls.TLSSocket` is a `net.Socket`. */
export type NodeSocket = NetSocket | Server | DgramSocket;

export class PortableDriver implements Driver {
  readonly name = 'portable';

  open(family: number, type: number, proto: number): Handle {
    const internet = family === AF_INET || family === AF_INET6;
    if (type === SOCK_STREAM && (internet || family === AF_UNIX)) return NetHandle.fresh(family, proto);
    if (type === SOCK_DGRAM && internet) return DgramHandle.fresh(family);
    throw unsupported(`socket(family=${family}, type=${type})`);
  }

  pair(): [Handle, Handle] {
    throw unsupported('socketpair()');
  }

  pipe(): [readEnd: number, writeEnd: number] {
    throw unsupported('pipe()');
  }

  closeEnd(): void {
    throw unsupported('pipe()');
  }

  adopt(): Handle {
    throw unsupported('A socket for a bare descriptor');
  }

  dup(): number {
    throw unsupported('A second descriptor');
  }

  file(fd: number): Handle {
    const { fstatSync } = process.getBuiltinModule('node:fs');
    const stat = fstatSync(fd);
    // Not read from before somebody asks: the end of a pipe that is written to cannot be.
    const paused = { fd, pauseOnCreate: true } as SocketConstructorOpts;
    if (stat.isFIFO() || stat.isSocket()) return fileOf(new (net().Socket)(paused));
    const { isatty, ReadStream } = process.getBuiltinModule('node:tty');
    return isatty(fd) ? fileOf(new ReadStream(fd)) : new FileDescriptorHandle(fd);
  }

  readiness(_fd: number, create: boolean): null {
    if (!create) return null;
    throw unsupported('Waiting for a bare descriptor');
  }
}

function fileOf(stream: NetSocket): Handle {
  return DuplexHandle.of(stream) as Handle;
}

/** The handle of an object of Node's; null if it is no socket. */
export function wrapSocket(object: object): Handle | null {
  const has = (...names: string[]) =>
    names.every((name) => typeof (object as Record<string, unknown>)[name] === 'function');
  if (has('addMembership', 'send')) return DgramHandle.of(object as DgramSocket);
  if (has('getConnections', 'listen')) return NetHandle.ofServer(object as Server);
  if (has('setNoDelay', 'read', 'write')) return NetHandle.ofSocket(object as NetSocket);
  return null;
}
