// The virtual clock: time passes only when nothing else can happen.

import { readFile } from 'node:fs/promises';
import {
  clock as currentTime,
  DeadlockError,
  Event,
  gather,
  ignoreAfter,
  Kernel,
  run,
  sleep,
  spawn,
  TaskError,
  UniversalEvent,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, onTestFinished, test, vi } from 'vitest';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('time', () => {
  test('begins with 0, or where one says', async () => {
    expect(new VirtualClock().now()).toBe(0);
    expect(await run({ clock: new VirtualClock({ start: 1e6 }) }, currentTime)).toBe(1e6);
    expect(await run({ clock: new VirtualClock({ start: -5 }) }, () => sleep(1))).toBe(-4);
  });

  test('jumps to each deadline in its turn, however far, and stands still between them', async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    await run({ clock }, async () => {
      await gather(
        [86_400, 1, 0.25, 1].map((seconds, i) => async () => {
          await sleep(seconds);
          log.push([i, clock.now()]);
        }),
      );
    });
    expect(log).toEqual([
      [2, 0.25],
      [1, 1],
      [3, 1],
      [0, 86_400],
    ]);
    expect(clock.now()).toBe(86_400);
  });

  test('does not jump while a task is busy, however many turns of the event loop it takes', async () => {
    const clock = new VirtualClock();
    await run({ clock }, async () => {
      const sleeper = await spawn(sleep, 10);
      // Two turns in which every task waits: the clock has begun to look.
      await turn();
      await turn();
      for (let i = 0; i < 20_000; i++) {
        await sleep(0);
        if (clock.now() > 0) throw new Error(`jumped at round ${i}`);
      }
      await sleeper.join();
    });
    expect(clock.now()).toBe(10);
  });

  test('goes on from where it stands in the next run', async () => {
    const clock = new VirtualClock();
    await run({ clock }, () => sleep(3));
    expect(await run({ clock }, () => sleep(4))).toBe(7);
  });

  test('timeouts and sleeps see the same time', async () => {
    const clock = new VirtualClock();
    const slept = await run({ clock }, async () => {
      await ignoreAfter(2, () => sleep(100));
      return [await currentTime(), await sleep(1)];
    });
    expect(slept).toEqual([2, 3]);
  });
});

describe('advance()', () => {
  test('lets time pass as a computation does: what has become due happens as soon as tasks block', async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    await run({ clock }, async () => {
      const sleeper = await spawn(async () => {
        await sleep(5);
        log.push(['slept', clock.now()]);
      });
      await sleep(1);
      clock.advance(10);
      log.push(['computed', clock.now()]);
      await sleeper.join();
    });
    expect(log).toEqual([
      ['computed', 11],
      ['slept', 11],
    ]);
  });

  test('reaches a kernel that rests, from outside', async () => {
    const clock = new VirtualClock({ patience: 3600 });
    const running = run({ clock }, () => sleep(60));
    await turn();
    clock.advance(60);
    // The patience is for deadlines that have not come.
    expect(await Promise.race([running, turn().then(turn).then(turn).then(turn).then(turn)])).toBe(60);
  });

  test('reaches a kernel between two of its runs', async () => {
    const clock = new VirtualClock();
    const log: number[] = [];
    const kernel = new Kernel({ clock });
    await kernel.run(async () => {
      for (const seconds of [25, 50, 100]) {
        await spawn({ daemon: true }, async () => {
          await sleep(seconds);
          log.push(seconds);
        });
      }
      await sleep(0);
    });
    clock.advance(5);
    await kernel.run();
    expect(log).toEqual([]);
    clock.advance(20);
    await kernel.run();
    expect(log).toEqual([25]);
    clock.advance(76);
    await kernel.run();
    expect(log).toEqual([25, 50, 100]);
    await kernel.run({ shutdown: true });
  });

  test('refuses to go back, and what is no number of seconds', () => {
    const clock = new VirtualClock();
    expect(() => clock.advance(-1)).toThrow(RangeError);
    expect(() => clock.advance(Number.POSITIVE_INFINITY)).toThrow(RangeError);
    expect(() => clock.advance(Number.NaN)).toThrow(TypeError);
    expect(() => clock.advance('1' as never)).toThrow(TypeError);
    expect(clock.now()).toBe(0);
  });
});

describe('deadlock', () => {
  test('is declared at once when nothing can wake any task', async () => {
    const clock = new VirtualClock();
    await expect(run({ clock }, () => new Event().wait())).rejects.toThrow(DeadlockError);
  });

  test('is declared after the deadlines that are left have passed', async () => {
    const clock = new VirtualClock();
    const error = await run({ clock }, async () => {
      await spawn({ daemon: true }, sleep, 7);
      await new Event().wait();
    }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(DeadlockError);
    expect(clock.now()).toBe(7);
  });

  test('is declared for a sleep without an end', async () => {
    const clock = new VirtualClock();
    await expect(run({ clock }, () => sleep(Number.POSITIVE_INFINITY))).rejects.toThrow(DeadlockError);
  });

  test('is not declared while somebody outside may come', async () => {
    const event = new UniversalEvent();
    const running = run({ clock: new VirtualClock() }, async () => {
      await event.wait();
      return 'woken';
    });
    for (let i = 0; i < 20; i++) await turn();
    await event.set();
    expect(await running).toBe('woken');
  });

  test('is not declared while a signal may still cancel the run', async () => {
    const controller = new AbortController();
    const running = run({ clock: new VirtualClock(), signal: controller.signal }, () => new Event().wait());
    for (let i = 0; i < 20; i++) await turn();
    controller.abort(new Error('enough'));
    await expect(running).rejects.toMatchObject({ name: 'TaskCancelled', cause: { message: 'enough' } });
  });
});

describe('several kernels on one clock', () => {
  test('see the same time, and wake in the order of their deadlines', async () => {
    const clock = new VirtualClock();
    const log: unknown[] = [];
    const sleeper = (name: string, ...naps: number[]) =>
      run({ clock }, async () => {
        for (const seconds of naps) {
          await sleep(seconds);
          log.push([name, clock.now()]);
        }
      });
    await Promise.all([sleeper('a', 1, 3), sleeper('b', 2, 2), sleeper('c', 3)]);
    expect(log).toEqual([
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['a', 4],
      ['b', 4],
    ]);
  });

  test('end each in a deadlock of its own', async () => {
    const clock = new VirtualClock();
    const dead = () => run({ clock }, () => new Event().wait());
    const ends = await Promise.allSettled([dead(), dead(), run({ clock }, () => sleep(5)), dead()]);
    expect(ends.map((end) => (end.status === 'rejected' ? end.reason.name : end.value))).toEqual([
      'DeadlockError',
      'DeadlockError',
      5,
      'DeadlockError',
    ]);
  });

  test('may wake each other: only who cannot be woken any more is dead', async () => {
    const clock = new VirtualClock();
    const event = new UniversalEvent();
    const waiting = run({ clock }, async () => {
      await event.wait();
      return await currentTime();
    });
    await run({ clock }, async () => {
      await sleep(9);
      await event.set();
    });
    expect(await waiting).toBe(9);
  });
});

describe('patience', () => {
  test('gives something real the time to happen before the clock jumps', async () => {
    const clock = new VirtualClock({ patience: 0.2 });
    const read = await run({ clock }, async () => {
      const reader = await spawn(async () => {
        for (let i = 0; i < 5; i++) {
          // Many turns of the event loop, in which no task does anything.
          await readFile(new URL(import.meta.url));
          await sleep(0);
        }
        return clock.now();
      });
      await sleep(1);
      return await reader.join();
    });
    expect(read).toBe(0);
    expect(clock.now()).toBe(1);
  });

  test('begins anew with whatever happens', async () => {
    const clock = new VirtualClock({ patience: 0.02 });
    const steps: number[] = [];
    await run({ clock }, async () => {
      await spawn({ daemon: true }, sleep, 100);
      for (let i = 0; i < 6; i++) {
        // Half the patience each, many times the patience in all.
        await new Promise((resolve) => setTimeout(resolve, 10));
        await sleep(0);
        steps.push(clock.now());
      }
    });
    expect(steps).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

test('a background deadline happens in its turn, and is no reason to jump', async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  clock.schedule(5, () => log.push('background'), true);
  for (let i = 0; i < 10; i++) await turn();
  expect([clock.now(), log]).toEqual([0, []]);
  clock.schedule(8, () => log.push('foreground'));
  for (let i = 0; i < 20; i++) await turn();
  expect([clock.now(), log]).toEqual([8, ['background', 'foreground']]);
});

test('an option that is no number of seconds is refused', () => {
  expect(() => new VirtualClock({ start: Number.NaN })).toThrow(TypeError);
  expect(() => new VirtualClock({ start: Number.POSITIVE_INFINITY })).toThrow(RangeError);
  expect(() => new VirtualClock({ patience: -1 })).toThrow(
    'VirtualClock({ patience }) wants a finite number',
  );
  expect(() => new VirtualClock({ patience: '1' as never })).toThrow(TypeError);
});

test('a task that fails while time stands still fails as ever', async () => {
  const failing = run({ clock: new VirtualClock(), logger: silent }, async () => {
    const task = await spawn(async () => {
      await sleep(1);
      throw new Error('as ever');
    });
    await task.join();
  });
  await expect(failing).rejects.toThrow(TaskError);
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe('the fake timers of a test', () => {
  const fake = () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
  };

  test('do not stop it', async () => {
    fake();
    const clock = new VirtualClock();
    await run({ clock }, sleep, 3600);
    expect(clock.now()).toBe(3600);
  });

  test('do not stop its patience', async () => {
    fake();
    const clock = new VirtualClock({ patience: 0.001 });
    await run({ clock }, sleep, 3600);
    expect(clock.now()).toBe(3600);
  });

  test('do not stop tasks that yield to each other', async () => {
    fake();
    await run(async () => {
      const spinner = await spawn(async () => {
        for (;;) await sleep(0);
      });
      await new Promise((resolve) => process.nextTick(resolve));
      for (let i = 0; i < 5000; i++) await sleep(0);
      await spinner.cancel();
    });
  });

  test('let sleep() wait for them', async () => {
    fake();
    const woken = run(() => sleep(10));
    await vi.advanceTimersByTimeAsync(10_001);
    expect(await woken).toBeGreaterThan(0);
  });
});
