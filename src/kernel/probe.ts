/*
 * The stack of a task that is blocked, found afterwards: for those who begin to look when the task waits already.
 *
 * Discussion: V8 shows who awaits a promise when an error is made in a reaction that leads to that promise. So here is such a
 * reaction: it makes an error, and what would resolve the task's promise stands behind it, and is never reached.
 */

import { captureStack } from '../base/stack.ts';
import { outsideTasks } from './context.ts';
import type { TaskRecord } from './record.ts';

const nothing = () => {};

/** The stack of the operation a task is blocked in; null if it is not blocked, or has gone on meanwhile. */
export function suspendedStack(record: TaskRecord): Promise<Error | null> {
  const { resolve, stack } = record;
  if (stack !== null || resolve === null || record.state === 'RUNNING') return Promise.resolve(stack);
  return new Promise((found) => {
    outsideTasks(() => {
      const probe = Promise.resolve().then(() => {
        found(record.resolve === resolve ? captureStack() : null);
        throw nothing;
      });
      probe.then(resolve, nothing);
    });
  });
}
