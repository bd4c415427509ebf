/*
 * What the handles of a driver share: the addon, the one epoll set, and one area that everything is received into.
 */

import { Buffer } from 'node:buffer';
import { weigh } from '../../base/ballast.ts';
import type { Posix } from './addon.ts';
import type { PosixHandle } from './handle.ts';
import type { Inbox } from './inbox.ts';
import type { Poller } from './poller.ts';

/** What every receive goes through first. Larger ones are made of several. */
export const AREA = 65536;

export interface Home {
  readonly posix: Posix;
  readonly poller: Poller;
  /** What `recvScratch` receives into, `AREA` bytes. */
  readonly scratch: Scratch;
  readonly inbox: Inbox;
  /** In a worker thread: it may end without a last word, and the process lives on. */
  readonly mayBeTerminated: boolean;
  /** The host of the client that was accepted last. */
  lastHost: string;
  /** Every open handle by its descriptor. */
  readonly handles: (PosixHandle | undefined)[];
}

// Small receives are of few lengths: making the same view of the scratch area each time would cost as much as the copy.
const VIEWED = 1024;

/** The scratch area, and copies of what was received into it. */
export class Scratch {
  readonly area: Buffer;
  readonly #views: (Buffer | undefined)[] = new Array(VIEWED + 1).fill(undefined);

  constructor(area: Buffer) {
    this.area = area;
  }

  /** The first bytes, as a Buffer of their own. */
  copy(length: number): Buffer {
    if (length > VIEWED) weigh(length);
    const copy = Buffer.allocUnsafe(length);
    copy.set(length <= VIEWED ? this.#view(length) : this.area.subarray(0, length));
    return copy;
  }

  #view(length: number): Buffer {
    const view = this.#views[length];
    if (view !== undefined) return view;
    const made = this.area.subarray(0, length);
    this.#views[length] = made;
    return made;
  }
}
