// What goes to standard error when no logger was given.

import { run, sleep, spawn } from 'curio';

await run(async function main() {
  const crasher = await spawn(async function crasher() {
    throw new Error('it broke');
  });
  await spawn(async function forgotten() {});
  await spawn({ daemon: true }, async function careless() {
    void sleep(1000);
  });
  await sleep(0);
  await crasher.join().catch((error: Error) => console.log(error.name));
});
