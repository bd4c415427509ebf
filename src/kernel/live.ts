/*
 * The kernels of this thread that run at present, and the way from a kernel as users know it to its core: for the
 * monitor, and for whoever attaches to the process from outside.
 */

import type { Core } from './core.ts';

/** Those between the beginning of a run and its end, in the order they began. */
export const liveCores = new Set<Core>();

let inside: (kernel: object) => Core | undefined = () => undefined;

/** Tells how a kernel's core is found, which is private to it. (A WeakMap of them would make every collection of garbage dearer.) */
export function findCoresBy(way: (kernel: object) => Core | undefined): void {
  inside = way;
}

export function coreOf(kernel: object): Core | undefined {
  return inside(kernel);
}
