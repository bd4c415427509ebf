/*
 * What is sent is copied before Node gets it: the caller may use its own memory again at once, and Node may not be done
 * with it then. Mostly it is, and the place of a large piece is the next one's, which has it in the processor's cache: to make
 * a Buffer for each was a third of what an echo of 16 KB cost.
 *
 * It must not know who sends what.
 */

import { Buffer } from 'node:buffer';
import { largeBuffer } from '../../base/ballast.ts';

/** Pieces up to this size are cut from Node's own pool, which costs less. */
const SMALL = 1024;
const SIZE = 65536;

let area = Buffer.alloc(0);
let used = 0;
let newest: Buffer | null = null;

/** A copy of `length` bytes, at most 64 KB. */
export function draft(data: Uint8Array, offset: number, length: number): Buffer {
  const copy = length <= SMALL ? Buffer.allocUnsafe(length) : place(length);
  copy.set(length === data.length ? data : data.subarray(offset, offset + length));
  return copy;
}

function place(length: number): Buffer {
  if (area.length - used < length) {
    area = largeBuffer(SIZE);
    used = 0;
  }
  newest = area.subarray(used, used + length);
  used += length;
  return newest;
}

/** Nobody needs this draft any more: its place is the next one's, unless one has been made meanwhile. */
export function discard(draft: Buffer): void {
  if (draft !== newest) return;
  used -= draft.length;
  newest = null;
}
