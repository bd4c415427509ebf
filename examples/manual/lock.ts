// One at a time.
//
// A lock is held by one task; the others stand in line, and get it in the order they came. What `acquire` gives releases
// the lock at the end of the block, whichever way the block is left. `with` does the same for a function.

import { gather, Lock, run, sleep } from 'curio';

const lock = new Lock();

async function polite(name: string) {
  await using _ = await lock.acquire();
  console.log(name, 'has the lock');
  await sleep(1);
  console.log(name, 'is done');
}

async function brief(name: string) {
  await lock.with(() => {
    console.log(name, 'has the lock');
  });
}

async function main() {
  await gather([() => polite('Ann'), () => polite('Bob'), () => brief('Cid')]);
  console.log('locked:', lock.locked());
}

await run(main);

/* Prints:
Ann has the lock
Ann is done
Bob has the lock
Bob is done
Cid has the lock
locked: false
*/
