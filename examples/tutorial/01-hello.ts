// A countdown.
//
// The smallest program there is: one task that prints a line, sleeps for a second, and starts again. An async function
// does nothing special by being written; `run` makes a task of it, starts a kernel to look after that task, and gives
// back a promise which is settled when the task has ended. Here that takes ten seconds.

import { run, sleep } from 'curio';

async function countdown(n: number) {
  while (n > 0) {
    console.log('T-minus', n);
    await sleep(1);
    n -= 1;
  }
}

await run(countdown, 10);

/* Prints:
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
*/
