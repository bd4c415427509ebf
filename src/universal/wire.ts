/*
 * What crosses between an async thread and its kernel: structured clone, and, inside arrays, plain objects,
 * maps and sets, what a clone would lose: Curio's objects and functions (which the two sides declare and admit in
 * their own ways), errors, and Buffers.
 *
 * It must not know what the sides do with them.
 */

import { type Envelope, openEnvelope, sealEnvelope } from '../workers/envelope.ts';

/** How one side of the line sends what cannot be cloned, and receives it. */
export interface Customs {
  /** A plain description of an object or function that crosses in its own way; null for one that is cloned. */
  declare(value: object): object | null;
  /** What the other side's description stands for on this one. */
  admit(declared: object): unknown;
}

// No property of a user's object is called this.
const MARK = '\0curio';

type Marked =
  | { [MARK]: 'declared'; as: object }
  | { [MARK]: 'error'; as: Envelope }
  | { [MARK]: 'buffer'; as: Uint8Array };

/** Makes a value fit to be posted. */
export function toWire(value: unknown, customs: Customs): unknown {
  if (!isReference(value)) return value;
  return isSpecial(value, customs, new Set()) ? rebuild(value, customs, new Map()) : value;
}

/** What the other side's `toWire` was given. */
export function fromWire(value: unknown, customs: Customs): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return hasMarks(value, new Set()) ? restore(value, customs, new Map()) : value;
}

function isReference(value: unknown): value is object {
  return typeof value === 'function' || (typeof value === 'object' && value !== null);
}

/** An object whose contents may be looked at, and copied. */
function isPlain(value: object): value is Record<string, unknown> {
  const proto: unknown = Object.getPrototypeOf(value);
  return proto === null || proto === Object.prototype;
}

function* contentsOf(value: object): Generator<unknown> {
  if (Array.isArray(value)) yield* value;
  else if (value instanceof Map) for (const [key, item] of value) yield* [key, item];
  else if (value instanceof Set) yield* value;
  else if (isPlain(value)) yield* Object.values(value);
}

/** True if a plain clone of the value would lose something. */
function isSpecial(value: unknown, customs: Customs, seen: Set<object>): boolean {
  if (!isReference(value) || seen.has(value)) return false;
  seen.add(value);
  if (value instanceof Error || Buffer.isBuffer(value) || customs.declare(value) !== null) return true;
  for (const item of contentsOf(value)) if (isSpecial(item, customs, seen)) return true;
  return false;
}

function rebuild(value: unknown, customs: Customs, done: Map<object, unknown>): unknown {
  if (!isReference(value)) return value;
  const before = done.get(value);
  if (before !== undefined) return before;
  const marked = mark(value, customs);
  if (marked !== null) {
    done.set(value, marked);
    return marked;
  }
  return copy(value, done, (item) => rebuild(item, customs, done));
}

function mark(value: object, customs: Customs): Marked | null {
  const declared = customs.declare(value);
  if (declared !== null) return { [MARK]: 'declared', as: declared };
  if (value instanceof Error) return { [MARK]: 'error', as: sealEnvelope(value) };
  // Of its own: a Buffer is a view of a pool, and a clone would take all of the pool with it.
  if (Buffer.isBuffer(value)) return { [MARK]: 'buffer', as: new Uint8Array(value) };
  return null;
}

/** A copy of a container, with each of its items changed; anything else as it is. */
function copy(value: object, done: Map<object, unknown>, change: (item: unknown) => unknown): unknown {
  if (Array.isArray(value)) {
    const made: unknown[] = [];
    done.set(value, made);
    for (const item of value) made.push(change(item));
    return made;
  }
  if (value instanceof Map) {
    const made = new Map<unknown, unknown>();
    done.set(value, made);
    for (const [key, item] of value) made.set(change(key), change(item));
    return made;
  }
  if (value instanceof Set) {
    const made = new Set<unknown>();
    done.set(value, made);
    for (const item of value) made.add(change(item));
    return made;
  }
  if (!isPlain(value)) return value;
  const made: Record<string, unknown> = {};
  done.set(value, made);
  for (const [key, item] of Object.entries(value)) made[key] = change(item);
  return made;
}

function isMarked(value: object): value is Marked {
  return MARK in value;
}

function hasMarks(value: unknown, seen: Set<object>): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  if (isMarked(value)) return true;
  seen.add(value);
  for (const item of contentsOf(value)) if (hasMarks(item, seen)) return true;
  return false;
}

function restore(value: unknown, customs: Customs, done: Map<object, unknown>): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (done.has(value)) return done.get(value);
  if (!isMarked(value)) return copy(value, done, (item) => restore(item, customs, done));
  const made = unmark(value, customs);
  done.set(value, made);
  return made;
}

function unmark(marked: Marked, customs: Customs): unknown {
  switch (marked[MARK]) {
    case 'declared':
      return customs.admit(marked.as);
    case 'error':
      return openEnvelope(marked.as);
    case 'buffer':
      return Buffer.from(marked.as.buffer, marked.as.byteOffset, marked.as.byteLength);
  }
}
