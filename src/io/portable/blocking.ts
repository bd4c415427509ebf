/*
 * The descriptor of a file in blocking mode: synchronous calls for code that knows nothing of tasks, by way of Node alone.
 * Each of them holds up the whole thread.
 */

import { weigh } from '../../base/ballast.ts';
import type { BlockingFile } from '../driver.ts';
import { filled } from '../filled.ts';
import { closedError } from '../system.ts';

/** What one crosses to another thread as. */
interface DescriptorHandle {
  readonly descriptor: number;
}

const fs = () => process.getBuiltinModule('node:fs');

export class BlockingDescriptor implements BlockingFile {
  readonly #fd: number;
  readonly #owner: { readonly closed: boolean } | null;

  /** @param owner who closes the descriptor: somebody else may have its number then. Null in another thread, which cannot ask */
  constructor(fd: number, owner: { readonly closed: boolean } | null) {
    this.#fd = fd;
    this.#owner = owner;
  }

  /** In another thread: the same of a handle; null for a handle of something else. */
  static from(handle: unknown): BlockingDescriptor | null {
    if (typeof handle !== 'object' || handle === null || !('descriptor' in handle)) return null;
    return new BlockingDescriptor((handle as DescriptorHandle).descriptor, null);
  }

  /** What it crosses to another thread as. */
  handle(): DescriptorHandle {
    return { descriptor: this.fileno() };
  }

  read(maxbytes: number): Buffer {
    weigh(maxbytes);
    const area = Buffer.allocUnsafe(maxbytes);
    return filled(area, fs().readSync(this.#open('read'), area, 0, maxbytes, null));
  }

  write(data: string | Uint8Array): number {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const fd = this.#open('write');
    for (let written = 0; written < bytes.length; ) written += fs().writeSync(fd, bytes, written);
    return bytes.length;
  }

  /** The descriptor; -1 once it is closed. */
  fileno(): number {
    return this.#owner?.closed === true ? -1 : this.#fd;
  }

  #open(syscall: string): number {
    const fd = this.fileno();
    if (fd < 0) throw closedError(syscall);
    return fd;
  }
}
