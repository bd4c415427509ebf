// A timeout that nobody caught.
//
// Here it is the inner limit that runs out, and there is no handler around it. The `TaskTimeout` must not be mistaken for
// one of the outer limit, so it is turned into an error of its own on the way: whoever sets a timeout has to deal with it
// where it was set.

import { run, sleep, TaskTimeout, timeoutAfter, UncaughtTimeoutError } from 'curio';

async function careless() {
  await timeoutAfter(1, sleep, 1000);
}

async function main() {
  try {
    await timeoutAfter(60, careless);
  } catch (error) {
    if (error instanceof TaskTimeout) console.log('never printed');
    if (!(error instanceof UncaughtTimeoutError)) throw error;
    console.log('UncaughtTimeoutError, caused by', (error.cause as Error).name);
  }
}

await run(main);

/* Prints:
UncaughtTimeoutError, caused by TaskTimeout
*/
