// explore(): a program under many orders of the ready queue. Programs with a planted race are found, sound ones are not.

import {
  Condition,
  DeadlockError,
  Event,
  gather,
  Lock,
  Queue,
  run,
  sleep,
  spawn,
  TaskGroup,
  taskGroup,
} from 'curio';
import { explore, randomNumbers, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('nothing was found');
    },
    (error) => error as Error,
  );

const seedIn = (error: Error): number => Number(/explore: seed (\d+);/.exec(error.message)?.[1]);

describe('a program with a race', () => {
  // The flag is looked at, and the sleep begun, with a switch in between; who sets the flag meanwhile wakes nobody.
  async function lostWakeUp(): Promise<void> {
    let ready = false;
    const bell = new Event();
    await gather([
      async () => {
        if (ready) return;
        await sleep(0);
        bell.clear();
        await bell.wait();
      },
      async () => {
        await sleep(0);
        ready = true;
        await bell.set();
      },
    ]);
  }

  test('a lost wake-up is found: a deadlock, told with its seed', async () => {
    const error = await failure(explore(lostWakeUp));
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toContain('EVENT_WAIT');
    expect(seedIn(error)).toBeGreaterThan(0);
  });

  // Each looks whether there is money, and takes it later.
  async function checkThenAct(): Promise<void> {
    let balance = 100;
    const withdraw = async (amount: number) => {
      if (balance < amount) return;
      await sleep(0);
      balance -= amount;
    };
    await gather([() => withdraw(70), () => sleep(0), () => withdraw(70)]);
    if (balance < 0) throw new Error(`overdrawn: ${balance}`);
  }

  test('a check followed by an await and then an act is found', async () => {
    const error = await failure(explore(checkThenAct));
    expect(error.message).toMatch(/^overdrawn: -40\n\[explore: seed \d+; replay it with/);
  });

  test('its seed replays it, and another seed may not', async () => {
    // Right in the order of spawning, wrong when the second goes first.
    const program = async () => {
      const log: number[] = [];
      await gather([async () => log.push(1), async () => log.push(2)]);
      if (log[0] !== 1) throw new Error('overtaken');
    };
    await run({ clock: new VirtualClock() }, program);
    const seed = seedIn(await failure(explore(program)));
    for (let i = 0; i < 5; i++) {
      const again = await failure(explore(program, { seeds: [seed] }));
      expect(seedIn(again)).toBe(seed);
    }
    const sound: number[] = [];
    for (let other = 1; other <= 20; other++) {
      await explore(program, { seeds: [other] }).then(
        () => sound.push(other),
        (error) => expect(error.message).toContain('overtaken'),
      );
    }
    expect(sound.length).toBeGreaterThan(0);
    expect(sound.length).toBeLessThan(20);
  });
});

describe('a program without a bug is not reported', () => {
  test('the lost wake-up, mended', async () => {
    await explore(async () => {
      let ready = false;
      const changed = new Condition();
      await gather([
        () => changed.with(() => changed.waitFor(() => ready)),
        () =>
          changed.with(async () => {
            await sleep(0);
            ready = true;
            await changed.notify();
          }),
      ]);
    });
  });

  test('the check and the act under a lock', async () => {
    await explore(async () => {
      let balance = 100;
      const lock = new Lock();
      const withdraw = (amount: number) =>
        lock.with(async () => {
          if (balance < amount) return;
          await sleep(0);
          balance -= amount;
        });
      await gather([() => withdraw(70), () => withdraw(70)]);
      expect(balance).toBe(30);
    });
  });

  test('one that never blocks', async () => {
    let runs = 0;
    await explore(() => {
      runs++;
    });
    expect(runs).toBe(100);
  });

  test('one whose tasks are left over, cancelled, crashed and looked at', async () => {
    await explore(
      async () => {
        await spawn({ daemon: true }, sleep, 1000);
        const crasher = await spawn(async () => {
          throw new Error('seen');
        });
        await crasher.wait();
        expect(crasher.exception).toMatchObject({ message: 'seen' });
        const group = await taskGroup({ wait: 'any' }, async (g) => {
          await g.spawn(sleep, 1);
          await g.spawn(sleep, 2);
        });
        expect(group.tasks.every((task) => task.terminated)).toBe(true);
      },
      { seeds: 20 },
    );
  });

  test('time goes in order whatever the seed: only who is ready at the same time is shuffled', async () => {
    await explore(
      async () => {
        const log: number[] = [];
        await gather(
          [3, 1, 2].map((seconds) => async () => {
            await sleep(seconds);
            log.push(seconds);
          }),
        );
        expect(log).toEqual([1, 2, 3]);
      },
      { seeds: 30 },
    );
  });

  test('waiting in line stays first come, first served, whatever the seed', async () => {
    await explore(
      async () => {
        const lock = new Lock();
        const arrived: number[] = [];
        const served: number[] = [];
        await lock.acquire();
        const group = new TaskGroup();
        for (let i = 0; i < 5; i++) {
          await group.spawn(async () => {
            arrived.push(i);
            await lock.acquire();
            served.push(i);
            await lock.release();
          });
        }
        await sleep(1);
        await lock.release();
        await group.join();
        expect(served).toEqual(arrived);
      },
      { seeds: 30 },
    );
  });
});

describe('how a failure is told', () => {
  test('the error is the very one the program threw', async () => {
    class Odd extends Error {
      detail = 42;
    }
    const odd = new Odd('odd');
    const error = await failure(
      explore(() => {
        throw odd;
      }),
    );
    expect(error).toBe(odd);
    expect(error).toMatchObject({ detail: 42 });
    expect(error.message).toBe('odd\n[explore: seed 1; replay it with explore(program, { seeds: [1] })]');
    expect(error.stack).toContain('explore: seed 1;');
  });

  test('an error that cannot be added to, or is none, becomes the cause', async () => {
    const frozen = Object.freeze(new Error('frozen'));
    const told = await failure(
      explore(() => {
        throw frozen;
      }),
    );
    expect(told.cause).toBe(frozen);
    expect(told.message).toMatch(/^frozen\n\[explore: seed 1;/);
    const word = await failure(
      explore(() => {
        throw 'a word';
      }),
    );
    expect(word.cause).toBe('a word');
    expect(word.message).toMatch(/^a word\n\[explore: seed 1;/);
  });

  test('a DOMException, whose message is read only, is told as well', async () => {
    const error = await failure(
      explore(() => {
        throw new DOMException('it was aborted', 'AbortError');
      }),
    );
    expect(error.name).toBe('AbortError');
    expect(error.message).toMatch(/^it was aborted\n\[explore: seed 1;/);
  });

  test('with what the failing run logged, if no logger was given', async () => {
    const program = async () => {
      const bell = new Event();
      await spawn(async function ringer() {
        throw new Error('no bell');
      });
      await bell.wait();
    };
    const error = await failure(explore(program));
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toContain('[logged in this run:]\nTask Crash: Task(id=');
    expect(error.message).toContain('no bell');

    const logger = recorder();
    const quiet = await failure(explore(program, { logger }));
    expect(quiet.message).not.toContain('logged');
    expect(logger.of('error').join()).toContain('no bell');
  });

  test('a run that hangs where the virtual clock cannot see is given up, with its seed and its tasks', async () => {
    const error = await failure(
      explore(
        async () => {
          const worker = await spawn(function stuckWorker() {
            return new Promise(() => {});
          });
          await worker.join();
        },
        { limit: 0.05 },
      ),
    );
    expect(error.message).toContain('did not end within 0.05 s of real time');
    expect(error.message).toContain("name='stuckWorker', state='PROMISE_WAIT'");
    expect(seedIn(error)).toBe(1);
  });

  test('a run that spins without time passing is given up too', async () => {
    const error = await failure(
      explore(
        async () => {
          for (;;) await sleep(0);
        },
        { limit: 0.05 },
      ),
    );
    expect(error.message).toContain('did not end within');
  });
});

describe('options', () => {
  test('seeds: how many, or which', async () => {
    let runs = 0;
    const count = () => {
      runs++;
    };
    await explore(count, { seeds: 7 });
    await explore(count, { seeds: [3, 3, 4] });
    expect(runs).toBe(10);
  });

  test('no seeds at all would be a test that cannot fail', async () => {
    await expect(explore(() => {}, { seeds: [] })).rejects.toThrow(RangeError);
    await expect(explore(() => {}, { seeds: 0 })).rejects.toThrow(RangeError);
    await expect(explore(() => {}, { seeds: 1.5 })).rejects.toThrow(RangeError);
    await expect(explore(() => {}, { seeds: [-1] })).rejects.toThrow(RangeError);
    await expect(explore(() => {}, { seeds: 'all' as never })).rejects.toThrow(TypeError);
  });

  test('a limit that is none is refused', async () => {
    await expect(explore(() => {}, { limit: 0 })).rejects.toThrow(RangeError);
    await expect(explore(() => {}, { limit: Number.NaN })).rejects.toThrow(TypeError);
    await explore(() => {}, { limit: Number.POSITIVE_INFINITY, seeds: 1 });
  });

  test('a promise in place of the program is refused, and says what to write', async () => {
    await expect(explore(Promise.resolve() as never)).rejects.toThrow('explore() was given a promise');
  });

  test('a clock of the user is used', async () => {
    const clock = new VirtualClock({ start: 100 });
    await explore(() => sleep(1), { clock, seeds: 3 });
    expect(clock.now()).toBe(103);
  });
});

test('inside a task it is refused, as run() is', async () => {
  await expect(run(() => explore(() => {}))).rejects.toThrow('run() was called inside a task');
});

test('each seed is an order of its own, and the same one every time', async () => {
  const order = async (seed: number): Promise<string> => {
    const log: number[] = [];
    await explore(
      async () => {
        await gather([0, 1, 2, 3, 4, 5].map((i) => async () => log.push(i)));
      },
      { seeds: [seed] },
    );
    return log.join('');
  };
  const orders = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    const first = await order(seed);
    expect(await order(seed)).toBe(first);
    expect([...first].sort().join('')).toBe('012345');
    orders.add(first);
  }
  expect(orders.size).toBeGreaterThan(20);
});

test('a queue between shuffled tasks loses nothing', async () => {
  await explore(
    async () => {
      const queue = new Queue<number>(2);
      const got: number[] = [];
      await gather([
        ...[0, 10, 20].map((base) => async () => {
          for (let i = 0; i < 5; i++) await queue.put(base + i);
        }),
        ...[0, 1].map((i) => async () => {
          for (let n = 0; n < 7 + i; n++) got.push(await queue.get());
        }),
      ]);
      expect(got.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24]);
    },
    { seeds: 50 },
  );
});

describe('randomNumbers()', () => {
  test('gives the same numbers for the same seed, from 0 to below 1, spread evenly', () => {
    const [a, b, c] = [randomNumbers(7), randomNumbers(7), randomNumbers(8)];
    const buckets = new Array<number>(10).fill(0);
    let differ = 0;
    for (let i = 0; i < 10_000; i++) {
      const n = a();
      expect(b()).toBe(n);
      if (c() !== n) differ++;
      if (!(n >= 0 && n < 1)) throw new Error(String(n));
      buckets[Math.floor(n * 10)]!++;
    }
    expect(differ).toBeGreaterThan(9_990);
    for (const size of buckets) expect(size).toBeGreaterThan(850);
  });
});
