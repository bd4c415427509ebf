/*
 * Does one call where it was sent to. It must not know how calls get there.
 */

import { type Envelope, sealEnvelope } from '../envelope.ts';
import { type CallMessage, type Reply, sentence, standingAlone, unpackArguments } from '../message.ts';
import type { Shipment } from '../travel/shipment.ts';
import { known, unpack } from '../travel/unpack.ts';

/** What became of the call. A promise only if there was something to wait for. */
export function answer(call: CallMessage): Reply | Promise<Reply> {
  if (call.universal && !hasUniversal)
    return learnUniversal().then(
      () => answer(call),
      (error) => ({ error: failure(error, call) }),
    );
  try {
    const fn = unpack(typeof call.fn === 'number' ? known(call.fn) : call.fn);
    if (fn instanceof Promise)
      return settle(
        fn.then((it) => it(...unpackArguments(call))),
        call,
      );
    const value = fn(...unpackArguments(call));
    return isThenable(value) ? settle(value, call) : success(value);
  } catch (error) {
    // swallows: nothing; it goes to the caller.
    return { error: failure(error, call) };
  }
}

let hasUniversal = false;

/** Universal objects bring half of the kernel along, and most workers never see one. */
async function learnUniversal(): Promise<void> {
  // Where tsx runs the sources, in our own tests, it knows `require` only.
  const load = (globalThis as { [SOURCES]?: (path: string) => unknown })[SOURCES];
  if (load === undefined) await import('../travel/universal.ts');
  else load('../travel/universal.ts');
  hasUniversal = true;
}

const SOURCES = Symbol.for('curio.sources');

async function settle(value: PromiseLike<unknown>, call: CallMessage): Promise<Reply> {
  try {
    return success(await value);
  } catch (error) {
    // swallows: nothing; it goes to the caller.
    return { error: failure(error, call) };
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

function success(value: unknown): Reply {
  return Buffer.isBuffer(value)
    ? { value: standingAlone(value), isBuffer: true }
    : { value, isBuffer: false };
}

/** The reply in place of one that could not be copied. */
export function unclonable(error: unknown, { name }: CallMessage): Reply {
  const reason = sentence((error as Error).message);
  return {
    error: sealEnvelope(
      new TypeError(`What ${name} returned cannot be copied to the caller: ${reason} Return plain data.`, {
        cause: error,
      }),
    ),
  };
}

function failure(error: unknown, { fn, name }: CallMessage): Envelope {
  explainMissing(error, fn, name);
  return sealEnvelope(error);
}

/** A function that misses a global which it had at home gets told so. */
function explainMissing(error: unknown, fn: Shipment | number, name: string): void {
  if (!(error instanceof ReferenceError)) return;
  const missing = /^(\S+) is not defined$/.exec(error.message)?.[1];
  const { parts } = typeof fn === 'number' ? known(fn) : fn;
  const uses = parts.some((part) => part.by === 'source' && part.globals.includes(missing ?? ''));
  if (missing === undefined || !uses) return;
  error.message +=
    ` where ${name} runs: it is a global variable of the caller's only. Pass '${missing}' as an argument, or export the ` +
    'function from a module that defines what it needs, and name it with moduleFunction(import.meta.url, name).';
}
