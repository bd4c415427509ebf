// What an async thread prints while the main thread is blocked, and before it is ended.

import { AWAIT, Event, run, spawnThread } from 'curio';

const word = new Int32Array(new SharedArrayBuffer(4));

/** Prints as soon as it is told that the main thread is blocked, or about to be. */
const printsWhenTold = (ready: Event, word: Int32Array): void => {
  AWAIT(ready.set());
  Atomics.wait(word, 0, 0);
  console.error('a complaint');
  console.log('from the thread');
};

const printsForEver = (count: number, word: Int32Array): void => {
  for (let i = 0; i < count; i++) console.log(`line ${i}`);
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
  for (;;);
};

const programs: Record<string, () => Promise<void>> = {
  async blocked() {
    const ready = new Event();
    await spawnThread(printsWhenTold, ready, word);
    await ready.wait();
    Atomics.store(word, 0, 1);
    Atomics.notify(word, 0);
    // Until it is killed.
    Atomics.wait(word, 0, 1);
  },
  async ended() {
    await spawnThread({ daemon: true }, printsForEver, 200, word);
    Atomics.wait(word, 0, 0);
  },
};

await run(programs[process.argv[2] as string]!);
console.log('end');
