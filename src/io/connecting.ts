/*
 * Connecting, which is made of several tries: the name is looked up, the attempt is begun, and what has become of it is told later.
 * Knows handles only; who may do so, and how it is called, is the socket's affair.
 */

import { comingOutHere } from '../base/stack.ts';
import { sleep } from '../traps.ts';
import { type Address, type Endpoint, endpoint } from './address.ts';
import type { Handle } from './driver.ts';
import { resolved } from './names.ts';
import { untilReady } from './slot.ts';
import type { SystemError } from './system.ts';

/** Connects a handle in the name of an operation. */
export async function connectTo(handle: Handle, address: Address, operation: string): Promise<void> {
  const to = await resolved(endpoint(address, handle.family, operation), handle.family);
  // A Unix socket whose server's line is full says so at once, and nothing tells when there is room.
  for (let pause = 0.001; ; pause = Math.min(2 * pause, 0.1)) {
    try {
      if (handle.connect(to) !== null) return;
      break;
    } catch (error) {
      if ((error as SystemError).code !== 'EAGAIN') throw error;
      await sleep(pause);
    }
  }
  await comingOutHere(established(handle, to, operation));
}

/** Waits for the outcome of a connection that has begun. */
async function established(handle: Handle, to: Endpoint, operation: string): Promise<void> {
  do await untilReady(handle, 'writer', operation);
  while (handle.connected(to) === null);
}

/** The positive number of the system's error that an attempt has ended with. @throws any other error, such as one of a look-up */
export function errorNumber(error: unknown): number {
  const { errno, syscall } = error as SystemError;
  if (typeof errno === 'number' && errno < 0 && syscall === 'connect') return -errno;
  throw error;
}
