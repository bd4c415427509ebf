// Promises that nobody awaits: those of operations are no reason for Node to end the process.

import { Event, gather, Lock, Queue, run, sleep, spawn, taskGroup, timeoutAfter, wait } from 'curio';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const turn = () => new Promise((resolve) => setImmediate(resolve));

// Outside a task.
void sleep(1);
void new Event().wait();
void spawn(() => 1);
void timeoutAfter(1, () => 1);
void new Lock().release();
void gather([() => 1]);

await run({ logger: quiet }, async () => {
  // Of a task that ends, and of one that is cancelled, in the middle.
  for (const operation of [
    () => sleep(1000),
    () => new Event().wait(),
    () => new Queue().get(),
    () => wait(new Promise(() => {})),
    () => timeoutAfter(0.001, sleep, 1000),
    () =>
      timeoutAfter(1, () => {
        throw new Error('before it waited for anything');
      }),
    () => gather([() => sleep(1000)]),
    () => taskGroup(async (group) => void (await group.spawn(() => sleep(1000)))),
    () => new Lock().release(),
    () => wait(Promise.reject(new Error('rejected'))),
  ]) {
    const ends = await spawn(async () => {
      void operation();
      await turn();
    });
    await ends.join();
    const cancelled = await spawn(async () => {
      void operation();
      await turn();
      await turn();
    });
    await sleep(0);
    await cancelled.cancel();
  }
  // On behalf of a task that has ended.
  const gone = await spawn(async () => {
    setImmediate(() => {
      void sleep(1);
      void new Queue().put(1);
    });
  });
  await gone.join();
  // Of one that failed, and that nobody joins.
  await spawn({ daemon: true }, () => Promise.reject(new Error('of a daemon')));
  await sleep(0.002);
});
await turn();
console.log('still here');
