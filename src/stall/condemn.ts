/*
 * Ending a task that is caught in a loop: what the looping thread itself does, while a debugger has stopped it and is about to
 * throw away everything on its stack. It must not know who decides that.
 */

import { nextTurn } from '../base/loop.ts';
import { TaskKilled } from '../errors.ts';
import { killTask, mendKernels, outsideTasks, type TaskRecord } from '../traps.ts';

/** Frames of a stack, those of the order included. */
const DEEP = 40;

/** The task will have ended by the next turn of the event loop. To be called on the stack that is then thrown away. */
export function condemn(task: TaskRecord, reason: string, done: () => void = () => {}): void {
  const killed = killedHere(reason);
  outsideTasks(() => {
    nextTurn(() => {
      mendKernels();
      killTask(task, killed);
      done();
    });
  });
  forgetAsyncIds();
}

/** Where the loop is, as if it had thrown that itself: what lies above is only how the order came there. */
function killedHere(reason: string): TaskKilled {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = DEEP;
  const killed = new TaskKilled(reason);
  Error.stackTraceLimit = stackTraceLimit;
  const lines = String(killed.stack).split('\n');
  const order = lines.map((line) => line.includes('<anonymous>:')).lastIndexOf(true);
  killed.stack = [String(killed), ...lines.slice(order + 1)].join('\n');
  return killed;
}

/**
 * Before Node 24 contexts are kept by async hooks, which count what has begun and has not ended. What is thrown away never ends, and
 * Node would abort over it.
 */
function forgetAsyncIds(): void {
  if (Number(process.versions.node.split('.')[0]) >= 24) return;
  const { noDeprecation } = process;
  const { binding } = process as unknown as { binding(name: string): { clearAsyncIdStack(): void } };
  process.noDeprecation = true;
  try {
    binding.call(process, 'async_wrap').clearAsyncIdStack();
  } finally {
    process.noDeprecation = noDeprecation;
  }
}
