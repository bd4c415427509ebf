/*
 * A method of Curio's own that was handed on without its object, as in
 * `timeoutAfter(1, queue.get)`, which in Python takes the queue along: it fails at its first `this`,
 * with words of JavaScript's that say neither what is missing nor what to write.
 */

import { givenName } from './callable.ts';
import { isLibrary, topFrame } from './stack.ts';

// What V8 says of `undefined` where a `this` with fields, private ones, or private methods should be.
const NO_THIS = /^(Cannot (read|set|write)|Receiver must be)/;

/** What `fn` has failed with; if it was for want of its object, an error that says so. */
export function explained(error: unknown, fn: { name: unknown }): unknown {
  const name = givenName(fn);
  if (!isUnbound(error, name)) return error;
  return new TypeError(
    `${name}() was handed on without the object that it is a method of. Hand on a function that calls it, ` +
      `() => object.${name}(...), or object.${name}.bind(object).`,
    { cause: error },
  );
}

function isUnbound(error: unknown, name: string): boolean {
  try {
    if (!(error instanceof TypeError) || !NO_THIS.test(error.message)) return false;
    const top = topFrame(error);
    return top !== null && isLibrary(top.file) && top.fn.split('.').at(-1) === name;
  } catch {
    // swallows: what a getter or a proxy of the user's throws.
    return false;
  }
}
