// A parent with a limit to their patience.
//
// `timeoutAfter(10, …)` gives the kid ten seconds to be done. When they are over, whatever the parent was waiting in is
// interrupted with a `TaskTimeout`. It is the *waiting* that has timed out: the kid goes on building as if nothing had
// happened, until the parent cancels them.
//
// `cancel` interrupts the kid where they are blocked, in `sleep`, and comes back once they have ended.
//
// An exception handler catches everything in JavaScript. Hence the habit you see here: look whether it is the error you
// meant, and throw the others on.

import { run, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';

async function countdown(n: number) {
  while (n > 0) {
    console.log('T-minus', n);
    await sleep(1);
    n -= 1;
  }
}

async function kid() {
  console.log('Building the Millenium Falcon in Minecraft');
  await sleep(1000);
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
Leaving!
*/
