/*
 * Bytes that have been received and not yet been read: in at one end as they come, out at the other
 * by number or by line. Knows nothing of where they come from.
 */
import { Buffer } from 'node:buffer';

const NEWLINE = 10;
const EMPTY = Buffer.alloc(0);

export class ByteQueue {
  #chunks: Buffer[] = [];
  /** Where the unread part of the first chunk begins. */
  #at = 0;
  #length = 0;
  /** Leading chunks that are known to hold no newline, so that a long line is searched once. */
  #searched = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds a chunk, which from now on is the queue's. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** Takes up to `limit` bytes. */
  take(limit: number): Buffer {
    if (limit >= this.#length) return this.takeAll();
    if (limit === 0) return EMPTY;
    const first = this.#chunks[0] as Buffer;
    if (first.length - this.#at > limit) {
      this.#length -= limit;
      this.#searched = 0;
      const begin = this.#at;
      this.#at += limit;
      // A copy: whoever keeps a few bytes must not keep the chunk they came in.
      return Buffer.from(first.subarray(begin, this.#at));
    }
    const target = Buffer.allocUnsafe(limit);
    this.takeInto(target);
    return target;
  }

  /** A copy of everything; nothing is taken. */
  peekAll(): Buffer {
    const [first, ...others] = this.#chunks;
    return first === undefined ? EMPTY : Buffer.concat([first.subarray(this.#at), ...others]);
  }

  /** Takes everything. */
  takeAll(): Buffer {
    if (this.#length === 0) return EMPTY;
    const [first] = this.#chunks as [Buffer];
    const rest = this.#at === 0 ? first : first.subarray(this.#at);
    const all =
      this.#chunks.length === 1 ? rest : Buffer.concat([rest, ...this.#chunks.slice(1)], this.#length);
    this.#chunks = [];
    this.#at = this.#length = this.#searched = 0;
    return all;
  }

  /** Takes what fits into `target`, and gives the number of bytes. */
  takeInto(target: Uint8Array): number {
    let filled = 0;
    let whole = 0;
    for (const chunk of this.#chunks) {
      if (filled === target.length) break;
      const part = chunk.subarray(this.#at, this.#at + target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#at += part.length;
      if (this.#at < chunk.length) break;
      this.#at = 0;
      whole++;
    }
    if (whole > 0) this.#chunks.splice(0, whole);
    this.#length -= filled;
    this.#searched = 0;
    return filled;
  }

  /** Takes a line with its newline, or the first `limit` bytes of a longer one; null if there is none yet. */
  takeLine(limit = Number.POSITIVE_INFINITY): Buffer | null {
    const first = this.#chunks[0];
    if (first === undefined) return null;
    if (limit !== Number.POSITIVE_INFINITY) return this.#takeShortLine(limit);
    if (this.#searched === 0) {
      const end = first.indexOf(NEWLINE, this.#at) + 1;
      if (end > 0) {
        const line = Buffer.from(first.subarray(this.#at, end));
        this.#length -= line.length;
        this.#at = end;
        if (end === first.length) {
          this.#chunks.shift();
          this.#at = 0;
        }
        return line;
      }
      this.#searched = 1;
    }
    return this.#takeLongLine();
  }

  #takeShortLine(limit: number): Buffer | null {
    let before = 0;
    for (const [i, chunk] of this.#chunks.entries()) {
      const from = i === 0 ? this.#at : 0;
      if (i >= this.#searched) {
        const end = chunk.indexOf(NEWLINE, from) + 1;
        if (end > 0) return this.take(Math.min(limit, before + end - from));
        this.#searched = i + 1;
      }
      before += chunk.length - from;
      if (before >= limit) return this.take(limit);
    }
    return null;
  }

  /** A line that does not end in the first chunk. */
  #takeLongLine(): Buffer | null {
    while (this.#searched < this.#chunks.length) {
      const end = (this.#chunks[this.#searched] as Buffer).indexOf(NEWLINE) + 1;
      if (end > 0) {
        let length = end - this.#at;
        for (let i = 0; i < this.#searched; i++) length += (this.#chunks[i] as Buffer).length;
        return this.take(length);
      }
      this.#searched++;
    }
    return null;
  }
}
