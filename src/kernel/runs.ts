/*
 * The runs of a kernel: one main task after the other, single cycles between
 * them, and the shutdown at the end.
 */

import type { AnyFunction } from '../base/callable.ts';
import { nextTurn } from '../base/loop.ts';
import { TaskCancelled } from '../errors.ts';
import { prepareContext } from './context.ts';
import type { Core } from './core.ts';
import { shutDown } from './shutdown.ts';

export class Runs {
  readonly #core: Core;
  #closed = false;

  constructor(core: Core) {
    this.#core = core;
  }

  /** True after the shutdown. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Runs a main task until it ends; the other tasks then stand still. */
  async run(
    fn: AnyFunction,
    args: readonly unknown[],
    signal?: AbortSignal,
    hidden = false,
  ): Promise<unknown> {
    prepareContext();
    const core = this.#core;
    const main = core.spawn(null, fn, args, { hidden });
    const abort = () => core.cancel(main, new TaskCancelled(undefined, { cause: signal?.reason }));
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
    core.canAbort = signal !== undefined;
    try {
      await core.begin(main);
    } finally {
      signal?.removeEventListener('abort', abort);
      core.canAbort = false;
    }
    core.deadlock.check();
    if (main.failed) throw main.outcome;
    return main.outcome;
  }

  /** One scheduling cycle: I/O and timers that are due, then one step of each task that is ready. */
  async cycle(): Promise<void> {
    prepareContext();
    await new Promise<void>((resolve) => nextTurn(resolve));
    await this.#core.beginCycle();
  }

  /** Cancels every task left, newest first, waits for each; closes what was registered; the kernel is closed then. */
  async shutdown(): Promise<void> {
    const core = this.#core;
    try {
      await this.run(() => shutDown(core, core.hooks), [], undefined, true);
    } finally {
      this.#closed = true;
      core.patience.stop();
      core.reports.neverJoined();
    }
  }
}
