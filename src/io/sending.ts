/*
 * Sending everything: what `sendall` of sockets and `write` of streams have in common.
 */

import { admitComposite, fail, handled, pass, refused } from '../traps.ts';
import { movedAway } from './attempts.ts';
import type { Handle } from './driver.ts';
import { failed, untilReady } from './slot.ts';
import { attach, refusedAt } from './system.ts';

/**
 * Sends all of `bytes`, and gives `result`.
 * @param attribute the property of an exception that tells how many bytes had been sent
 */
export function sendAll<T>(
  handle: Handle,
  operation: string,
  bytes: Uint8Array,
  flags: number,
  attribute: string,
  result: T,
): Promise<T> {
  const task = admitComposite(operation);
  if (task === null) return handled(refusedAt(refused(operation), () => ({ [attribute]: 0 })));
  if (handle.hasWriter) return handle.writer.busy(operation);
  let sent: number | null;
  try {
    sent = handle.send(bytes, 0, flags);
  } catch (error) {
    // swallows: nothing; operations reject.
    failed(handle, error);
    return fail(task, error);
  }
  if (sent === bytes.length) return pass(task, result);
  return sendRest(handle, operation, bytes, sent ?? 0, flags, attribute, result);
}

async function sendRest<T>(
  handle: Handle,
  operation: string,
  bytes: Uint8Array,
  begun: number,
  flags: number,
  attribute: string,
  result: T,
): Promise<T> {
  const { length } = bytes;
  let sent = begun;
  try {
    while (sent < length) {
      if (bytes.length !== length) throw movedAway(operation, 'send');
      const n = handle.send(bytes, sent, flags);
      if (n === null) await untilReady(handle, 'writer', operation);
      else sent += n;
    }
  } catch (error) {
    failed(handle, error);
    attach(error, attribute, sent);
    throw error;
  }
  return result;
}
