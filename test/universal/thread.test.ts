// Universal objects in worker threads: those that Curio starts, and others that only got a handle.

import { execFileSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import {
  AWAIT,
  gather,
  ignoreAfter,
  RuntimeError,
  run,
  sleep,
  spawn,
  spawnThread,
  TaskGroup,
  UniversalEvent,
  UniversalQueue,
  UniversalResult,
} from 'curio';
import { driverInfo } from 'curio/io';
import { readWait } from 'curio/traps';
import { runInThread } from 'curio/workers';
import { describe, expect, test } from 'vitest';
import { noisily } from '../kit/virtual.ts';

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

/** Runs a function of test/kit/foreign.mjs in a worker that Curio knows nothing of. */
function foreign(fn: string, ...args: unknown[]): { result: Promise<unknown>; worker: Worker } {
  const worker = new Worker(new URL('../kit/foreign.mjs', import.meta.url), { workerData: { fn, args } });
  const result = new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  return { result, worker };
}

describe('a queue as an argument', () => {
  for (const maxsize of [0, 2]) {
    test(`of runInThread(): the thread puts, and joins; the task gets; with a bound of ${maxsize}`, async () => {
      const got = await run(async () => {
        const queue = new UniversalQueue<number>({ maxsize });
        const [items, left] = await gather([
          async () => {
            const items: number[] = [];
            for (let i = 0; i < 10; i++) {
              items.push(await queue.get());
              await queue.taskDone();
            }
            return items;
          },
          () =>
            runInThread((it: UniversalQueue<number>) => {
              for (let i = 0; i < 10; i++) void it.put(i);
              void it.join();
              return it.size();
            }, queue),
        ]);
        return [items, left];
      });
      expect(got).toEqual([upTo(10), 0]);
    });

    test(`of spawnThread(): the task puts, and joins; the thread gets; with a bound of ${maxsize}`, async () => {
      const got = await run(async () => {
        const queue = new UniversalQueue<number>({ maxsize });
        const thread = await spawnThread((it: UniversalQueue<number>) => {
          const items: number[] = [];
          for (let i = 0; i < 5; i++) {
            items.push(AWAIT(it.get()), it.get() as unknown as number);
            void it.taskDone();
            AWAIT(it.taskDone());
          }
          return items;
        }, queue);
        for (let i = 0; i < 10; i++) await queue.put(i);
        await queue.join();
        return await thread.join();
      });
      expect(got).toEqual(upTo(10));
    });
  }

  test('in an async thread is made in the kernel, or sent there, and can be cancelled and time out', async () => {
    await noisily(async () => {
      const queue = new UniversalQueue<string>();
      const thread = await spawnThread((it: UniversalQueue<string>) => {
        const own = new UniversalQueue<string>({ maxsize: 1 });
        AWAIT(it.put('there'));
        const late = AWAIT(ignoreAfter({ timeoutResult: 'late' }, 0, () => own.get()));
        const both = [late, own.size(), own.maxsize, it.get()];
        AWAIT(it.get());
        return both;
      }, queue);
      while (
        thread.state !== 'FUTURE_WAIT' ||
        queue.toString() !== 'UniversalQueue(0 items, 1 getting, 0 putting)'
      ) {
        await sleep(1);
        if (thread.terminated) throw thread.exception;
      }
      await thread.cancel();
      await queue.put('not lost');
      expect(await queue.get()).toBe('not lost');
    });
  });
});

describe('in a worker that got nothing but the handle', () => {
  test('methods block and give their results: a producer and a consumer', async () => {
    const there = new UniversalQueue<number>({ maxsize: 10 });
    const back = new UniversalQueue<number>();
    const { result } = foreign('doubles', there.handle(), back.handle());
    const got = await run(async () => {
      const items: number[] = [];
      const reader = await spawn(async () => {
        for await (const item of back) {
          items.push(item);
          await back.taskDone();
        }
      });
      for (let i = 0; i < 100; i++) await there.put(i);
      await there.join();
      await there.shutdown();
      await result;
      await back.shutdown();
      await reader.join();
      return items;
    });
    expect(got).toEqual(upTo(100).map((n) => n * 2));
    expect(await result).toEqual({ count: 100, sizes: [0, true, false] });
  });

  test('events and results cross as well, with values and with exceptions', async () => {
    const event = new UniversalEvent();
    const answer = new UniversalResult<string>();
    const failure = new UniversalResult<string>();
    const { result } = foreign('answers', event.handle(), answer.handle(), failure.handle());
    await failure.setException(new RangeError('too far'));
    await event.set();
    expect(await answer.unwrap()).toBe('RangeError: too far');
    expect(await result).toEqual([true, false, true]);
  });

  test('and tasks in a kernel of its own it is an operation, which can time out; nothing is lost by that', async () => {
    const queue = new UniversalQueue<number>();
    const ready = new UniversalEvent();
    const { result } = foreign('kernel', queue.handle(), ready.handle());
    await ready.wait();
    for (let i = 0; i < 20; i++) {
      await queue.put(i);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await result).toEqual(upTo(20));
    expect(queue.size()).toBe(0);
  });

  test('an item that was meant for a worker that has been terminated goes to the next', async () => {
    const queue = new UniversalQueue<number>();
    const ready = new UniversalEvent();
    const { worker, result } = foreign('waits', queue.handle(), ready.handle());
    result.catch(() => {});
    await ready.wait();
    while (!String(queue).includes('1 getting')) await new Promise((resolve) => setImmediate(resolve));
    await worker.terminate();
    expect(String(queue)).toBe('UniversalQueue(0 items, 0 getting, 0 putting)');
    await queue.put(1);
    expect(await queue.get()).toBe(1);
  });

  test('what a worker put before it ended is there', async () => {
    const queue = new UniversalQueue<number>();
    const { worker } = foreign('leaves', queue.handle());
    await new Promise((resolve) => worker.once('exit', resolve));
    expect(queue.size()).toBe(10_000);
  });

  test('shutdown() leaves nobody waiting, and ends a loop', async () => {
    const queue = new UniversalQueue<number>();
    const { result } = foreign('loops', queue.handle());
    for (let i = 0; i < 3; i++) await queue.put(i);
    while (!queue.empty() || !String(queue).includes('1 getting'))
      await new Promise((resolve) => setImmediate(resolve));
    await queue.shutdown();
    expect(await result).toEqual({ items: [0, 1, 2], get: 'RuntimeError', put: 'RuntimeError' });
  });

  test('what cannot be copied stays in the queue, and the worker is told', async () => {
    const queue = new UniversalQueue<unknown>();
    await queue.put(new WeakMap());
    const { result } = foreign('tries', queue.handle());
    expect(await result).toMatch(/^TypeError: .*cannot be sent/);
    expect(queue.size()).toBe(1);
  });
});

describe('a handle', () => {
  test('in the thread of its object gives the object itself; of anything else it is refused', () => {
    const queue = new UniversalQueue<number>();
    expect(UniversalQueue.from(queue.handle())).toBe(queue);
    expect(UniversalQueue.from(structuredClone(queue.handle()))).toBe(queue);
    expect(() => UniversalEvent.from(queue.handle())).toThrow(TypeError);
    expect(() => UniversalQueue.from({} as never)).toThrow(/handle\(\)/);
    expect(() => UniversalResult.from(null as never)).toThrow(TypeError);
  });
});

describe.runIf(driverInfo().name === 'posix')('withfd', () => {
  /** What poll(2) says, in another process that has got the descriptor. */
  const polled = (fd: number): boolean =>
    execFileSync(
      'python3',
      ['-c', 'import select; p = select.poll(); p.register(0, select.POLLIN); print(len(p.poll(0)))'],
      { stdio: [fd, 'pipe', 'inherit'] },
    )
      .toString()
      .trim() === '1';

  test('a foreign poll loop sees the descriptor readable while items wait', async () => {
    const queue = new UniversalQueue<number>({ withfd: true });
    expect(polled(queue.fileno())).toBe(false);
    await queue.put(1);
    await queue.put(2);
    expect(polled(queue.fileno())).toBe(true);
    await queue.get();
    expect(polled(queue.fileno())).toBe(true);
    await queue.get();
    expect(polled(queue.fileno())).toBe(false);
    await queue.shutdown();
    expect(() => queue.fileno()).toThrow(RuntimeError);
  });

  test('a task waits for it to be readable, and then gets without waiting', async () => {
    await run(async () => {
      const queue = new UniversalQueue<number>({ withfd: true });
      const task = await spawn(async () => {
        await readWait(queue);
        return [queue.size(), await queue.get()];
      });
      await sleep(0);
      await queue.put(7);
      expect(await task.join()).toEqual([1, 7]);
      await queue.shutdown();
    });
  });

  test('there is none without the option', () => {
    expect(() => new UniversalQueue().fileno()).toThrow(/withfd/);
  });
});

test('in a group of threads and tasks every item is got exactly once', async () => {
  const got = await run(async () => {
    const queue = new UniversalQueue<number>({ maxsize: 10 });
    const group = new TaskGroup<number[]>();
    for (let i = 0; i < 2; i++) {
      await group.spawnThread((it: UniversalQueue<number>) => {
        const items: number[] = [];
        for (const item of it) items.push(item);
        return items;
      }, queue);
    }
    await group.spawn(async () => {
      const items: number[] = [];
      for await (const item of queue) items.push(item);
      return items;
    });
    for (let i = 0; i < 1000; i++) await queue.put(i);
    await queue.shutdown();
    await group.join();
    return group.results;
  });
  expect(got.flat().sort((a, b) => a - b)).toEqual(upTo(1000));
});
