// A timeout around one operation, and around several.
//
// `timeoutAfter(seconds, fn, ...args)` puts one call under a limit. Without a function it makes a scope, whose `run` takes
// the statements that are to share one limit, and which knows afterwards whether it has expired.

import { run, sleep, TaskTimeout, timeoutAfter } from 'curio';

async function main() {
  const woken = await timeoutAfter(10, sleep, 1);
  console.log('in time:', typeof woken);

  try {
    await timeoutAfter(1, sleep, 1000);
  } catch (error) {
    if (!(error instanceof TaskTimeout)) throw error;
    console.log('one operation:', error.message);
  }

  const scope = timeoutAfter(3);
  try {
    await scope.run(async () => {
      await sleep(2);
      console.log('two seconds are over');
      await sleep(2);
      console.log('never printed');
    });
  } catch (error) {
    if (!(error instanceof TaskTimeout)) throw error;
    console.log('several operations, expired:', scope.expired);
  }
}

await run(main);

/* Prints:
in time: number
one operation: The timeout expired while waiting in sleep().
two seconds are over
several operations, expired: true
*/
