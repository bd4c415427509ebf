// A condition variable.
//
// A list of items that two tasks share, and a consumer that has to wait while it is empty. `wait` lets go of the lock,
// waits to be notified, and takes the lock again; so what was looked at before need not hold any more when it returns,
// and the test is a loop, not an `if` (a). `notify` is called with the lock held, too. `waitFor` does that loop by itself.
//
// Neither task ends the other here, so `main` cancels the consumer when the producer is done.

import { Condition, run, sleep, spawn } from 'curio';

async function consumer(items: number[], cond: Condition) {
  while (true) {
    let item: number | undefined;
    {
      await using _ = await cond.acquire();
      while (items.length === 0) await cond.wait(); // (a)
      item = items.shift();
    }
    console.log('Got', item);
  }
}

async function producer(items: number[], cond: Condition) {
  for (let n = 0; n < 10; n++) {
    {
      await using _ = await cond.acquire();
      items.push(n);
      await cond.notify();
    }
    await sleep(1);
  }
}

async function main() {
  const items: number[] = [];
  const cond = new Condition();
  const producing = await spawn(producer, items, cond);
  const consuming = await spawn(consumer, items, cond);
  await producing.join();
  await consuming.cancel();
}

await run(main);

/* Prints:
Got 0
Got 1
Got 2
Got 3
Got 4
Got 5
Got 6
Got 7
Got 8
Got 9
*/
