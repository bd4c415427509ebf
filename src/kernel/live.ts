/*
 * The kernels of this thread that run at present, and the way from a kernel as users know it to its core: for the
 * monitor, and for whoever attaches to the process from outside.
 */

import type { Core } from './core.ts';

/** Those between the beginning of a run and its end, in the order they began. */
export const liveCores = new Set<Core>();

const cores = new WeakMap<object, Core>();

/** `owner` is the public face of `core`. */
export function introduce(owner: object, core: Core): void {
  cores.set(owner, core);
}

export function coreOf(owner: object): Core | undefined {
  return cores.get(owner);
}
