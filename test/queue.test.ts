// Queues: first come, first served on both ends; nothing lost, nothing twice, never more than fit.

import {
  CancelledError,
  Event,
  gather,
  ignoreAfter,
  LifoQueue,
  PriorityQueue,
  Queue,
  RuntimeError,
  sleep,
  spawn,
  type Task,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { forgetful } from './kit/forgetful.ts';
import { noisily, thrownBy, virtually } from './kit/virtual.ts';

const kinds = [Queue, PriorityQueue, LifoQueue] as const;

/** Lets whatever is ready run, until everybody waits. */
const settle = () => sleep(0.001);

describe('producer and consumers', () => {
  test('two waiting consumers are served in the order they wait, alternating; join() returns at the end', () =>
    virtually(async () => {
      const log: string[] = [];
      const queue = new Queue<number | null>();
      const consumer = async (name: string) => {
        for (;;) {
          const item = await queue.get();
          if (item === null) break;
          log.push(`${name} gets ${item}`);
          await queue.taskDone();
        }
        await queue.taskDone();
        log.push(`${name} done`);
      };
      const producer = async () => {
        for (const item of [0, 1, 2, 3]) {
          await queue.put(item);
          await sleep(0.1);
        }
        await queue.put(null);
        await queue.put(null);
        log.push('producer joins');
        await queue.join();
        log.push('producer done');
      };
      await gather([() => consumer('A'), () => consumer('B'), producer]);
      expect(log).toEqual([
        'A gets 0',
        'B gets 1',
        'A gets 2',
        'B gets 3',
        'producer joins',
        'A done',
        'B done',
        'producer done',
      ]);
    }));

  test('a burst of puts on an unbounded queue never yields', () =>
    virtually(async () => {
      const log: string[] = [];
      const queue = new Queue<number | null>();
      const consumer = await spawn(async () => {
        for (;;) {
          const item = await queue.get();
          if (item === null) break;
          log.push(`gets ${item}`);
          await queue.taskDone();
        }
        log.push('consumer done');
        await queue.taskDone();
      });
      const producer = await spawn(async () => {
        for (const item of [0, 1, 2, 3, null]) {
          await queue.put(item);
          log.push(`put ${item}`);
        }
        log.push('producer joins');
        await queue.join();
        log.push('producer done');
      });
      await consumer.join();
      await producer.join();
      expect(log).toEqual([
        ...['put 0', 'put 1', 'put 2', 'put 3', 'put null', 'producer joins'],
        ...['gets 0', 'gets 1', 'gets 2', 'gets 3', 'consumer done', 'producer done'],
      ]);
    }));

  test('a bounded queue with a slow consumer: each freed slot lets a blocked putter finish', () =>
    virtually(async () => {
      const log: string[] = [];
      const queue = new Queue<number | null>(2);
      const consumer = await spawn(async () => {
        for (;;) {
          const item = await queue.get();
          if (item === null) break;
          log.push(`consume ${item}`);
          await sleep(0.1);
          await queue.taskDone();
        }
        log.push('consumer done');
        await queue.taskDone();
      });
      const producer = await spawn(async () => {
        for (const item of [0, 1, 2, 3, null]) {
          await queue.put(item);
          if (item !== null) log.push(`put ${item}`);
        }
        log.push('producer joins');
        await queue.join();
        log.push('producer done');
      });
      await consumer.join();
      await producer.join();
      expect(log).toEqual([
        ...['put 0', 'put 1'],
        ...['consume 0', 'put 2'],
        ...['consume 1', 'put 3'],
        ...['consume 2', 'producer joins'],
        ...['consume 3', 'consumer done', 'producer done'],
      ]);
    }));

  test('items come in order, whatever the bound', () =>
    virtually(async () => {
      for (const maxsize of [0, 1, 2, 7, Number.POSITIVE_INFINITY]) {
        const queue = new Queue<number>(maxsize);
        const got: number[] = [];
        await gather([
          async () => {
            for (let i = 0; i < 50; i++) await queue.put(i);
          },
          async () => {
            for (let i = 0; i < 50; i++) got.push(await queue.get());
          },
        ]);
        expect(got).toEqual(Array.from({ length: 50 }, (_, i) => i));
      }
    }));

  test('for await gives items as they come', () =>
    virtually(async () => {
      const queue = new Queue<number>();
      const got: number[] = [];
      const consumer = await spawn({ daemon: true }, async () => {
        for await (const item of queue) {
          expectTypeOf(item).toEqualTypeOf<number>();
          got.push(item);
          await queue.taskDone();
        }
      });
      for (let i = 0; i < 3; i++) await queue.put(i);
      await queue.join();
      expect(got).toEqual([0, 1, 2]);
      await consumer.cancel();
    }));

  test('items may be anything: undefined, null, functions', () =>
    virtually(async () => {
      for (const Kind of [Queue, LifoQueue]) {
        const queue = new Kind<unknown>();
        for (const item of [undefined, null, 0, Math.max]) {
          await queue.put(item);
          expect(queue.size()).toBe(1);
          expect(await queue.get()).toBe(item);
        }
      }
    }));
});

for (const Kind of kinds) {
  const name = Kind.name;
  describe(name, () => {
    test('size(), empty() and full() are synchronous; maxsize 0 is no bound', () =>
      virtually(async () => {
        const free = new Kind<number>();
        const bounded = new Kind<number>(2);
        expect([free.maxsize, bounded.maxsize]).toEqual([0, 2]);
        for (const queue of [free, bounded]) {
          expect([queue.size(), queue.empty(), queue.full()]).toEqual([0, true, false]);
          await queue.put(1);
          await queue.put(2);
          expect([queue.size(), queue.empty(), queue.full()]).toEqual([2, false, queue === bounded]);
        }
      }));

    test('a blocked get can be cancelled, and has taken nothing', () =>
      virtually(async () => {
        const queue = new Kind<number>();
        const getter = await spawn(() => queue.get());
        await sleep(1);
        expect(getter.state).toBe('QUEUE_GET');
        await getter.cancel();
        expect(getter.exception).toBeInstanceOf(TaskCancelled);
        await queue.put(1);
        expect([queue.size(), await queue.get()]).toEqual([1, 1]);
      }));

    test('a blocked get honours a timeout', () =>
      virtually(async () => {
        const queue = new Kind<number>();
        expect(await thrownBy(timeoutAfter(1, () => queue.get()))).toBeInstanceOf(TaskTimeout);
        await queue.put(1);
        expect(await timeoutAfter(1, () => queue.get())).toBe(1);
      }));

    test('a blocked put can be cancelled; the item is not added', () =>
      virtually(async () => {
        const queue = new Kind<number>(1);
        await queue.put(1);
        const putter = await spawn(() => queue.put(2));
        await sleep(1);
        expect(putter.state).toBe('QUEUE_PUT');
        await putter.cancel();
        expect(putter.exception).toBeInstanceOf(TaskCancelled);
        expect([queue.size(), await queue.get(), queue.size()]).toEqual([1, 1, 0]);
        await queue.taskDone();
        await queue.join();
      }));

    test('a blocked put honours a timeout', () =>
      virtually(async () => {
        const queue = new Kind<number>(1);
        await queue.put(1);
        expect(await thrownBy(timeoutAfter(1, () => queue.put(2)))).toBeInstanceOf(TaskTimeout);
        expect([await queue.get(), queue.empty()]).toEqual([1, true]);
      }));

    test('join() can be cancelled and can time out', () =>
      virtually(async () => {
        const queue = new Kind<number>();
        await queue.put(1);
        expect(await thrownBy(timeoutAfter(1, () => queue.join()))).toBeInstanceOf(TaskTimeout);
        const joiner = await spawn(() => queue.join());
        await sleep(1);
        expect(joiner.state).toBe('QUEUE_JOIN');
        await joiner.cancel();
        await queue.taskDone();
        await queue.join();
      }));

    test('getters and putters are served in the order they came; who leaves the line disturbs nobody', () =>
      virtually(async () => {
        const got: string[] = [];
        const queue = new Kind<number>(1);
        const getters: Task[] = [];
        for (const who of ['a', 'b', 'c', 'd']) {
          getters.push(
            await spawn(async () => {
              got.push(`${who} ${await queue.get()}`);
            }),
          );
        }
        await settle();
        await getters[1]!.cancel();
        for (let i = 0; i < 3; i++) {
          await queue.put(i);
          await settle();
        }
        expect(got).toEqual(['a 0', 'c 1', 'd 2']);

        const put: string[] = [];
        await queue.put(0);
        const putters: Task[] = [];
        for (const who of ['a', 'b', 'c', 'd']) {
          putters.push(
            await spawn(async () => {
              await queue.put(putters.length);
              put.push(who);
            }),
          );
        }
        await settle();
        await putters[1]!.cancel();
        for (let i = 0; i < 4; i++) {
          await queue.get();
          // One per get.
          await settle();
          expect(put).toHaveLength(Math.min(i + 1, 3));
        }
        expect(put).toEqual(['a', 'c', 'd']);
        for (const task of [...getters, ...putters]) if (!task.cancelled) await task.join();
      }));

    test('an item is reserved for the getter that was woken: nobody overtakes, and it counts until then', () =>
      virtually(async () => {
        const log: string[] = [];
        const queue = new Kind<number>();
        const getter = async (who: string) => {
          log.push(`${who} ${await queue.get()}`);
        };
        const first = await spawn(getter, 'first');
        await settle();
        // Runs after the item has come, and before the one it is reserved for.
        const newcomer = await spawn(getter, 'newcomer');
        await queue.put(1);
        expect([queue.size(), queue.empty(), first.state]).toEqual([1, false, 'READY']);
        await spawn({ daemon: true }, async () => log.push(`newcomer ${newcomer.state}`));
        expect(await ignoreAfter({ timeoutResult: 'waits' }, 1, () => queue.get())).toBe('waits');
        expect(queue.size()).toBe(0);
        await queue.put(2);
        await newcomer.join();
        await first.join();
        expect(log).toEqual(['first 1', 'newcomer QUEUE_GET', 'newcomer 2']);
      }));

    test('a full queue with a reserved item is full until its getter has run', () =>
      virtually(async () => {
        const queue = new Kind<number>(1);
        const getter = await spawn(() => queue.get());
        await settle();
        await queue.put(1);
        expect([queue.full(), queue.size()]).toEqual([true, 1]);
        const putter = await spawn(() => queue.put(2));
        await getter.join();
        await putter.join();
        expect(queue.size()).toBe(1);
      }));

    test('a newcomer that puts waits behind those that wait to put', () =>
      virtually(async () => {
        const log: string[] = [];
        const queue = new Kind<number>(1);
        await queue.put(0);
        const putter = async (who: string, item: number) => {
          await queue.put(item);
          log.push(who);
        };
        const first = await spawn(putter, 'first', 1);
        await settle();
        // Runs after the first has been let in, and before the first itself.
        const newcomer = await spawn(putter, 'newcomer', 2);
        expect(await queue.get()).toBe(0);
        expect([first.state, newcomer.state, queue.full()]).toEqual(['READY', 'READY', true]);
        await settle();
        expect([log, newcomer.state]).toEqual([['first'], 'QUEUE_PUT']);
        expect(await queue.get()).toBe(1);
        await newcomer.join();
        await first.join();
        expect([log, await queue.get()]).toEqual([['first', 'newcomer'], 2]);
      }));

    test('who was chosen has the item, even if cancelled before it ran; the cancellation hits the next operation', () =>
      virtually(async () => {
        const got: number[] = [];
        const queue = new Kind<number>();
        const getter = await spawn(async () => {
          got.push(await queue.get());
          got.push(await queue.get());
        });
        await settle();
        await queue.put(1);
        await getter.cancel();
        expect(got).toEqual([1]);
        expect(getter.exception).toBeInstanceOf(TaskCancelled);
        expect(queue.empty()).toBe(true);
      }));

    test('cancelled first and put afterwards, in one turn: the item goes to the next', () =>
      virtually(async () => {
        const got: string[] = [];
        const queue = new Kind<number>();
        const getter = (who: string) => async () => {
          got.push(`${who} ${await queue.get()}`);
        };
        const [first, second] = [await spawn(getter('first')), await spawn(getter('second'))];
        await settle();
        await first.cancel({ blocking: false });
        await queue.put(1);
        await first.wait();
        await second.join();
        expect(got).toEqual(['second 1']);
      }));

    test('a putter that was let in has put, even if cancelled before it ran', () =>
      virtually(async () => {
        const log: string[] = [];
        const queue = new Kind<number>(1);
        await queue.put(1);
        const putter = await spawn(async () => {
          await queue.put(2);
          log.push('put');
          await sleep(1);
        });
        await settle();
        expect(await queue.get()).toBe(1);
        await putter.cancel();
        expect(log).toEqual(['put']);
        expect(await queue.get()).toBe(2);
      }));

    test('a putter cancelled first, and room made afterwards in one turn: the next is let in', () =>
      virtually(async () => {
        const queue = new Kind<number>(1);
        await queue.put(1);
        const [first, second] = [await spawn(() => queue.put(2)), await spawn(() => queue.put(3))];
        await settle();
        await first.cancel({ blocking: false });
        expect(await queue.get()).toBe(1);
        await first.wait();
        await second.join();
        expect([await queue.get(), queue.empty()]).toEqual([3, true]);
      }));

    test('a getter that was chosen and ended without taking: the item stays, and goes to the next', () =>
      noisily(async () => {
        const queue = new Kind<number>(1);
        const careless = await forgetful(() => queue.get());
        const next = await spawn(() => queue.get());
        await settle();
        await queue.put(1);
        expect(careless.task.state).toBe('READY');
        await careless.end();
        expect(queue.size()).toBe(1);
        expect(await next.join()).toBe(1);
        // And with nobody waiting it is there for whoever comes.
        const again = await forgetful(() => queue.get());
        await queue.put(2);
        await again.end();
        expect([queue.size(), await queue.get(), queue.size()]).toEqual([1, 2, 0]);
      }));

    test('one that waits and ends leaves the line, getter or putter', () =>
      noisily(async () => {
        const queue = new Kind<number>(1);
        const getter = await forgetful(() => queue.get());
        expect(String(queue)).toContain('1 getting');
        await getter.end();
        await queue.put(1);
        expect(queue.size()).toBe(1);
        const putter = await forgetful(() => queue.put(2));
        expect(String(queue)).toContain('1 putting');
        await putter.end();
        expect([await queue.get(), queue.empty()]).toEqual([1, true]);
      }));

    test('a putter that was let in and ended: its item is in', () =>
      noisily(async () => {
        const queue = new Kind<number>(1);
        await queue.put(1);
        const putter = await forgetful(() => queue.put(2));
        await queue.get();
        await putter.end();
        expect(await queue.get()).toBe(2);
      }));

    test('join() returns at once when nothing is outstanding; put counts up, taskDone down, get nothing', () =>
      virtually(async () => {
        const log: string[] = [];
        const queue = new Kind<number>();
        await queue.join();
        await queue.put(1);
        await queue.get();
        const joiners = [];
        for (const who of ['a', 'b']) {
          joiners.push(
            await spawn(async () => {
              await queue.join();
              log.push(who);
            }),
          );
        }
        await settle();
        expect(log).toEqual([]);
        await queue.put(2);
        await queue.taskDone();
        await settle();
        expect(log).toEqual([]);
        // The last one wakes all who join, in the order they came; what is put meanwhile does not hold them.
        await queue.taskDone();
        await queue.put(3);
        for (const task of joiners) await task.join();
        expect(log).toEqual(['a', 'b']);
      }));

    test('one taskDone() too many is a RuntimeError', () =>
      virtually(async () => {
        const queue = new Kind<number>();
        expect(await thrownBy(queue.taskDone())).toBeInstanceOf(RuntimeError);
        await queue.put(1);
        await queue.taskDone();
        const error = await thrownBy(queue.taskDone());
        expect((error as Error).message).toContain('taskDone() was called more often than items were put');
        await queue.join();
      }));

    test('an item that a blocked putter brings counts for join() when it is let in', () =>
      virtually(async () => {
        const queue = new Kind<number>(1);
        await queue.put(1);
        const putter = await spawn(() => queue.put(2));
        await settle();
        await queue.get();
        await queue.taskDone();
        await putter.join();
        expect(await ignoreAfter({ timeoutResult: 'outstanding' }, 1, () => queue.join())).toBe(
          'outstanding',
        );
        await queue.taskDone();
        await queue.join();
      }));

    test('operations that need not wait do not give up control', () =>
      virtually(async () => {
        const log: string[] = [];
        const queue = new Kind<number>(5);
        const other = await spawn(async () => log.push('other'));
        for (let i = 0; i < 5; i++) await queue.put(i);
        for (let i = 0; i < 5; i++) {
          await queue.get();
          await queue.taskDone();
        }
        await queue.join();
        log.push('main');
        await other.join();
        expect(log).toEqual(['main', 'other']);
      }));

    test('has a debug string', () =>
      virtually(async () => {
        const queue = new Kind<number>(2);
        expect(String(queue)).toBe(`${name}(0 of 2 items, 0 getting, 0 putting)`);
        expect(String(new Kind())).toBe(`${name}(0 items, 0 getting, 0 putting)`);
      }));

    test('a second operation while one waits is refused at the call', () =>
      noisily(async () => {
        const queue = new Kind<number>(1);
        const task = await spawn(async () => {
          const first = queue.get();
          expect(() => queue.get()).toThrow(TaskBusyError);
          return await first;
        });
        await settle();
        await queue.put(1);
        expect(await task.join()).toBe(1);
      }));

    test('a size that is none is refused', () => {
      expect(() => new Kind(-1)).toThrow(RangeError);
      expect(() => new Kind(1.5)).toThrow(RangeError);
      expect(() => new Kind(Number.NaN)).toThrow(RangeError);
      expect(() => new Kind('2' as never)).toThrow('The size of a queue is a number, not "2".');
      expect(new Kind(Number.POSITIVE_INFINITY).maxsize).toBe(0);
    });

    test('outside a task it is refused', async () => {
      const queue = new Kind<number>();
      for (const call of [queue.get(), queue.put(1), queue.join(), queue.taskDone()]) {
        expect(await thrownBy(call)).toBeInstanceOf(RuntimeError);
      }
      expect(queue.size()).toBe(0);
    });

    test('no item is lost or doubled, wherever it is interrupted and in whatever order', async () => {
      let queue!: Queue<number>;
      let put: number[] = [];
      let got: number[] = [];
      const program = async () => {
        queue = new Kind<number>(2);
        [put, got] = [[], []];
        const producer = async (base: number) => {
          for (let i = 0; i < 3; i++) {
            await queue.put(base + i);
            put.push(base + i);
            if (queue.size() > 2) throw new Error('more than fit');
          }
        };
        const consumer = async () => {
          for (;;) {
            got.push(await queue.get());
            await queue.taskDone();
          }
        };
        const consumers = [await spawn(consumer), await spawn(() => ignoreAfter(1, consumer))];
        const producers = [await spawn(producer, 0), await spawn(producer, 10)];
        producers.push(await spawn(() => ignoreAfter(0.5, producer, 20)));
        for (const task of producers) await task.wait();
        await ignoreAfter(5, () => queue.join());
        for (const task of consumers) await task.cancel();
      };
      await cancelEverywhere(program, async ({ kind, error }) => {
        if (error instanceof Error && !(error instanceof CancelledError)) throw error;
        const left = queue.size();
        expect(String(queue)).toBe(`${name}(${left} of 2 items, 0 getting, 0 putting)`);
        expect(new Set(got).size).toBe(got.length);
        expect(put).toEqual(expect.arrayContaining(got));
        expect(got.length + left).toBe(put.length);
        if (kind === 'none') expect([...got].sort((a, b) => a - b)).toEqual([...put].sort((a, b) => a - b));
      });
      await explore(
        async () => {
          await program();
          expect([...got].sort((a, b) => a - b)).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22]);
        },
        { seeds: 50 },
      );
    });
  });
}

describe('PriorityQueue', () => {
  test('gives the smallest item first; pairs compare element by element', () =>
    virtually(async () => {
      const queue = new PriorityQueue<[number, string | null]>();
      await queue.put([2, 'b']);
      await queue.put([Number.POSITIVE_INFINITY, null]);
      await queue.put([1, 'z']);
      await queue.put([2, 'a']);
      await queue.put([0, 'first']);
      const got: unknown[] = [];
      for (;;) {
        const [priority, item] = await queue.get();
        if (item === null) break;
        got.push(priority, item);
      }
      expect(got).toEqual([0, 'first', 1, 'z', 2, 'a', 2, 'b']);
    }));

  test('numbers, strings, nested arrays, and arrays of different length', () =>
    virtually(async () => {
      const sorted: unknown[][] = [
        [-1, 0, 1, 10],
        ['a', 'aa', 'b'],
        [[1], [1, [0]], [1, [1]], [2]],
      ];
      for (const items of sorted) {
        const queue = new PriorityQueue<unknown>();
        for (const item of [...items].reverse()) await queue.put(item);
        const got = [];
        while (!queue.empty()) got.push(await queue.get());
        expect(got).toEqual(items);
      }
    }));

  test('equal priorities leave in the order they came', () =>
    virtually(async () => {
      const queue = new PriorityQueue<{ key: number; n: number }>(0, (a, b) => a.key - b.key);
      for (let n = 0; n < 60; n++) await queue.put({ key: n % 3, n });
      const got: number[] = [];
      while (!queue.empty()) got.push((await queue.get()).n);
      const byKey = (key: number) => Array.from({ length: 20 }, (_, i) => i * 3 + key);
      expect(got).toEqual([...byKey(0), ...byKey(1), ...byKey(2)]);
    }));

  test('a comparator orders as it likes', () =>
    virtually(async () => {
      const queue = new PriorityQueue<number>(0, (a, b) => b - a);
      for (const n of [3, 1, 4, 1, 5, 9, 2, 6]) await queue.put(n);
      const got: number[] = [];
      while (!queue.empty()) got.push(await queue.get());
      expect(got).toEqual([9, 6, 5, 4, 3, 2, 1, 1]);
    }));

  test('the sentinel of the largest priority comes last, though it was put in the middle', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const queue = new PriorityQueue<[number, number | null]>();
      const consumer = await spawn(async () => {
        await sleep(1);
        for (;;) {
          const [, item] = await queue.get();
          if (item === null) break;
          log.push(item);
          await queue.taskDone();
        }
        await queue.taskDone();
      });
      for (const [priority, item] of [
        [2, 20],
        [10, null],
        [1, 10],
        [3, 30],
      ] as const)
        await queue.put([priority, item]);
      await queue.join();
      await consumer.join();
      expect(log).toEqual([10, 20, 30]);
    }));

  test('a putter that is let in competes by priority, not by arrival', () =>
    virtually(async () => {
      const queue = new PriorityQueue<number>(2);
      await queue.put(5);
      await queue.put(6);
      const putter = await spawn(() => queue.put(1));
      await settle();
      expect(await queue.get()).toBe(5);
      await putter.join();
      expect([await queue.get(), await queue.get()]).toEqual([1, 6]);
    }));

  describe('a comparator that throws', () => {
    const picky = (a: number, b: number) => {
      if (Number.isNaN(a) || Number.isNaN(b)) throw new RangeError('no order');
      return a - b;
    };

    test('fails the put whose item it throws at; the others are untouched', () =>
      virtually(async () => {
        const queue = new PriorityQueue<number>(0, picky);
        await queue.put(2);
        await queue.put(1);
        expect(await thrownBy(queue.put(Number.NaN))).toMatchObject({ message: 'no order' });
        expect(queue.size()).toBe(2);
        await queue.put(0);
        expect([await queue.get(), await queue.get(), await queue.get()]).toEqual([0, 1, 2]);
        for (let i = 0; i < 3; i++) await queue.taskDone();
        await queue.join();
      }));

    test('fails a blocked put when its turn comes; who gets has its item, and the next putter is let in', () =>
      virtually(async () => {
        const queue = new PriorityQueue<number>(2, picky);
        await queue.put(1);
        await queue.put(2);
        const bad = await spawn(() => thrownBy(queue.put(Number.NaN)));
        const good = await spawn(() => queue.put(3));
        await settle();
        expect(await queue.get()).toBe(1);
        expect(await bad.join()).toMatchObject({ message: 'no order' });
        await good.join();
        expect([await queue.get(), await queue.get(), queue.empty()]).toEqual([2, 3, true]);
      }));

    test('fails the get that compares; no item is lost, and nobody waits for ever', () =>
      virtually(async () => {
        let broken = false;
        const queue = new PriorityQueue<number>(0, (a, b) => {
          if (broken) throw new RangeError('broken');
          return a - b;
        });
        for (const n of [1, 2, 3, 4]) await queue.put(n);
        broken = true;
        expect(await thrownBy(queue.get())).toMatchObject({ message: 'broken' });
        expect(queue.size()).toBe(4);
        broken = false;
        const got = [];
        while (!queue.empty()) got.push(await queue.get());
        expect(got).toEqual([1, 2, 3, 4]);

        const getters = [];
        for (let i = 0; i < 3; i++)
          getters.push(await spawn(() => queue.get().catch((error) => error.message)));
        await settle();
        for (const n of [1, 2, 3]) await queue.put(n);
        broken = true;
        // All three were chosen; each compares as long as there is something to compare with.
        for (const task of getters) expect(await task.join()).toBe('broken');
        broken = false;
        expect([await queue.get(), await queue.get(), await queue.get()]).toEqual([1, 2, 3]);
      }));

    test('what is no comparator is refused', () => {
      expect(() => new PriorityQueue(0, 5 as never)).toThrow(
        'A PriorityQueue compares with a function, not 5.',
      );
    });
  });
});

describe('LifoQueue', () => {
  test('gives the newest item first', () =>
    virtually(async () => {
      const queue = new LifoQueue<number>();
      for (const n of [1, 2, 3]) await queue.put(n);
      expect([await queue.get(), await queue.get()]).toEqual([3, 2]);
      await queue.put(4);
      expect([await queue.get(), await queue.get(), queue.empty()]).toEqual([4, 1, true]);
    }));

  test('is a Queue', () => {
    expect(new LifoQueue()).toBeInstanceOf(Queue);
    expect(new PriorityQueue()).toBeInstanceOf(Queue);
  });
});

test('many items pass through in order, and the ring behind it shrinks again', () =>
  virtually(async () => {
    const queue = new Queue<number>();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20_000; i++) await queue.put(i);
      for (let i = 0; i < 20_000; i++) if ((await queue.get()) !== i) throw new Error(`wrong at ${i}`);
      await queue.put(-1);
      expect(await queue.get()).toBe(-1);
    }
    expect(queue.empty()).toBe(true);
  }));

test('a chain of queues: each stage gets everything', () =>
  virtually(async () => {
    const stages = Array.from({ length: 20 }, () => new Queue<number>(1));
    const finished = new Event();
    const got: number[] = [];
    for (let i = 0; i + 1 < stages.length; i++) {
      await spawn({ daemon: true }, async () => {
        for await (const item of stages[i]!) await stages[i + 1]!.put(item + 1);
      });
    }
    await spawn({ daemon: true }, async () => {
      for await (const item of stages[19]!) {
        got.push(item);
        if (got.length === 30) await finished.set();
      }
    });
    for (let n = 0; n < 30; n++) await stages[0]!.put(n);
    await finished.wait();
    expect(got).toEqual(Array.from({ length: 30 }, (_, n) => n + 19));
  }));
