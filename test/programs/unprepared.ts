// A program that nobody prepared for being looked into. With `spin` one of its tasks never blocks.

import { Lock, run, sleep, spawn } from 'curio';

const lock = new Lock();

async function napper() {
  await sleep(1000);
}

async function waiter() {
  await lock.acquire();
}

async function spinner() {
  for (;;);
}

await run(async function main() {
  await lock.acquire();
  await spawn(napper);
  await spawn(waiter);
  if (process.argv[2] === 'spin') await spawn(spinner);
  console.log('up');
  await sleep(1000);
});
