// Ordinary promises in tasks: the language's own await works, other tasks run meanwhile, and cancellation is delivered at
// the next operation.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  CancelledError,
  currentTask,
  Event,
  Queue,
  run,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskError,
  TaskTimeout,
  timeoutAfter,
  wait,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

interface Deferred<T> {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A turn of the event loop, as an ordinary promise. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

describe('a task that awaits an ordinary promise', () => {
  test('gets its value and its error', async () => {
    await run(async () => {
      const text = await readFile(fileURLToPath(import.meta.url), 'utf8');
      expect(text).toContain('Ordinary promises in tasks');
      await expect(readFile('/nowhere/at/all')).rejects.toMatchObject({ code: 'ENOENT' });
      await sleep(0);
    });
  });

  test('is in PROMISE_WAIT while other tasks run', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred<string>();
      const task = await spawn(async () => {
        log.push(`got ${await gate.promise}`);
      });
      for (let i = 0; i < 3; i++) {
        log.push(`main ${i}`);
        await sleep(1);
      }
      expect(task.state).toBe('PROMISE_WAIT');
      gate.resolve('it');
      await task.join();
    });
    expect(log).toEqual(['main 0', 'main 1', 'main 2', 'got it']);
  });

  test('is still who it is afterwards, as often as you like, and can mix operations in', async () => {
    await run(async () => {
      const queue = new Queue<number>();
      const worker = async (n: number) => {
        const self = await currentTask();
        for (let i = 0; i < 5; i++) {
          await turn();
          expect(await currentTask()).toBe(self);
          await sleep(0);
          await queue.put(n);
          await turn();
          await turn();
          expect(await currentTask()).toBe(self);
        }
        return n;
      };
      const tasks: Task<number>[] = [];
      for (let n = 0; n < 100; n++) tasks.push(await spawn(worker, n));
      for (const [n, task] of tasks.entries()) expect(await task.join()).toBe(n);
      expect(queue.size()).toBe(500);
    });
  });

  test('counts one more cycle for each', async () => {
    await run(async () => {
      const task = await spawn(async () => {
        await turn();
        await turn();
      });
      await task.join();
      // The first turn, and one for each promise that the kernel saw it come back from.
      expect(task.cycles).toBe(2);
      const counted = await spawn(async () => {
        await turn();
        await sleep(0);
        await turn();
        await sleep(0);
      });
      await counted.join();
      expect(counted.cycles).toBe(5);
    });
  });

  test('and is the only one there keeps the run going', async () => {
    const gate = deferred<number>();
    setTimeout(() => gate.resolve(5), 2);
    expect(await run({ clock: new VirtualClock() }, async () => (await gate.promise) + 1)).toBe(6);
  });

  test('that is settled already does not let others in', async () => {
    const log: string[] = [];
    await run(async () => {
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      const settled = Promise.resolve();
      for (let i = 0; i < 100; i++) await settled;
      log.push('main');
      await sleep(0);
    });
    expect(log).toEqual(['main', 'other']);
  });

  test('can have been resolved by another task in the middle of its turn: both go on, one operation at a time', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred();
      const queue = new Queue<string>();
      const held = await spawn(async () => {
        await gate.promise;
        log.push('held: on');
        await queue.put('from held');
        await sleep(1);
        log.push('held: slept');
      });
      await sleep(0);
      await turn();
      const releaser = await spawn(async () => {
        gate.resolve();
        for (let i = 0; i < 20; i++) await null;
        log.push('releaser: still its turn');
        await queue.put('from releaser');
        await sleep(1);
        log.push('releaser: slept');
      });
      await held.join();
      await releaser.join();
      expect([await queue.get(), await queue.get()]).toEqual(['from held', 'from releaser']);
    });
    expect(log).toEqual(['held: on', 'releaser: still its turn', 'held: slept', 'releaser: slept']);
  });

  test('may end in the middle of another one’s turn, and be joined', async () => {
    await run(quiet(), async () => {
      const gate = deferred<number>();
      const held = await spawn(() => gate.promise);
      const joiner = await spawn(() => held.join());
      await sleep(0);
      await turn();
      gate.resolve(9);
      for (let i = 0; i < 20; i++) await null;
      expect(held.terminated).toBe(true);
      expect(await joiner.join()).toBe(9);
      await sleep(1);
    });
  });

  test('may be the main task, and end while another one runs', async () => {
    const log: string[] = [];
    const gate = deferred<string>();
    const options = quiet();
    const result = await run(options, async () => {
      await spawn({ daemon: true }, async () => {
        await turn();
        gate.resolve('main result');
        try {
          for (let i = 0; i < 50; i++) await null;
          log.push('the other goes on');
          await sleep(1000);
        } catch (error) {
          log.push((error as Error).name);
          await sleep(1);
          log.push('cleaned up');
          throw error;
        }
      });
      await sleep(0);
      return gate.promise;
    });
    expect(result).toBe('main result');
    expect(log).toEqual(['the other goes on', 'TaskCancelled', 'cleaned up']);
    expect(options.logger.lines).toEqual([]);
  });

  test('and is one of a hundred does not disturb the order of the others', async () => {
    const log: number[] = [];
    await run(async () => {
      const tasks: Task<void>[] = [];
      for (let n = 0; n < 100; n++) {
        tasks.push(
          await spawn(async () => {
            if (n % 10 === 0) await turn();
            else {
              await sleep(0);
              log.push(n);
            }
          }),
        );
      }
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(Array.from({ length: 100 }, (_, n) => n).filter((n) => n % 10 !== 0));
  });
});

describe('the cancellation of a task that awaits an ordinary promise', () => {
  test('comes at its next operation that blocks', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred();
      const queue = new Queue<number>();
      const task = await spawn(async () => {
        try {
          await gate.promise;
          log.push('the promise has settled');
          await queue.put(1);
          log.push('put does not block');
          await sleep(1);
          log.push('not reached');
        } catch (error) {
          expect(error).toBeInstanceOf(TaskCancelled);
          log.push('cancelled');
          throw error;
        }
      });
      await sleep(0);
      await turn();
      expect(task.state).toBe('PROMISE_WAIT');
      await task.cancel({ blocking: false });
      await sleep(1);
      expect(task.state).toBe('PROMISE_WAIT');
      log.push('requested');
      gate.resolve();
      await task.wait();
      log.push('ended');
    });
    expect(log).toEqual(['requested', 'the promise has settled', 'put does not block', 'cancelled', 'ended']);
  });

  test('never comes to one that ends without another operation', async () => {
    await run(quiet(), async () => {
      const gate = deferred<string>();
      const task = await spawn(() => gate.promise);
      await sleep(0);
      await turn();
      await task.cancel({ blocking: false });
      gate.resolve('ended as if nothing had been');
      expect(await task.join()).toBe('ended as if nothing had been');
      expect(task.cancelled).toBe(true);
    });
  });

  test('that waits for the end waits as long as the promise does', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred();
      const task = await spawn(async () => {
        await gate.promise;
        await sleep(1);
      });
      await spawn({ daemon: true }, async () => {
        await sleep(5);
        log.push('resolve');
        gate.resolve();
      });
      await sleep(1);
      await task.cancel();
      log.push('cancel has returned');
    });
    expect(log).toEqual(['resolve', 'cancel has returned']);
  });
});

describe('a timeout around an ordinary promise', () => {
  test('comes at the next operation that blocks', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred();
      await spawn({ daemon: true }, async () => {
        await sleep(5);
        gate.resolve();
      });
      try {
        await timeoutAfter(2, async () => {
          await gate.promise;
          log.push('the promise has settled');
          await sleep(0);
          log.push('not reached');
        });
      } catch (error) {
        expect(error).toBeInstanceOf(TaskTimeout);
        log.push('timed out');
      }
      await sleep(10);
      log.push('undisturbed');
    });
    expect(log).toEqual(['the promise has settled', 'timed out', 'undisturbed']);
  });

  test('is forgotten if the block ends without another operation, with a warning that it came late', async () => {
    const options = quiet();
    await run(options, async () => {
      const gate = deferred<string>();
      await spawn({ daemon: true }, async () => {
        await sleep(5);
        gate.resolve('late');
      });
      expect(await timeoutAfter(2, () => gate.promise)).toBe('late');
      await sleep(10);
    });
    expect(options.logger.of('warn')).toHaveLength(1);
    expect(options.logger.of('warn')[0]).toMatch(/timeout of 2 s ended 3\.000 s after/);
  });

  test('does not fire when the promise is in time', async () => {
    await run(quiet(), async () => {
      expect(
        await timeoutAfter(2, async () => {
          await turn();
          await sleep(1);
          await turn();
          return 'in time';
        }),
      ).toBe('in time');
      await sleep(100);
    });
  });
});

describe('awaiting the promise of one task in another', () => {
  test('is possible through wait(), and what is cancelled there is the wait', async () => {
    await run(quiet(), async () => {
      const shared = deferred<string>();
      const waiters: Task<string>[] = [];
      for (let i = 0; i < 5; i++) waiters.push(await spawn(() => wait(shared.promise)));
      await sleep(1);
      await waiters[2]!.cancel();
      shared.resolve('shared');
      for (const [i, task] of waiters.entries()) {
        if (i === 2) expect(task.exception).toBeInstanceOf(CancelledError);
        else expect(await task.join()).toBe('shared');
      }
    });
  });

  test('for the promise of an operation hangs on the task that does it', async () => {
    const options = quiet();
    await run(options, async () => {
      const event = new Event();
      let waiting!: Promise<void>;
      const owner = await spawn(async () => {
        waiting = event.wait();
        await waiting;
        return 'owner';
      });
      await sleep(0);
      const other = await spawn(async () => {
        await waiting;
        return 'other';
      });
      await sleep(0);
      await event.set();
      expect(await owner.join()).toBe('owner');
      expect(await other.join()).toBe('other');
    });
    expect(options.logger.lines).toEqual([]);
  });
});

describe('a rejected ordinary promise', () => {
  test('crashes the task that awaits it, with the very error', async () => {
    const options = quiet();
    await run(options, async () => {
      const gate = deferred();
      const task = await spawn(() => gate.promise);
      await sleep(0);
      await turn();
      const error = new Error('from outside');
      gate.reject(error);
      const failure = await task.join().catch((it) => it);
      expect(failure).toBeInstanceOf(TaskError);
      expect(failure.cause).toBe(error);
    });
    expect(options.logger.of('error')[0]).toContain('from outside');
  });
});
