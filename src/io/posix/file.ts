/*
 * A descriptor of the posix driver that is no socket: a pipe, a terminal, a device. It is read and written
 * with `read` and `write`, and waits like a socket.
 */

import type { Endpoint } from '../address.ts';
import { PosixHandle } from './handle.ts';
import { AREA } from './home.ts';

export class PosixFile extends PosixHandle {
  /** The inbox calls `recv`. */
  protected override get room(): number {
    return -1;
  }

  protected override receive(maxbytes: number): Buffer | null {
    const { scratch } = this.home;
    const n = this.posix.read(this.fd, scratch.area, 0, Math.min(maxbytes, AREA));
    return n < 0 ? this.cannotRead(n, 'read') : scratch.copy(n);
  }

  protected override receiveInto(target: Uint8Array): number | null {
    const n = this.posix.read(this.fd, target, 0, target.length);
    return n < 0 ? this.cannotRead(n, 'read') : n;
  }

  override send(data: Uint8Array, offset: number): number | null {
    const n = this.posix.write(this.fd, data, offset, data.length - offset);
    return n < 0 ? this.cannotWrite(n, 'write', null as Endpoint | null) : n;
  }
}
