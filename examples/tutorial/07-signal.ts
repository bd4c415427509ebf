// A parent who waits for a signal.
//
// Five seconds of playing are not much. This parent lets the kid play until somebody outside of the program says that
// it is time, with a Unix signal. A `SignalEvent` is an event like the one the kid waits for, set by the operating
// system; while it watches, SIGHUP does not end the process.
//
// Start the program, wait until the kid is building, and type in another window what its first line tells you to:
//
//     kill -HUP <the parent's PID>

import { CancelledError, Event, run, SignalEvent, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';

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
  console.log('Parent PID', process.pid);
  const kidTask = await spawn(kid);
  await sleep(5);

  console.log('Yes, go play');
  await startEvt.set();

  await new SignalEvent('SIGHUP').wait();

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

/* Prints, with a SIGHUP after the kid has begun to build:
Parent PID 36069
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
