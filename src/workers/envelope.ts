/*
 * Errors on their way between threads and processes. Structured clone makes a bare `Error` of any subclass and loses
 * its code; an envelope keeps class, name, message, code, cause, stack, and whatever else can be cloned.
 *
 * It must not know who sends it.
 */

import { valueText } from '../base/stack.ts';
import * as curioErrors from '../errors.ts';
import { readableStack } from './travel/place.ts';

/** An error, or anything else that was thrown, as data. */
export type Envelope = ErrorEnvelope | { readonly thrown: unknown };

interface ErrorEnvelope {
  /** The nearest of its classes that is known on every side. */
  readonly className: string;
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly cause?: Envelope;
  /** Of an AggregateError. */
  readonly errors?: readonly Envelope[];
  readonly properties: Readonly<Record<string, unknown>>;
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
for (const [name, cls] of Object.entries(curioErrors)) addClass(name, cls as ErrorClass);
addClass('DOMException', DOMException as unknown as ErrorClass);

/** Other modules of Curio have error classes, too. */
export function provideErrors(more: Record<string, ErrorClass>): void {
  for (const [name, cls] of Object.entries(more)) addClass(name, cls);
}

const DEEP = 8;

/** Makes data of what was thrown. Never throws. */
export function sealEnvelope(error: unknown, depth = 0): Envelope {
  // Who throws may have made anything of an error: getters that throw, a Proxy.
  try {
    return error instanceof Error ? sealError(error, depth) : { thrown: cloneable(error) };
  } catch {
    // swallows: the error of looking at an error; what was thrown is described as well as it can be.
    return { className: 'Error', name: 'Error', message: valueText(error), stack: '', properties: {} };
  }
}

function sealError(error: Error, depth: number): ErrorEnvelope {
  const properties: Record<string, unknown> = {};
  for (const key of [...Object.keys(error), ...accessors.filter((it) => it in error)]) {
    if (special.has(key)) continue;
    const value = (error as unknown as Record<string, unknown>)[key];
    if (isCloneable(value)) properties[key] = value;
  }
  const { cause } = error;
  const errors = error instanceof AggregateError ? (error.errors as unknown[]) : null;
  return {
    className: classOf(error),
    name: valueText(error.name),
    message: valueText(error.message),
    stack: typeof error.stack === 'string' ? withoutOwnFrames(error.stack) : '',
    ...(cause === undefined || depth >= DEEP ? {} : { cause: sealEnvelope(cause, depth + 1) }),
    ...(errors === null || depth >= DEEP ? {} : { errors: errors.map((it) => sealEnvelope(it, depth + 1)) }),
    properties,
  };
}

const special = new Set(['name', 'message', 'stack', 'cause', 'errors', 'requestedBy']);

/** What Curio's errors know besides, and do not show as properties of their own. */
const accessors = ['clock', 'requestedAt'];

function classOf(error: Error): string {
  for (let proto: unknown = error; proto !== null; proto = Object.getPrototypeOf(proto)) {
    const name = classNames.get(proto);
    if (name !== undefined) return name;
  }
  // Made by another realm, or by a second copy of Curio: the name has to do.
  return classes.has(error.name) ? error.name : 'Error';
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
  const { className, name, message, stack, cause, errors, properties } = envelope;
  const error = construct(className, name, message, errors);
  if (cause !== undefined) define(error, 'cause', openEnvelope(cause));
  if (stack !== '') define(error, 'stack', readableStack(stack));
  if (error.name !== name) define(error, 'name', name);
  Object.assign(error, properties);
  return error;
}

function construct(
  className: string,
  name: string,
  message: string,
  errors: readonly Envelope[] = [],
): Error {
  if (className === 'AggregateError') return new AggregateError(errors.map(openEnvelope), message);
  if (className === 'DOMException') return new DOMException(message, name);
  const cls = (classes.get(className) ?? Error) as new (message: string) => Error;
  return new cls(message);
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
