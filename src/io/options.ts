/*
 * Options of sockets, for sockets and the streams over them. Which there are, and what is done with them, is the driver's business.
 */

import { checkCount, checkInt } from './attempts.ts';
import type { Handle } from './driver.ts';

/** The value of an option: a number, or with `size` that many bytes. */
export function getOption(
  handle: Handle,
  level: number,
  name: number,
  size: number,
  operation: string,
): number | Buffer {
  checkInt(level, 'level', operation);
  checkInt(name, 'name', operation);
  checkCount(size, 'size', operation);
  return handle.getsockopt(level, name, size);
}

export function setOption(
  handle: Handle,
  level: number,
  name: number,
  value: number | boolean | Uint8Array,
  operation: string,
): void {
  checkInt(level, 'level', operation);
  checkInt(name, 'name', operation);
  const plain = typeof value === 'boolean' ? Number(value) : value;
  handle.setsockopt(level, name, plain instanceof Uint8Array ? plain : checkInt(plain, 'value', operation));
}
