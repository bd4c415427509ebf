// What is that task doing?
//
// A task, printed, says what it is and how it is; with `stacks: true` also in which line of your code it is blocked.
// `where` gives that place, and `traceback` the whole chain of async functions that led to it. Recording stacks costs
// a little at every operation, so it is off unless asked for (or CURIO_STACKS=1 is set).

import { basename } from 'node:path';
import { run, sleep, spawn } from 'curio';

async function nap() {
  await sleep(1000);
}

async function child() {
  await nap();
}

async function main() {
  const task = await spawn(child);
  await sleep(1);
  console.log(`${task}`);

  const [filename, line] = task.where() ?? ['nowhere', 0];
  console.log(basename(filename), line);

  console.log(task.traceback());
  await task.cancel();
  console.log(`${task}`);
}

await run({ stacks: true }, main);

/* Prints:
Task(id=2, name='child', state='TIME_SLEEP') at examples/manual/task-inspection.ts:11
task-inspection.ts 11
Stack for Task(id=2, name='child', state='TIME_SLEEP') (most recent call last):
  File "…/examples/manual/task-inspection.ts", line 15, in child
  File "…/examples/manual/task-inspection.ts", line 11, in nap
Task(id=2, name='child', state='TERMINATED')
*/
