// Semaphores: permits, taken and given back.

import {
  BoundedSemaphore,
  CancelledError,
  currentTask,
  Event,
  gather,
  ignoreAfter,
  RuntimeError,
  Semaphore,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { forgetful } from '../kit/forgetful.ts';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

for (const Kind of [Semaphore, BoundedSemaphore]) {
  const name = Kind.name;
  describe(name, () => {
    test('of one permit, the default, it behaves like a lock: one at a time, in the order they came', () =>
      virtually(async () => {
        const log: unknown[] = [];
        const semaphore = new Kind();
        const worker = async (who: string) => {
          log.push(`${who} waits`, semaphore.locked());
          await using _ = await semaphore.acquire();
          log.push(`${who} in`, semaphore.value);
          await sleep(0.25);
          log.push(`${who} leaving`);
        };
        await gather(['a', 'b', 'c'].map((who) => () => worker(who)));
        expect(log).toEqual([
          ...['a waits', false, 'a in', 0],
          ...['b waits', true, 'c waits', true],
          ...['a leaving', 'b in', 0],
          ...['b leaving', 'c in', 0, 'c leaving'],
        ]);
        expect([semaphore.value, semaphore.locked()]).toEqual([1, false]);
      }));

    test('of two permits: two enter at once, the third right after the first has left', () =>
      virtually(async () => {
        const log: unknown[] = [];
        const semaphore = new Kind(2);
        const worker = async (who: string, seconds: number) => {
          log.push(`${who} waits`, semaphore.locked());
          await using _ = await semaphore.acquire();
          log.push(`${who} in`);
          await sleep(seconds);
          log.push(`${who} leaving`);
        };
        await gather([() => worker('a', 0.25), () => worker('b', 0.3), () => worker('c', 0.35)]);
        expect(log).toEqual([
          ...['a waits', false, 'a in'],
          ...['b waits', false, 'b in'],
          ...['c waits', true],
          ...['a leaving', 'c in', 'b leaving', 'c leaving'],
        ]);
        expect(semaphore.value).toBe(2);
      }));

    test('value counts the free permits; locked() means there is none', () =>
      virtually(async () => {
        const semaphore = new Kind(3);
        const seen = [];
        for (let i = 0; i < 3; i++) {
          seen.push(semaphore.value, semaphore.locked());
          await semaphore.acquire();
        }
        seen.push(semaphore.value, semaphore.locked());
        expect(seen).toEqual([3, false, 2, false, 1, false, 0, true]);
        for (let i = 0; i < 3; i++) await semaphore.release();
        expect(semaphore.value).toBe(3);
      }));

    test('value is read only', () => {
      const semaphore = new Kind(3);
      expect(() => {
        (semaphore as { value: number }).value = 5;
      }).toThrow(TypeError);
      expect(semaphore.value).toBe(3);
    });

    test('others may give back very many permits', () =>
      virtually(async () => {
        const many = 250_000;
        const semaphore = new Kind(many);
        const taker = await spawn(async () => {
          for (let i = 0; i < many; i++) await semaphore.acquire();
        });
        await taker.join();
        for (let i = 0; i < many; i++) await semaphore.release();
        expect(semaphore.value).toBe(many);
      }));

    test('knows who has permits, also of those who have several, and of those whose permit others gave back', () =>
      virtually(async () => {
        const semaphore = new Kind(4);
        const who = () => [...semaphore.holders()].map((task) => task.name);
        const hold = async (permits: number, give: Event) => {
          for (let i = 0; i < permits; i++) await semaphore.acquire();
          for (let i = 0; i < permits; i++) {
            await give.wait();
            give.clear();
            await semaphore.release();
          }
        };
        const [left, right] = [new Event(), new Event()];
        const two = await spawn({ name: 'two' }, hold, 2, left);
        const one = await spawn({ name: 'one' }, hold, 1, right);
        await sleep(0);
        const guard = await semaphore.acquire();
        const { name } = await currentTask();
        expect(who()).toEqual(['two', 'one', name]);
        await left.set();
        await sleep(0);
        expect(who()).toEqual(['two', 'one', name]);
        guard.release();
        expect(who()).toEqual(['two', 'one']);
        await semaphore.release();
        expect(who()).toEqual(['one']);
        await semaphore.acquire();
        await left.set();
        await two.join();
        expect(who()).toEqual([name]);
        await right.set();
        await expect(one.join()).resolves.toBeUndefined();
      }));

    test('with waiters present release() passes the permit on: value stays 0, and nobody can overtake', () =>
      virtually(async () => {
        const log: string[] = [];
        const semaphore = new Kind(1);
        const enter = async (who: string) => {
          await using _ = await semaphore.acquire();
          log.push(`${who} in`);
        };
        await semaphore.acquire();
        const waiter = await spawn(enter, 'waiter');
        await sleep(0);
        const newcomer = await spawn(enter, 'newcomer');
        await semaphore.release();
        expect([semaphore.value, semaphore.locked()]).toEqual([0, true]);
        log.push('released');
        await enter('releaser');
        await newcomer.join();
        await waiter.join();
        expect(log).toEqual(['released', 'waiter in', 'releaser in', 'newcomer in']);
        expect(semaphore.value).toBe(1);
      }));

    test('acquire() can be cancelled', () =>
      virtually(async () => {
        const log: string[] = [];
        const semaphore = new Kind(1);
        await using _ = await semaphore.acquire();
        const waiter = await spawn(async () => {
          log.push('waiter waits');
          try {
            await using _ = await semaphore.acquire();
            log.push('never here');
          } catch (error) {
            if (error instanceof CancelledError) log.push('waiter sees the cancellation');
            throw error;
          }
        });
        log.push('holder sleeps');
        await sleep(1);
        log.push('cancel begins');
        await waiter.cancel();
        log.push('cancel returns');
        expect(log).toEqual([
          'holder sleeps',
          'waiter waits',
          'cancel begins',
          'waiter sees the cancellation',
          'cancel returns',
        ]);
        expect(semaphore.value).toBe(0);
      }));

    test('acquire() can time out', () =>
      virtually(async () => {
        const log: string[] = [];
        const semaphore = new Kind(1);
        const guard = await semaphore.acquire();
        const waiter = await spawn(async () => {
          log.push('waiter waits');
          expect(await thrownBy(timeoutAfter(0.5, () => semaphore.acquire()))).toBeInstanceOf(TaskTimeout);
          log.push('waiter timed out');
        });
        log.push('holder sleeps');
        await sleep(1);
        log.push('holder wakes');
        guard.release();
        await waiter.join();
        expect(log).toEqual(['holder sleeps', 'waiter waits', 'waiter timed out', 'holder wakes']);
        expect(semaphore.value).toBe(1);
      }));

    test('0 is allowed: it starts locked', () =>
      virtually(async () => {
        const semaphore = new Semaphore(0);
        expect(semaphore.locked()).toBe(true);
        const waiter = await spawn(async () => {
          await semaphore.acquire();
          return 'through';
        });
        await sleep(1);
        expect(waiter.state).toBe('SEMA_ACQUIRE');
        await semaphore.release();
        expect(await waiter.join()).toBe('through');
        expect(semaphore.value).toBe(0);
      }));

    test('who was chosen has the permit, even if cancelled before it ran', () =>
      virtually(async () => {
        const log: string[] = [];
        const semaphore = new Kind(1);
        await semaphore.acquire();
        const waiter = await spawn(async () => {
          await using _ = await semaphore.acquire();
          log.push('in');
          await sleep(1);
          log.push('never here');
        });
        await sleep(0);
        await semaphore.release();
        await waiter.cancel();
        expect(log).toEqual(['in']);
        expect(waiter.exception).toBeInstanceOf(TaskCancelled);
        expect(semaphore.value).toBe(1);
      }));

    test('one that was chosen and ended without taking it passes it on; with nobody waiting it is free again', () =>
      noisily(async () => {
        const semaphore = new Kind(1);
        await semaphore.acquire();
        const careless = await forgetful(() => semaphore.acquire());
        const next = await spawn(() => semaphore.acquire());
        await sleep(0);
        await semaphore.release();
        await careless.end();
        expect(semaphore.value).toBe(0);
        await next.join();
        const again = await forgetful(() => semaphore.acquire());
        await semaphore.release();
        await again.end();
        expect([semaphore.value, String(semaphore)]).toEqual([1, `${name}(value 1, 0 waiting)`]);
      }));

    test('with() runs a function while holding a permit', () =>
      virtually(async () => {
        const semaphore = new Kind(2);
        expect(await semaphore.with(async (x: number) => [x, semaphore.value], 5)).toEqual([5, 1]);
        expect(await thrownBy(semaphore.with(() => Promise.reject(new Error('bad'))))).toMatchObject({
          message: 'bad',
        });
        expect(await ignoreAfter({ timeoutResult: 'late' }, 1, () => semaphore.with(sleep, 5))).toBe('late');
        expect(semaphore.value).toBe(2);
        expect(() => semaphore.with(5 as never)).toThrow('Semaphore.with() wants a function');
      }));

    test('a guard gives its permit back once', () =>
      virtually(async () => {
        const semaphore = new Kind(2);
        {
          await using guard = await semaphore.acquire();
          guard.release();
          guard.release();
          expect(semaphore.value).toBe(2);
        }
        expect(semaphore.value).toBe(2);
      }));

    test('has a debug string, and its wait shows as SEMA_ACQUIRE', () =>
      virtually(async () => {
        const semaphore = new Kind(1);
        expect(String(semaphore)).toBe(`${name}(value 1, 0 waiting)`);
        await semaphore.acquire();
        const waiter = await spawn(() => semaphore.acquire());
        await sleep(0);
        expect(String(semaphore)).toBe(`${name}(value 0, 1 waiting)`);
        expect(waiter.state).toBe('SEMA_ACQUIRE');
        await semaphore.release();
        await waiter.join();
      }));

    test('what is no number of permits is refused', () => {
      expect(() => new Kind(-1)).toThrow(RangeError);
      expect(() => new Kind(1.5)).toThrow(RangeError);
      expect(() => new Kind(Number.NaN)).toThrow(RangeError);
      expect(() => new Kind(Number.POSITIVE_INFINITY)).toThrow(RangeError);
      expect(() => new Kind('2' as never)).toThrow('A semaphore starts with a number of permits, not "2".');
    });

    test('outside a task it is refused, and so is a second operation while one waits', async () => {
      const semaphore = new Kind(1);
      expect(await thrownBy(semaphore.acquire())).toBeInstanceOf(RuntimeError);
      expect(await thrownBy(semaphore.release())).toBeInstanceOf(RuntimeError);
      expect(await thrownBy(semaphore.with(() => {}))).toBeInstanceOf(RuntimeError);
      expect(semaphore.value).toBe(1);
      await noisily(async () => {
        await semaphore.acquire();
        const other = await spawn(async () => {
          const first = semaphore.acquire();
          expect(() => semaphore.acquire()).toThrow(TaskBusyError);
          expect(() => semaphore.with(() => {})).toThrow(TaskBusyError);
          (await first).release();
        });
        await sleep(0);
        await semaphore.release();
        await other.join();
      });
    });

    test('no permit is lost or made, wherever it is interrupted and in whatever order', async () => {
      let semaphore!: Semaphore;
      let inside = 0;
      let entered = 0;
      const program = async () => {
        semaphore = new Kind(2);
        inside = entered = 0;
        const critical = async (seconds: number) => {
          await using _ = await semaphore.acquire();
          entered++;
          expect(++inside).toBeLessThanOrEqual(2);
          try {
            await sleep(seconds);
          } finally {
            inside--;
          }
        };
        const tasks = [];
        for (const seconds of [1, 2, 1, 0]) tasks.push(await spawn(critical, seconds));
        tasks.push(await spawn(() => ignoreAfter(1, critical, 1)));
        for (const task of tasks) await task.wait();
      };
      await cancelEverywhere(program, ({ kind }) => {
        expect([inside, semaphore.value]).toEqual([0, 2]);
        if (kind === 'none') expect(entered).toBe(4);
      });
      await explore(
        async () => {
          await program();
          expect(String(semaphore)).toBe(`${name}(value 2, 0 waiting)`);
        },
        { seeds: 50 },
      );
    });
  });
}

describe('Semaphore', () => {
  test('may be released without having been acquired: there is no upper bound', () =>
    virtually(async () => {
      const semaphore = new Semaphore(1);
      for (let i = 0; i < 5; i++) await semaphore.release();
      expect(semaphore.value).toBe(6);
    }));
});

describe('BoundedSemaphore', () => {
  test('never has more permits than it began with', () =>
    virtually(async () => {
      const semaphore = new BoundedSemaphore(2);
      const error = await thrownBy(semaphore.release());
      expect(error).toBeInstanceOf(RuntimeError);
      expect((error as Error).message).toContain('its bound is 2');
      await semaphore.acquire();
      await semaphore.release();
      expect(await thrownBy(semaphore.release())).toBeInstanceOf(RuntimeError);
      expect(semaphore.value).toBe(2);
    }));

  test('a guard whose permit was released behind its back says so', () =>
    virtually(async () => {
      const semaphore = new BoundedSemaphore(1);
      const guard = await semaphore.acquire();
      await semaphore.release();
      expect(() => guard.release()).toThrow(RuntimeError);
      expect(semaphore.value).toBe(1);
    }));

  test('of 0 permits has none, ever', () =>
    virtually(async () => {
      const semaphore = new BoundedSemaphore(0);
      expect(semaphore.locked()).toBe(true);
      expect(await thrownBy(semaphore.release())).toBeInstanceOf(RuntimeError);
      expect(await ignoreAfter({ timeoutResult: 'waits' }, 1, () => semaphore.acquire())).toBe('waits');
    }));

  test('is a Semaphore', () => expect(new BoundedSemaphore(1)).toBeInstanceOf(Semaphore));
});
