/*
 * The pulse of this thread: which task has the turn, and how many turns there have been, in memory that a thread of the
 * monitor can look at while this one is caught in a loop. A plain store, which costs nothing that can be measured, and so
 * is always done.
 */

/** Where in the pulse the id of the running task stands; 0 while none runs. */
const TASK = 0;
/** Where the number of turns stands; it overflows. */
const TURNS = 1;

export const pulse = new Int32Array(new SharedArrayBuffer(8));

/** A task's turn begins. */
export function beat(id: number): void {
  pulse[TASK] = id;
  pulse[TURNS] = (pulse[TURNS] as number) + 1;
}

/** Nobody's turn: whatever runs now is not a task. */
export function pause(): void {
  pulse[TASK] = 0;
}
