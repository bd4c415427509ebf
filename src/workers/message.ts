/*
 * What is said between a pool and its workers.
 */

import { Buffer } from 'node:buffer';
import type { Envelope } from './envelope.ts';
import type { Shipment } from './travel/shipment.ts';

/** A call. Of a function that the worker has, the number is enough. */
export interface CallMessage {
  readonly fn: Shipment | number;
  readonly name: string;
  readonly args: readonly unknown[];
  /** Which of the arguments are Buffers. */
  readonly buffers: readonly number[] | null;
  /** The worker may look out for the next call for a while, instead of going to sleep. */
  readonly linger: boolean;
}

/** What became of a call. */
export type Reply = { readonly value: unknown; readonly isBuffer: boolean } | { readonly error: Envelope };

/** The places of the Buffers among some values; null if there are none. */
export function placesOfBuffers(values: readonly unknown[]): number[] | null {
  let places: number[] | null = null;
  for (let i = 0; i < values.length; i++) {
    if (!Buffer.isBuffer(values[i])) continue;
    places ??= [];
    places.push(i);
  }
  return places;
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
