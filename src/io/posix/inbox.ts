/*
 * Receiving for many at once. Of all sockets that a group of events tells of, those whose tasks wait in `recv` are received
 * from by one call of the addon, before the first of the tasks has its turn.
 *
 * It knows handles and their bytes, and nothing of tasks.
 */

import { Buffer } from 'node:buffer';
import { largeBuffer } from '../../base/ballast.ts';
import { common } from '../filled.ts';
import type { Posix } from './addon.ts';
import type { PosixHandle } from './handle.ts';
import type { Scratch } from './home.ts';
import { GROUP } from './poller.ts';

/** Messages up to this size are cut from a pool, as Node's small buffers are; longer ones have memory of their own. */
const SMALL = 4096;
const EMPTY = Buffer.alloc(0);

export class Inbox {
  readonly #posix: Posix;
  readonly #scratch: Scratch;
  /** A descriptor and how much it may receive; then what `recv` gave, and where that is. */
  readonly #requests = new Int32Array(2 * GROUP);
  #asking: PosixHandle[] = [];
  #pool = EMPTY;
  #used = 0;

  constructor(posix: Posix, scratch: Scratch) {
    this.#posix = posix;
    this.#scratch = scratch;
  }

  /** A task waits for what has come for this handle. */
  ask(handle: PosixHandle): void {
    this.#asking.push(handle);
  }

  /** Receives for all who have asked, and hands out what came. */
  readonly receive = (): void => {
    const asking = this.#asking;
    if (asking.length === 0) return;
    this.#asking = [];
    for (let from = 0; from < asking.length; ) {
      const count = Math.min(asking.length - from, GROUP);
      for (let i = 0; i < count; i++) (asking[from + i] as PosixHandle).request(this.#requests, 2 * i);
      const done = this.#posix.recvEach(this.#requests, count, this.#pool, this.#used, SMALL);
      for (let i = 0; i < done; i++) this.#handOut(asking[from + i] as PosixHandle, 2 * i);
      from += done;
    }
  };

  #handOut(handle: PosixHandle, at: number): void {
    const n = this.#requests[at] as number;
    if (n <= 0) handle.received(n, EMPTY);
    else handle.received(n, this.#message(n, this.#requests[at + 1] as number));
  }

  /** @param place where it begins in the pool; -1 if there was no room, and it is in the scratch area */
  #message(length: number, place: number): Buffer {
    if (place >= 0) {
      this.#used = Math.min((place + length + 7) & ~7, this.#pool.length);
      return this.#pool.subarray(place, place + length);
    }
    // A long one says nothing about the pool; a small one found it used up.
    if (length <= SMALL) {
      this.#pool = common(largeBuffer(Buffer.poolSize));
      this.#used = 0;
    }
    return this.#scratch.copy(length);
  }
}
