// What many operations leave behind on the heap: nothing. Run with --expose-gc; prints the bytes by which it grew.

import { currentSignal, Event, Kernel, Queue, run, sleep, spawn, timeoutAfter, wait } from 'curio';

const collect = (globalThis as unknown as { gc: () => void }).gc;

async function heap(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/** How much the heap grows by `count` rounds, after some to warm up. */
async function growth(count: number, rounds: (n: number) => Promise<unknown>): Promise<number> {
  await rounds(Math.min(count / 10, 20_000));
  const before = await heap();
  await rounds(count);
  return (await heap()) - before;
}

const never = new Promise<never>(() => {});

const cases: Record<string, () => Promise<number>> = {
  'timeouts set and cleared': () =>
    growth(1_000_000, async (n) => {
      for (let i = 0; i < n; i++) await timeoutAfter(1000, () => i);
    }),
  'timeouts around operations that block': () =>
    growth(100_000, async (n) => {
      for (let i = 0; i < n; i++) await timeoutAfter(1000, sleep, 0);
    }),
  'waits given up on a promise that never settles': () =>
    growth(100_000, async (n) => {
      for (let i = 0; i < n; i++) await timeoutAfter(0, wait, never).catch(() => {});
    }),
  'cancelled waits on a promise that never settles': () =>
    growth(50_000, async (n) => {
      for (let i = 0; i < n; i++) {
        const task = await spawn({ daemon: true }, () => wait(never));
        await sleep(0);
        await task.cancel();
      }
    }),
  'cancelled waits for an event': () =>
    growth(50_000, async (n) => {
      const event = new Event();
      for (let i = 0; i < n; i++) {
        const task = await spawn({ daemon: true }, () => event.wait());
        await sleep(0);
        await task.cancel();
      }
    }),
  'tasks spawned and joined': () =>
    growth(100_000, async (n) => {
      for (let i = 0; i < n; i++) await (await spawn(() => i)).join();
    }),
  'tasks never joined': () =>
    growth(100_000, async (n) => {
      for (let i = 0; i < n; i++) {
        await spawn(() => i);
        if (i % 100 === 0) await sleep(0);
      }
      await sleep(0);
    }),
  'signals asked for under timeouts': () =>
    growth(100_000, async (n) => {
      for (let i = 0; i < n; i++) await timeoutAfter(1000, () => void currentSignal());
    }),
  'a queue that grew and was emptied': () =>
    growth(100_000, async (n) => {
      const queue = new Queue<number>();
      for (let i = 0; i < n; i++) await queue.put(i);
      for (let i = 0; i < n; i++) await queue.get();
      kept.push(queue);
    }),
  'a chain of tasks, each spawned by the one before': () =>
    growth(100_000, async (n) => {
      const link = async (left: number): Promise<void> => {
        if (left > 0) await spawn({ daemon: true }, link, left - 1);
        else done.resolve();
      };
      const done: { resolve: () => void; promise: Promise<void> } = { resolve: () => {}, promise: never };
      done.promise = new Promise((resolve) => {
        done.resolve = resolve;
      });
      await spawn({ daemon: true }, link, n);
      await wait(done.promise);
    }),
};
const kept: unknown[] = [];

const kernel = new Kernel({ logger: { debug() {}, info() {}, warn() {}, error() {} } });
for (const [name, measure] of Object.entries(cases)) {
  console.log(`${name}: ${await kernel.run(measure)}`);
}
await kernel.run({ shutdown: true });

const runs = async (n: number) => {
  for (let i = 0; i < n; i++) await run(() => sleep(0));
};
console.log(`runs: ${await growth(5_000, runs)}`);
