// A parent, a kid, and a program that hangs.
//
// `spawn` starts a second task beside the one that calls it: the kid. Neither waits for the other, until the parent
// says so with `join`, which gives what the task returned, once it has returned it. The parent joins the countdown and
// then the kid.
//
// The kid takes a thousand seconds. So after "We're leaving!" nothing seems to happen any more: the kid sleeps, the
// parent waits for the kid, and you wait for both. Press Ctrl-C when you have had enough of it. The next program
// does not put up with that.

import { run, sleep, spawn } from 'curio';

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
  await kidTask.join();
  console.log('Leaving');
}

await run(parent);

/* Prints, until you press Ctrl-C:
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
*/
