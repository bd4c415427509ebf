/*
 * Ending a task that is caught in a loop: what the looping thread itself does, while a debugger has stopped it and is about to
 * throw away everything on its stack. It must not know who decides that.
 */

import { createHook } from 'node:async_hooks';
import { TaskKilled } from '../errors.ts';
import { killTask, mendKernels, outsideTasks, type TaskRecord } from '../traps.ts';

/** Frames of a stack, those of the order included. */
const DEEP = 40;

/** The task will have ended by the next turn of the event loop. To be called on the stack that is then thrown away. */
export function condemn(task: TaskRecord, reason: string, done: () => void = () => {}): void {
  const killed = killedHere(reason);
  outsideTasks(() => {
    setImmediate(() => {
      restoreHooks();
      mendKernels();
      killTask(task, killed);
      done();
    });
  });
  forgetAsyncIds();
}

/** Before Node 24 contexts are kept by async hooks. */
const HOOKED = Number(process.versions.node.split('.')[0]) < 24;

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
 * The hooks count what has begun and has not ended. What is thrown away never ends, and Node would abort over it. And were it thrown
 * away inside a hook, which a loop that only awaits is in half of its time, V8 would report that as an uncaught exception.
 */
function forgetAsyncIds(): void {
  if (!HOOKED) return;
  const { noDeprecation } = process;
  const { binding } = process as unknown as { binding(name: string): AsyncWrap };
  process.noDeprecation = true;
  try {
    const wrap = binding.call(process, 'async_wrap');
    wrap.clearAsyncIdStack();
    wrap.setPromiseHooks(undefined, undefined, undefined, undefined);
  } finally {
    process.noDeprecation = noDeprecation;
  }
}

interface AsyncWrap {
  clearAsyncIdStack(): void;
  setPromiseHooks(...hooks: undefined[]): void;
}

/** Node sets its promise hooks anew whenever a hook comes or goes. */
function restoreHooks(): void {
  if (HOOKED)
    createHook({ init() {} })
      .enable()
      .disable();
}
