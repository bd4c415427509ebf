/*
 * Objects of which a copy would be an empty shell: all they are is private, and their class stays behind. Curio's own are
 * such: a Queue would arrive as {}.
 */

import { type AnyFunction, describe } from '../../base/callable.ts';
import { crossesByHandle } from './crossing.ts';
import { isGlobal, nameOf } from './named.ts';

/**
 * Looks at the arguments of a call elsewhere.
 * @throws TypeError that names the first of which nothing would arrive
 */
export function refuseShells(args: readonly unknown[], moved: readonly unknown[], who: string): void {
  const place = args.findIndex((arg) => isShell(arg) && !moved.includes(arg));
  if (place < 0) return;
  throw new TypeError(
    `${who}() copies its arguments, and of argument ${place + 1}, ${describe(args[place])}, nothing would arrive. ` +
      'Give it plain values; a UniversalQueue, UniversalEvent or UniversalResult for what threads share; ' +
      'or start the function with spawnThread(), which can be given objects of Curio’s (an AsyncFile, but not the raw file of its blocking()).',
  );
}

/** True for an object of which nothing would arrive. */
export function isShell(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !isOfClass(value)) return false;
  // Only now: the keys of an array, or of bytes, are as many as it has items.
  return Object.keys(value).length === 0 && !crossesByHandle(value);
}

/** True for an instance of a class that is neither JavaScript's nor Node's, which know what of their own can be sent. */
function isOfClass(value: object): boolean {
  let isUsers = false;
  for (let it = Object.getPrototypeOf(value) as object | null; it !== null; it = Object.getPrototypeOf(it)) {
    const made = Object.getOwnPropertyDescriptor(it, 'constructor')?.value as unknown;
    if (made === Object) break;
    if (typeof made !== 'function' || isGlobal(made as AnyFunction) || nameOf(made, false) !== null)
      return false;
    isUsers = true;
  }
  return isUsers;
}
