/*
 * One try of each socket operation, as functions without a closure for `reading` and `writing`
 * to call again, and the bytes that users pass in.
 */

import { Buffer } from 'node:buffer';
import { largeBuffer } from '../base/ballast.ts';
import { describe, isIterable } from '../base/callable.ts';
import type { Address, Endpoint } from './address.ts';
import type { Ancillary, Handle, Message } from './driver.ts';
import { filled } from './filled.ts';
import { closedError } from './system.ts';

/** What is sent as bytes: a string as UTF-8, anything else as the memory it stands for. */
export type Data = string | ArrayBufferView | ArrayBufferLike;

/** @throws TypeError for what holds no bytes */
export function bytesOf(data: Data, operation: string): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string') return Buffer.from(data);
  return memoryOf(data, operation, 'a string, ');
}

/** So many buffers operating systems take in one call; more of them go by way of a single one. */
const MOST_BUFFERS = 1024;

/** What is to be sent as one message. @throws TypeError for what holds no bytes */
export function piecesOf(buffers: unknown, operation: string): Uint8Array[] {
  if (!isIterable(buffers) || ArrayBuffer.isView(buffers))
    throw new TypeError(`${operation} wants a list of buffers, not ${describe(buffers)}.`);
  const pieces = [...(buffers as Iterable<Data>)].map((data) => bytesOf(data, operation));
  return pieces.length <= MOST_BUFFERS ? pieces : [Buffer.concat(pieces)];
}

/** What is to be sent beside it. @throws TypeError for what is no ancillary data */
export function ancillaryOf(ancdata: unknown, operation: string): Ancillary[] {
  if (!Array.isArray(ancdata) || !ancdata.every((item) => Array.isArray(item) && item.length === 3))
    throw new TypeError(
      `${operation} wants ancillary data such as [[SOL_SOCKET, SCM_RIGHTS, new Int32Array([fd])]], not ${describe(ancdata)}.`,
    );
  return ancdata.map(([level, type, data]) => [level, type, bytesOf(data, operation)]);
}

/** The memory to read into. @throws TypeError for what holds no bytes */
export function memoryOf(data: unknown, operation: string, others = ''): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw new TypeError(
    `${operation} wants bytes: ${others}a Buffer, another typed array or an ArrayBuffer, not ${describe(data)}.`,
  );
}

/** What an operation says whose caller has taken the memory away while it waited: `postMessage(…, [bytes.buffer])` does. */
export function movedAway(operation: string, purpose: 'send' | 'read into'): TypeError {
  return new TypeError(
    `${operation}: while it waited, the memory to ${purpose} has been transferred elsewhere, or resized. Transfer it later, or a copy of it.`,
  );
}

/** A number of bytes, or whatever else is a whole number from zero on. @throws TypeError */
export function checkCount(value: unknown, what: string, operation: string): number {
  if (typeof value === 'number' && value >= 0 && value % 1 === 0) return value;
  throw new TypeError(`${operation} wants a whole number as ${what}, not ${describe(value)}.`);
}

/** Flags, options and the like, 0 apart, which needs no look. @throws TypeError for what C has no int for */
export function checkInt(value: unknown, what: string, operation: string): number {
  if (typeof value === 'number' && value >= -0x8000_0000 && value <= 0xffff_ffff && value % 1 === 0)
    return value;
  throw new TypeError(`${operation} wants a whole number of 32 bits as ${what}, not ${describe(value)}.`);
}

/** Receiving nothing, which waits for nothing and takes nothing. */
export const tryRecvNothing = (handle: Handle): Buffer => {
  if (handle.closed) throw closedError('read');
  return Buffer.alloc(0);
};

export const tryRecvIntoNothing = (handle: Handle): number => tryRecvNothing(handle).length;

/** What it gives can be given back. */
export const tryRecv = (handle: Handle, maxbytes: number): Buffer | null => handle.recv(maxbytes, 0);

export const tryRecvWithFlags = (handle: Handle, maxbytes: number, flags: number): Buffer | null =>
  handle.recv(maxbytes, flags);

export const tryRecvInto = (handle: Handle, target: Uint8Array, flags: number): number | null => {
  // Nothing would fit, which looks like the end of input.
  if (target.length === 0) throw movedAway('Socket.recvInto()', 'read into');
  return handle.recvInto(target, flags);
};

export const tryRecvfrom = (
  handle: Handle,
  maxbytes: number,
  flags: number,
): [Buffer, Address | null] | null => handle.recvfrom(maxbytes, flags);

export const tryRecvfromInto = (
  handle: Handle,
  target: Uint8Array,
  flags: number,
): [number, Address | null] | null => handle.recvfromInto(target, flags);

/** Receives into one fresh buffer, and gives the part that was filled. */
export const tryRecvmsg = (
  handle: Handle,
  size: number,
  ancillarySize: number,
  flags: number,
): [Buffer, Ancillary<Buffer>[], number, Address | null] | null => {
  const area = largeBuffer(size);
  const message = handle.recvmsg([area], ancillarySize, flags);
  if (message === null) return null;
  const [n, ancillary, outcome, address] = message;
  return [filled(area, Math.min(n, size)), ancillary, outcome, address];
};

export const tryRecvmsgInto = (
  handle: Handle,
  targets: readonly Uint8Array[],
  ancillarySize: number,
  flags: number,
): Message | null => {
  if (targets.length <= MOST_BUFFERS) return handle.recvmsg(targets, ancillarySize, flags);
  const area = largeBuffer(targets.reduce((sum, { length }) => sum + length, 0));
  const message = handle.recvmsg([area], ancillarySize, flags);
  if (message !== null) scatter(area.subarray(0, Math.min(message[0], area.length)), targets);
  return message;
};

function scatter(bytes: Uint8Array, targets: readonly Uint8Array[]): void {
  let at = 0;
  for (const target of targets) {
    target.set(bytes.subarray(at, at + target.length));
    at += target.length;
  }
}

export const trySend = (handle: Handle, data: Uint8Array, flags: number): number | null =>
  handle.send(data, 0, flags);

export const trySendto = (handle: Handle, data: Uint8Array, flags: number, to: Endpoint): number | null =>
  handle.sendto(data, flags, to);

/** What `sendmsg` sends. */
export interface Outgoing {
  buffers: readonly Uint8Array[];
  ancillary: readonly Ancillary[];
  to: Endpoint | null;
}

export const trySendmsg = (handle: Handle, message: Outgoing, flags: number): number | null =>
  handle.sendmsg(message.buffers, message.ancillary, flags, message.to);

/** What is done gives its caller nothing. */
const nothing = (done: true | null): undefined | null => (done === null ? null : undefined);

export const tryHandshake = (handle: Handle): undefined | null => nothing(handle.handshake());

export const tryDrained = (handle: Handle): undefined | null => nothing(handle.drained());

export const tryEnded = (handle: Handle): undefined | null =>
  nothing(handle.ended === undefined ? handle.drained() : handle.ended());
