/*
 * The descriptor of a file in blocking mode: synchronous calls for code that knows nothing of tasks, by way of Node alone.
 * Each of them holds up the whole thread.
 */

import { weigh } from '../../base/ballast.ts';
import type { BlockingFile } from '../driver.ts';
import { filled } from '../filled.ts';

/** What one crosses to another thread as. */
interface DescriptorHandle {
  readonly descriptor: number;
}

const fs = () => process.getBuiltinModule('node:fs');

export class BlockingDescriptor implements BlockingFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** In another thread: the same of a handle; null for a handle of something else. */
  static from(handle: unknown): BlockingDescriptor | null {
    if (typeof handle !== 'object' || handle === null || !('descriptor' in handle)) return null;
    return new BlockingDescriptor((handle as DescriptorHandle).descriptor);
  }

  /** What it crosses to another thread as. */
  handle(): DescriptorHandle {
    return { descriptor: this.#fd };
  }

  read(maxbytes: number): Buffer {
    weigh(maxbytes);
    const area = Buffer.allocUnsafe(maxbytes);
    return filled(area, fs().readSync(this.#fd, area, 0, maxbytes, null));
  }

  write(data: string | Uint8Array): number {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let written = 0; written < bytes.length; ) written += fs().writeSync(this.#fd, bytes, written);
    return bytes.length;
  }

  fileno(): number {
    return this.#fd;
  }
}
