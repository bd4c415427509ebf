// A group of tasks, and all of their results.
//
// `taskGroup` runs its function, and then waits for every task that was started in the group: when it is over, none of
// them is left. The results come in the order in which the tasks were started, whoever was first to finish.

import { run, sleep, taskGroup } from 'curio';

async function work(name: string, seconds: number) {
  await sleep(seconds);
  console.log(name, 'done');
  return name;
}

async function main() {
  const group = await taskGroup<string>(async (g) => {
    await g.spawn(work, 'slow', 3);
    await g.spawn(work, 'quick', 1);
    await g.spawn(work, 'medium', 2);
  });
  console.log('Results:', group.results);
}

await run(main);

/* Prints:
quick done
medium done
slow done
Results: [ 'slow', 'quick', 'medium' ]
*/
