/*
 * Shutting a kernel down: a hidden task cancels every other one, newest first,
 * and waits for each; then whatever was registered is closed.
 */

import { logTo } from '../base/logger.ts';
import { errorText } from '../base/stack.ts';
import { RuntimeError, TaskCancelled } from '../errors.ts';
import type { Core } from './core.ts';
import type { TaskRecord } from './record.ts';
import { TaskList } from './tasklist.ts';

/** The body of the hidden task. */
export async function shutDown(core: Core, hooks: readonly (() => unknown)[]): Promise<void> {
  const self = core.running as TaskRecord;
  while (core.tasks.size > 0) {
    // What clean-up spawns meanwhile comes in the next round: somebody who spawns without end must be reached, too.
    const left = [...core.tasks];
    for (let task = left.pop(); task !== undefined; task = left.pop()) {
      if (task.terminated) continue;
      core.cancel(task, new TaskCancelled(undefined, { cause: new RuntimeError('The kernel shuts down.') }));
      task.waiters ??= new TaskList(task);
      await (core.beginBlocking(self, 'shutdown()') ?? core.suspend(self, 'TASK_JOIN', task.waiters));
    }
  }
  for (const hook of hooks) {
    try {
      await hook();
    } catch (error) {
      // swallows: the other hooks must run too; there is nobody left to tell but the log.
      logTo(core.reports.logger, 'error', `Shutting down: ${errorText(error)}`);
    }
  }
}
