/*
 * Bytes that have been received and not yet been read: in at one end as they come, out at the other
 * by number or by line. Knows nothing of where they come from.
 *
 * A sender may let them drip. So small chunks are gathered into larger ones: a Buffer of two bytes takes as much memory as one
 * of a hundred. And the chunks that have been read leave the list in batches, however long it gets.
 */
import { Buffer } from 'node:buffer';
import { weigh } from '../base/ballast.ts';
import { common } from './filled.ts';

const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

/** Chunks smaller than this are gathered, into one of up to so many bytes. */
const SMALL = 256;
const GATHERED = 4096;
/** So many chunks that have been read may stay in the list. */
const BATCH = 256;

export class ByteQueue {
  #chunks: Buffer[] = [];
  /** The first chunk that has not been read, and where its unread part begins. */
  #head = 0;
  #at = 0;
  /** True if somebody has got a part of that chunk's memory. */
  #divided = false;
  #length = 0;
  /** The first chunk not known to hold no newline, if it is behind the head: so that a long line is searched once. */
  #searched = 0;
  /** Where small chunks are gathered: the last chunk is the beginning of it. Null if the last chunk came as it is. */
  #room: Buffer | null = null;

  get length(): number {
    return this.#length;
  }

  /** Adds a chunk, which from now on is the queue's. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#length += chunk.length;
    if (chunk.length < SMALL && this.#chunks.length > 0 && this.#gather(chunk)) return;
    this.#room = null;
    this.#chunks.push(chunk);
  }

  /** Adds a chunk to the last one, if that is small. */
  #gather(chunk: Buffer): boolean {
    const place = this.#chunks.length - 1;
    const last = this.#chunks[place] as Buffer;
    const length = last.length + chunk.length;
    if ((this.#room === null && last.length >= SMALL) || length > GATHERED) return false;
    if (this.#room === null || length > this.#room.length) {
      this.#room = Buffer.allocUnsafe(Math.min(2 * length, GATHERED));
      this.#room.set(last);
      if (place === this.#head) this.#divided = false;
    }
    this.#room.set(chunk, last.length);
    this.#chunks[place] = this.#room.subarray(0, length);
    this.#searched = Math.min(this.#searched, place);
    return true;
  }

  /** Takes up to `limit` bytes. */
  take(limit: number): Buffer {
    if (limit >= this.#length) return this.takeAll();
    if (limit === 0) return EMPTY;
    const first = this.#chunks[this.#head] as Buffer;
    if (first.length - this.#at > limit) {
      this.#length -= limit;
      const begin = this.#at;
      this.#at += limit;
      return this.#partOf(first, begin, this.#at);
    }
    weigh(limit);
    const target = Buffer.allocUnsafe(limit);
    this.takeInto(target);
    return target;
  }

  /** A copy of everything; nothing is taken. */
  peekAll(): Buffer {
    return this.#length === 0 ? EMPTY : Buffer.concat(this.#unread(), this.#length);
  }

  /**
   * Some bytes of the first chunk, of which they are nobody else's. Whoever keeps them must not keep much more than that: a copy,
   * unless the chunk is no larger than the pool of Node's that the copy would be made in.
   */
  #partOf(chunk: Buffer, begin: number, end: number): Buffer {
    const bytes = chunk.subarray(begin, end);
    if (chunk.length > Buffer.poolSize) return Buffer.from(bytes);
    if (!this.#divided && bytes.length < chunk.length) {
      common(chunk);
      this.#divided = true;
    }
    return bytes;
  }

  /** Takes everything. */
  takeAll(): Buffer {
    if (this.#length === 0) return EMPTY;
    const unread = this.#unread();
    const all = inOnePiece(unread) ?? Buffer.concat(unread, this.#length);
    this.#chunks = [];
    this.#head = this.#at = this.#length = this.#searched = 0;
    this.#divided = false;
    return all;
  }

  #unread(): Buffer[] {
    const unread = this.#chunks.slice(this.#head);
    if (this.#at > 0) unread[0] = (unread[0] as Buffer).subarray(this.#at);
    return unread;
  }

  /** Takes what fits into `target`, and gives the number of bytes. */
  takeInto(target: Uint8Array): number {
    let filled = 0;
    while (filled < target.length && this.#head < this.#chunks.length) {
      const chunk = this.#chunks[this.#head] as Buffer;
      const part = chunk.subarray(this.#at, this.#at + target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#at += part.length;
      if (this.#at === chunk.length) this.#drop();
    }
    this.#length -= filled;
    return filled;
  }

  /** The first chunk has been read. */
  #drop(): void {
    this.#at = 0;
    this.#divided = false;
    this.#chunks[this.#head++] = EMPTY;
    if (this.#head < this.#chunks.length && (this.#head < BATCH || 2 * this.#head < this.#chunks.length))
      return;
    this.#chunks.splice(0, this.#head);
    this.#searched = Math.max(0, this.#searched - this.#head);
    this.#head = 0;
  }

  /** Takes a line with its newline, or the first `limit` bytes of a longer one; null if there is none yet. */
  takeLine(limit = Number.POSITIVE_INFINITY): Buffer | null {
    const first = this.#chunks[this.#head];
    if (first === undefined) return null;
    if (limit !== Number.POSITIVE_INFINITY) return this.#takeShortLine(limit);
    if (this.#searched <= this.#head) {
      const end = first.indexOf(NEWLINE, this.#at) + 1;
      if (end > 0) {
        const line = this.#partOf(first, this.#at, end);
        this.#length -= line.length;
        this.#at = end;
        if (end === first.length) this.#drop();
        return line;
      }
      this.#searched = this.#head + 1;
    }
    return this.#takeLongLine();
  }

  #takeShortLine(limit: number): Buffer | null {
    let before = 0;
    for (let i = this.#head; i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i] as Buffer;
      const from = i === this.#head ? this.#at : 0;
      if (i >= this.#searched) {
        // No further than is asked for: the newline may be far away.
        const part = chunk.subarray(0, Math.min(chunk.length, from + limit - before));
        const end = part.indexOf(NEWLINE, from) + 1;
        if (end > 0) return this.take(before + end - from);
        if (part.length === chunk.length) this.#searched = i + 1;
      }
      before += chunk.length - from;
      if (before >= limit) return this.take(limit);
    }
    return null;
  }

  /** A line that does not end in the first chunk. */
  #takeLongLine(): Buffer | null {
    for (; this.#searched < this.#chunks.length; this.#searched++) {
      const end = (this.#chunks[this.#searched] as Buffer).indexOf(NEWLINE) + 1;
      if (end === 0) continue;
      let length = end - this.#at;
      for (let i = this.#head; i < this.#searched; i++) length += (this.#chunks[i] as Buffer).length;
      return this.take(length);
    }
    return null;
  }
}

/** Chunks that lie one behind the other in the same memory, as one; null if they do not. */
function inOnePiece(chunks: Buffer[]): Buffer | null {
  const [first] = chunks;
  if (first === undefined || chunks.length === 1) return first ?? null;
  let end = first.byteOffset;
  for (const { buffer, byteOffset, length } of chunks) {
    if (buffer !== first.buffer || byteOffset !== end) return null;
    end += length;
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset);
}
