// A group of tasks whose block fails.
//
// When the function given to `taskGroup` throws, all tasks of the group are cancelled and waited for, and then the same
// error comes out. No task outlives its group, however the group ends.

import { run, sleep, type Task, taskGroup } from 'curio';

async function main() {
  const tasks: Task[] = [];
  try {
    await taskGroup(async (g) => {
      tasks.push(await g.spawn(sleep, 1));
      tasks.push(await g.spawn(sleep, 2));
      tasks.push(await g.spawn(sleep, 3));
      throw new RangeError('this is no good');
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.log('Caught:', error.message);
    for (const task of tasks) {
      console.log(`task ${task.id}: terminated ${task.terminated}, cancelled ${task.cancelled}`);
    }
  }
}

await run(main);

/* Prints:
Caught: this is no good
task 2: terminated true, cancelled true
task 3: terminated true, cancelled true
task 4: terminated true, cancelled true
*/
