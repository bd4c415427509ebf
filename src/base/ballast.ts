/*
 * Ballast for V8's young generation.
 *
 * The bytes of a large Buffer lie outside V8's heap. Since Node 24 V8 counts them only towards the next collection of everything: a
 * program that receives a gigabyte a second and keeps nothing has its whole heap marked twenty times in that second, and the larger
 * its heap, the longer that takes. A scavenge would free these Buffers for a tenth of it. But one begins when the young generation
 * is full of objects, and all there is of a Buffer of 64 KB in there are a few hundred bytes.
 *
 * So who makes large Buffers says how large. Where the young generation has not filled up by itself in time, it is filled with
 * what nobody needs. A program that makes garbage enough gets no ballast.
 */

import { Buffer } from 'node:buffer';

/** After so many bytes the young generation is looked at. */
const INTERVAL = 2 ** 21;
/** After so many a scavenge is due. V8 begins to mark at 32 MB. */
const DUE = 12 * INTERVAL;
/** Slots of a piece of ballast. It has 4 KB: what is left of it after a scavenge is little. */
const SLOTS = 512;
const NONE: unknown[] = [];

let unseen = 0;
/** Bytes since the last scavenge, and how full the young generation was when it was looked at last. */
let outside = 0;
let full = 0;
// Ballast passes through here, or compilers would see that nobody needs it.
let ballast = NONE;

/** So many bytes have been allocated outside the heap, in a Buffer that may not live long. */
export function weigh(bytes: number): void {
  unseen += bytes;
  if (unseen >= INTERVAL) balance();
}

/** A Buffer with memory of its own, which is not zeroed. */
export function largeBuffer(size: number): Buffer<ArrayBuffer> {
  weigh(size);
  return Buffer.allocUnsafeSlow(size);
}

function balance(): void {
  const { getHeapSpaceStatistics } = process.getBuiltinModule('node:v8');
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  outside += unseen;
  unseen = 0;
  if (young === undefined) return;
  const used = young.space_used_size;
  // There has been a scavenge.
  if (used < full) outside = 0;
  const wanted = (used + young.space_available_size) * Math.min(1, outside / DUE);
  full = Math.max(used, wanted);
  for (let filled = used; filled < wanted; filled += 8 * ballast.length) ballast = new Array(SLOTS);
  ballast = NONE;
}
