// Events and results: who waits, who is woken, and in what order.

import {
  CancelledError,
  DeadlockError,
  Event,
  gather,
  ignoreAfter,
  Result,
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { cancelEverywhere, explore, VirtualClock } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

describe('Event', () => {
  test('wait() waits until it is set', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        log.push('waiter waits', event.isSet());
        await event.wait();
        log.push('waiter done', event.isSet());
        event.clear();
        log.push(event.isSet());
      });
      const setter = await spawn(async () => {
        log.push('setter sleeps');
        await sleep(1);
        log.push('setter sets');
        await event.set();
      });
      await waiter.join();
      await setter.join();
      expect(log).toEqual([
        'waiter waits',
        false,
        'setter sleeps',
        'setter sets',
        'waiter done',
        true,
        false,
      ]);
    }));

  test('already set: wait() returns at once, without yielding', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        log.push('waiter sleeps');
        await sleep(1);
        log.push('waiter begins to wait');
        const other = await spawn(async () => log.push('other'));
        await event.wait();
        log.push('waiter done');
        await other.join();
      });
      const setter = await spawn(async () => {
        log.push('setter sets');
        await event.set();
      });
      await waiter.join();
      await setter.join();
      expect(log).toEqual(['waiter sleeps', 'setter sets', 'waiter begins to wait', 'waiter done', 'other']);
    }));

  test('wait() can be cancelled', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        log.push('waiter waits');
        try {
          await event.wait();
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
        'waiter sees the cancellation',
        'cancel returns',
      ]);
      expect(event.isSet()).toBe(false);
      expect(String(event)).toBe('Event(unset, 0 waiting)');
    }));

  test('wait() can time out before the parent’s own sleep is over', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        log.push('waiter waits');
        await timeoutAfter(0.5, () => event.wait()).catch((error) => log.push(`waiter ${error.name}`));
      });
      log.push('parent sleeps');
      await sleep(1);
      log.push('parent wakes');
      await waiter.join();
      expect(log).toEqual(['parent sleeps', 'waiter waits', 'waiter TaskTimeout', 'parent wakes']);
    }));

  test('set in time: no timeout fires, not later either while the same task waits without a limit', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        log.push('waiter waits');
        await timeoutAfter(1, () => event.wait());
        log.push('waiter got it');
        event.clear();
        await event.wait();
        log.push('waiter got it again');
      });
      await sleep(0.25);
      log.push('set');
      await event.set();
      await sleep(1);
      log.push('set again');
      await event.set();
      await waiter.join();
      expect(log).toEqual(['waiter waits', 'set', 'waiter got it', 'set again', 'waiter got it again']);
    }));

  test('set() wakes everyone who waits, in the order they came, and does not yield', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new Event();
      const waiters = [];
      for (const name of ['a', 'b', 'c', 'd']) {
        waiters.push(
          await spawn(async () => {
            await event.wait();
            log.push(name);
          }),
        );
      }
      await sleep(1);
      // One who leaves the line does not disturb the order of the others.
      await waiters[1]!.cancel();
      await event.set();
      log.push('set');
      for (const task of waiters) if (!task.cancelled) await task.join();
      expect(log).toEqual(['set', 'a', 'c', 'd']);
    }));

  test('a clear() right after it does not take the wake-up back', () =>
    virtually(async () => {
      const seen: boolean[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        await event.wait();
        seen.push(event.isSet());
      });
      await sleep(1);
      await event.set();
      event.clear();
      await waiter.join();
      expect(seen).toEqual([false]);
      expect(await ignoreAfter({ timeoutResult: 'waits' }, 1, () => event.wait())).toBe('waits');
    }));

  test('setting twice is harmless, and it can be set, cleared and set again', () =>
    virtually(async () => {
      const event = new Event();
      for (let round = 0; round < 3; round++) {
        expect(event.isSet()).toBe(false);
        await event.set();
        await event.set();
        expect(event.isSet()).toBe(true);
        await event.wait();
        event.clear();
        event.clear();
      }
    }));

  test('who was woken and then cancelled before it ran has its event; the cancellation hits the next operation', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new Event();
      const waiter = await spawn(async () => {
        await event.wait();
        log.push('woken');
        await sleep(1);
        log.push('never here');
      });
      await sleep(0);
      await event.set();
      await waiter.cancel();
      expect(log).toEqual(['woken']);
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('cancelled first and set afterwards, in one turn: the cancellation stands', () =>
    virtually(async () => {
      const event = new Event();
      const waiter = await spawn(() => event.wait());
      await sleep(0);
      await waiter.cancel({ blocking: false });
      await event.set();
      await waiter.wait();
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('an event nobody sets is a deadlock', async () => {
    expect(await thrownBy(run({ clock: new VirtualClock() }, () => new Event().wait()))).toBeInstanceOf(
      DeadlockError,
    );
  });

  test('has a debug string', () =>
    virtually(async () => {
      const event = new Event();
      const waiter = await spawn(() => event.wait());
      await sleep(0);
      expect(String(event)).toBe('Event(unset, 1 waiting)');
      await event.set();
      expect(String(event)).toBe('Event(set, 0 waiting)');
      await waiter.join();
    }));

  test('its state name is EVENT_WAIT', () =>
    virtually(async () => {
      const event = new Event();
      const waiter = await spawn(() => event.wait());
      await sleep(0);
      expect(waiter.state).toBe('EVENT_WAIT');
      await event.set();
      await waiter.join();
    }));

  test('outside a task, set() and wait() are refused; isSet() and clear() need none', async () => {
    const event = new Event();
    expect(await thrownBy(event.set())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(event.wait())).toBeInstanceOf(RuntimeError);
    expect(event.isSet()).toBe(false);
    event.clear();
  });

  test('a second wait of the same task is refused at the call', () =>
    noisily(async () => {
      const event = new Event();
      const first = event.wait();
      expect(() => event.wait()).toThrow(TaskBusyError);
      setImmediate(() => void event.set());
      await first;
    }));

  test('nobody is left waiting, wherever it is interrupted and in whatever order', async () => {
    let event!: Event;
    let woken = 0;
    let refused = 0;
    const program = async () => {
      event = new Event();
      woken = refused = 0;
      const waiter = async () => {
        try {
          await event.wait();
          woken++;
        } catch (error) {
          refused++;
          throw error;
        }
      };
      const waiters = [await spawn(waiter), await spawn(waiter), await spawn(() => ignoreAfter(5, waiter))];
      await sleep(1);
      await event.set();
      for (const task of waiters) await task.wait();
    };
    await cancelEverywhere(program, ({ kind }) => {
      expect(woken + refused).toBe(3);
      expect(String(event)).toMatch(/, 0 waiting/);
      if (kind === 'none') expect(woken).toBe(3);
    });
    await explore(
      async () => {
        await program();
        expect(woken).toBe(3);
      },
      { seeds: 30 },
    );
  });
});

describe('Result', () => {
  test('unwrap() waits for the value, and gives it to everyone, in the order they came', () =>
    virtually(async () => {
      const log: string[] = [];
      const result = new Result<number>();
      const reader = async (name: string) => {
        const value = await result.unwrap();
        expectTypeOf(value).toEqualTypeOf<number>();
        log.push(`${name} ${value}`);
      };
      const readers = [await spawn(reader, 'a'), await spawn(reader, 'b')];
      await sleep(1);
      expect(result.isSet()).toBe(false);
      await result.setValue(42);
      expect(result.isSet()).toBe(true);
      log.push('set');
      for (const task of readers) await task.join();
      await reader('late');
      expect(log).toEqual(['set', 'a 42', 'b 42', 'late 42']);
    }));

  test('setException() makes unwrap() throw that very error', () =>
    virtually(async () => {
      const bad = new RangeError('bad');
      const result = new Result<number>();
      const reader = await spawn(() => thrownBy(result.unwrap()));
      await sleep(1);
      await result.setException(bad);
      expect(result.isSet()).toBe(true);
      expect(await reader.join()).toBe(bad);
      expect(await thrownBy(result.unwrap())).toBe(bad);
      expect(bad.cause).toBe(undefined);
    }));

  test('a value of undefined or null is a value', () =>
    virtually(async () => {
      for (const value of [undefined, null, 0, '']) {
        const result = new Result<unknown>();
        await result.setValue(value);
        expect([result.isSet(), await result.unwrap()]).toEqual([true, value]);
      }
    }));

  test('it is set once', () =>
    virtually(async () => {
      const result = new Result<number>();
      await result.setValue(1);
      for (const again of [result.setValue(2), result.setException(new Error('late'))]) {
        const error = await thrownBy(again);
        expect(error).toBeInstanceOf(RuntimeError);
        expect((error as Error).message).toContain('already been set');
      }
      expect(await result.unwrap()).toBe(1);
    }));

  test('unwrap() can be cancelled and can time out', () =>
    virtually(async () => {
      const result = new Result<number>();
      expect(await thrownBy(timeoutAfter(1, () => result.unwrap()))).toBeInstanceOf(TaskTimeout);
      const reader = await spawn(() => result.unwrap());
      await sleep(1);
      expect(reader.state).toBe('EVENT_WAIT');
      await reader.cancel();
      expect(reader.exception).toBeInstanceOf(TaskCancelled);
      expect(String(result)).toBe('Result(unset, 0 waiting)');
      await result.setValue(1);
      expect(await result.unwrap()).toBe(1);
    }));

  test('who was given the value and then cancelled before it ran has it', () =>
    virtually(async () => {
      const got: number[] = [];
      const result = new Result<number>();
      const reader = await spawn(async () => {
        got.push(await result.unwrap());
        await sleep(1);
      });
      await sleep(0);
      await result.setValue(7);
      await reader.cancel();
      expect(got).toEqual([7]);
      expect(reader.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('has a debug string', () =>
    virtually(async () => {
      const [value, exception] = [new Result(), new Result()];
      await value.setValue(1);
      await exception.setException(new Error('bad'));
      expect([String(new Result()), String(value), String(exception)]).toEqual([
        'Result(unset, 0 waiting)',
        'Result(value, 0 waiting)',
        'Result(exception, 0 waiting)',
      ]);
    }));

  test('outside a task it is refused', async () => {
    const result = new Result<number>();
    expect(await thrownBy(result.setValue(1))).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(result.setException(new Error('bad')))).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(result.unwrap())).toBeInstanceOf(RuntimeError);
    expect(result.isSet()).toBe(false);
  });

  test('everyone gets the same, wherever it is interrupted and in whatever order', async () => {
    let got: unknown[] = [];
    const program = async () => {
      got = [];
      const result = new Result<string>();
      const reader = async () => {
        got.push(await result.unwrap());
      };
      await gather([
        reader,
        reader,
        async () => {
          await sleep(1);
          await result.setValue('value');
        },
      ]);
    };
    await cancelEverywhere(program, ({ kind }) => {
      expect(new Set(got).size).toBeLessThan(2);
      if (kind === 'none') expect(got).toEqual(['value', 'value']);
    });
    await explore(program, { seeds: 30 });
  });
});
