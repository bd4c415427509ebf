// cancelEverywhere(): a program interrupted at each of its blocking operations. Programs that forget to clean up are found,
// sound ones are not.

import {
  CancelledError,
  checkCancellation,
  DeadlockError,
  disableCancellation,
  Event,
  gather,
  ignoreAfter,
  Lock,
  Queue,
  run,
  sleep,
  spawn,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  UncaughtTimeoutError,
  UniversalQueue,
} from 'curio';
import { cancelEverywhere, type Interruption, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';

const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => {
      throw new Error('nothing was found');
    },
    (error) => error as Error,
  );

/** All runs of a program, each as a line. */
async function runsOf(program: () => unknown): Promise<string[]> {
  const lines: string[] = [];
  await cancelEverywhere(program, ({ kind, at, task, operation, result, error }) => {
    const end = error === null ? `gives ${String(result)}` : `throws ${(error as Error).name}`;
    lines.push(`${kind} ${at} ${task} ${operation}: ${end}`);
  });
  return lines;
}

describe('the runs', () => {
  test('one without an interruption, then three for each blocking operation of any task', async () => {
    const lines = await runsOf(async function program() {
      const kid = await spawn(async function kid() {
        await sleep(2);
        return 'kid';
      });
      await sleep(1);
      return await kid.join();
    });
    expect(lines).toEqual([
      'none 0  : gives kid',
      'cancel 1 program TIME_SLEEP: throws TaskCancelled',
      'timeout 1 program TIME_SLEEP: throws TaskTimeout',
      'cancel after wake-up 1 program TIME_SLEEP: throws TaskCancelled',
      'cancel 2 kid TIME_SLEEP: throws TaskError',
      'timeout 2 kid TIME_SLEEP: throws TaskError',
      // It had slept already, and blocked no more.
      'cancel after wake-up 2 kid TIME_SLEEP: gives kid',
      'cancel 3 program TASK_JOIN: throws TaskCancelled',
      'timeout 3 program TASK_JOIN: throws TaskTimeout',
      'cancel after wake-up 3 program TASK_JOIN: gives kid',
    ]);
  });

  test('a program that never blocks is run once, and gives 0', async () => {
    const seen: Interruption<string>[] = [];
    const count = await cancelEverywhere(
      () => 'done',
      (run) => seen.push(run),
    );
    expect(count).toBe(0);
    expect(seen).toEqual([{ kind: 'none', at: 0, task: '', operation: '', result: 'done', error: null }]);
  });

  test('the number of blocking operations is given', async () => {
    const program = async () => {
      for (let i = 0; i < 5; i++) await sleep(1);
    };
    expect(await cancelEverywhere(program, () => {})).toBe(5);
  });

  test('operations that need not wait, and ordinary promises, are no points of interruption', async () => {
    const count = await cancelEverywhere(
      async () => {
        const queue = new Queue<number>();
        await queue.put(1);
        await queue.get();
        await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
      },
      () => {},
    );
    expect(count).toBe(0);
  });

  test('a wait in a universal object is one', async () => {
    const lines = await runsOf(async function program() {
      const queue = new UniversalQueue<number>();
      await spawn({ daemon: true }, async function feeder() {
        await queue.put(7);
      });
      return await queue.get();
    });
    expect(lines).toEqual([
      'none 0  : gives 7',
      'cancel 1 program FUTURE_WAIT: throws TaskCancelled',
      'timeout 1 program FUTURE_WAIT: throws TaskTimeout',
      'cancel after wake-up 1 program FUTURE_WAIT: gives 7',
    ]);
  });

  test('the timeout is the one that limits the task: the program’s own handler sees it', async () => {
    const lines = await runsOf(async function program() {
      try {
        await timeoutAfter(5, () => sleep(1));
        return 'in time';
      } catch (error) {
        if (!(error instanceof TaskTimeout)) throw error;
        return 'late';
      }
    });
    expect(lines).toEqual([
      'none 0  : gives in time',
      'cancel 1 program TIME_SLEEP: throws TaskCancelled',
      'timeout 1 program TIME_SLEEP: gives late',
      'cancel after wake-up 1 program TIME_SLEEP: gives in time',
    ]);
  });

  test('of nested timeouts the one that would expire first does, and is spent then', async () => {
    const ends: unknown[] = [];
    await cancelEverywhere(
      () =>
        ignoreAfter({ timeoutResult: 'outer' }, 50, async () => {
          const inner = await ignoreAfter({ timeoutResult: 'inner' }, 10, () => sleep(1));
          // The outer one is still in force.
          await sleep(100);
          return inner;
        }),
      ({ kind, at, result }) => {
        if (kind === 'timeout') ends.push([at, result]);
      },
    );
    expect(ends).toEqual([
      [1, 'outer'],
      [2, 'outer'],
    ]);
    const caught: unknown[] = [];
    await cancelEverywhere(
      () =>
        ignoreAfter(50, async () => {
          const scope = timeoutAfter(10);
          await scope
            .run(() => sleep(1))
            .catch((error) => {
              if (error instanceof TaskTimeout) caught.push(error.name);
              else throw error;
            });
          return scope.expired;
        }),
      ({ kind, result }) => {
        if (kind === 'timeout') caught.push(result);
      },
    );
    expect(caught).toEqual(['TaskTimeout', true]);
  });

  test('one that is caught inside its block is spent: what is set inside it afterwards is its own', async () => {
    const ends: unknown[] = [];
    await cancelEverywhere(
      () =>
        timeoutAfter(10, async () => {
          await sleep(2).catch((error) => {
            if (!(error instanceof TaskTimeout)) throw error;
          });
          return await ignoreAfter({ timeoutResult: 'own' }, 4, () => sleep(5));
        }),
      ({ kind, at, result }) => {
        if (kind === 'timeout') ends.push([at, result]);
      },
    );
    expect(ends).toEqual([
      [1, 'own'],
      [2, 'own'],
    ]);
  });

  test('a timeout where none limits the task is not its own: a scope around it says so', async () => {
    const errors: unknown[] = [];
    await cancelEverywhere(
      async function program() {
        const kid = await spawn(() => sleep(1));
        await kid.join();
      },
      ({ kind, task, error }) => {
        if (kind === 'timeout' && task === 'program') errors.push(error);
      },
    );
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(TaskTimeout);
    await expect(timeoutsOf(() => timeoutAfter(null, () => sleep(1)))).resolves.toEqual([
      UncaughtTimeoutError.name,
    ]);
  });

  async function timeoutsOf(program: () => unknown): Promise<string[]> {
    const names: string[] = [];
    await cancelEverywhere(program, ({ kind, error }) => {
      if (kind === 'timeout') names.push((error as Error).name);
    });
    return names;
  }

  test('a shielded operation holds the interruption back to the end of its shield', async () => {
    let finished = 0;
    const ends: unknown[] = [];
    await cancelEverywhere(
      async () => {
        await disableCancellation(async () => {
          await sleep(1);
          finished++;
        });
        await checkCancellation();
        return 'undisturbed';
      },
      ({ kind, result, error }) => ends.push([kind, error === null ? result : (error as Error).name]),
    );
    expect(finished).toBe(4);
    expect(ends).toEqual([
      ['none', 'undisturbed'],
      ['cancel', 'TaskCancelled'],
      ['timeout', 'TaskTimeout'],
      ['cancel after wake-up', 'TaskCancelled'],
    ]);
  });

  test('each has a kernel and a clock of its own', async () => {
    const starts: number[] = [];
    await cancelEverywhere(
      async () => {
        starts.push(await sleep(0));
        await sleep(3);
      },
      () => {},
    );
    expect(starts).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test('when check is called every task has ended', async () => {
    let alive = 0;
    const kinds = new Set<string>();
    await cancelEverywhere(
      async () => {
        for (let i = 0; i < 3; i++) {
          await spawn({ daemon: true }, async () => {
            alive++;
            try {
              await sleep(1000);
            } finally {
              await disableCancellation(() => sleep(5));
              alive--;
            }
          });
        }
        await sleep(1);
      },
      ({ kind }) => {
        kinds.add(kind);
        expect(alive).toBe(0);
      },
    );
    expect(kinds.size).toBe(4);
  });
});

describe('a program that forgets to clean up', () => {
  test('a lock that a cancelled task leaves locked is found, and told where', async () => {
    let lock!: Lock;
    const error = await failure(
      cancelEverywhere(
        async function program() {
          lock = new Lock();
          await lock.acquire();
          await sleep(1); // no finally
          await lock.release();
        },
        () => {
          if (lock.locked()) throw new Error('left locked');
        },
      ),
    );
    expect(error.message).toBe(
      'left locked\n[cancelEverywhere: with a cancel at blocking operation 1 (program in TIME_SLEEP)]',
    );
    expect(error.stack).toContain('blocking operation 1');
  });

  test('the same with a guard is not reported', async () => {
    let lock!: Lock;
    const count = await cancelEverywhere(
      async () => {
        lock = new Lock();
        await gather([() => lock.with(sleep, 1), () => lock.with(sleep, 1)]);
      },
      ({ error }) => {
        if (lock.locked()) throw new Error('left locked');
        if (error instanceof DeadlockError) throw error;
      },
    );
    expect(count).toBeGreaterThan(3);
  });

  test('an item lost between a wake-up and the next operation is found', async () => {
    let moved: number[] = [];
    let from!: Queue<number>;
    const program = (move: () => Promise<void>) => async () => {
      moved = [];
      from = new Queue<number>();
      const mover = await spawn(move);
      await sleep(1);
      for (let i = 0; i < 3; i++) await from.put(i);
      await sleep(1);
      await mover.cancel();
    };
    const check = ({ task, error }: Interruption<void>) => {
      if (task === 'main' || error instanceof CancelledError) return;
      if (moved.length + from.size() !== 3) throw new Error(`lost ${3 - moved.length - from.size()}`);
    };
    const careless = async () => {
      for (;;) {
        const item = await from.get();
        await sleep(0.1); // an item in hand
        moved.push(item);
      }
    };
    const careful = async () => {
      for (;;) {
        const item = await from.get();
        moved.push(item);
        await sleep(0.1);
      }
    };
    expect((await failure(cancelEverywhere(program(careless), check))).message).toMatch(/^lost 1/);
    await cancelEverywhere(program(careful), check);
  });

  test('a cancellation that is swallowed for ever is given up, and told', async () => {
    const error = await failure(
      cancelEverywhere(
        async function stubborn() {
          for (;;) {
            try {
              await sleep(1);
              return;
            } catch {
              await new Promise(() => {});
            }
          }
        },
        () => {},
        { limit: 0.05 },
      ),
    );
    expect(error.message).toContain('did not end within 0.05 s of real time');
    expect(error.message).toContain("name='stubborn', state='PROMISE_WAIT'");
    expect(error.message).toContain('[cancelEverywhere: with a cancel at blocking operation 1');
  });

  test('a deadlock after an interruption is told to check, which decides', async () => {
    const deadlocks: string[] = [];
    await cancelEverywhere(
      async function waiter() {
        const event = new Event();
        await spawn({ daemon: true }, async function setter() {
          await sleep(1);
          await event.set();
        });
        await event.wait();
      },
      ({ kind, task, error }) => {
        if (error instanceof DeadlockError) deadlocks.push(`${kind} of ${task}`);
      },
    );
    expect(deadlocks).toEqual(['cancel of setter', 'timeout of setter']);
  });
});

describe('how a failure is told', () => {
  test('an error of the uninterrupted run comes out as it is, with a note', async () => {
    const odd = new TypeError('odd');
    const error = await failure(
      cancelEverywhere(
        () => {
          throw odd;
        },
        () => {},
      ),
    );
    expect(error).toBe(odd);
    expect(error.message).toBe('odd\n[cancelEverywhere: without an interruption]');
  });

  test('a deadlock of the uninterrupted run too', async () => {
    const error = await failure(
      cancelEverywhere(
        () => new Event().wait(),
        () => {},
      ),
    );
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toContain('[cancelEverywhere: without an interruption]');
  });

  test('check may be async, and may throw what is no error', async () => {
    const error = await failure(
      cancelEverywhere(
        () => sleep(1),
        async ({ kind }) => {
          await Promise.resolve();
          if (kind === 'timeout') throw 'not nice';
        },
      ),
    );
    expect(error.message).toMatch(/^not nice\n\[cancelEverywhere: with a timeout at blocking operation 1/);
    expect(error.cause).toBe('not nice');
  });

  test('with what the failing run logged', async () => {
    const error = await failure(
      cancelEverywhere(
        async () => {
          const task = await spawn(async () => {
            throw new Error('on the side');
          });
          await task.wait();
        },
        () => {
          throw new Error('wrong');
        },
      ),
    );
    expect(error.message).toMatch(
      /^wrong\n\[cancelEverywhere: without an interruption\]\n\[logged in this run:\]\nTask Crash: Task\(id=\d+/,
    );
  });
});

test('what is no program, no check or no limit is refused', async () => {
  await expect(cancelEverywhere(Promise.resolve() as never, () => {})).rejects.toThrow(
    'cancelEverywhere() was given a promise',
  );
  await expect(cancelEverywhere(() => {}, undefined as never)).rejects.toThrow(TypeError);
  await expect(
    cancelEverywhere(
      () => {},
      () => {},
      { limit: -1 },
    ),
  ).rejects.toThrow(RangeError);
  await expect(
    run(() =>
      cancelEverywhere(
        () => {},
        () => {},
      ),
    ),
  ).rejects.toThrow('run() was called inside a task');
});

test('a clock of the user is used', async () => {
  const clock = new VirtualClock();
  await cancelEverywhere(
    () => sleep(1),
    () => {},
    { clock },
  );
  // The uninterrupted sleep, and the one that was cancelled after it was over.
  expect(clock.now()).toBe(2);
});

test('who asked is nobody: the cancellation has no requester', async () => {
  const errors: TaskCancelled[] = [];
  await cancelEverywhere(
    () => sleep(1),
    ({ error }) => {
      if (error instanceof TaskCancelled) errors.push(error);
    },
  );
  expect(errors.map((error) => error.requestedBy)).toEqual([null]);
});
