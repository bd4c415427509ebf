/* What has been received into an area that was made for it, and areas of which several get a part. */

import { Buffer } from 'node:buffer';
import { workerThreads } from '../base/worker-threads.ts';

/** The first bytes of a fresh area. Whoever keeps a small piece must not keep room for a large one, and gets a copy. */
export function filled(area: Buffer, length: number): Buffer {
  const part = area.subarray(0, length);
  return 2 * length < area.length ? Buffer.from(part) : part;
}

/**
 * An area of which several get a part. As with Node's own pool, nobody can transfer it to another thread: the others would find theirs
 * empty, and what has not been read yet would be gone.
 */
export function common<B extends Buffer>(area: B): B {
  workerThreads().markAsUntransferable(area.buffer);
  return area;
}
