/*
 * Objects that cross to another thread as handles, of which the same is made anew there: universal objects, and what
 * `blocking()` of a socket or stream gives, whose descriptor is the process's.
 */

import { BlockingDescriptor } from '../../io/portable/blocking.ts';
import { PosixBlocking } from '../../io/posix/blocking.ts';
import { isSharedObject } from '../../universal/shared.ts';

/** True for what only threads of this process can be given, as a handle. */
export function crossesByHandle(value: unknown): value is { handle(): unknown } {
  return isSharedObject(value) || value instanceof PosixBlocking || value instanceof BlockingDescriptor;
}
