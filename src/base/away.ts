/*
 * What becomes of Curio's own functions and classes in an async thread: there is no kernel there, so a call is
 * described and sent to the one that the thread belongs to.
 *
 * Null in every other thread. It must not know how a call gets there.
 */

/** The far side of an async thread's line to its kernel. */
export interface Away {
  /** A call of one of the library's functions, by the name it is exported under. */
  call(name: string, args: readonly unknown[]): unknown;
  /** `new cls(...args)`, or of the library's class that it extends. */
  construct(cls: { prototype: object }, args: readonly unknown[]): object;
  /** True if it is one of the library's functions, and so to be called there. */
  has(fn: object): boolean;
  /** A call of an async function of the user's, which runs there as a task. */
  ship(fn: (...args: never[]) => unknown, args: readonly unknown[]): unknown;
  /** A call of a method of a universal object, which blocks the thread and gives the result. */
  universal(object: object, method: string, args: readonly unknown[]): unknown;
}

let current: Away | null = null;

/** The async thread that this is; null in ordinary threads. */
export function away(): Away | null {
  return current;
}

/** This thread becomes an async one, or, with null, an ordinary one again. */
export function setAway(there: Away | null): void {
  current = there;
}
