// One kernel, several runs.
//
// `run` makes a kernel, runs one function in it and shuts it down. Whoever runs many makes the kernel once. It goes on
// existing between the runs, and so do the tasks left in it, but they stand still: the ticker ticks only while something
// runs. At the end of the block the kernel is shut down, which cancels the ticker.

import { CancelledError, Kernel, sleep, spawn } from 'curio';

async function ticker() {
  try {
    for (let n = 1; ; n++) {
      console.log('tick', n);
      await sleep(1);
    }
  } catch (error) {
    if (error instanceof CancelledError) console.log('no more ticks');
    throw error;
  }
}

async function start() {
  await spawn({ daemon: true }, ticker);
  await sleep(1.5);
  console.log('first run done');
}

async function more(seconds: number) {
  await sleep(seconds);
  return seconds;
}

{
  await using kernel = new Kernel();
  await kernel.run(start);
  console.log('between two runs');
  const seconds = await kernel.run(more, 2);
  console.log('second run done after', seconds, 'seconds');
}
console.log('kernel shut down');

/* Prints:
tick 1
tick 2
first run done
between two runs
tick 3
tick 4
second run done after 2 seconds
no more ticks
kernel shut down
*/
