// Records itself to the file it is given, says so, and never ends.

import { run, sleep, spawn } from 'curio';

await run({ record: process.argv[2]! }, async function main() {
  await spawn(async function busy() {
    for (;;) await sleep(0.01);
  });
  await sleep(0.3);
  console.log('recording');
  await sleep(1000);
});
