// A kid who asks first.
//
// Tasks share the program's variables, and sometimes one has to wait until another has got somewhere. An `Event` is the
// simplest way of saying so: the kid waits until it is set, and the parent sets it. `Lock`, `Semaphore` and `Condition`
// are there too. They are what threads have, with an `await` in front of everything that may have to wait.
//
// "Can I play?" is printed at once, the kid's answer comes five seconds later.

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
  console.log('Can I play?');
  await startEvt.wait();
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
