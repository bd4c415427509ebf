// A group of tasks, one by one as they finish.
//
// Iterating over a group gives its tasks in the order of their ends. Each is taken out of the group, and what comes of
// it, failures included, is the loop's business: nothing is cancelled because one failed.

import { run, sleep, TaskGroup } from 'curio';

async function work(name: string, seconds: number) {
  await sleep(seconds);
  if (name === 'medium') throw new Error('out of luck');
  return name;
}

async function main() {
  await using group = new TaskGroup<string>();
  await group.spawn(work, 'slow', 3);
  await group.spawn(work, 'quick', 1);
  await group.spawn(work, 'medium', 2);
  for await (const task of group) {
    if (task.exception) console.log(`${task} failed: ${task.exception}`);
    else console.log(`${task} completed: ${task.result}`);
  }
}

await run(main);

/* Prints:
Task(id=3, name='work', state='TERMINATED') completed: quick
Task(id=4, name='work', state='TERMINATED') failed: Error: out of luck
Task(id=2, name='work', state='TERMINATED') completed: slow
*/

/* Warns:
curio error: Task Crash: Task(id=4, name='work')
Error: out of luck
*/
