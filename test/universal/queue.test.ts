// UniversalQueue: between tasks, between kernels, and between tasks and ordinary async code.

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  CancelledError,
  gather,
  ignoreAfter,
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  UniversalQueue,
} from 'curio';
import { cancelEverywhere, explore, VirtualClock } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { forgetful } from '../kit/forgetful.ts';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

/** Calls a function as ordinary code does, even from inside a task. */
const outside = AsyncLocalStorage.snapshot();

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const settle = () => sleep(0.001);
const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Puts some items, and waits until all have been dealt with. */
async function produce(queue: UniversalQueue<number>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await queue.put(i);
  await queue.join();
}

async function consume(queue: UniversalQueue<number>, count: number): Promise<number[]> {
  const got: number[] = [];
  for (let i = 0; i < count; i++) {
    got.push(await queue.get());
    await queue.taskDone();
  }
  return got;
}

describe('producer and consumer', () => {
  for (const maxsize of [0, 1, 2]) {
    test(`in two tasks, with a bound of ${maxsize}`, () =>
      virtually(async () => {
        const queue = new UniversalQueue<number>({ maxsize });
        const [, got] = await gather([() => produce(queue, 10), () => consume(queue, 10)]);
        expect(got).toEqual(upTo(10));
      }));

    test(`outside and in a task, with a bound of ${maxsize}`, async () => {
      const queue = new UniversalQueue<number>({ maxsize });
      const produced = produce(queue, 10);
      expect(await run(consume, queue, 10)).toEqual(upTo(10));
      await produced;
    });

    test(`in a task and outside, with a bound of ${maxsize}`, async () => {
      const queue = new UniversalQueue<number>({ maxsize });
      const consumed = consume(queue, 10);
      await run(produce, queue, 10);
      expect(await consumed).toEqual(upTo(10));
    });

    test(`in two kernels, with a bound of ${maxsize}`, async () => {
      const queue = new UniversalQueue<number>({ maxsize });
      const consumed = run(consume, queue, 10);
      await run(produce, queue, 10);
      expect(await consumed).toEqual(upTo(10));
    });

    test(`both outside, with a bound of ${maxsize}`, async () => {
      const queue = new UniversalQueue<number>({ maxsize });
      const [, got] = await Promise.all([produce(queue, 10), consume(queue, 10)]);
      expect(got).toEqual(upTo(10));
    });
  }

  test('a consumer that polls with a timeout loses nothing and keeps the order', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>({ maxsize: 2 });
      const producer = await spawn(async () => {
        for (let i = 0; i < 10; i++) {
          await queue.put(i);
          await sleep(0.2);
        }
      });
      const got: number[] = [];
      let misses = 0;
      while (got.length < 10) {
        const item = await ignoreAfter({ timeoutResult: null }, 0.1, () => queue.get());
        if (item === null) misses++;
        else got.push(item);
      }
      await producer.join();
      expect(got).toEqual(upTo(10));
      expect(misses).toBeGreaterThan(5);
    }));

  test('three consumers in three kernels against a producer outside: every item exactly once', async () => {
    const queue = new UniversalQueue<number | null>({ maxsize: 10 });
    const got: number[] = [];
    const consumers = upTo(3).map(() =>
      run(async () => {
        for (let item = await queue.get(); item !== null; item = await queue.get()) got.push(item);
      }),
    );
    for (let i = 0; i < 1000; i++) await queue.put(i);
    for (let i = 0; i < 3; i++) await queue.put(null);
    await Promise.all(consumers);
    expect(got.sort((a, b) => a - b)).toEqual(upTo(1000));
  });

  test('three task consumers in one kernel: every item exactly once', async () => {
    const queue = new UniversalQueue<number>({ maxsize: 10 });
    const got: number[] = [];
    const consuming = run(async () => {
      const consumers = [];
      for (let i = 0; i < 3; i++) {
        consumers.push(
          await spawn(async () => {
            for await (const item of queue) got.push(item);
          }),
        );
      }
      for (const task of consumers) await task.join();
    });
    for (let i = 0; i < 1000; i++) await queue.put(i);
    await queue.shutdown();
    await consuming;
    expect(got.sort((a, b) => a - b)).toEqual(upTo(1000));
  });
});

describe('in a task', () => {
  test('a blocked get can be cancelled and can time out, and has taken nothing', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>();
      expect(await thrownBy(timeoutAfter(1, () => queue.get()))).toBeInstanceOf(TaskTimeout);
      const getter = await spawn(() => queue.get());
      await sleep(1);
      expect(getter.state).toBe('FUTURE_WAIT');
      await getter.cancel();
      expect(getter.exception).toBeInstanceOf(TaskCancelled);
      await queue.put(1);
      expect([await queue.get(), String(queue)]).toEqual([
        1,
        'UniversalQueue(0 items, 0 getting, 0 putting)',
      ]);
    }));

  test('a blocked put can be cancelled and can time out; the item is not added', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      await queue.put(1);
      expect(await thrownBy(timeoutAfter(1, () => queue.put(2)))).toBeInstanceOf(TaskTimeout);
      const putter = await spawn(() => queue.put(3));
      await sleep(1);
      await putter.cancel();
      expect([await queue.get(), queue.empty(), queue.size()]).toEqual([1, true, 0]);
      await queue.taskDone();
      await queue.join();
    }));

  test('join() with nothing outstanding returns at once, and otherwise can time out', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>();
      await queue.join();
      await queue.put(1);
      expect(await thrownBy(timeoutAfter(1, () => queue.join()))).toBeInstanceOf(TaskTimeout);
      await queue.get();
      expect(await thrownBy(timeoutAfter(1, () => queue.join()))).toBeInstanceOf(TaskTimeout);
      await queue.taskDone();
      await queue.join();
    }));

  test('one taskDone() too many is a RuntimeError, in a task and outside', async () => {
    const queue = new UniversalQueue<number>();
    expect(await thrownBy(queue.taskDone())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(run(() => queue.taskDone()))).toBeInstanceOf(RuntimeError);
    await queue.join();
  });

  test('who was chosen has the item, even if cancelled before it ran', () =>
    virtually(async () => {
      const got: number[] = [];
      const queue = new UniversalQueue<number>();
      const getter = await spawn(async () => {
        got.push(await queue.get());
        await sleep(1);
      });
      await settle();
      await queue.put(1);
      await getter.cancel();
      expect(got).toEqual([1]);
      expect(queue.empty()).toBe(true);
    }));

  test('cancelled first and put afterwards, in one turn: the item goes to the next, be it a task or a promise', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>();
      const first = await spawn(() => queue.get());
      await settle();
      await first.cancel({ blocking: false });
      await queue.put(1);
      await first.wait();
      expect(await queue.get()).toBe(1);
    }));

  test('an item on its way to a task counts in size(), and keeps the queue full', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      const getter = await spawn(() => queue.get());
      await settle();
      await queue.put(1);
      expect([queue.size(), queue.full(), queue.empty(), getter.state]).toEqual([1, true, false, 'READY']);
      const putter = await spawn(() => queue.put(2));
      const newcomer = await spawn(() => queue.get());
      expect(await getter.join()).toBe(1);
      await putter.join();
      expect(await newcomer.join()).toBe(2);
      expect(queue.size()).toBe(0);
    }));

  test('one that was chosen and ended without taking: the item goes to the next, or back to its place', () =>
    noisily(async () => {
      const queue = new UniversalQueue<number>();
      const careless = [];
      for (let i = 0; i < 3; i++) careless.push(await forgetful(() => queue.get()));
      for (let i = 0; i < 5; i++) await queue.put(i);
      expect(queue.size()).toBe(5);
      // In whatever order they end, the items come back to where they were: at the front, in order.
      await careless[1]!.end();
      await careless[0]!.end();
      await careless[2]!.end();
      expect(queue.size()).toBe(5);
      const got = [];
      while (!queue.empty()) got.push(await queue.get());
      expect(got).toEqual(upTo(5));
      // The unfinished count has not been increased again.
      for (let i = 0; i < 5; i++) await queue.taskDone();
      await queue.join();

      const again = await forgetful(() => queue.get());
      const next = await spawn(() => queue.get());
      await settle();
      await queue.put(7);
      await again.end();
      expect(await next.join()).toBe(7);
      expect(queue.size()).toBe(0);
    }));

  test('given back to a bounded queue, it is in nobody’s way: the queue was full all the time', () =>
    noisily(async () => {
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      const careless = await forgetful(() => queue.get());
      await queue.put(1);
      let letIn = false;
      const putter = outside(() => queue.put(2)).then(() => {
        letIn = true;
      });
      expect(String(queue)).toBe('UniversalQueue(1 of 1 items, 0 getting, 1 putting)');
      await careless.end();
      await settle();
      expect([queue.size(), letIn]).toEqual([1, false]);
      expect(await queue.get()).toBe(1);
      await putter;
      expect([queue.size(), await queue.get()]).toEqual([1, 2]);
    }));

  test('given back to an ordinary promise that waits, it makes room', () =>
    noisily(async () => {
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      const careless = await forgetful(() => queue.get());
      await queue.put(1);
      const putter = outside(() => queue.put(2));
      const getters = [outside(() => queue.get()), outside(() => queue.get())];
      await careless.end();
      await putter;
      expect(await Promise.all(getters)).toEqual([1, 2]);
      expect(queue.size()).toBe(0);
    }));

  test('one that waits and ends leaves the line', () =>
    noisily(async () => {
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      const getter = await forgetful(() => queue.get());
      expect(String(queue)).toBe('UniversalQueue(0 of 1 items, 1 getting, 0 putting)');
      await getter.end();
      await queue.put(1);
      const putter = await forgetful(() => queue.put(2));
      expect(String(queue)).toBe('UniversalQueue(1 of 1 items, 0 getting, 1 putting)');
      await putter.end();
      expect([await queue.get(), queue.empty()]).toEqual([1, true]);
    }));

  test('a putter that was let in and cancelled before it ran has put; the next is let in when there is room', () =>
    virtually(async () => {
      const log: string[] = [];
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      await queue.put(0);
      const putter = (n: number) => async () => {
        await queue.put(n);
        log.push(`put ${n}`);
        await sleep(1);
      };
      const [first, second] = [await spawn(putter(1)), await spawn(putter(2))];
      await settle();
      expect(await queue.get()).toBe(0);
      await first.cancel();
      expect(log).toEqual(['put 1']);
      expect(await queue.get()).toBe(1);
      await second.join();
      expect([log, await queue.get()]).toEqual([['put 1', 'put 2'], 2]);
    }));

  test('operations that need not wait do not give up control', () =>
    virtually(async () => {
      const log: string[] = [];
      const queue = new UniversalQueue<number>({ maxsize: 5 });
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

  test('a second operation while one waits is refused at the call', () =>
    noisily(async () => {
      const queue = new UniversalQueue<number>();
      const first = queue.get();
      expect(() => queue.get()).toThrow(TaskBusyError);
      setImmediate(() => void queue.put(1));
      expect(await first).toBe(1);
    }));
});

describe('lines', () => {
  test('getters and putters are served in the order they came, tasks and promises in one line', () =>
    virtually(async () => {
      const log: string[] = [];
      const queue = new UniversalQueue<number>({ maxsize: 1 });
      const get = async (who: string) => {
        log.push(`${who} ${await queue.get()}`);
      };
      const tasks = [await spawn(get, 'task a')];
      await settle();
      const outsider = outside(() => get('promise b'));
      await settle();
      tasks.push(await spawn(get, 'task c'));
      await settle();
      expect(String(queue)).toBe('UniversalQueue(0 of 1 items, 3 getting, 0 putting)');
      for (let i = 0; i < 3; i++) {
        await queue.put(i);
        await settle();
      }
      expect(log).toEqual(['task a 0', 'promise b 1', 'task c 2']);
      for (const task of tasks) await task.join();
      await outsider;

      log.length = 0;
      const put = async (who: string, item: number) => {
        await queue.put(item);
        log.push(who);
      };
      await queue.put(0);
      const putters = [await spawn(put, 'task a', 1)];
      await settle();
      const outsidePutter = outside(() => put('promise b', 2));
      await settle();
      putters.push(await spawn(put, 'task c', 3));
      await settle();
      const got = [];
      for (let i = 0; i < 4; i++) {
        got.push(await queue.get());
        await settle();
      }
      expect(got).toEqual([0, 1, 2, 3]);
      expect(log).toEqual(['task a', 'promise b', 'task c']);
      for (const task of putters) await task.join();
      await outsidePutter;
    }));
});

describe('shutdown()', () => {
  test('items that are in can still be taken and joined; nothing can be put', async () => {
    const queue = new UniversalQueue<number>();
    await queue.put(1);
    await queue.put(2);
    await queue.shutdown();
    for (const error of [await thrownBy(queue.put(3)), await thrownBy(run(() => queue.put(3)))]) {
      expect(error).toBeInstanceOf(RuntimeError);
      expect(error).toMatchObject({
        name: 'RuntimeError',
        message: 'The UniversalQueue has been shut down.',
      });
    }
    const joined = queue.join();
    expect([await queue.get(), await run(() => queue.get())]).toEqual([1, 2]);
    await queue.taskDone();
    await queue.taskDone();
    await joined;
    expect(await thrownBy(queue.get())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(run(() => queue.get()))).toBeInstanceOf(RuntimeError);
    await queue.shutdown();
  });

  test('whoever waits for another item, or for room, gets a RuntimeError', async () => {
    const empty = new UniversalQueue<number>();
    const full = new UniversalQueue<number>({ maxsize: 1 });
    await full.put(1);
    const waiting = [
      thrownBy(empty.get()),
      thrownBy(run(() => empty.get())),
      thrownBy(full.put(2)),
      thrownBy(run(() => full.put(3))),
    ];
    await turn();
    await run(() => empty.shutdown());
    await full.shutdown();
    for (const error of await Promise.all(waiting)) expect(error).toBeInstanceOf(RuntimeError);
    expect([full.size(), await full.get()]).toEqual([1, 1]);
  });

  test('an item on its way to a task still arrives', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>();
      const getter = await spawn(() => queue.get());
      await settle();
      await queue.put(1);
      await queue.shutdown();
      expect(await getter.join()).toBe(1);
    }));

  test('iteration ends quietly, with what is in', async () => {
    const queue = new UniversalQueue<number>();
    const collect = async () => {
      const got: number[] = [];
      for await (const item of queue) {
        expectTypeOf(item).toEqualTypeOf<number>();
        got.push(item);
      }
      return got;
    };
    const [outside, inside] = [collect(), run(collect)];
    await turn();
    for (let i = 0; i < 4; i++) await queue.put(i);
    await queue.shutdown();
    const got = [...(await outside), ...(await inside)];
    expect(got.sort()).toEqual(upTo(4));
    expect(await collect()).toEqual([]);
  });

  test('a cancellation ends an iteration as an error', () =>
    virtually(async () => {
      const queue = new UniversalQueue<number>();
      const reader = await spawn(async () => {
        for await (const _ of queue);
      });
      await settle();
      await reader.cancel();
      expect(reader.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('a rejected promise that nobody awaits ends no process', async () => {
    const queue = new UniversalQueue<number>();
    void queue.get();
    await queue.shutdown();
    void queue.put(1);
    void queue.get();
    void queue.taskDone();
    await turn();
  });
});

test('size(), empty(), full(), maxsize', async () => {
  const queue = new UniversalQueue<number>({ maxsize: 2 });
  expect([queue.maxsize, queue.size(), queue.empty(), queue.full()]).toEqual([2, 0, true, false]);
  await queue.put(1);
  await queue.put(2);
  expect([queue.size(), queue.empty(), queue.full()]).toEqual([2, false, true]);
  expect(new UniversalQueue().maxsize).toBe(0);
  expect(new UniversalQueue({ maxsize: Number.POSITIVE_INFINITY }).maxsize).toBe(0);
  expect(new UniversalQueue().full()).toBe(false);
});

test('a size that is none is refused', () => {
  expect(() => new UniversalQueue({ maxsize: -1 })).toThrow(RangeError);
  expect(() => new UniversalQueue({ maxsize: 1.5 })).toThrow(RangeError);
  expect(() => new UniversalQueue({ maxsize: Number.NaN })).toThrow(RangeError);
  expect(new UniversalQueue({ withfd: false }).full()).toBe(false);
  expect(() => new UniversalQueue({ maxsize: '2' as never })).toThrow(
    'The size of a queue is a number, not "2".',
  );
  expect(() => new UniversalQueue(10 as never)).toThrow(
    'new UniversalQueue() takes options, such as { maxsize: 10 }, not 10.',
  );
});

test('items may be undefined; ten thousand of them pass', async () => {
  const queue = new UniversalQueue<undefined>();
  for (let i = 0; i < 10_000; i++) await queue.put(undefined);
  expect(queue.size()).toBe(10_000);
  for (let i = 0; i < 10_000; i++) expect(await queue.get()).toBe(undefined);
  expect(queue.empty()).toBe(true);
});

test('in a task that has ended, a call is one from outside', async () => {
  const queue = new UniversalQueue<string>();
  let late!: Promise<void>;
  await run(async () => {
    late = turn().then(() => queue.put('late'));
  });
  await late;
  expect(await queue.get()).toBe('late');
});

test('no item is lost or doubled, wherever it is interrupted and in whatever order', async () => {
  let queue!: UniversalQueue<number>;
  let put: number[] = [];
  let got: number[] = [];
  const program = async () => {
    queue = new UniversalQueue<number>({ maxsize: 2 });
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
    const rest: number[] = [];
    while (!queue.empty()) rest.push(await queue.get());
    expect(String(queue)).toBe('UniversalQueue(0 of 2 items, 0 getting, 0 putting)');
    expect([...got, ...rest].sort((a, b) => a - b)).toEqual([...put].sort((a, b) => a - b));
    if (kind === 'none') expect(rest).toEqual([]);
  });
  await explore(
    async () => {
      await program();
      expect([...got].sort((a, b) => a - b)).toEqual([0, 1, 2, 10, 11, 12, 20, 21, 22]);
    },
    { seeds: 50 },
  );
});

test('several kernels on one virtual clock pass items to and fro', async () => {
  const clock = new VirtualClock();
  const [there, back] = [
    new UniversalQueue<number>({ maxsize: 1 }),
    new UniversalQueue<number>({ maxsize: 1 }),
  ];
  const echo = run({ clock }, async () => {
    for await (const item of there) {
      await sleep(1);
      await back.put(item * 2);
    }
  });
  const got = await run({ clock }, async () => {
    const answers = [];
    for (let i = 0; i < 5; i++) {
      await there.put(i);
      answers.push(await back.get());
    }
    return answers;
  });
  await there.shutdown();
  await echo;
  expect([got, clock.now()]).toEqual([[0, 2, 4, 6, 8], 5]);
});
