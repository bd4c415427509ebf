// A call that blocks.
//
// Somebody else's library may block without asking: a database driver, say, or a function that sleeps. Called here, it would
// stop all tasks. `runInThread` calls it in a thread instead, and only the task that waits for it is stopped.
//
// (Curio has a `sleep` of its own; this one is there to show the blocking.)

import { run, runInThread, sleep, spawn } from 'curio';

/** Sleeps like a library that knows nothing of tasks. */
function rest(seconds: number): string {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
  return 'rested';
}

async function ticks() {
  for (let i = 1; i <= 3; i++) {
    await sleep(0.1);
    console.log('Tick', i);
  }
}

async function kid() {
  console.log('Resting for a bit');
  console.log('I have', await runInThread(rest, 1));
}

async function main() {
  const kidTask = await spawn(kid);
  const tickTask = await spawn(ticks);
  await tickTask.join();
  await kidTask.join();
}

await run(main);

/* Prints:
Resting for a bit
Tick 1
Tick 2
Tick 3
I have rested
*/
