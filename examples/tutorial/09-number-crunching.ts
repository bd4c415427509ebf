// A kid who lets others work.
//
// The kid of the last program computes in another process now: `runInProcess(fib, n)` sends the function and its argument
// there, and blocks until the result is back. Meanwhile everybody else has turns as ever. Send a SIGHUP while the kid is
// busy: the countdown runs, the kid is warned, and is cancelled in the middle of a number. The process that computes it is
// ended at once.
//
// The function travels by its text, or by reference if a module exports it; it has nothing but its arguments there.

import {
  CancelledError,
  Event,
  run,
  runInProcess,
  SignalEvent,
  sleep,
  spawn,
  TaskTimeout,
  timeoutAfter,
} from 'curio';

const startEvt = new Event();

function fib(n: number): number {
  return n <= 2 ? 1 : fib(n - 1) + fib(n - 2);
}

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
    let total = 0;
    for (let n = 0; n < 50; n++) {
      total += await runInProcess(fib, n);
    }
    console.log('Done, with', total, 'bricks');
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

/* Prints, with a SIGHUP soon after "Building":
Parent PID 36069
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
