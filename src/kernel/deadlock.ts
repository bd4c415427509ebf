/*
 * Deadlock: a kernel runs, and nothing can wake any of its tasks any more. Node
 * says so by being about to exit; a clock for tests can be sure of it sooner.
 */

import { nextTurn } from '../base/loop.ts';
import { DeadlockError, TaskCancelled } from '../errors.ts';
import type { Core } from './core.ts';
import { taskTable } from './reports.ts';
import { TaskList } from './tasklist.ts';
import { waitGraph, waitReport } from './waits.ts';

const watching = new Set<DeadlockWatch>();

function beforeExit(): void {
  let progress = false;
  for (const watch of [...watching]) progress = watch.declare() || progress;
  // Node asks again only if its loop has had something to do.
  if (progress) nextTurn(() => {});
}

export class DeadlockWatch {
  readonly #core: Core;
  #recall: (() => void) | null = null;
  #error: DeadlockError | null = null;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The kernel runs. */
  begin(): void {
    if (watching.size === 0) process.on('beforeExit', beforeExit);
    watching.add(this);
  }

  /** The kernel stands. */
  end(): void {
    this.stirred();
    watching.delete(this);
    if (watching.size === 0) process.off('beforeExit', beforeExit);
  }

  /** Throws the deadlock that ended the run, if one did. */
  check(): void {
    const error = this.#error;
    this.#error = null;
    if (error !== null) throw error;
  }

  /** The kernel rests without a deadline: asks a clock that can tell whether that is the end. */
  atRest(): void {
    const { clock, tasks } = this.#core;
    if (clock.stalled === undefined || this.#recall !== null) return;
    for (const record of tasks) {
      // Somebody outside may still wake these.
      const asleep = record.state === 'TIME_SLEEP';
      if (record.state === 'PROMISE_WAIT' || (!asleep && !(record.waitingIn instanceof TaskList))) return;
    }
    this.#recall = clock.stalled(() => {
      this.#recall = null;
      this.declare();
    });
  }

  /** The kernel rests no longer. */
  stirred(): void {
    this.#recall?.();
    this.#recall = null;
  }

  /** Cancels all tasks, which may clean up; the run then rejects. False if there is nothing to be done. */
  declare(): boolean {
    const core = this.#core;
    if (!core.resting) return false;
    if (this.#error === null) {
      const table = taskTable(core.tasks, core.clock.now());
      const graph = waitGraph(core.tasks, true);
      const report = waitReport(graph);
      this.#error = new DeadlockError(
        `Nothing can wake any of these tasks any more:\n${table}${report === '' ? '' : `\n\n${report}`}`,
      );
      this.#error.circles = graph.circles;
      core.observers?.deadlocked(this.#error.message);
      for (const record of core.tasks) {
        core.cancel(record, new TaskCancelled(undefined, { cause: this.#error }));
      }
      if (!core.resting) return true;
    }
    // Cancelling has not helped: what is left awaits promises that never settle, or has
    // swallowed its cancellation and blocked again.
    const left = [...core.tasks];
    for (const record of left) core.giveUp(record, new TaskCancelled(undefined, { cause: this.#error }));
    return left.length > 0;
  }
}
