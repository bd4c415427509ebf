// A timeout in a timeout.
//
// The inner limit is five seconds, the outer one is one second, so it is the outer one that runs out. A `TaskTimeout`
// always belongs to the `timeoutAfter` that it comes out of. The inner one has not expired, and reports something else
// while the stack unwinds through it: a `TimeoutCancellationError`, which says that a limit farther out has.

import { run, sleep, TaskTimeout, TimeoutCancellationError, timeoutAfter } from 'curio';

async function inner() {
  try {
    await timeoutAfter(5, sleep, 1000);
  } catch (error) {
    if (error instanceof TaskTimeout) console.log('Inner timeout'); // (a) does not match
    if (error instanceof TimeoutCancellationError) console.log('Somebody else ran out of time');
    throw error;
  }
}

async function main() {
  try {
    await timeoutAfter(1, inner);
  } catch (error) {
    if (!(error instanceof TaskTimeout)) throw error;
    console.log('Outer timeout'); // (b) matches
  }
}

await run(main);

/* Prints:
Somebody else ran out of time
Outer timeout
*/
