/*
 * Who waits on which lock, queue, event or task, and who holds it, as the monitor's `waiters` answers it: plain data with its text.
 */

import { type TaskRecord, type WaitGraph, waitGraph, waitReport } from '../traps.ts';

/** What tasks wait for, the circles among them in which nobody will ever go on, and the same as lines of text. */
export interface Waiters extends WaitGraph {
  text: string;
}

export function waitersOf(tasks: Iterable<TaskRecord>): Waiters {
  const graph = waitGraph(tasks);
  return {
    ...graph,
    text: waitReport(graph) || 'No task waits for another, or for a lock, queue or the like.',
  };
}
