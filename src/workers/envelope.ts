/*
 * Errors on their way between threads and processes. Structured clone makes a bare `Error` of any subclass and loses
 * its code; an envelope keeps class, name, message, code, cause, stack, and whatever else can be cloned.
 *
 * It must not know who sends it.
 */

import { errorsOfData } from '../base/far-errors.ts';
import { valueText } from '../base/stack.ts';
import * as curioErrors from '../errors.ts';
import { asBuffer, standingAlone } from './message.ts';
import { readableStack } from './travel/place.ts';

/** An error, or anything else that was thrown, as data. */
export type Envelope = ErrorEnvelope | { readonly thrown: unknown };

interface ErrorEnvelope {
  /** Its classes, the nearest first: the first that the other side knows is the one. */
  readonly classNames: readonly string[];
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly cause?: Envelope;
  /** Of an AggregateError. */
  readonly errors?: readonly Envelope[];
  readonly properties: Readonly<Record<string, unknown>>;
  /** Those of them that are errors. */
  readonly parts?: Readonly<Record<string, Envelope>>;
  /** Which of them were Buffers. */
  readonly buffers?: readonly string[];
}

type ErrorClass = abstract new (...args: never[]) => Error;

const builtIn = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
];
const classes = new Map<string, ErrorClass>();
const classNames = new Map<unknown, string>();

function addClass(name: string, cls: ErrorClass): void {
  classes.set(name, cls);
  classNames.set(cls.prototype, name);
}

for (const cls of builtIn) addClass(cls.name, cls);
// From Node 24 on.
if (typeof SuppressedError === 'function') addClass('SuppressedError', SuppressedError);
for (const [name, cls] of Object.entries(curioErrors)) addClass(name, cls as ErrorClass);
addClass('DOMException', DOMException as unknown as ErrorClass);

const DEEP = 8;

/** Makes data of what was thrown. Never throws. */
export function sealEnvelope(error: unknown, depth = 0): Envelope {
  // Who throws may have made anything of an error: getters that throw, a Proxy.
  try {
    return error instanceof Error ? sealError(error, depth) : { thrown: cloneable(error) };
  } catch {
    // swallows: the error of looking at an error; what was thrown is described as well as it can be.
    return { classNames: ['Error'], name: 'Error', message: valueText(error), stack: '', properties: {} };
  }
}

function sealError(error: Error, depth: number): ErrorEnvelope {
  const properties: Record<string, unknown> = {};
  const parts: Record<string, Envelope> = {};
  const buffers: string[] = [];
  for (const key of new Set([...Object.keys(error), ...hidden.filter((it) => it in error)])) {
    if (special.has(key)) continue;
    const value = (error as unknown as Record<string, unknown>)[key];
    if (value instanceof Error) {
      if (depth < DEEP) parts[key] = sealEnvelope(value, depth + 1);
    } else if (Buffer.isBuffer(value)) {
      buffers.push(key);
      properties[key] = standingAlone(value);
    } else if (isCloneable(value)) properties[key] = value;
  }
  const { cause } = error;
  const errors = error instanceof AggregateError ? (error.errors as unknown[]) : null;
  return {
    classNames: classesOf(error),
    name: valueText(error.name),
    message: valueText(error.message),
    stack: typeof error.stack === 'string' ? withoutOwnFrames(error.stack) : '',
    ...(cause === undefined || depth >= DEEP ? {} : { cause: sealEnvelope(cause, depth + 1) }),
    ...(errors === null || depth >= DEEP ? {} : { errors: errors.map((it) => sealEnvelope(it, depth + 1)) }),
    properties,
    ...(Object.keys(parts).length === 0 ? {} : { parts }),
    ...(buffers.length === 0 ? {} : { buffers }),
  };
}

const special = new Set(['name', 'message', 'stack', 'cause', 'errors', 'requestedBy']);

/** What Curio's errors know besides, and do not show as properties of their own; and what a SuppressedError is made of. */
const hidden = ['clock', 'requestedAt', 'error', 'suppressed'];

function classesOf(error: Error): string[] {
  const names: string[] = [];
  for (let proto: unknown = error; proto !== null; proto = Object.getPrototypeOf(proto)) {
    const name = classNames.get(proto);
    if (name !== undefined) return [...names, name];
    // Some of Curio's are known by their names only; so are those of a second copy, which a worker's function has imported.
    if (proto !== error && typeof (proto as Error).name === 'string' && Object.hasOwn(proto as Error, 'name'))
      names.push((proto as Error).name);
  }
  return names;
}

function isCloneable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null)
    return typeof value !== 'function' && typeof value !== 'symbol';
  try {
    structuredClone(value);
    return true;
  } catch {
    // swallows: that it cannot be cloned is the answer.
    return false;
  }
}

function cloneable(value: unknown): unknown {
  return isCloneable(value) ? value : valueText(value);
}

/** The error that was sealed, as near as can be. */
export function openEnvelope(envelope: Envelope): unknown {
  if ('thrown' in envelope) return envelope.thrown;
  const { classNames, name, message, stack, cause, errors, properties, parts = {}, buffers = [] } = envelope;
  const error = construct(classNames, name, message, errors);
  if (cause !== undefined) define(error, 'cause', openEnvelope(cause));
  if (stack !== '') define(error, 'stack', readableStack(stack));
  if (error.name !== name) define(error, 'name', name);
  Object.assign(error, properties);
  for (const [key, part] of Object.entries(parts)) Object.assign(error, { [key]: openEnvelope(part) });
  for (const key of buffers) Object.assign(error, { [key]: asBuffer(properties[key]) });
  return error;
}

function construct(
  classNames: readonly string[],
  name: string,
  message: string,
  errors: readonly Envelope[] = [],
): Error {
  const className = classNames.find((it) => classes.has(it) || errorsOfData.has(it)) ?? 'Error';
  if (className === 'AggregateError') return new AggregateError(errors.map(openEnvelope), message);
  if (className === 'SuppressedError') return new SuppressedError(undefined, undefined, message);
  if (className === 'DOMException') return new DOMException(message, name);
  const ofData = errorsOfData.get(className);
  if (ofData !== undefined) return Object.setPrototypeOf(new Error(message), ofData.prototype as object);
  return new (classes.get(className) as new (message: string) => Error)(message);
}

function define(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true });
}

const OWN_FRAME = /^\s+at .*(?:curio-worker|[\\/]src[\\/]workers[\\/](?:far|travel)[\\/])/;

/** A stack down to where the worker's own machinery begins. */
function withoutOwnFrames(stack: string): string {
  const lines = stack.split('\n');
  const end = lines.findIndex((line) => OWN_FRAME.test(line));
  return end < 0 ? stack : lines.slice(0, end).join('\n');
}
