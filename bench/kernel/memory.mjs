// What a sleeping task costs, in a process of its own: resident bytes of the first 100,000, which also pay for V8's young
// generation growing to its full size (up to 96 MB on Node 24, a third of that on Node 20), and of 100,000 more. And
// what a million timeouts leave behind once they have been set and lifted. Argument: the peer.

import { run, sleep, spawn, timeoutAfter } from 'curio';
import { Effect, Fiber } from 'effect';

const COUNT = 100_000;

async function settled() {
  for (let i = 0; i < 4; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  return process.memoryUsage();
}

/** Bytes for each of COUNT sleepers, twice. `start` makes some, and gives what ends them. */
async function perSleeper(start) {
  const before = await settled();
  const endFirst = await start(COUNT);
  const half = await settled();
  const endMore = await start(COUNT);
  const after = await settled();
  await endFirst();
  await endMore();
  return {
    first: (half.rss - before.rss) / COUNT,
    more: (after.rss - half.rss) / COUNT,
    heap: (after.heapUsed - before.heapUsed) / COUNT / 2,
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
      const before = await settled();
      await round(1_000_000);
      const after = await settled();
      return { resident: after.rss - before.rss, heap: after.heapUsed - before.heapUsed };
    }),
};

console.log(JSON.stringify(await peers[process.argv[2]]()));
