/*
 * Who waits on which lock, queue, event or task, and who holds it: what the monitor's `waiters` shows. As plain data,
 * which can be sent to another thread, and as text.
 */

import type { Task } from '../task.ts';
import { type WaitGraph, waitGraph, waitReport } from '../traps.ts';

export type { Wait, WaitGraph } from '../traps.ts';

/** What these tasks wait for, and the circles among them in which nobody will ever go on. */
export function waitersOf(tasks: Iterable<Task<unknown>>): WaitGraph {
  return waitGraph(tasks);
}

/** The same as lines of text. */
export function waitersText(graph: WaitGraph): string {
  return waitReport(graph) || 'No task waits for another, or for a lock, queue or the like.';
}
