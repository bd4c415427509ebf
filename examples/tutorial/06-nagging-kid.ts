// A kid who asks again.
//
// No operation here has a timeout of its own, because each can be put under one: `timeoutAfter` interrupts whatever
// blocks inside it, so the kid's wait for the event lasts a second at most. Then they complain, and ask once more.
//
// Four times they get nowhere; the fifth question is the one that the parent answers, five seconds into the program.
// An event once set stays set, so a kid who came later would not have to wait at all.

import { CancelledError, Event, run, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';

const startEvt = new Event();

async function countdown(n: number) {
  while (n > 0) {
    console.log('T-minus', n);
    await sleep(1);
    n -= 1;
  }
}

async function kid() {
  while (true) {
    try {
      console.log('Can I play?');
      await timeoutAfter(1, () => startEvt.wait());
      break;
    } catch (error) {
      if (!(error instanceof TaskTimeout)) throw error;
      console.log('Wha!?!');
    }
  }
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

  console.log('Yes, go play');
  await startEvt.set();
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
Can I play?
Wha!?!
Can I play?
Wha!?!
Can I play?
Wha!?!
Can I play?
Wha!?!
Can I play?
Yes, go play
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
