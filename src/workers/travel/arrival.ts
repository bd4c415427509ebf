/*
 * How universal objects arrive with a shipment, where somebody knows how. Most workers never see one, and need not load them.
 */

let admit: ((handle: unknown) => unknown) | null = null;

/** From now on handles can be made objects of. */
export function admitShared(from: (handle: unknown) => unknown): void {
  admit = from;
}

/** The universal object of a handle. */
export function arrive(handle: unknown): unknown {
  if (admit === null) throw new TypeError('A universal object has arrived where nobody knows of any.');
  return admit(handle);
}
