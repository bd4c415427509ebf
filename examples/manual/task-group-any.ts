// A group of tasks, and the result of the first.
//
// With `wait: 'any'` the group is over as soon as one of its tasks is. The others are cancelled, and have had the time to
// clean up, before `taskGroup` comes back.

import { CancelledError, run, sleep, taskGroup } from 'curio';

async function work(name: string, seconds: number) {
  try {
    await sleep(seconds);
    return name;
  } catch (error) {
    if (error instanceof CancelledError) console.log(name, 'cancelled');
    throw error;
  }
}

async function main() {
  const group = await taskGroup<string>({ wait: 'any' }, async (g) => {
    await g.spawn(work, 'slow', 3);
    await g.spawn(work, 'quick', 1);
    await g.spawn(work, 'medium', 2);
  });
  console.log('Result:', group.result);
}

await run(main);

/* Prints:
slow cancelled
medium cancelled
Result: quick
*/
