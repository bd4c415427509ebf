/*
 * The posix driver: makes handles out of the addon's system calls.
 */

import type { Readiness } from '../../readiness.ts';
import { SO_DOMAIN, SO_PROTOCOL, SO_TYPE, SOL_SOCKET } from '../constants.ts';
import type { Driver, Handle } from '../driver.ts';
import { FileDescriptorHandle } from '../portable/file.ts';
import { systemError } from '../system.ts';
import type { Posix } from './addon.ts';
import { Descriptors } from './descriptors.ts';
import { PosixFile } from './file.ts';
import { PosixHandle } from './handle.ts';
import { AREA, type Home, Scratch } from './home.ts';
import { Inbox } from './inbox.ts';
import { kindOf } from './kind.ts';
import { Poller } from './poller.ts';

export class PosixDriver implements Driver {
  readonly name = 'posix';
  readonly #posix: Posix;
  readonly #home: Home;
  readonly #descriptors: Descriptors;

  constructor(posix: Posix) {
    this.#posix = posix;
    const area = posix.scratch(AREA);
    if (typeof area === 'number') throw systemError(posix.errorNames[-area]!, 'scratch');
    const { isMainThread } = process.getBuiltinModule('node:worker_threads');
    const mayBeTerminated = !isMainThread;
    const scratch = new Scratch(area);
    const inbox = new Inbox(posix, scratch);
    this.#home = {
      posix,
      poller: new Poller(posix, inbox.receive),
      scratch,
      inbox,
      mayBeTerminated,
      lastHost: '',
      handles: [],
    };
    this.#descriptors = new Descriptors(
      posix,
      this.#home.poller,
      (fd) => this.#home.handles[fd] !== undefined,
    );
  }

  open(family: number, type: number, proto: number): Handle {
    const fd = this.#check(this.#posix.socket(family, type, proto), 'socket');
    return new PosixHandle(this.#home, fd, kindOf(family, type, proto));
  }

  pair(family: number, type: number, proto: number): [Handle, Handle] {
    const pair = this.#posix.socketpair(family, type, proto);
    if (typeof pair === 'number') throw systemError(this.#posix.errorNames[-pair]!, 'socketpair');
    const [a, b] = pair;
    const kind = kindOf(family, type, proto);
    return [new PosixHandle(this.#home, a, kind), new PosixHandle(this.#home, b, kind)];
  }

  pipe(): [readEnd: number, writeEnd: number] {
    const pipe = this.#posix.pipe();
    if (typeof pipe === 'number') throw systemError(this.#posix.errorNames[-pipe]!, 'pipe');
    return pipe;
  }

  closeEnd(fd: number): void {
    this.#posix.close(fd);
  }

  adopt(fd: number, family?: number, type?: number, proto?: number): Handle {
    const option = (name: number) =>
      this.#check(this.#posix.getsockopt(fd, SOL_SOCKET, name), 'getsockopt') | 0;
    const kind = kindOf(family ?? option(SO_DOMAIN), type ?? option(SO_TYPE), proto ?? option(SO_PROTOCOL));
    const handle = new PosixHandle(this.#home, fd, kind);
    this.#check(this.#posix.setNonblocking(fd, true), 'fcntl');
    // Somebody else has had it, and may still.
    handle.fileno();
    return handle;
  }

  dup(fd: number): number {
    return this.#check(this.#posix.dup(fd), 'dup');
  }

  file(fd: number): Handle {
    const stat = process.getBuiltinModule('node:fs').fstatSync(fd);
    if (stat.isSocket()) return this.adopt(fd);
    if (stat.isFile() || stat.isDirectory()) return new FileDescriptorHandle(fd);
    this.#check(this.#posix.setNonblocking(fd, true), 'fcntl');
    const handle = new PosixFile(this.#home, fd, kindOf(-1, -1, -1));
    handle.fileno();
    return handle;
  }

  readiness(fd: number, create: boolean): Readiness | null {
    return this.#home.handles[fd] ?? this.#descriptors.readiness(fd, create);
  }

  #check(result: number, syscall: string): number {
    if (result < 0) throw systemError(this.#posix.errorNames[-result]!, syscall);
    return result;
  }
}
