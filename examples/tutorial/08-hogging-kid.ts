// A kid who takes all of the machine.
//
// Tasks take turns, and a turn ends where a task blocks: at an `await` of something that has to wait. This kid computes
// Fibonacci numbers the slow way instead, and never blocks. So nobody else gets a turn. Send the SIGHUP of the last
// program while the kid is busy: nothing happens before they are done, for minutes. (Ctrl-C does work.)
//
// There is no way around it within one thread: work of that size belongs into another process, as in the next
// program. To find out who hogs the machine, run with a debugger that watches for it:
//
//     run({ debug: longblock({ maxTime: 0.1 }) }, parent)        // import { longblock } from 'curio/debug'
//
// A smaller number than 50 as an argument lets you see the end of it: `npx tsx examples/tutorial/08-hogging-kid.ts 36`.

import { CancelledError, Event, run, SignalEvent, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';

const howMany = Number(process.argv[2] ?? 50);
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
    for (let n = 0; n < howMany; n++) {
      total += fib(n);
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

/* Prints, with 36 as its argument and a SIGHUP at any time after "Building":
Parent PID 36069
Can I play?
Yes, go play
Building the Millenium Falcon in Minecraft
Done, with 24157817 bricks
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
Leaving!
*/
