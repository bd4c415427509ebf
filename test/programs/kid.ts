// The tutorial's kid and parent, who hang until somebody comes. With the argument `signal` the parent waits for a SIGHUP.

import { run, SignalEvent, sleep, spawn } from 'curio';

const waitsForSignal = process.argv[2] === 'signal';

async function kid() {
  console.log('Building the Millenium Falcon in Minecraft');
  await sleep(1000);
}

async function countdown(n: number) {
  for (let left = n; left > 0; left--) {
    console.log('T-minus', left);
    await sleep(0.01);
  }
}

async function parent() {
  const kidTask = await spawn(kid);
  if (waitsForSignal) await new SignalEvent('SIGHUP').wait();
  else await sleep(0.05);
  console.log("Let's go");
  const countTask = await spawn(countdown, 3);
  await countTask.join();
  console.log("We're leaving!");
  if (waitsForSignal) await kidTask.cancel();
  else await kidTask.join();
  console.log('Leaving!');
}

await run({ withMonitor: { port: 0 } }, parent);
