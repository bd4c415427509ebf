// Condition variables: waiting with a lock in hand, and being told.

import {
  CancelledError,
  Condition,
  Event,
  ignoreAfter,
  Lock,
  RLock,
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
import { forgetful } from '../kit/forgetful.ts';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

const join = async (tasks: Task[]) => {
  for (const task of tasks) await task.join();
};

describe('wait() and notify()', () => {
  test('two consumers are served alternately, in the order they wait; the item is there when they wake', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition(new Lock());
      const items: (number | null)[] = [];
      const consumer = async (name: string) => {
        for (;;) {
          await using _ = await condition.acquire();
          if (items.length === 0) {
            log.push(`${name} waits`);
            await condition.wait();
          }
          const item = items.shift() as number | null;
          if (item === null) break;
          log.push(`${name} gets ${item}`);
        }
        log.push(`${name} done`);
      };
      const producer = async () => {
        for (const item of [0, 1, 2, 3, null, null]) {
          await condition.with(async () => {
            items.push(item);
            log.push(item === null ? 'ending' : `producing ${item}`);
            await condition.notify();
          });
          await sleep(0.1);
        }
      };
      await join([await spawn(consumer, 'A'), await spawn(consumer, 'B'), await spawn(producer)]);
      expect(log).toEqual([
        ...['A waits', 'B waits'],
        ...['producing 0', 'A gets 0', 'A waits'],
        ...['producing 1', 'B gets 1', 'B waits'],
        ...['producing 2', 'A gets 2', 'A waits'],
        ...['producing 3', 'B gets 3', 'B waits'],
        ...['ending', 'A done', 'ending', 'B done'],
      ]);
    }));

  test('wait() gives the lock away, and has it again when it returns', () =>
    virtually(async () => {
      const seen: unknown[] = [];
      const condition = new Condition();
      const waiter = await spawn(async () => {
        await using _ = await condition.acquire();
        await condition.wait();
        seen.push(condition.locked());
        await sleep(1);
      });
      await sleep(0);
      seen.push(condition.locked());
      await condition.acquire();
      await condition.notify();
      // Told, but the lock is not free yet.
      await sleep(1);
      seen.push(waiter.state);
      await condition.release();
      await sleep(0);
      seen.push(condition.locked());
      await waiter.join();
      seen.push(condition.locked());
      expect(seen).toEqual([false, 'LOCK_ACQUIRE', true, true, false]);
    }));

  test('cancelling a waiter: it gets the cancellation with the lock in hand, and leaves its block properly', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const condition = new Condition();
      const waiter = await spawn(async () => {
        try {
          await using _ = await condition.acquire();
          log.push('waiter waits');
          try {
            await condition.wait();
          } finally {
            log.push(condition.locked());
          }
          log.push('never here');
        } catch (error) {
          if (error instanceof CancelledError) log.push('waiter sees the cancellation');
          throw error;
        }
      });
      log.push('canceller sleeps');
      await sleep(1);
      log.push('cancel begins');
      await waiter.cancel();
      log.push('cancel returns');
      expect(log).toEqual([
        'canceller sleeps',
        'waiter waits',
        'cancel begins',
        true,
        'waiter sees the cancellation',
        'cancel returns',
      ]);
      expect(String(condition)).toBe('Condition(unlocked, 0 waiting)');
    }));

  test('the cancellation, or timeout, comes only after the lock has been acquired again, however long that takes', () =>
    virtually(async () => {
      for (const how of ['cancel', 'timeout']) {
        const log: unknown[] = [];
        const condition = new Condition();
        const waiter = await spawn(async () => {
          await using _ = await condition.acquire();
          try {
            await timeoutAfter(how === 'timeout' ? 2 : null, () => condition.wait());
          } catch (error) {
            log.push((error as Error).name, condition.locked(), await sleep(0));
          }
        });
        const began = await sleep(1);
        const guard = await condition.acquire();
        if (how === 'cancel') await waiter.cancel({ blocking: false });
        await sleep(5);
        expect([waiter.state, log]).toEqual(['LOCK_ACQUIRE', []]);
        guard.release();
        await waiter.wait();
        expect(log).toEqual([how === 'cancel' ? 'TaskCancelled' : 'TaskTimeout', true, began + 5]);
        expect(condition.locked()).toBe(false);
        if (how === 'timeout') await waiter.join();
      }
    }));

  test('a timeout around wait() alone works inside the block', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const waiter = await spawn(async () => {
        await using _ = await condition.acquire();
        log.push('waiter waits');
        expect(await thrownBy(timeoutAfter(0.25, () => condition.wait()))).toBeInstanceOf(TaskTimeout);
        log.push('waiter timed out');
      });
      log.push('parent sleeps');
      await sleep(1);
      log.push('parent done');
      await waiter.join();
      expect(log).toEqual(['parent sleeps', 'waiter waits', 'waiter timed out', 'parent done']);
    }));

  test('a cancellation that is already due comes before the lock is given away', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const condition = new Condition();
      const waiter = await spawn(async () => {
        await using _ = await condition.acquire();
        await waiter.cancel({ blocking: false });
        const other = await spawn(async () => log.push(condition.locked()));
        try {
          await condition.wait();
        } finally {
          log.push('back');
          await other.join();
        }
      });
      await waiter.wait();
      expect(log).toEqual(['back', true]);
    }));

  test('a cancellation that comes while a notified waiter acquires the lock hits its next operation', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const waiter = await spawn(async () => {
        await using _ = await condition.acquire();
        await condition.wait();
        log.push('told');
        await sleep(1);
        log.push('never here');
      });
      await sleep(0);
      const guard = await condition.acquire();
      await condition.notify();
      await sleep(1);
      await waiter.cancel({ blocking: false });
      await sleep(1);
      guard.release();
      await waiter.wait();
      expect(log).toEqual(['told']);
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
      expect(condition.locked()).toBe(false);
    }));

  test('who was notified and then cancelled before it ran has its notification', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const waiter = await spawn(async () => {
        await using _ = await condition.acquire();
        await condition.wait();
        log.push('told');
        await sleep(1);
      });
      await sleep(0);
      await condition.with(() => condition.notify());
      await waiter.cancel();
      expect(log).toEqual(['told']);
    }));

  test('cancelled first and notified afterwards, in one turn: the notification goes to the next', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const worker = (name: string) => async () => {
        await using _ = await condition.acquire();
        await condition.wait();
        log.push(name);
      };
      const [first, second] = [await spawn(worker('first')), await spawn(worker('second'))];
      await sleep(0);
      await first.cancel({ blocking: false });
      await condition.with(() => condition.notify());
      await first.wait();
      await second.join();
      expect(log).toEqual(['second']);
    }));

  test('one that was notified and ended without noticing passes the notification on', () =>
    noisily(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const careless = await forgetful(async () => {
        await condition.acquire();
        await condition.wait();
      });
      const next = await spawn(async () => {
        await using _ = await condition.acquire();
        await condition.wait();
        log.push('next');
      });
      await sleep(0);
      await condition.with(() => condition.notify());
      expect(careless.task.state).toBe('READY');
      await careless.end();
      await next.join();
      expect(log).toEqual(['next']);
      expect(String(condition)).toBe('Condition(unlocked, 0 waiting)');
    }));

  test('a waiter shows as COND_WAIT', () =>
    virtually(async () => {
      const condition = new Condition();
      const waiter = await spawn(() => condition.with(() => condition.wait()));
      await sleep(0);
      expect([waiter.state, String(condition)]).toEqual(['COND_WAIT', 'Condition(unlocked, 1 waiting)']);
      await waiter.cancel();
    }));
});

describe('notify(n) and notifyAll()', () => {
  /** Waiters that log their names when told. */
  async function waiters(condition: Condition, log: string[], names: string[]): Promise<Task[]> {
    const tasks = [];
    for (const name of names) {
      tasks.push(
        await spawn(async () => {
          await using _ = await condition.acquire();
          log.push(`${name} waits`);
          await condition.wait();
          log.push(`${name} told`);
        }),
      );
    }
    await sleep(1);
    return tasks;
  }

  test('notifyAll wakes all: the notifier goes on first, then they resume one after another', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const tasks = await waiters(condition, log, ['a', 'b', 'c']);
      await condition.with(async () => {
        log.push('notify');
        await condition.notifyAll();
      });
      log.push('notified');
      await join(tasks);
      expect(log).toEqual([
        'a waits',
        'b waits',
        'c waits',
        'notify',
        'notified',
        'a told',
        'b told',
        'c told',
      ]);
    }));

  test('notify(n) wakes the n that have waited longest', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const tasks = await waiters(condition, log, ['a', 'b', 'c', 'd']);
      log.length = 0;
      await condition.with(() => condition.notify(2));
      await sleep(1);
      expect(log).toEqual(['a told', 'b told']);
      await condition.with(() => condition.notify(0));
      await sleep(1);
      expect(log).toEqual(['a told', 'b told']);
      await condition.with(() => condition.notify());
      await sleep(1);
      expect(log).toEqual(['a told', 'b told', 'c told']);
      // More than there are: as many as there are.
      await condition.with(() => condition.notify(Number.POSITIVE_INFINITY));
      await join(tasks);
      expect(log).toEqual(['a told', 'b told', 'c told', 'd told']);
    }));

  test('with nobody waiting it does nothing', () =>
    virtually(async () => {
      const condition = new Condition();
      await condition.with(async () => {
        await condition.notify();
        await condition.notify(5);
        await condition.notifyAll();
      });
      expect(String(condition)).toBe('Condition(unlocked, 0 waiting)');
      // A notification does not wait for a waiter.
      const waits = () => condition.with(() => condition.wait());
      expect(await ignoreAfter({ timeoutResult: 'waits' }, 1, waits)).toBe('waits');
    }));

  test('what is no number of tasks is refused at the call', () =>
    virtually(async () => {
      const condition = new Condition();
      await using _ = await condition.acquire();
      expect(() => condition.notify('all' as never)).toThrow(
        'Condition.notify() wants a number of tasks, not "all".',
      );
      expect(() => condition.notify(Number.NaN)).toThrow(TypeError);
      expect(() => condition.notify(-1)).toThrow(RangeError);
    }));
});

describe('waitFor()', () => {
  test('tests again after each wake-up, and waits again, at the back of the line, while it is false', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const items: number[] = [];
      const consumer = async (name: string) => {
        await using _ = await condition.acquire();
        log.push(`${name} waits`);
        await condition.waitFor(() => items.length > 2);
        log.push(`${name} sees ${items.length}`);
      };
      const tasks = [await spawn(consumer, 'A'), await spawn(consumer, 'B')];
      await sleep(1);
      for (let n = 0; n < 4; n++) {
        await condition.with(async () => {
          items.push(n);
          log.push(`producing ${n}`);
          await condition.notify();
        });
        await sleep(1);
      }
      await join(tasks);
      expect(log).toEqual([
        ...['A waits', 'B waits'],
        ...['producing 0', 'producing 1'],
        ...['producing 2', 'A sees 3'],
        ...['producing 3', 'B sees 4'],
      ]);
    }));

  test('gives the predicate’s value, and does not wait when it already holds', () =>
    virtually(async () => {
      const log: string[] = [];
      const condition = new Condition();
      const other = await spawn(async () => log.push('other'));
      await condition.with(async () => {
        const value = await condition.waitFor(() => 'truth');
        expectTypeOf(value).toEqualTypeOf<string>();
        expect(value).toBe('truth');
      });
      log.push('main');
      await other.join();
      expect(log).toEqual(['main', 'other']);
    }));

  test('the predicate may be async', () =>
    virtually(async () => {
      const condition = new Condition();
      let ready = false;
      const waiter = await spawn(() => condition.with(() => condition.waitFor(async () => ready && 'ready')));
      await sleep(1);
      ready = true;
      await condition.with(() => condition.notify());
      expect(await waiter.join()).toBe('ready');
    }));

  test('an error of the predicate comes out, with the lock in hand', () =>
    virtually(async () => {
      const condition = new Condition();
      const bad = new RangeError('bad');
      await using _ = await condition.acquire();
      expect(
        await thrownBy(
          condition.waitFor(() => {
            throw bad;
          }),
        ),
      ).toBe(bad);
      expect(condition.locked()).toBe(true);
    }));

  test('can be cancelled and can time out', () =>
    virtually(async () => {
      const condition = new Condition();
      const never = () => condition.with(() => condition.waitFor(() => false));
      expect(await thrownBy(timeoutAfter(1, never))).toBeInstanceOf(TaskTimeout);
      const waiter = await spawn(never);
      await sleep(1);
      await waiter.cancel();
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
      expect(condition.locked()).toBe(false);
    }));

  test('a predicate that releases the lock is told so', () =>
    virtually(async () => {
      const condition = new Condition();
      const guard = await condition.acquire();
      const error = await thrownBy(
        condition.waitFor(() => {
          guard.release();
          return false;
        }),
      );
      expect(error).toBeInstanceOf(RuntimeError);
      expect(condition.locked()).toBe(false);
      // And the lock still is a lock for one.
      await condition.acquire();
      expect(condition.locked()).toBe(true);
      await condition.release();
    }));

  test('what is no function is refused at the call', () =>
    virtually(async () => {
      const condition = new Condition();
      expect(() => condition.waitFor(true as never)).toThrow('Condition.waitFor() wants a function');
    }));
});

describe('the lock', () => {
  test('is a fresh Lock by default', () =>
    virtually(async () => {
      const [one, two] = [new Condition(), new Condition()];
      await one.acquire();
      expect([one.locked(), two.locked()]).toEqual([true, false]);
      expect(await ignoreAfter({ timeoutResult: 'not reentrant' }, 1, () => one.acquire())).toBe(
        'not reentrant',
      );
      await one.release();
    }));

  test('may be given, and shared with other conditions', () =>
    virtually(async () => {
      const lock = new Lock();
      const [full, empty] = [new Condition(lock), new Condition(lock)];
      const slot: number[] = [];
      const got: number[] = [];
      const consumer = await spawn(async () => {
        for (let i = 0; i < 5; i++) {
          await using _ = await lock.acquire();
          await full.waitFor(() => slot.length > 0);
          got.push(slot.pop() as number);
          await empty.notify();
        }
      });
      for (let i = 0; i < 5; i++) {
        await using _ = await lock.acquire();
        await empty.waitFor(() => slot.length === 0);
        slot.push(i);
        await full.notify();
      }
      await consumer.join();
      expect(got).toEqual([0, 1, 2, 3, 4]);
      expect([full.locked(), lock.locked()]).toEqual([false, false]);
    }));

  test('may be an RLock: wait() gives all of its levels away, and takes them again', () =>
    virtually(async () => {
      const lock = new RLock();
      const condition = new Condition(lock);
      const waiter = await spawn(async () => {
        await using _ = await condition.acquire();
        await using __ = await condition.acquire();
        await condition.wait();
        return String(lock);
      });
      await sleep(0);
      expect(lock.locked()).toBe(false);
      await condition.with(() => condition.with(() => condition.notify()));
      expect(await waiter.join()).toBe('RLock(locked, depth 2, 0 waiting)');
      expect(lock.locked()).toBe(false);
    }));

  test('a guard from before wait() is good afterwards', () =>
    virtually(async () => {
      for (const lock of [new Lock(), new RLock()]) {
        const condition = new Condition(lock);
        const waiter = await spawn(async () => {
          const guard = await condition.acquire();
          await condition.wait();
          guard.release();
        });
        await sleep(0);
        await condition.with(() => condition.notify());
        await waiter.join();
        expect(lock.locked()).toBe(false);
      }
    }));

  test('with() runs a function with the lock in hand', () =>
    virtually(async () => {
      const condition = new Condition();
      expect(await condition.with(async (x: number) => [x, condition.locked()], 5)).toEqual([5, true]);
      expect(condition.locked()).toBe(false);
    }));
});

describe('without the lock', () => {
  test('notify, notifyAll, wait and waitFor are RuntimeErrors', () =>
    virtually(async () => {
      for (const condition of [new Condition(), new Condition(new RLock())]) {
        for (const call of [
          () => condition.notify(),
          () => condition.notifyAll(),
          () => condition.wait(),
          () => condition.waitFor(() => true),
        ]) {
          const error = await thrownBy(call());
          expect(error).toBeInstanceOf(RuntimeError);
          expect((error as Error).message).toContain('without holding the lock');
        }
      }
    }));

  test('also while another task has it', () =>
    virtually(async () => {
      for (const condition of [new Condition(), new Condition(new RLock())]) {
        const holder = await spawn(() => condition.with(sleep, 5));
        await sleep(1);
        expect(await thrownBy(condition.notify())).toBeInstanceOf(RuntimeError);
        expect(await thrownBy(condition.wait())).toBeInstanceOf(RuntimeError);
        expect(condition.locked()).toBe(true);
        await holder.join();
        expect(condition.locked()).toBe(false);
      }
    }));

  test('releasing it is a RuntimeError, too', () =>
    virtually(async () => {
      expect(await thrownBy(new Condition().release())).toBeInstanceOf(RuntimeError);
    }));
});

test('outside a task it is refused; a second operation while one waits as well', async () => {
  const condition = new Condition();
  expect(await thrownBy(condition.acquire())).toBeInstanceOf(RuntimeError);
  expect(await thrownBy(condition.notify())).toBeInstanceOf(RuntimeError);
  expect(await thrownBy(condition.wait())).toBeInstanceOf(RuntimeError);
  expect(await thrownBy(condition.waitFor(() => true))).toBeInstanceOf(RuntimeError);
  await noisily(async () => {
    const task = await spawn(async () => {
      await using _ = await condition.acquire();
      const first = condition.wait();
      expect(() => condition.wait()).toThrow(TaskBusyError);
      expect(() => condition.waitFor(() => true)).toThrow(TaskBusyError);
      await first;
    });
    await sleep(0);
    await condition.with(() => condition.notify());
    await task.join();
  });
  expect(condition.locked()).toBe(false);
});

test('nothing is held and no item lost, wherever it is interrupted and in whatever order', async () => {
  let condition!: Condition;
  let items: number[] = [];
  let got: number[] = [];
  const program = async () => {
    condition = new Condition();
    [items, got] = [[], []];
    const finished = new Event();
    const consumer = async () => {
      for (;;) {
        await using _ = await condition.acquire();
        await condition.waitFor(() => items.length > 0);
        got.push(items.shift() as number);
        if (got.length === 4) await finished.set();
      }
    };
    const consumers = [await spawn(consumer), await spawn(() => ignoreAfter(1.5, consumer))];
    for (let n = 0; n < 4; n++) {
      await condition.with(async () => {
        items.push(n);
        await condition.notify();
      });
      await sleep(1);
    }
    await ignoreAfter(10, () => finished.wait());
    for (const task of consumers) await task.cancel();
  };
  await cancelEverywhere(program, ({ kind, task }) => {
    expect(String(condition)).toBe('Condition(unlocked, 0 waiting)');
    const all = [...got, ...items];
    expect(all).toEqual(all.map((_, i) => i));
    if (kind === 'none' || task !== 'program') expect(all).toHaveLength(4);
    if (kind === 'none') expect(got).toHaveLength(4);
  });
  await explore(
    async () => {
      await program();
      expect(got).toEqual([0, 1, 2, 3]);
    },
    { seeds: 50 },
  );
});
