/*
 * What is said between a pool and its workers.
 */

import { Buffer } from 'node:buffer';
import type { Envelope } from './envelope.ts';
import { arrive } from './travel/arrival.ts';
import type { Shipment } from './travel/shipment.ts';

/** The words that a pool and a thread of its share: how many calls were sent, and how many the thread has begun or may not begin. */
export const SENT = 0;
export const BEGUN = 1;

/** A call. Of a function that the worker has, the number is enough. */
export interface CallMessage {
  readonly fn: Shipment | number;
  readonly name: string;
  readonly args: readonly unknown[];
  /** What some of the arguments are besides; null if they are all plain. */
  readonly marks: readonly (Mark | undefined)[] | null;
  /** Objects come along that cross by their handles. */
  readonly universal: boolean;
  /** The worker may look out for the next call for a while, instead of going to sleep. */
  readonly linger: boolean;
}

/** What a copy has lost: that it was a Buffer; or it is an object that crosses by its handle, and the copy is that. */
export type Mark = 'buffer' | 'shared';

/** What became of a call. */
export type Reply = { readonly value: unknown; readonly isBuffer: boolean } | { readonly error: Envelope };

/** What a process says before it ends by an error that nothing caught, and whether it was in the middle of a call. */
export interface LastWords {
  readonly lastWords: Envelope;
  readonly isBusy: boolean;
}

/** The arguments again, on the other side. */
export function unpackArguments({ args, marks }: CallMessage): readonly unknown[] {
  if (marks === null) return args;
  return args.map((arg, i) => {
    if (marks[i] === 'shared') return arrive(arg);
    return marks[i] === 'buffer' ? asBuffer(arg) : arg;
  });
}

/** What went wrong with a copy, so that another sentence can follow. */
export function sentence(reason: string): string {
  return /[.!?]$/.test(reason) ? reason : `${reason}.`;
}

/** A Buffer arrives as a Uint8Array. */
export function asBuffer(value: unknown): Buffer {
  const { buffer, byteOffset, byteLength } = value as Uint8Array<ArrayBuffer>;
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Most Buffers are views of something larger, all of which would be copied. */
export function standingAlone(value: Buffer): Uint8Array {
  return value.byteLength === value.buffer.byteLength ? value : new Uint8Array(value);
}
