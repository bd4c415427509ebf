// Asynchronous metaprogramming: asking where one is, preparing calls, and pairing synchronous functions with asynchronous ones.

import { runInNewContext } from 'node:vm';
import { Queue, run, sleep, spawn, TaskCancelled, timeoutAfter } from 'curio';
import {
  awaitable,
  curioRunning,
  fromCoroutine,
  instantiateCoroutine,
  isCoroutineFunction,
} from 'curio/meta';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';

const clock = () => ({ clock: new VirtualClock() });

describe('curioRunning()', () => {
  test('is true inside a task only', async () => {
    expect(curioRunning()).toBe(false);
    const seen: boolean[] = [];
    const running = run(clock(), async () => {
      seen.push(curioRunning());
      await sleep(1);
      seen.push(curioRunning());
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(curioRunning());
      const task = await spawn(async () => seen.push(curioRunning()));
      await task.join();
    });
    expect(curioRunning()).toBe(false);
    await new Promise((resolve) => setImmediate(resolve));
    expect(curioRunning()).toBe(false);
    await running;
    expect(curioRunning()).toBe(false);
    expect(seen).toEqual([true, true, true, true]);
  });

  test('is true in plain functions that a task calls, and false once the task has ended', async () => {
    const helper = () => [curioRunning(), fromCoroutine()];
    let later!: Promise<boolean[]>;
    await run(async () => {
      expect(helper()).toEqual([true, true]);
      later = new Promise((resolve) => setImmediate(resolve)).then(helper);
    });
    expect(await later).toEqual([false, false]);
    expect(helper()).toEqual([false, false]);
  });
});

describe('isCoroutineFunction()', () => {
  async function asyncFn() {}
  async function* asyncGenerator() {}
  function plain() {}
  function* generator() {}

  test('is true for async functions and async generators, and sees through bind()', () => {
    for (const fn of [asyncFn, asyncGenerator, async () => {}, { async method() {} }.method]) {
      expect(isCoroutineFunction(fn)).toBe(true);
      expect(isCoroutineFunction(fn.bind(null))).toBe(true);
      expect(isCoroutineFunction(fn.bind(null).bind(null))).toBe(true);
    }
  });

  test('is true for prepared coroutines and for functions that have an async half, bound or not', () => {
    const both = awaitable(plain)(asyncFn);
    expect(isCoroutineFunction(instantiateCoroutine(asyncFn))).toBe(true);
    expect(isCoroutineFunction(both)).toBe(true);
    expect(isCoroutineFunction(both.bind(null))).toBe(true);
  });

  test('is true for an async function of another realm', () => {
    expect(isCoroutineFunction(runInNewContext('async () => {}'))).toBe(true);
    expect(isCoroutineFunction(runInNewContext('() => {}'))).toBe(false);
  });

  test('is false for everything else', () => {
    for (const value of [
      plain,
      generator,
      () => Promise.resolve(),
      class {},
      asyncFn(),
      Promise.resolve(),
      5,
      null,
    ]) {
      expect(isCoroutineFunction(value)).toBe(false);
    }
    expect(isCoroutineFunction(undefined)).toBe(false);
    expect(isCoroutineFunction(plain.bind(null))).toBe(false);
  });
});

describe('instantiateCoroutine()', () => {
  test('prepares a call without making it', async () => {
    let calls = 0;
    const add = async (a: number, b: number) => {
      calls++;
      await sleep(1);
      return a + b;
    };
    const coroutine = instantiateCoroutine(add, 2, 3);
    expect(calls).toBe(0);
    expect(await run(clock(), coroutine)).toBe(5);
    expect(calls).toBe(1);
  });

  test('gives back a coroutine as it is', () => {
    const coroutine = instantiateCoroutine(async () => 1);
    expect(instantiateCoroutine(coroutine)).toBe(coroutine);
  });

  test('gives what is accepted wherever a function is', async () => {
    const { disableCancellation, gather, ignoreAfter, Lock, TaskGroup, taskGroup } = await import('curio');
    const late = async () => {
      await sleep(0);
      return 'made';
    };
    const make = () => instantiateCoroutine(late);
    await run(clock(), async () => {
      expect(await (await spawn(make())).join()).toBe('made');
      expect(await (await spawn({ daemon: false }, make())).join()).toBe('made');
      expect(await timeoutAfter(1, make())).toBe('made');
      expect(await timeoutAfter(1).run(make())).toBe('made');
      expect(await ignoreAfter(1, make())).toBe('made');
      expect(await disableCancellation(make())).toBe('made');
      expect(await new Lock().with(make())).toBe('made');
      expect(await gather([make() as never])).toEqual(['made']);
      const group = new TaskGroup<string>();
      await group.spawn(make());
      await group.join();
      expect(group.results).toEqual(['made']);
      await taskGroup(instantiateCoroutine(async () => {}) as never);
    });
  });

  test('refuses plain functions, called or not, with what to write instead', () => {
    function plain() {
      return Promise.resolve(5);
    }
    expect(() => instantiateCoroutine(plain)).toThrow(TypeError);
    expect(() => instantiateCoroutine(plain)).toThrow(
      /instantiateCoroutine\(async \(\) => plain\(\.\.\.\)\)/,
    );
    expect(() => instantiateCoroutine(plain() as never)).toThrow(/was given a promise/);
    expect(() => instantiateCoroutine(5 as never)).toThrow(TypeError);
    expect(() => instantiateCoroutine(class Foo {} as never)).toThrow(/class Foo/);
  });
});

describe('awaitable()', () => {
  function spamSync(x: number, y: number): string {
    return `sync ${x} ${y}`;
  }
  const spam = awaitable(spamSync)(async function spam(x: number, y: number) {
    await sleep(1);
    return `async ${x} ${y}`;
  });

  test('takes the synchronous half outside tasks, and the asynchronous one inside', async () => {
    expect(spam(2, 3)).toBe('sync 2 3');
    expect(await run(clock(), async () => spam(2, 3))).toBe('async 2 3');
    expect(spam(2, 3)).toBe('sync 2 3');
  });

  test('can be spawned, run, and called by helpers of a task', async () => {
    expect(await run(clock(), spam, 1, 2)).toBe('async 1 2');
    await run(clock(), async () => {
      expect(await (await spawn(spam, 3, 4)).join()).toBe('async 3 4');
      const helper = () => spam(5, 6);
      expect(await helper()).toBe('async 5 6');
      expect(await Promise.all([1].map(() => spam(7, 8)))).toEqual(['async 7 8']);
    });
  });

  test('keeps this, name and number of parameters', async () => {
    class Account {
      balance = 10;
      add = awaitable(function add(this: Account, n: number) {
        return this.balance + n;
      })(async function add(this: Account, n: number) {
        await sleep(0);
        return this.balance + n + 100;
      });
    }
    const account = new Account();
    expect(account.add(5)).toBe(15);
    expect(await run(async () => account.add(5))).toBe(115);
    expect(spam.name).toBe('spam');
    expect(spam.length).toBe(2);
    await run(clock(), async () => {
      expect((await spawn({ daemon: true }, spam, 1, 2)).name).toBe('spam');
    });
  });

  test('refuses halves with different parameter lists when they are paired, and what is no function', () => {
    expect(() => awaitable(spamSync)((async (_: number) => '') as never)).toThrow(TypeError);
    expect(() =>
      awaitable((_a: number) => 1)(async function two(_a: number, _b?: number) {} as never),
    ).toThrow(/the synchronous half, anonymous, has 1 parameters, the asynchronous one, two, 2;/);
    expect(() => awaitable(5 as never)).toThrow(/awaitable\(\) wants a function, not 5/);
    expect(() => awaitable(spamSync)(undefined as never)).toThrow(
      /awaitable\(spamSync\)\(\) wants an async function/,
    );
  });
});

describe('async generators in tasks', () => {
  test('with a try around their yield behave normally', async () => {
    const log: string[] = [];
    async function* numbers() {
      for (let i = 0; ; i++) {
        try {
          await sleep(1);
          yield i;
        } catch (error) {
          log.push(`caught ${(error as Error).message}`);
          yield -1;
        }
      }
    }
    await run(clock(), async () => {
      const generator = numbers();
      log.push(String((await generator.next()).value));
      log.push(String((await generator.throw(new Error('thrown in'))).value));
      log.push(String((await generator.next()).value));
      await generator.return(undefined);
    });
    expect(log).toEqual(['0', 'caught thrown in', '-1', '1']);
  });

  test('run their clean-up, which may block, when the loop over them ends in any way', async () => {
    const log: string[] = [];
    async function* numbers(name: string) {
      try {
        for (let i = 0; i < 3; i++) {
          await sleep(1);
          yield i;
        }
      } finally {
        await sleep(1);
        log.push(`${name}: cleaned up`);
      }
    }
    await run(clock(), async () => {
      for await (const i of numbers('to the end')) log.push(String(i));
      for await (const i of numbers('break')) if (i === 1) break;
      await (async () => {
        for await (const _ of numbers('throw')) throw new Error('out of the loop');
      })().catch((error) => log.push(error.message));
      await timeoutAfter(2.5, async () => {
        for await (const _ of numbers('timeout'));
      }).catch((error) => log.push(error.name));
      const task = await spawn(async () => {
        for await (const _ of numbers('cancel')) await sleep(100);
      });
      await sleep(5);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    });
    expect(log).toEqual([
      '0',
      '1',
      '2',
      'to the end: cleaned up',
      'break: cleaned up',
      'throw: cleaned up',
      'out of the loop',
      'timeout: cleaned up',
      'TaskTimeout',
      'cancel: cleaned up',
    ]);
  });

  test('as resource managers: setup, body, clean-up, in this order', async () => {
    const log: string[] = [];
    async function* manager(name: string) {
      log.push(`setup ${name}`);
      await sleep(1);
      try {
        yield name.toUpperCase();
      } finally {
        await sleep(1);
        log.push(`clean-up ${name}`);
      }
    }
    await run(clock(), async () => {
      for await (const value of manager('a')) {
        for await (const inner of manager('b')) log.push(`body ${value}${inner}`);
      }
    });
    expect(log).toEqual(['setup a', 'setup b', 'body AB', 'clean-up b', 'clean-up a']);
  });

  test('feed one another through a queue', async () => {
    const seen: number[] = [];
    await run(clock(), async () => {
      const queue = new Queue<number>(1);
      async function* squares() {
        for await (const n of queue) yield n * n;
      }
      const producer = await spawn(async () => {
        for (let i = 1; i <= 4; i++) await queue.put(i);
      });
      for await (const square of squares()) {
        seen.push(square);
        if (square === 16) break;
      }
      await producer.join();
    });
    expect(seen).toEqual([1, 4, 9, 16]);
  });
});
