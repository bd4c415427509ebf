// Sleeping, the clock, and timeouts: which of several nested ones reports what, and what wins when things happen together.

import { performance } from 'node:perf_hooks';
import {
  CancelledError,
  Condition,
  checkCancellation,
  clock,
  disableCancellation,
  Event,
  gather,
  ignoreAfter,
  Kernel,
  Lock,
  Queue,
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskError,
  TaskTimeout,
  TimeoutCancellationError,
  TimeoutScope,
  timeoutAfter,
  UncaughtTimeoutError,
} from 'curio';
import { cancelEverywhere, explore, VirtualClock } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { recorder } from './kit/recorder.ts';
import { noisily, thrownBy, virtually } from './kit/virtual.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('sleep() and clock()', () => {
  test('sleep lasts at least as long as asked, on the real clock', async () => {
    const before = performance.now();
    const [from, to] = await run(async () => [await clock(), await sleep(0.02)]);
    expect(performance.now() - before).toBeGreaterThanOrEqual(20);
    expect(to - from).toBeGreaterThanOrEqual(0.02);
  });

  test('sleep gives the clock at the time of waking; clock() reads the same one, in seconds', () =>
    virtually(async () => {
      expect(await clock()).toBe(0);
      expect(await sleep(1.5)).toBe(1.5);
      expect(await clock()).toBe(1.5);
      expect(await sleep(0.25)).toBe(1.75);
    }));

  test('the real clock goes only forward', () =>
    run(async () => {
      let last = await clock();
      for (let i = 0; i < 1000; i++) {
        const now = await clock();
        expect(now).toBeGreaterThanOrEqual(last);
        last = now;
      }
    }));

  test('clock() does not give up control', () =>
    virtually(async () => {
      const log: string[] = [];
      const other = await spawn(async () => log.push('other'));
      for (let i = 0; i < 100; i++) await clock();
      log.push('main');
      await other.join();
      expect(log).toEqual(['main', 'other']);
    }));

  for (const seconds of [0, -1, Number.NEGATIVE_INFINITY]) {
    test(`sleep(${seconds}) lets the other ready tasks go first, once, and gives the clock`, () =>
      virtually(async () => {
        const log: string[] = [];
        const other = await spawn(async () => {
          for (const step of [1, 2, 3]) {
            log.push(`other ${step}`);
            await sleep(0);
          }
        });
        log.push('main 1');
        expect(await sleep(seconds)).toBe(0);
        log.push('main 2');
        await sleep(seconds);
        log.push('main 3');
        await other.join();
        expect(log).toEqual(['main 1', 'other 1', 'main 2', 'other 2', 'main 3', 'other 3']);
      }));
  }

  test('a sleeping task is woken at once by a cancellation', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const sleeper = await spawn(async () => {
        try {
          await sleep(1000);
        } catch (error) {
          log.push(error instanceof CancelledError, await clock());
          throw error;
        }
      });
      await sleep(1);
      await sleeper.cancel();
      expect(log).toEqual([true, 1]);
    }));

  test('Infinity is for ever', () =>
    virtually(async () => {
      expect(await ignoreAfter({ timeoutResult: 'late' }, 1e9, () => sleep(Number.POSITIVE_INFINITY))).toBe(
        'late',
      );
    }));

  test('what is no number of seconds is refused, at the call', () =>
    virtually(async () => {
      expect(() => sleep(Number.NaN)).toThrow('sleep() wants a number of seconds, not NaN.');
      expect(() => sleep('1' as never)).toThrow(TypeError);
      expect(() => sleep(undefined as never)).toThrow(TypeError);
    }));

  test('sleepers whose deadlines have all passed wake in the order of their deadlines', async () => {
    const time = new VirtualClock();
    const log: number[] = [];
    await virtually(
      async () => {
        const sleepers = [];
        for (const seconds of [3, 1, 2]) {
          sleepers.push(
            await spawn(async () => {
              await sleep(seconds);
              log.push(seconds);
            }),
          );
        }
        await sleep(0);
        time.advance(10);
        for (const task of sleepers) await task.join();
      },
      { clock: time },
    );
    expect(log).toEqual([1, 2, 3]);
  });

  test('what is due by a given time wakes, and nothing else: 25, then 50 and 100', async () => {
    const time = new VirtualClock();
    const log: number[] = [];
    const kernel = new Kernel({ clock: time });
    await kernel.run(async () => {
      for (const seconds of [50, 25, 100]) {
        await spawn({ daemon: true }, async () => {
          await sleep(seconds);
          log.push(seconds);
        });
      }
      await sleep(0);
    });
    time.advance(25);
    await kernel.run();
    expect(log).toEqual([25]);
    time.advance(76);
    await kernel.run();
    expect(log).toEqual([25, 50, 100]);
    await kernel.run({ shutdown: true });
  });
});

describe('timeoutAfter()', () => {
  test('gives the value of the function, called with its arguments', () =>
    virtually(async () => {
      const add = async (x: number, y: number) => {
        await sleep(1);
        return x + y;
      };
      const sum = await timeoutAfter(2, add, 1, 2);
      expectTypeOf(sum).toEqualTypeOf<number>();
      expect(sum).toBe(3);
      expect(await timeoutAfter(2, () => 'not even async')).toBe('not even async');
    }));

  test('throws TaskTimeout when the time is up, and interrupts what the function waits in', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const error = await thrownBy(
        timeoutAfter(1, async () => {
          try {
            await sleep(1000);
          } catch (inside) {
            log.push(inside);
            throw inside;
          }
        }),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error).toBeInstanceOf(CancelledError);
      expect(log).toEqual([error]);
      expect(await clock()).toBe(1);
    }));

  test('the error carries the clock at expiry', () =>
    virtually(async () => {
      await sleep(3);
      expect(await thrownBy(timeoutAfter(1, sleep, 5))).toMatchObject({ clock: 4, requestedBy: null });
    }));

  test('in time, nothing of it is left: a long sleep afterwards is not disturbed', () =>
    virtually(async () => {
      await timeoutAfter(2, sleep, 1);
      expect(await sleep(10)).toBe(11);
      expect(
        (await thrownBy(timeoutAfter(2, () => Promise.reject(new Error('bad'))))) as Error,
      ).toMatchObject({
        message: 'bad',
      });
      expect(await sleep(10)).toBe(21);
    }));

  test('expired, nothing of it is left either', () =>
    virtually(async () => {
      await thrownBy(timeoutAfter(1, sleep, 2));
      expect(await sleep(10)).toBe(11);
    }));

  test('null is no limit, and Infinity is none', () =>
    virtually(async () => {
      for (const seconds of [null, Number.POSITIVE_INFINITY]) {
        await timeoutAfter(seconds, sleep, 1e6);
        await ignoreAfter(seconds, sleep, 1e6);
      }
      expect(await clock()).toBe(4e6);
    }));

  test('other errors pass through unchanged, as do cancellations', () =>
    virtually(async () => {
      const bad = new RangeError('bad');
      for (const limit of [timeoutAfter, ignoreAfter] as (typeof timeoutAfter)[]) {
        expect(await thrownBy(limit(1, () => Promise.reject(bad)))).toBe(bad);
        const task = await spawn(() => limit(100, () => sleep(1000)));
        await sleep(1);
        await task.cancel();
        expect(task.exception).toBeInstanceOf(TaskCancelled);
      }
    }));

  test('every blocking operation can be timed out', () =>
    virtually(async () => {
      const lock = new Lock();
      await lock.acquire();
      const full = new Queue<number>(1);
      await full.put(1);
      const child = await spawn(sleep, 1000);
      const operations = {
        'Lock.acquire()': () => lock.acquire(),
        'Event.wait()': () => new Event().wait(),
        'Queue.get()': () => new Queue().get(),
        'Queue.put()': () => full.put(2),
        'Queue.join()': () => full.join(),
        'Task.join()': () => child.join(),
        'Task.wait()': () => child.wait(),
        'sleep()': () => sleep(1000),
      };
      for (const [name, operation] of Object.entries(operations)) {
        const error = (await thrownBy(timeoutAfter(1, operation))) as TaskTimeout;
        expect(error).toBeInstanceOf(TaskTimeout);
        expect(error.message).toContain(name);
      }
      await child.cancel();
    }));

  test('an expired timeout belongs to the calling task only: children are not limited, and go on', () =>
    virtually(async () => {
      let finished = false;
      const child = await timeoutAfter(1, () =>
        spawn(async () => {
          await sleep(5);
          finished = true;
        }),
      );
      expect(await thrownBy(timeoutAfter(1, () => child.join()))).toBeInstanceOf(TaskTimeout);
      expect([child.terminated, child.cancelled, finished]).toEqual([false, false, false]);
      await child.join();
      expect([finished, await clock()]).toEqual([true, 5]);
    }));

  test('an uncaught one ends a task without a crash report, and the task does not count as cancelled', async () => {
    const log = recorder();
    await noisily(
      async () => {
        const task = await spawn(() => timeoutAfter(1, sleep, 5));
        const error = (await thrownBy(task.join())) as TaskError;
        expect(error).toBeInstanceOf(TaskError);
        expect(error.cause).toBeInstanceOf(TaskTimeout);
        expect(task.cancelled).toBe(false);
      },
      { logger: log },
    );
    expect(log.lines).toEqual([]);
  });

  test('a cancellation erases the running timeout: clean-up may take longer, and no handler of it runs', () =>
    virtually(async () => {
      const log: string[] = [];
      const task = await spawn(async () => {
        try {
          await timeoutAfter(3, async () => {
            log.push('start');
            try {
              await sleep(1000);
            } catch (error) {
              log.push('cancellation seen');
              await sleep(8);
              log.push('cleanup finished');
              throw error;
            }
          });
        } catch (error) {
          if (error instanceof TaskTimeout) log.push('timeout');
          throw error;
        }
      });
      await sleep(1);
      await task.cancel();
      expect(log).toEqual(['start', 'cancellation seen', 'cleanup finished']);
      expect(await clock()).toBe(9);
    }));

  test('clean-up after a cancellation may set timeouts of its own', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await spawn(async () => {
        await timeoutAfter(3, async () => {
          try {
            await sleep(1000);
          } finally {
            // Goes on after the time of the outer one would have been up.
            const scope = ignoreAfter(5);
            log.push(await scope.run(sleep, 1000), scope.expired);
            await thrownBy(timeoutAfter(1, sleep, 1000)).then((error) => log.push((error as Error).name));
          }
        });
      });
      await sleep(1);
      await task.cancel();
      expect([log, await clock()]).toEqual([[undefined, true, 'TaskTimeout'], 7]);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));
});

describe('a timeout of zero or less', () => {
  for (const seconds of [0, -5, Number.NEGATIVE_INFINITY]) {
    test(`${seconds}: expires at the first operation that blocks`, () =>
      virtually(async () => {
        const log: string[] = [];
        const error = await thrownBy(
          timeoutAfter(seconds, async () => {
            log.push('begins');
            await new Queue().put(1); // need not wait
            log.push('goes on');
            await new Event().wait();
            log.push('never here');
          }),
        );
        expect(error).toBeInstanceOf(TaskTimeout);
        expect(log).toEqual(['begins', 'goes on']);
        expect(await clock()).toBe(0);
      }));

    test(`${seconds}: a body that does not block, or only does sleep(0), completes`, () =>
      virtually(async () => {
        expect(await timeoutAfter(seconds, () => 1)).toBe(1);
        const yielding = async () => {
          await sleep(0);
          return 2;
        };
        expect(await timeoutAfter(seconds, yielding)).toBe(2);
        expect(await ignoreAfter(seconds, yielding)).toBe(2);
        expect(await sleep(1)).toBe(1);
      }));
  }
});

describe('ignoreAfter()', () => {
  test('gives undefined, or the timeoutResult, when the time is up; the value otherwise', () =>
    virtually(async () => {
      const work = async (seconds: number) => {
        await sleep(seconds);
        return 'done';
      };
      const plain = await ignoreAfter(2, work, 1);
      expectTypeOf(plain).toEqualTypeOf<string | undefined>();
      expect(plain).toBe('done');
      expect(await ignoreAfter(2, work, 3)).toBe(undefined);
      const named = await ignoreAfter({ timeoutResult: -1 }, 2, work, 3);
      expectTypeOf(named).toEqualTypeOf<string | number>();
      expect(named).toBe(-1);
      expect(await ignoreAfter({ timeoutResult: null }, 2, work, 3)).toBe(null);
      expect(await ignoreAfter({}, 2, work, 3)).toBe(undefined);
      expect(await clock()).toBe(9);
    }));
});

describe('scopes', () => {
  test('timeoutAfter(seconds) without a function is a scope: it throws, and knows that it expired', () =>
    virtually(async () => {
      const scope = timeoutAfter(1);
      expect(scope).toBeInstanceOf(TimeoutScope);
      expect(scope.expired).toBe(false);
      expect(await thrownBy(scope.run(sleep, 5))).toBeInstanceOf(TaskTimeout);
      expect([scope.expired, scope.result]).toEqual([true, undefined]);

      const early = timeoutAfter(5);
      expect(await early.run(sleep, 1)).toBe(2);
      expect([early.expired, early.result]).toEqual([false, true]);
    }));

  test('ignoreAfter(seconds) without a function cuts its body short, silently', () =>
    virtually(async () => {
      const log: string[] = [];
      const scope = ignoreAfter(1);
      const value = await scope.run(async () => {
        log.push('begins');
        await sleep(5);
        log.push('never here');
        return 'value';
      });
      expect(value).toBe(undefined);
      expect(log).toEqual(['begins']);
      expect([scope.expired, scope.result]).toEqual([true, undefined]);

      const named = ignoreAfter({ timeoutResult: 'late' }, 1);
      expect(await named.run(sleep, 5)).toBe('late');
      expect([named.expired, named.result]).toEqual([true, 'late']);

      const early = ignoreAfter({ timeoutResult: 'late' }, 5);
      expect(await early.run(async () => 'value')).toBe('value');
      expect([early.expired, early.result]).toEqual([false, true]);
    }));

  test('the time of a scope begins when it runs', () =>
    virtually(async () => {
      const scope = timeoutAfter(2);
      await sleep(100);
      expect(await scope.run(sleep, 1)).toBe(101);
    }));

  test('a scope runs once', () =>
    virtually(async () => {
      const scope = timeoutAfter(1);
      await scope.run(() => 1);
      const error = await thrownBy(scope.run(() => 2));
      expect(error).toBeInstanceOf(RuntimeError);
      expect((error as Error).message).toContain('A timeout scope runs once');
    }));

  test('an error of the body leaves a scope unexpired', () =>
    virtually(async () => {
      const scope = ignoreAfter(1);
      expect(await thrownBy(scope.run(() => Promise.reject(new Error('bad'))))).toMatchObject({
        message: 'bad',
      });
      expect(scope.expired).toBe(false);
    }));
});

/** A program of nested levels, in function form and in scope form: what each level reports, and what the clock says. */
type Level = { seconds: number | null; ignore?: boolean };

async function nested(levels: Level[], asScope: boolean, work: () => unknown): Promise<unknown[]> {
  const reports: unknown[] = [];
  const enter = async (depth: number): Promise<unknown> => {
    const level = levels[depth];
    if (level === undefined) return work();
    const limit = (level.ignore ? ignoreAfter : timeoutAfter) as typeof timeoutAfter;
    const inside = () => enter(depth + 1);
    try {
      if (!asScope) {
        const value = await limit(level.seconds, inside);
        reports[depth] = value === undefined ? 'nothing' : 'value';
        return value;
      }
      const scope = limit(level.seconds) as TimeoutScope<unknown>;
      try {
        const value = await scope.run(inside);
        reports[depth] = scope.expired ? 'nothing' : 'value';
        return value;
      } finally {
        if (scope.expired !== (reports[depth] === 'nothing')) reports[depth] = 'expired';
      }
    } catch (error) {
      const name = (error as Error).name;
      reports[depth] = reports[depth] === 'expired' ? `${name}, expired` : name;
      throw error;
    }
  };
  await enter(0).catch(() => {});
  return reports;
}

for (const asScope of [false, true]) {
  const own = asScope ? 'TaskTimeout, expired' : 'TaskTimeout';
  const cases: [title: string, levels: Level[], sleeps: number, reports: string[]][] = [
    [
      'the outer expires first: the inner reports TimeoutCancellationError, the outer TaskTimeout',
      [{ seconds: 1 }, { seconds: 5 }],
      100,
      [own, 'TimeoutCancellationError'],
    ],
    [
      'through three levels',
      [{ seconds: 1 }, { seconds: 5 }, { seconds: 10 }],
      100,
      [own, 'TimeoutCancellationError', 'TimeoutCancellationError'],
    ],
    [
      'the inner expires and nobody catches it: crossing the outer makes it an UncaughtTimeoutError',
      [{ seconds: 5 }, { seconds: 1 }],
      100,
      ['UncaughtTimeoutError', own],
    ],
    [
      'also when the outer one is ignoreAfter, which does not swallow a foreign timeout',
      [{ seconds: 5, ignore: true }, { seconds: 1 }],
      100,
      ['UncaughtTimeoutError', own],
    ],
    [
      'an inner ignoreAfter neither swallows the outer timeout nor calls itself expired',
      [{ seconds: 1 }, { seconds: 5, ignore: true }],
      100,
      [own, 'TimeoutCancellationError'],
    ],
    [
      'an outer ignoreAfter swallows its own',
      [{ seconds: 1, ignore: true }, { seconds: 5 }],
      100,
      ['nothing', 'TimeoutCancellationError'],
    ],
    [
      'the middle one of three expires: innermost TimeoutCancellationError, middle TaskTimeout',
      [{ seconds: 10 }, { seconds: 1 }, { seconds: 5 }],
      100,
      ['UncaughtTimeoutError', own, 'TimeoutCancellationError'],
    ],
    [
      'an inner timeout cannot extend an outer one',
      [{ seconds: 2 }, { seconds: 50 }, { seconds: 40, ignore: true }],
      100,
      [own, 'TimeoutCancellationError', 'TimeoutCancellationError'],
    ],
    [
      'null sets no limit of its own and keeps the outer one',
      [{ seconds: 1 }, { seconds: null }],
      2,
      [own, 'TimeoutCancellationError'],
    ],
    [
      'both of the same length: the outer wins',
      [{ seconds: 1 }, { seconds: 1 }],
      2,
      [own, 'TimeoutCancellationError'],
    ],
    ['in time for all', [{ seconds: 3 }, { seconds: 2 }, { seconds: null }], 1, ['value', 'value', 'value']],
  ];
  describe(`nested timeouts, as ${asScope ? 'scopes' : 'functions'}`, () => {
    for (const [title, levels, seconds, reports] of cases) {
      test(title, () =>
        virtually(async () => {
          expect(await nested(levels, asScope, () => sleep(seconds))).toEqual(reports);
          // Nothing is left of any of them.
          const now = await clock();
          expect(await sleep(1000)).toBe(now + 1000);
        }),
      );
    }
  });
}

describe('clean-up that is interrupted', () => {
  // By `await using`, which makes one error of what began the clean-up and what interrupts it.
  async function work(failure?: Error) {
    await using _ = { [Symbol.asyncDispose]: async () => void (await sleep(50)) };
    if (failure !== undefined) throw failure;
    await sleep(100);
  }

  test('by the timeout around it is ended by that one', () =>
    virtually(async () => {
      const late = (await thrownBy(timeoutAfter(3, () => timeoutAfter(1, work)))) as TaskTimeout;
      expect(late).toBeInstanceOf(TaskTimeout);
      expect(late.cause).toBeUndefined();
      expect(await ignoreAfter({ timeoutResult: 'late' }, 3, () => timeoutAfter(1, work))).toBe('late');
      expect(await clock()).toBe(6);
    }));

  test('by a cancellation is no crash', () =>
    virtually(async () => {
      const task = await spawn(() => timeoutAfter(1, work));
      await sleep(2);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect(await clock()).toBe(2);
    }));

  test('leaves what had gone wrong before as the cause', () =>
    virtually(async () => {
      const failure = new Error('the disk is full');
      const late = (await thrownBy(timeoutAfter(1, work, failure))) as TaskTimeout;
      expect(late).toBeInstanceOf(TaskTimeout);
      expect(late.cause).toBe(failure);
    }));

  test('but one that fails by itself has failed, after a timeout, too', () =>
    virtually(async () => {
      const closing = new Error('not closed');
      const failing = async () => {
        await using _ = { [Symbol.asyncDispose]: () => Promise.reject(closing) };
        await sleep(100);
      };
      const both = (await thrownBy(timeoutAfter(1, failing))) as SuppressedError;
      expect(both).toMatchObject({ name: 'SuppressedError', error: closing });
      expect(both.suppressed).toBeInstanceOf(TaskTimeout);
    }));
});

describe('nested timeouts', () => {
  test('UncaughtTimeoutError is neither a cancellation nor a timeout; its cause is', () =>
    virtually(async () => {
      const error = (await thrownBy(
        timeoutAfter(5, () => timeoutAfter(1, sleep, 10)),
      )) as UncaughtTimeoutError;
      expect(error).toBeInstanceOf(UncaughtTimeoutError);
      expect(error).not.toBeInstanceOf(CancelledError);
      expect(error.cause).toBeInstanceOf(TaskTimeout);
    }));

  test('TimeoutCancellationError tells of the timeout around, and leads back to it', () =>
    virtually(async () => {
      const seen: unknown[] = [];
      const error = await thrownBy(
        timeoutAfter(1, async () => {
          try {
            await timeoutAfter(5, sleep, 10);
          } catch (inner) {
            seen.push(inner);
            throw inner;
          }
        }),
      );
      expect(seen[0]).toBeInstanceOf(TimeoutCancellationError);
      expect(seen[0]).toMatchObject({ clock: 1, cause: error });
    }));

  test('the middle one of three, caught: the outermost goes on', () =>
    virtually(async () => {
      const log: string[] = [];
      const value = await timeoutAfter(10, async () => {
        await thrownBy(
          timeoutAfter(1, () =>
            timeoutAfter(5, sleep, 100).catch((error) => {
              log.push(error.name);
              throw error;
            }),
          ),
        );
        await sleep(3);
        return 'goes on';
      });
      expect([value, log]).toEqual(['goes on', ['TimeoutCancellationError']]);
    }));

  test('after the null level was cut short, the code behind it does not run', () =>
    virtually(async () => {
      const log: string[] = [];
      const inner = async () => {
        await timeoutAfter(null, sleep, 2);
        log.push('never here');
      };
      expect(await thrownBy(timeoutAfter(1, inner))).toBeInstanceOf(TaskTimeout);
      expect(log).toEqual([]);
    }));

  test('both overdue when the task blocks next: the outer wins, though the inner was due before', async () => {
    const time = new VirtualClock();
    await noisily(
      async () => {
        const work = async () => {
          time.advance(10);
          await sleep(1000);
        };
        for (const asScope of [false, true]) {
          const reports = await nested([{ seconds: 5 }, { seconds: 2 }], asScope, work);
          expect(reports[0]).toMatch(/^TaskTimeout/);
          expect(reports[1]).toBe('TimeoutCancellationError');
        }
      },
      { clock: time },
    );
  });

  test('a TaskTimeout caught inside its own block is spent: the rest runs without a limit, the block ends quietly', () =>
    virtually(async () => {
      const scope = timeoutAfter(1);
      const value = await scope.run(async () => {
        expect(await thrownBy(sleep(5))).toBeInstanceOf(TaskTimeout);
        await sleep(100);
        return 'quiet';
      });
      expect([value, scope.expired, await clock()]).toEqual(['quiet', false, 101]);
    }));

  test('spent inside, the timeout around is still in force', () =>
    virtually(async () => {
      const error = await thrownBy(
        timeoutAfter(10, () =>
          timeoutAfter(1, async () => {
            await thrownBy(sleep(5));
            await sleep(100);
          }),
        ),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error).toMatchObject({ clock: 10 });
    }));

  test('a timeout set inside a spent one is its own', () =>
    virtually(async () => {
      const scope = timeoutAfter(1);
      const value = await scope.run(async () => {
        await thrownBy(sleep(5));
        expect(await ignoreAfter({ timeoutResult: 'ignored' }, 2, sleep, 5)).toBe('ignored');
        expect(await thrownBy(timeoutAfter(2, sleep, 5))).toBeInstanceOf(TaskTimeout);
        return 'quiet';
      });
      expect([value, scope.expired, await clock()]).toEqual(['quiet', false, 5]);
    }));

  test('an outer timeout spent by catching it deep inside: all inside it are spent with it', () =>
    virtually(async () => {
      const value = await timeoutAfter(1, () =>
        timeoutAfter(5, async () => {
          await thrownBy(sleep(100));
          await sleep(100);
          return 'unlimited';
        }),
      );
      expect([value, await clock()]).toEqual(['unlimited', 101]);
    }));

  test('leaving an inner one restores what limited the task before', () =>
    virtually(async () => {
      const error = await thrownBy(
        timeoutAfter(10, async () => {
          await timeoutAfter(1, () => 'quick');
          await ignoreAfter(1, sleep, 5);
          await thrownBy(timeoutAfter(1, sleep, 5));
          await sleep(100);
        }),
      );
      expect(error).toMatchObject({ name: 'TaskTimeout', clock: 10 });
    }));

  test('a TimeoutCancellationError swallowed inside, and nothing blocks after it: the outer one ends quietly', () =>
    virtually(async () => {
      const scope = timeoutAfter(1);
      const value = await scope.run(async () => {
        await timeoutAfter(5, sleep, 100).catch(() => {});
        return 'swallowed';
      });
      expect([value, scope.expired]).toEqual(['swallowed', false]);
    }));

  for (const asScope of [false, true]) {
    const form = asScope ? 'as scopes' : 'as functions';
    const limit = (seconds: number | null, fn: () => Promise<unknown>) =>
      asScope ? timeoutAfter(seconds).run(fn) : timeoutAfter(seconds, fn);

    test(`the outer one’s caught around an inner one comes again at the next operation that blocks, ${form}`, () =>
      virtually(async () => {
        const log: string[] = [];
        const error = await thrownBy(
          limit(1, async () => {
            for (const inner of [5, null]) {
              const error = await thrownBy(limit(inner, () => sleep(100)));
              log.push((error as Error).name);
            }
            await sleep(100);
            log.push('went on');
          }),
        );
        expect(log).toEqual(['TimeoutCancellationError', 'TimeoutCancellationError']);
        expect(error).toBeInstanceOf(TaskTimeout);
        expect(await clock()).toBe(1);
        await sleep(100);
      }));

    test(`through three levels, each of which catches it, ${form}`, () =>
      virtually(async () => {
        const log: unknown[] = [];
        await limit(1, async () => {
          await limit(20, async () => {
            await limit(30, async () => {
              log.push((await thrownBy(sleep(100))) instanceof TaskTimeout);
              log.push(await sleep(2));
            });
            log.push((await thrownBy(sleep(100))) instanceof TaskTimeout);
            log.push(await sleep(2));
          });
          log.push((await thrownBy(sleep(100))) instanceof TaskTimeout);
          log.push(await sleep(200));
        });
        expect(log).toEqual([true, 3, true, 5, true, 205]);
      }));
  }

  test('a retry that catches everything ends when the time around it is up', () =>
    virtually(async () => {
      let attempts = 0;
      const error = await thrownBy(
        timeoutAfter(10, async () => {
          for (;;) {
            attempts++;
            try {
              return await timeoutAfter(3, sleep, 100);
            } catch {
              await sleep(1);
            }
          }
        }),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect([attempts, await clock()]).toEqual([3, 10]);
    }));

  test('the first one thrown on, when clean-up has met the second: still the outer one’s own', () =>
    virtually(async () => {
      const error = await thrownBy(
        timeoutAfter(1, async () => {
          try {
            await timeoutAfter(5, sleep, 100);
          } catch (error) {
            await disableCancellation(sleep, 2);
            expect(await thrownBy(sleep(2))).toBeInstanceOf(TaskTimeout);
            throw error;
          }
        }),
      );
      expect(error).toMatchObject({ name: 'TaskTimeout', clock: 1 });
      expect(await clock()).toBe(3);
    }));

  test('a cancellation ends it for good, thrown inside or not', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await spawn(async () => {
        await timeoutAfter(1, async () => {
          await timeoutAfter(5, async () => {
            log.push(await thrownBy(sleep(100)));
            log.push(await thrownBy(sleep(100)));
          });
          log.push(await sleep(5));
        });
      });
      await sleep(10);
      await task.cancel();
      expect(log).toMatchObject([{ name: 'TaskTimeout' }, { name: 'TaskCancelled' }, 15]);
    }));

  test('in another task they are that task’s own', () =>
    virtually(async () => {
      const value = await timeoutAfter(5, async () => {
        const task = await spawn(() => ignoreAfter({ timeoutResult: 'own' }, 1, sleep, 100));
        return await task.join();
      });
      expect(value).toBe('own');
    }));
});

describe('several things at once', () => {
  test('sleep and timeout both overdue, the sleep first: the sleep wins, later sleeps are not disturbed', async () => {
    const time = new VirtualClock();
    await noisily(
      async () => {
        const log: unknown[] = [];
        const sleeper = await spawn(async () => {
          await timeoutAfter(3, async () => {
            log.push(await sleep(2));
          });
          log.push(await sleep(100));
        });
        await sleep(0);
        time.advance(10);
        await sleeper.join();
        expect(log).toEqual([10, 110]);
      },
      { clock: time },
    );
  });

  test('the timeout first: the timeout wins', async () => {
    const time = new VirtualClock();
    await virtually(
      async () => {
        const sleeper = await spawn(() => ignoreAfter({ timeoutResult: 'timeout' }, 2, sleep, 3));
        await sleep(0);
        time.advance(10);
        expect(await sleeper.join()).toBe('timeout');
      },
      { clock: time },
    );
  });

  test('a task that has been woken when its timeout expires gets what it was woken with; the timeout is discarded', async () => {
    const time = new VirtualClock();
    await noisily(
      async () => {
        const event = new Event();
        const log: unknown[] = [];
        const waiter = await spawn(async () => {
          log.push(
            await timeoutAfter(1, async () => {
              await event.wait();
              return 'event';
            }),
          );
          log.push(await sleep(100));
        });
        await sleep(0);
        await event.set();
        time.advance(10);
        await waiter.join();
        expect(log).toEqual(['event', 110]);
      },
      { clock: time },
    );
  });

  test('the same, but it blocks again inside the block: there it gets the timeout', async () => {
    const time = new VirtualClock();
    await virtually(
      async () => {
        const event = new Event();
        const log: string[] = [];
        const waiter = await spawn(() =>
          timeoutAfter(1, async () => {
            await event.wait();
            log.push('event');
            await sleep(100);
            log.push('never here');
          }).catch((error) => log.push(error.name)),
        );
        await sleep(0);
        await event.set();
        time.advance(10);
        await waiter.join();
        expect(log).toEqual(['event', 'TaskTimeout']);
      },
      { clock: time },
    );
  });

  test('result, timeout and cancellation in one turn: the result wins, then the cancellation; the timeout is gone', async () => {
    const time = new VirtualClock();
    await virtually(
      async () => {
        const queue = new Queue<string>();
        const log: unknown[] = [];
        const getter = await spawn(async () => {
          await timeoutAfter(1, async () => {
            log.push(await queue.get());
            await sleep(100).catch((error) => {
              log.push(error.name);
              throw error;
            });
          });
        });
        await sleep(0);
        await queue.put('item');
        time.advance(10);
        await getter.cancel();
        expect(log).toEqual(['item', 'TaskCancelled']);
        expect(getter.exception).toBeInstanceOf(TaskCancelled);
      },
      { clock: time },
    );
  });

  test('a timeout that has been delivered, and a cancellation before the task runs: both come, one after the other', async () => {
    const time = new VirtualClock();
    await virtually(
      async () => {
        const log: string[] = [];
        const sleeper = await spawn(async () => {
          await timeoutAfter(1, sleep, 100).catch((error) => log.push(error.name));
          await sleep(100);
          log.push('never here');
        });
        await sleep(1);
        // Both were due at 1; the sleeper's timeout was set first, and it is ready now.
        log.push(sleeper.state);
        await sleeper.cancel();
        expect(log[log.length - 1]).toBe('TaskTimeout');
        expect(sleeper.exception).toBeInstanceOf(TaskCancelled);
      },
      { clock: time },
    );
  });

  test('a loop that only yields is interrupted', () =>
    run(async () => {
      const value = await ignoreAfter({ timeoutResult: 'timeout' }, 0.01, async () => {
        for (;;) await sleep(0);
      });
      expect(value).toBe('timeout');
    }));

  test('so are two tasks that only wake each other', () =>
    run(async () => {
      const [there, back] = [new Queue<number>(), new Queue<number>()];
      const echo = await spawn({ daemon: true }, async () => {
        for await (const item of there) await back.put(item);
      });
      const value = await ignoreAfter({ timeoutResult: 'timeout' }, 0.01, async () => {
        for (let i = 0; ; i++) {
          await there.put(i);
          await back.get();
        }
      });
      expect(value).toBe('timeout');
      await echo.cancel();
    }));
});

describe('while cancellation is disabled', () => {
  test('a timeout that expires becomes pending; leaving its block discards it', () =>
    virtually(async () => {
      await disableCancellation(async () => {
        const scope = timeoutAfter(1);
        await scope.run(sleep, 2);
        expect(scope.expired).toBe(false);
        expect(await checkCancellation()).toBe(null);
      });
      expect(await sleep(10)).toBe(12);
    }));

  test('otherwise it is raised at the first operation that blocks afterwards', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const error = await thrownBy(
        timeoutAfter(1, async () => {
          await disableCancellation(async () => {
            await sleep(2);
            log.push((await checkCancellation())?.name);
          });
          log.push('enabled again');
          await new Queue().put(1);
          await sleep(1);
          log.push('never here');
        }),
      );
      expect(log).toEqual(['TaskTimeout', 'enabled again']);
      expect(error).toMatchObject({ name: 'TaskTimeout', clock: 1 });
    }));

  test('of two that expire meanwhile the outer is not lost with the inner', () =>
    virtually(async () => {
      const error = await thrownBy(
        timeoutAfter(10, async () => {
          await disableCancellation(() =>
            ignoreAfter(1, async () => {
              await sleep(2);
              await sleep(20);
            }),
          );
          expect(await clock()).toBe(22);
          await sleep(100);
        }),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(await clock()).toBe(22);
    }));
});

describe('a block that ends after its deadline because nothing in it blocked', () => {
  const late = async (body: (time: VirtualClock) => Promise<unknown>): Promise<string[]> => {
    const time = new VirtualClock();
    const log = recorder();
    await run({ clock: time, logger: log }, () => body(time));
    return log.lines;
  };

  test('logs one warning, and gives its value', async () => {
    const lines = await late(async (time) => {
      const value = await timeoutAfter(1, async () => {
        time.advance(5);
        await new Queue().put(1);
        return 'late';
      });
      expect(value).toBe('late');
      expect(await sleep(10)).toBe(15);
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^warn: Task\(id=\d+, name='anonymous'\): a block with a timeout of 1 s ended 4.000 s after it\. Nothing in it blocked/,
    );
  });

  test('logs nothing if that was by a hair', async () => {
    const lines = await late((time) => ignoreAfter(1, () => time.advance(1.0005)));
    expect(lines).toEqual([]);
  });

  test('also when it awaited an ordinary promise meanwhile', async () => {
    const lines = await late((time) =>
      timeoutAfter(1, async () => {
        await turn();
        time.advance(5);
        await turn();
      }),
    );
    expect(lines).toHaveLength(1);
  });

  test('an inner block that is late under a shorter outer one', async () => {
    const lines = await late((time) => ignoreAfter(1, () => ignoreAfter(2, () => time.advance(5))));
    expect(lines.map((line) => /timeout of (\d) s ended (\d)/.exec(line)?.slice(1))).toEqual([
      ['2', '3'],
      ['1', '4'],
    ]);
  });

  test('logs nothing if its timeout was delivered and caught inside, if it was shielded, or cancelled', async () => {
    const lines = await late(async () => {
      await timeoutAfter(1, async () => {
        await thrownBy(sleep(5));
        await sleep(5);
      });
      await disableCancellation(() => timeoutAfter(1, sleep, 5));
      const task = await spawn(() =>
        timeoutAfter(5, async () => {
          await sleep(3).catch(() => {});
          await sleep(8);
        }),
      );
      await sleep(1);
      await task.cancel();
    });
    expect(lines).toEqual([]);
  });

  test('nor if it was shielded by what it called: a condition that takes its lock back', async () => {
    const lines = await late(async () => {
      const condition = new Condition();
      const waiter = await spawn(() => condition.with(() => timeoutAfter(1, () => condition.wait())));
      await sleep(0);
      await condition.with(async () => {
        await condition.notify();
        await sleep(3);
      });
      await waiter.join();
    });
    expect(lines).toEqual([]);
  });

  test('nor if it threw, had no time at all, or ended in time', async () => {
    const lines = await late(async (time) => {
      const bad = async () => {
        time.advance(5);
        throw new Error('bad');
      };
      await timeoutAfter(1, bad).catch(() => {});
      await timeoutAfter(0, () => time.advance(1));
      await timeoutAfter(null, () => time.advance(1));
      await timeoutAfter(2, sleep, 2);
    });
    expect(lines).toEqual([]);
  });
});

describe('bad input', () => {
  test('what is no number of seconds is refused, at the call', () =>
    virtually(async () => {
      expect(() => timeoutAfter(Number.NaN, sleep, 1)).toThrow(
        'timeoutAfter() wants a number of seconds, not NaN.',
      );
      expect(() => ignoreAfter('1' as never, sleep, 1)).toThrow(
        'ignoreAfter() wants a number of seconds, not "1".',
      );
      expect(() => timeoutAfter(undefined as never)).toThrow(TypeError);
      expect(() => timeoutAfter(sleep as never, 1 as never)).toThrow(
        'timeoutAfter() wants the seconds first',
      );
    }));

  test('what is no function is refused, at the call, and says what to write', () =>
    virtually(async () => {
      expect(() => timeoutAfter(1, undefined as never)).toThrow('timeoutAfter() wants a function');
      expect(() => ignoreAfter(1, sleep(0) as never)).toThrow('ignoreAfter() was given a promise');
      expect(() => ignoreAfter(1, { timeoutResult: null } as never, sleep as never, 1 as never)).toThrow(
        'ignoreAfter() wants its options first: ignoreAfter(options, seconds, fn, ...args).',
      );
      expect(() => timeoutAfter(1).run(null as never)).toThrow('TimeoutScope.run() wants a function');
    }));

  test('a second operation while one waits is refused, at the call', () =>
    noisily(async () => {
      const first = sleep(1);
      expect(() => timeoutAfter(1, sleep, 1)).toThrow(TaskBusyError);
      expect(() => ignoreAfter(1).run(sleep, 1)).toThrow(TaskBusyError);
      await first;
    }));

  test('outside a task it is refused', async () => {
    expect(await thrownBy(sleep(1))).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(clock())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(timeoutAfter(1, sleep, 1))).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(ignoreAfter(1).run(sleep, 1))).toBeInstanceOf(RuntimeError);
  });
});

test('nested timeouts keep their rules wherever they are interrupted and in whatever order', async () => {
  let after = 0;
  const program = async () => {
    const task = await spawn(async () => {
      const value = await ignoreAfter({ timeoutResult: 'outer' }, 10, async () => {
        await ignoreAfter(3, async () => {
          await timeoutAfter(5, sleep, 1);
          await ignoreAfter(1, sleep, 100);
        });
        await sleep(2);
        return 'value';
      });
      after = await sleep(50);
      return value;
    });
    return await task.join();
  };
  await cancelEverywhere(program, ({ kind, task, result, error }) => {
    if (kind === 'none') expect([result, after]).toEqual(['value', 54]);
    if (error === null) expect(['value', 'outer']).toContain(result);
    else if (task === 'program') expect(error).toBeInstanceOf(CancelledError);
    else expect((error as TaskError).cause).toBeInstanceOf(CancelledError);
  });
  await explore(async () => expect(await gather([program, program])).toEqual(['value', 'value']), {
    seeds: 30,
  });
});

test('a hundred thousand timeouts that do not expire leave nothing behind', () =>
  virtually(async () => {
    for (let i = 0; i < 100_000; i++) await timeoutAfter(10, () => i);
    expect(await sleep(100)).toBe(100);
  }));
