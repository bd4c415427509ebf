// Random producers and consumers of a UniversalQueue in all three worlds at once - tasks, ordinary async code, worker threads -
// of whom some lose patience or are cancelled: nothing is lost, nothing comes twice, and each producer's items stay in order.

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type AsyncThread,
  AWAIT,
  ignoreAfter,
  Kernel,
  Queue,
  RuntimeError,
  sleep,
  spawn,
  spawnThread,
  type Task,
  UniversalQueue,
} from 'curio';
import { runInThread } from 'curio/workers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

type Item = [producer: number, nth: number];
type Items = UniversalQueue<Item>;

/** Calls a function as ordinary code does, even from inside a task. */
const outside = AsyncLocalStorage.snapshot();

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

// ---- Producers: each gives what it has really put. ----

async function produceInTask(queue: Items, who: number, count: number): Promise<Item[]> {
  const put: Item[] = [];
  for (let nth = 0; nth < count; nth++) {
    await queue.put([who, nth]);
    put.push([who, nth]);
  }
  return put;
}

/** Cancels one who may have been given the item, before his turn comes. */
async function produceInSpite(queue: Items, who: number, count: number): Promise<Item[]> {
  const put: Item[] = [];
  for (let nth = 0; nth < count; nth++) {
    await queue.put([who, nth]);
    await victim?.cancel({ blocking: false });
    put.push([who, nth]);
    await sleep(0);
  }
  return put;
}

/** Tries each item for no time at all, or some. */
async function produceInHaste(queue: Items, who: number, count: number): Promise<Item[]> {
  const put: Item[] = [];
  for (let nth = 0; nth < count; nth++) {
    await ignoreAfter((nth % 3) / 2000, async () => {
      await queue.put([who, nth]);
      put.push([who, nth]);
    });
  }
  return put;
}

const produceOutside = (queue: Items, who: number, count: number) =>
  outside(async () => {
    const put: Item[] = [];
    for (let nth = 0; nth < count; nth++) {
      await queue.put([who, nth]);
      put.push([who, nth]);
      if (nth % 2 === 0) await turn();
    }
    return put;
  });

const produceInThread = (queue: Items, who: number, count: number) =>
  runInThread(
    (queue: Items, who: number, count: number) => {
      const put: Item[] = [];
      for (let nth = 0; nth < count; nth++) {
        void queue.put([who, nth]);
        put.push([who, nth]);
      }
      // An answer, so that all that was put is there.
      queue.size();
      return put;
    },
    queue,
    who,
    count,
  );

const producers = {
  task: produceInTask,
  spiteful: produceInSpite,
  hasty: produceInHaste,
  outside: produceOutside,
  thread: produceInThread,
};

// ---- Consumers: each gives what it got, until the queue is shut down and empty. ----

async function consumeInTask(queue: Items): Promise<Item[]> {
  const got: Item[] = [];
  for await (const item of queue) got.push(item);
  return got;
}

async function consumeInHaste(queue: Items): Promise<Item[]> {
  const got: Item[] = [];
  try {
    for (let i = 0; ; i++) {
      await ignoreAfter((i % 3) / 2000, async () => {
        got.push(await queue.get());
      });
      // With no time at all it would never give up its turn.
      await sleep(0);
    }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return got;
  }
}

/** Who is to be cancelled next. */
let victim: Task<void> | null = null;

/** Is cancelled again and again: while it waits, or when it has just been chosen (see `produceInSpite`). */
async function consumeCancelled(queue: Items): Promise<Item[]> {
  const got: Item[] = [];
  let open = true;
  for (let i = 0; open; i++) {
    const task = await spawn({ daemon: true }, async () => {
      for await (const item of queue) got.push(item);
      open = false;
    });
    victim = task;
    for (let k = 0; k <= i % 4; k++) await sleep(0);
    await task.cancel();
  }
  victim = null;
  return got;
}

const consumeOutside = (queue: Items) => outside(() => consumeInTask(queue));

const consumeInThread = (queue: Items) => runInThread((queue: Items) => [...queue], queue);

/** An async thread that lives as long as the tests: threads take their time to start. */
let asyncThread: AsyncThread;
const orders = new Queue<Items>();
const deliveries = new Queue<Item[]>();

function consumeForOrders(orders: Queue<Items>, deliveries: Queue<Item[]>): void {
  for (;;) {
    const queue = AWAIT(orders.get());
    const got: Item[] = [];
    try {
      for (let i = 0; ; i++) {
        const item = AWAIT(ignoreAfter((i % 3) / 2000, () => queue.get())) as Item | undefined;
        if (item !== undefined) got.push(item);
      }
    } catch (error) {
      if (!String(error).includes('shut down')) throw error;
      AWAIT(deliveries.put(got));
    }
  }
}

async function consumeInAsyncThread(queue: Items): Promise<Item[]> {
  await orders.put(queue);
  return deliveries.get();
}

const consumers = {
  task: consumeInTask,
  hasty: consumeInHaste,
  cancelled: consumeCancelled,
  outside: consumeOutside,
  thread: consumeInThread,
  'async thread': consumeInAsyncThread,
};

const kernel = new Kernel({ logger: recorder() });

beforeAll(() =>
  kernel.run(async () => {
    asyncThread = await spawnThread(consumeForOrders, orders, deliveries);
  }),
);

afterAll(async () => {
  await kernel.run(() => asyncThread.cancel());
  await kernel.run({ shutdown: true });
});

const plans = fc.record({
  maxsize: fc.integer({ min: 0, max: 2 }),
  producing: fc.array(
    fc.record({
      where: fc.constantFrom(...(Object.keys(producers) as (keyof typeof producers)[])),
      count: fc.integer({ min: 0, max: 16 }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
  // Each at most once: there is one async thread, and blocked threads are dear.
  consuming: fc.uniqueArray(fc.constantFrom(...(Object.keys(consumers) as (keyof typeof consumers)[])), {
    minLength: 1,
    maxLength: 4,
  }),
});

test(
  'a UniversalQueue between all worlds loses nothing, doubles nothing, and keeps the order',
  { timeout: 60_000 },
  () =>
    fc.assert(
      fc.asyncProperty(plans, async ({ maxsize, producing, consuming }) => {
        const { put, got } = await kernel.run(async () => {
          const queue: Items = new UniversalQueue({ maxsize });
          const takers: Task<Item[]>[] = [];
          for (const where of consuming) takers.push(await spawn(consumers[where], queue));
          const givers: Task<Item[]>[] = [];
          for (const [who, { where, count }] of producing.entries()) {
            givers.push(await spawn(producers[where], queue, who, count));
          }
          const put: Item[][] = [];
          for (const giver of givers) put.push(await giver.join());
          await queue.shutdown();
          const got: Item[][] = [];
          for (const taker of takers) got.push(await taker.join());
          return { put, got };
        });
        const inOrder = (items: Item[]) => [...items].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(inOrder(got.flat())).toEqual(inOrder(put.flat()));
        for (const items of got) {
          for (const who of producing.keys()) {
            const own = items.filter(([from]) => from === who).map(([, nth]) => nth);
            expect(own).toEqual([...own].sort((a, b) => a - b));
          }
        }
      }),
      { numRuns: 60 },
    ),
);
