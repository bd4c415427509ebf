/*
 * What goes over the line between an async thread and the task that serves it in the kernel. Plain data; every
 * `unknown` has been through the wire (wire.ts).
 */

import type { Shipment } from '../workers/travel/shipment.ts';

/** What a call is made on: one of the library's functions, or an object or function the thread has been given. */
export type Target = { library: string } | { handle: number } | { ship: Shipment };

/** A call, of an object's method or of a function. */
export interface CallRequest {
  t: 'call';
  on: Target;
  /** Null to call the target itself. */
  method: string | null;
  args: unknown[];
  /** True for what needs no AWAIT: it is not where a cancellation is delivered. */
  free: boolean;
  /** The result is to be an object of the kernel's, whatever it is. */
  keep?: boolean;
}

/** The value of an object's property. */
export interface GetRequest {
  t: 'get';
  handle: number;
  name: string;
}

/** What the thread waits for the answer to. */
export type Question =
  | CallRequest
  | GetRequest
  | { t: 'construct'; name: string; args: unknown[] }
  | { t: 'universal'; object: Named; method: string; args: unknown[] };

export type ToKernel =
  | Question
  /** Of a universal object, and without an answer. */
  | { t: 'tell'; object: Named; method: string; args: unknown[] }
  /** This operation was called, and will never be done. */
  | { t: 'forgotten'; on: Target; method: string | null }
  /** The thread's function, or a callback, has ended. */
  | { t: 'return'; value: unknown }
  | Thrown;

/** A universal object by its number; with its handle the first time. */
export interface Named {
  number: number;
  handle: unknown;
}

/** `origin` is the number the error had when it came from the other side. */
export interface Thrown {
  t: 'throw';
  error: unknown;
  origin?: number;
}

export type ToThread =
  | { t: 'start'; name: string; fn: Shipment; args: unknown[] }
  | { t: 'invoke'; callback: number; args: unknown[] }
  | { t: 'reply'; value: unknown; filled?: Uint8Array[] }
  | { t: 'error'; error: unknown; by: unknown; origin: number };

/** How an object or function is described to the other side. */
export type Declared =
  | { kind: 'handle'; id: number; className: string | null; name: string }
  | { kind: 'callback'; id: number; name: string }
  | { kind: 'library'; name: string }
  | { kind: 'shipment'; shipment: Shipment }
  | { kind: 'universal'; handle: unknown };

/** The methods behind symbols, which cannot be cloned. */
export const DISPOSE = '@dispose';
export const ITERATE = '@iterate';

/** Operations that fill a buffer of their caller's. */
export const FILLS = /^(recv|recvfrom|recvmsg|recvBytes)Into$|^readinto1?$/;
