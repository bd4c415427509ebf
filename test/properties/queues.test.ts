// Random programs on queues: no item is lost or doubled, the bound holds, and nobody overtakes.

import { LifoQueue, PriorityQueue, Queue, UniversalQueue } from 'curio';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { execute, programs, RUNS, Trace } from './programs.ts';

type Action = { do: 'put'; item: number } | { do: 'get' } | { do: 'join' };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.nat(9).map((item) => ({ do: 'put' as const, item })) },
  { weight: 5, arbitrary: fc.constant({ do: 'get' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'join' as const }) },
);

/** An item has an order of its own, and knows which one it is. */
type Item = [priority: number, id: number];

/** What the kinds of queue have in common. */
interface AnyQueue {
  readonly maxsize: number;
  size(): number;
  put(item: Item): Promise<void>;
  get(): Promise<Item>;
  join(): Promise<void>;
  taskDone(): Promise<void>;
}

const kinds: Record<string, (maxsize: number) => AnyQueue> = {
  Queue: (maxsize) => new Queue<Item>(maxsize),
  PriorityQueue: (maxsize) => new PriorityQueue<Item>(maxsize),
  LifoQueue: (maxsize) => new LifoQueue<Item>(maxsize),
  UniversalQueue: (maxsize) => new UniversalQueue<Item>({ maxsize }),
};

const byId = (a: Item, b: Item) => a[1] - b[1];

for (const [name, make] of Object.entries(kinds)) {
  describe(name, () => {
    test('loses nothing, doubles nothing, holds no more than fits, serves in order', () =>
      fc.assert(
        fc.asyncProperty(programs(action), fc.integer({ min: 0, max: 3 }), async (program, maxsize) => {
          const queue = make(maxsize);
          const trace = new Trace();
          const left: Item[] = [];
          let ids = 0;
          const full = () => maxsize > 0 && queue.size() === maxsize;
          const check = () => {
            if (maxsize > 0 && queue.size() > maxsize) throw new Error('more than fit');
          };
          await execute(
            program,
            async (task, action) => {
              if (action.do === 'put') {
                const item: Item = [action.item, ids++];
                await trace.of(task, full() ? 'put, full' : 'put', async () => {
                  await queue.put(item);
                  return item;
                });
              } else if (action.do === 'get') {
                await trace.of(task, 'get', () => queue.get());
                await queue.taskDone();
              } else await trace.of(task, 'join', () => queue.join());
              check();
            },
            async () => {
              while (queue.size() > 0) {
                left.push(await queue.get());
                await queue.taskDone();
                check();
              }
              // Every item is accounted for: nothing is outstanding.
              await queue.join();
            },
          );
          trace.allSettled();
          const put = trace.done('put', 'put, full').map((traced) => traced.value as Item);
          const got = trace.done('get').map((traced) => traced.value as Item);
          expect([...got, ...left].sort(byId)).toEqual([...put].sort(byId));
          if (program.seed === null) {
            trace.atOnce('put');
            trace.firstComeFirstServed('put, full');
            trace.firstComeFirstServed('get');
          }
          expect(String(queue)).toMatch(/\(0( of \d)? items, 0 getting, 0 putting\)/);
          if (name === 'PriorityQueue')
            expect(left).toEqual([...left].sort((a, b) => a[0] - b[0] || a[1] - b[1]));
          // A UniversalQueue gives each getter its item when it is chosen; in whatever order they run then.
          if (name === 'Queue' || (name === 'UniversalQueue' && program.seed === null))
            firstInFirstOut(trace, left);
        }),
        { numRuns: RUNS },
      ));
  });
}

/** What was in before another was even offered comes out before it. */
function firstInFirstOut(trace: Trace, left: Item[]): void {
  const out = new Map<number, number>();
  for (const { value, end } of trace.done('get')) out.set((value as Item)[1], end);
  for (const [i, item] of left.entries()) out.set(item[1], 1e9 + i);
  const puts = trace.done('put', 'put, full');
  for (const earlier of puts) {
    for (const later of puts) {
      if (earlier.end >= later.begin) continue;
      const [first, second] = [out.get((earlier.value as Item)[1])!, out.get((later.value as Item)[1])!];
      if (first > second) throw new Error('an item overtook another');
    }
  }
}
