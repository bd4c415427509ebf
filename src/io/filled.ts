/* What has been received into an area that was made for it. */

import { Buffer } from 'node:buffer';

/** The first bytes of a fresh area. Whoever keeps a small piece must not keep room for a large one, and gets a copy. */
export function filled(area: Buffer, length: number): Buffer {
  const part = area.subarray(0, length);
  return 2 * length < area.length ? Buffer.from(part) : part;
}
