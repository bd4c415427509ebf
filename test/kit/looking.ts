// Answers the dashboard's questions about the kernels of this very process, as a monitor would. It must not know what the
// dashboard makes of the answers.

import type { Task } from 'curio';
import type { Link } from '../../src/cli/link.ts';
import { takeSnapshot } from '../../src/monitor/snapshot.ts';
import { waitersOf } from '../../src/monitor/waiters.ts';
import { requestCancel, tasksOf } from '../../src/traps.ts';

export interface Here extends Link {
  /** What has been asked, in order. */
  readonly asked: string[];
  stuck: unknown;
}

export function linkToHere(): Here {
  const asked: string[] = [];
  const here: Here = {
    asked,
    stuck: null,
    async close() {},
    async ask(line) {
      asked.push(line);
      const [command, argument] = line.split(' ');
      const tasks = tasksOf() as Task[];
      const task = tasks.find(({ id }) => id === Number(argument));
      const answer = (text: string, data: unknown) => ({ text, data: structuredClone(data) });
      if (command === 'ps') return answer('', { ...takeSnapshot(), stuck: here.stuck });
      if (command === 'waiters') return answer('', waitersOf(tasks));
      if (task === undefined) return answer(`No task ${argument}`, null);
      if (command === 'where') return answer(task.traceback().replaceAll(`${process.cwd()}/`, ''), null);
      if (command === 'cancel') requestCancel(task, (await import('curio')).TaskCancelled, null);
      return answer(`Cancelling task ${argument}`, null);
    },
  };
  return here;
}
