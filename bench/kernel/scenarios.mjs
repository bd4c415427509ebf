// What is measured inside one process: for each scenario and each peer a function that does `n` units of work. The same
// thing, written the way each library wants it.

import { Mutex } from 'async-mutex';
import { ignoreAfter, Lock, Queue, run, sleep, spawn, timeoutAfter } from 'curio';
import { Effect, Queue as EffectQueue, Fiber, Semaphore } from 'effect';
import { createQueue, run as effection, sleep as effectionSleep, spawn as effectionSpawn } from 'effection';
import pLimit from 'p-limit';
import PQueue from 'p-queue';

const quick = async () => 1;

/** Two promises that resolve each other: the least that a switch between two async functions can cost. */
async function pingPong(n) {
  let wakeA;
  let wakeB;
  async function side(first) {
    for (let i = 0; i < n / 2; i++) {
      const turn = new Promise((resolve) => {
        if (first) wakeA = resolve;
        else wakeB = resolve;
      });
      if (first) wakeB?.();
      else wakeA();
      await turn;
    }
    (first ? wakeB : wakeA)();
  }
  await Promise.all([side(true), side(false)]);
}

const effectQuick = Effect.sync(() => 1);

export const scenarios = {
  'task switch': {
    promises: pingPong,
    curio: (n) =>
      run(async () => {
        const loop = async () => {
          for (let i = 0; i < n / 2; i++) await sleep(0);
        };
        const tasks = [await spawn(loop), await spawn(loop)];
        for (const task of tasks) await task.join();
      }),
    effect: (n) => {
      const loop = Effect.gen(function* () {
        for (let i = 0; i < n / 2; i++) yield* Effect.yieldNow;
      });
      return Effect.runPromise(
        Effect.gen(function* () {
          const fibers = [yield* Effect.forkChild(loop), yield* Effect.forkChild(loop)];
          for (const fiber of fibers) yield* Fiber.join(fiber);
        }),
      );
    },
    effection: (n) =>
      effection(function* () {
        function* loop() {
          for (let i = 0; i < n / 2; i++) yield* effectionSleep(0);
        }
        const tasks = [yield* effectionSpawn(loop), yield* effectionSpawn(loop)];
        for (const task of tasks) yield* task;
      }),
  },

  'spawn and join': {
    promises: async (n) => {
      for (let i = 0; i < n; i++) await quick();
    },
    curio: (n) =>
      run(async () => {
        for (let i = 0; i < n; i++) await (await spawn(quick)).join();
      }),
    effect: (n) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let i = 0; i < n; i++) yield* Fiber.join(yield* Effect.forkChild(effectQuick));
        }),
      ),
    effection: (n) =>
      effection(function* () {
        // biome-ignore lint/correctness/useYield: an operation is a generator even if it has nothing to wait for.
        function* operation() {
          return 1;
        }
        for (let i = 0; i < n; i++) yield* yield* effectionSpawn(operation);
      }),
  },

  'queue handoff': {
    curio: (n) =>
      run(async () => {
        const there = new Queue();
        const back = new Queue();
        const echo = await spawn(async () => {
          for (let i = 0; i < n / 2; i++) await back.put(await there.get());
        });
        for (let i = 0; i < n / 2; i++) {
          await there.put(i);
          await back.get();
        }
        await echo.join();
      }),
    effect: (n) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const there = yield* EffectQueue.unbounded();
          const back = yield* EffectQueue.unbounded();
          const echo = yield* Effect.forkChild(
            Effect.gen(function* () {
              for (let i = 0; i < n / 2; i++) yield* EffectQueue.offer(back, yield* EffectQueue.take(there));
            }),
          );
          for (let i = 0; i < n / 2; i++) {
            yield* EffectQueue.offer(there, i);
            yield* EffectQueue.take(back);
          }
          yield* Fiber.join(echo);
        }),
      ),
    effection: (n) =>
      effection(function* () {
        const there = createQueue();
        const back = createQueue();
        const echo = yield* effectionSpawn(function* () {
          for (let i = 0; i < n / 2; i++) back.add((yield* there.next()).value);
        });
        for (let i = 0; i < n / 2; i++) {
          there.add(i);
          yield* back.next();
        }
        yield* echo;
      }),
  },

  'timeout around a quick operation': {
    promises: async (n) => {
      for (let i = 0; i < n; i++) {
        let timer;
        const late = new Promise((_, reject) => {
          timer = setTimeout(reject, 10_000, new Error('too late'));
        });
        await Promise.race([quick(), late]);
        clearTimeout(timer);
      }
    },
    curio: (n) =>
      run(async () => {
        for (let i = 0; i < n; i++) await timeoutAfter(10, quick);
      }),
    effect: (n) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let i = 0; i < n; i++) yield* Effect.timeout(effectQuick, 10_000);
        }),
      ),
  },

  'spawn and cancel': {
    curio: (n) =>
      run(async () => {
        for (let i = 0; i < n; i++) {
          const task = await spawn(sleep, 1000);
          await sleep(0);
          await task.cancel();
        }
      }),
    effect: (n) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let i = 0; i < n; i++) {
            const fiber = yield* Effect.forkChild(Effect.sleep(1_000_000));
            yield* Effect.yieldNow;
            yield* Fiber.interrupt(fiber);
          }
        }),
      ),
    effection: (n) =>
      effection(function* () {
        for (let i = 0; i < n; i++) {
          const task = yield* effectionSpawn(() => effectionSleep(1_000_000));
          yield* task.halt();
        }
      }),
  },

  'timeout that expires': {
    curio: (n) =>
      run(async () => {
        for (let i = 0; i < n; i++) await ignoreAfter(0, sleep, 1000);
      }),
    effect: (n) =>
      Effect.runPromise(
        Effect.gen(function* () {
          for (let i = 0; i < n; i++) yield* Effect.timeoutOption(Effect.sleep(1_000_000), 0);
        }),
      ),
  },

  'lock handoff': {
    curio: (n) =>
      run(async () => {
        const lock = new Lock();
        const loop = async () => {
          for (let i = 0; i < n / 2; i++) {
            const guard = await lock.acquire();
            await sleep(0);
            guard.release();
          }
        };
        const tasks = [await spawn(loop), await spawn(loop)];
        for (const task of tasks) await task.join();
      }),
    effect: (n) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const semaphore = yield* Semaphore.make(1);
          const loop = Effect.gen(function* () {
            for (let i = 0; i < n / 2; i++) yield* semaphore.withPermits(1)(Effect.yieldNow);
          });
          const fibers = [yield* Effect.forkChild(loop), yield* Effect.forkChild(loop)];
          for (const fiber of fibers) yield* Fiber.join(fiber);
        }),
      ),
    'async-mutex': async (n) => {
      const mutex = new Mutex();
      const loop = async () => {
        for (let i = 0; i < n / 2; i++) await mutex.runExclusive(quick);
      };
      await Promise.all([loop(), loop()]);
    },
    'p-limit': async (n) => {
      const limit = pLimit(1);
      const loop = async () => {
        for (let i = 0; i < n / 2; i++) await limit(quick);
      };
      await Promise.all([loop(), loop()]);
    },
    'p-queue': async (n) => {
      const queue = new PQueue({ concurrency: 1 });
      const loop = async () => {
        for (let i = 0; i < n / 2; i++) await queue.add(quick);
      };
      await Promise.all([loop(), loop()]);
    },
  },
};
