/*
 * A descriptor in blocking mode: synchronous calls for code that knows nothing of
 * tasks. Each of them holds up the whole thread.
 */

import { weigh } from '../../base/ballast.ts';
import type { BlockingFile, BlockingSocket } from '../driver.ts';
import { filled } from '../filled.ts';
import { systemError } from '../system.ts';
import { addonIn, loadAddon, type Posix } from './addon.ts';

/** What one crosses to another thread as. */
interface BlockingHandle {
  readonly blocking: number;
  /** The file of the addon: what runs in a thread does not know where the package is. */
  readonly addon: string;
}

let here: Posix | null = null;

export class PosixBlocking implements BlockingSocket, BlockingFile {
  readonly #posix: Posix;
  readonly #fd: number;
  readonly #owner: { readonly closed: boolean } | null;

  /** @param owner who closes the descriptor: somebody else may have its number then. Null in another thread, which cannot ask */
  constructor(posix: Posix, fd: number, owner: { readonly closed: boolean } | null) {
    this.#posix = posix;
    this.#fd = fd;
    this.#owner = owner;
  }

  /** In another thread: the same of a handle, on that thread's own copy of the addon; null for a handle of something else. */
  static from(handle: unknown): PosixBlocking | null {
    if (typeof handle !== 'object' || handle === null || !('blocking' in handle)) return null;
    const { blocking, addon } = handle as BlockingHandle;
    here ??= addonIn(addon);
    return new PosixBlocking(here, blocking, null);
  }

  /** What it crosses to another thread as. */
  handle(): BlockingHandle {
    const loaded = loadAddon();
    // What has been made of the addon can only have come from one.
    if (loaded.posix === null) throw new Error(loaded.reason);
    return { blocking: this.fileno(), addon: loaded.file };
  }

  recv(maxbytes: number, flags = 0): Buffer {
    weigh(maxbytes);
    const area = Buffer.allocUnsafe(maxbytes);
    const n = this.#posix.recv(this.fileno(), area, 0, maxbytes, flags);
    return filled(area, this.#checked(n, 'recv'));
  }

  send(data: string | Uint8Array, flags = 0): number {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    return this.#checked(this.#posix.send(this.fileno(), bytes, 0, bytes.length, flags), 'send');
  }

  sendall(data: string | Uint8Array, flags = 0): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let sent = 0; sent < bytes.length; ) {
      const n = this.#posix.send(this.fileno(), bytes, sent, bytes.length - sent, flags);
      sent += this.#checked(n, 'send');
    }
  }

  read(maxbytes: number): Buffer {
    weigh(maxbytes);
    const area = Buffer.allocUnsafe(maxbytes);
    return filled(area, this.#checked(this.#posix.read(this.fileno(), area, 0, maxbytes), 'read'));
  }

  write(data: string | Uint8Array): number {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let written = 0; written < bytes.length; ) {
      const n = this.#posix.write(this.fileno(), bytes, written, bytes.length - written);
      written += this.#checked(n, 'write');
    }
    return bytes.length;
  }

  /** The descriptor; -1 once it is closed. */
  fileno(): number {
    return this.#owner?.closed === true ? -1 : this.#fd;
  }

  #checked(result: number, syscall: string): number {
    if (result < 0) throw systemError(this.#posix.errorNames[-result]!, syscall);
    return result;
  }
}
