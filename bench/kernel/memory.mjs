// What a sleeping task costs, in a process of its own: resident bytes of 100,000 of them. To make them V8 lets its young
// generation grow (by up to 96 MB on Node 24, a third of that on Node 20) and keeps that until memory is short; so they are
// counted after an ordinary garbage collection, and again when V8 has given back what it does not use. And what a
// million timeouts leave behind once they have been set and lifted. Argument: the peer.

import { run, sleep, spawn, timeoutAfter } from 'curio';
import { Effect, Fiber } from 'effect';

const COUNT = 100_000;

async function settled(flavor) {
  for (let i = 0; i < 4; i++) {
    globalThis.gc({ type: 'major', flavor });
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return process.memoryUsage();
}

/** Bytes for each of COUNT sleepers. `start` makes some, and gives what ends them. */
async function perSleeper(start) {
  const before = await settled('last-resort');
  const end = await start(COUNT);
  const roomy = await settled('regular');
  const after = await settled('last-resort');
  await end();
  return {
    roomy: (roomy.rss - before.rss) / COUNT,
    resident: (after.rss - before.rss) / COUNT,
    heap: (after.heapUsed - before.heapUsed) / COUNT,
  };
}

const peers = {
  curio: () =>
    run({ logger: { debug() {}, info() {}, warn() {}, error() {} } }, () =>
      perSleeper(async (count) => {
        const tasks = [];
        for (let i = 0; i < count; i++) tasks.push(await spawn(sleep, 1000));
        await sleep(0.01);
        return async () => {
          for (const task of tasks) await task.cancel();
        };
      }),
    ),
  effect: () =>
    perSleeper(async (count) => {
      const fibers = [];
      for (let i = 0; i < count; i++) fibers.push(Effect.runFork(Effect.sleep(1_000_000)));
      await new Promise((resolve) => setTimeout(resolve, 10));
      return async () => {
        await Effect.runPromise(Fiber.interruptAll(fibers));
      };
    }),
  promises: () =>
    perSleeper(async (count) => {
      const timers = [];
      const sleepers = [];
      const sleeper = async () => {
        await new Promise((resolve) => timers.push(setTimeout(resolve, 1_000_000)));
      };
      for (let i = 0; i < count; i++) sleepers.push(sleeper());
      return async () => {
        for (const timer of timers) clearTimeout(timer);
      };
    }),
  timeouts: () =>
    run(async () => {
      const quick = async () => {};
      const round = async (n) => {
        for (let i = 0; i < n; i++) await timeoutAfter(10, quick);
      };
      await round(100_000);
      const before = await settled('last-resort');
      await round(1_000_000);
      const after = await settled('last-resort');
      return { resident: after.rss - before.rss, heap: after.heapUsed - before.heapUsed };
    }),
};

console.log(JSON.stringify(await peers[process.argv[2]]()));
