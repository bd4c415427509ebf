// A kid who saves their work.
//
// Being cancelled is an exception like others, thrown out of the operation the task was blocked in: it can be caught,
// and there is time to clean up. The kid's handler may even block again, to write a file, say. The parent's `cancel`
// waits for it, which is why "Leaving!" comes last.
//
// Afterwards the kid throws the exception on. They have been asked to stop, after all; a task that keeps a cancellation
// to itself and carries on is one that somebody waits for in vain.

import { CancelledError, run, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';

async function countdown(n: number) {
  while (n > 0) {
    console.log('T-minus', n);
    await sleep(1);
    n -= 1;
  }
}

async function kid() {
  try {
    console.log('Building the Millenium Falcon in Minecraft');
    await sleep(1000);
  } catch (error) {
    if (error instanceof CancelledError) console.log('Fine. Saving my work.');
    throw error;
  }
}

async function parent() {
  const kidTask = await spawn(kid);
  await sleep(5);

  console.log("Let's go");
  const countTask = await spawn(countdown, 10);
  await countTask.join();

  console.log("We're leaving!");
  try {
    await timeoutAfter(10, () => kidTask.join());
  } catch (error) {
    if (!(error instanceof TaskTimeout)) throw error;
    console.log('I warned you!');
    await kidTask.cancel();
  }
  console.log('Leaving!');
}

await run(parent);

/* Prints:
Building the Millenium Falcon in Minecraft
Let's go
T-minus 10
T-minus 9
T-minus 8
T-minus 7
T-minus 6
T-minus 5
T-minus 4
T-minus 3
T-minus 2
T-minus 1
We're leaving!
I warned you!
Fine. Saving my work.
Leaving!
*/
