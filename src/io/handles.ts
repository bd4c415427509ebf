/*
 * Which handle stands for what users bring along: descriptors, Node's sockets, Node's streams
 * and those of the web.
 */

import { describe } from '../base/callable.ts';
import { driver } from './choice.ts';
import type { Handle } from './driver.ts';
import { type NodeSocket, wrapSocket } from './portable/driver.ts';
import { DuplexHandle, type NodeStreamLike, type WebReadable, type WebWritable } from './portable/duplex.ts';
import { Slot } from './slot.ts';

export type { NodeSocket, NodeStreamLike, WebReadable, WebWritable };

/** What a `Socket` is made of. */
export function socketHandle(sockobj: unknown): Handle {
  if (typeof sockobj === 'number') return driver().adopt(sockobj);
  const handle = known(sockobj) ?? (isObject(sockobj) ? wrapSocket(sockobj) : null);
  if (handle !== null) return handle;
  throw new TypeError(
    'A socket is made of a descriptor, or of a net.Socket, tls.TLSSocket, net.Server or dgram.Socket of Node’s, ' +
      `not of ${describe(sockobj)}.`,
  );
}

/** What a `FileStream` is made of. */
export function fileHandle(fileobj: unknown): Handle {
  if (typeof fileobj === 'number') return driver().file(fileobj);
  const handle = known(fileobj) ?? (isObject(fileobj) ? DuplexHandle.of(fileobj) : null);
  if (handle !== null) return handle;
  throw new TypeError(
    `A FileStream is made of a descriptor, or of a readable or writable stream, not of ${describe(fileobj)}.`,
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A handle of the library's own, or the one of a socket. */
function known(object: unknown): Handle | null {
  if (!isObject(object)) return null;
  if ((object as Partial<Handle>).reader instanceof Slot) return object as Handle;
  const { readiness } = object as { readiness?: Partial<Handle> };
  return readiness?.reader instanceof Slot ? (readiness as Handle) : null;
}
