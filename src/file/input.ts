/*
 * What has been read ahead: what bytes and text have in common, and bytes. An operation looks whether what it
 * wants is there, asks for more if not, and takes it when it is; what it has only looked at stays.
 */

import { largeBuffer } from '../base/ballast.ts';
import { ByteQueue } from '../io/bytes.ts';
import type { Device, Step } from './device.ts';

/** Read ahead after a seek; it doubles while reading goes on from there. */
const LEAST = 8192;
const FIRST = 65536;
const MOST = 1 << 20;
/** Of a file that is read as a whole, so much is read into one block. */
const WHOLE = 1 << 30;

/** How much to read at a time. */
export class Ahead {
  #size = FIRST;

  /**
   * @param wanted how many bytes are wanted; less is read if that is unreasonably many
   * @param left how many the file is believed to have
   */
  next(wanted: number, left: number): number {
    const size = Math.max(this.#size, Math.min(wanted, MOST));
    this.#size = Math.min(2 * this.#size, MOST);
    // One more than that shows the end.
    return Math.min(size, Math.max(LEAST, left + 1));
  }

  restart(): void {
    this.#size = LEAST;
  }
}

export interface Input<D extends string | Buffer> {
  readonly empty: D;
  /** True if anything has been read ahead. */
  readonly unread: boolean;
  /** Begins an operation: forgets how far the last one has looked. */
  begin(): void;
  /** A line that is there without much ado; null if that needs a closer look. */
  quickLine(): D | null;
  /** Takes a line, or the first `limit` characters of a longer one. Null if more must be read first. */
  line(limit: number): D | null;
  /** Takes `n` characters. Null if more must be read first. */
  take(n: number): D | null;
  /** Takes all there is. */
  rest(): D;
  /** Reads more. `wanted` is how many bytes more are wanted, as far as that is known; Infinity for all there are. */
  fill(device: Device, wanted: number): Step;
  /** The file ended: makes what it can of what was left over; true if that was anything. */
  end(): boolean;
  /** The place of what is read next, for `seek`. */
  tell(): number;
  /** The same as a number of bytes. */
  tellByte(): number;
  /** Goes on to a place that `tell` gave, if it is near; false if what was read ahead is of no use there. */
  skipTo(place: number): boolean;
  /** Forgets what was read ahead. What is read next is at `place`; gives its byte. */
  restart(place: number): number;
}

export class ByteInput implements Input<Buffer> {
  readonly empty = Buffer.alloc(0);
  readonly #ahead = new Ahead();
  #bytes = new ByteQueue();
  /** The place after what was read ahead. */
  #at: number;
  /** Where the rest of a file that is read as a whole will be. */
  #rest: Buffer | null = null;

  /** @param at where reading begins */
  constructor(at: number) {
    this.#at = at;
  }

  get unread(): boolean {
    return this.#bytes.length > 0;
  }

  get length(): number {
    return this.#bytes.length;
  }

  begin(): void {
    this.#rest = null;
  }

  quickLine(): Buffer | null {
    return this.#bytes.takeLine();
  }

  line(limit: number): Buffer | null {
    return this.#bytes.takeLine(limit);
  }

  take(n: number): Buffer | null {
    return this.#bytes.length < n ? null : this.#bytes.take(n);
  }

  takeInto(target: Uint8Array): number {
    return this.#bytes.takeInto(target);
  }

  rest(): Buffer {
    this.#rest = null;
    const all = this.#bytes.takeAll();
    // Whoever keeps a few bytes must not keep the block they came in.
    return 2 * all.length < all.buffer.byteLength ? Buffer.from(all) : all;
  }

  fill(device: Device, wanted: number): Step {
    const block = this.#block(this.#ahead.next(wanted, device.left), wanted, device.left);
    return device.read(block, 0, (bytes) => {
      this.#bytes.push(block.subarray(0, bytes));
      this.#rest = this.#rest?.subarray(bytes) ?? null;
      this.#at = device.at;
    });
  }

  /** A fresh one each time, since parts of it are handed out; but what is read as a whole shall lie in one piece. */
  #block(size: number, wanted: number, left: number): Buffer {
    if (wanted !== Number.POSITIVE_INFINITY || left > WHOLE) return largeBuffer(size);
    if (this.#rest === null || this.#rest.length < size) this.#rest = largeBuffer(Math.max(size, left + 1));
    return this.#rest.subarray(0, size);
  }

  end(): boolean {
    return false;
  }

  tell(): number {
    return this.#at - this.#bytes.length;
  }

  tellByte(): number {
    return this.tell();
  }

  skipTo(place: number): boolean {
    const forward = place - this.tell();
    if (forward < 0 || forward > this.#bytes.length) return false;
    this.#bytes.take(forward);
    return true;
  }

  restart(place: number): number {
    this.#bytes = new ByteQueue();
    this.#at = place;
    this.#ahead.restart();
    return place;
  }
}
