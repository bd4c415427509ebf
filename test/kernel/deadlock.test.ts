// Deadlock: nothing can wake any task any more. Here the virtual clock notices; test/programs.test.ts has the real one, where
// Node would exit in silence.

import {
  CancelledError,
  DeadlockError,
  Event,
  Kernel,
  Lock,
  Queue,
  run,
  SignalEvent,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskGroup,
  timeoutAfter,
  wait,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

async function deadlockOf(running: Promise<unknown>): Promise<DeadlockError> {
  const error = await running.then(
    (value) => expect.fail(`it gave ${String(value)}`),
    (it) => it,
  );
  expect(error).toBeInstanceOf(DeadlockError);
  return error as DeadlockError;
}

describe('a run in which nothing can wake any task', () => {
  test('is rejected with a DeadlockError that holds the task table', async () => {
    const ids: number[] = [];
    const error = await deadlockOf(
      run(quiet(), async function main() {
        const event = new Event();
        const queue = new Queue<number>();
        const waiter = await spawn({ name: 'waiter' }, () => event.wait());
        const getter = await spawn({ name: 'getter' }, () => queue.get());
        ids.push(waiter.id, getter.id);
        await sleep(3);
        await waiter.join();
      }),
    );
    expect(error.code).toBe('ERR_CURIO_DEADLOCK');
    expect(error.message).toMatch(/Task +State +Cycles +Timeout +Name/);
    expect(error.message).toMatch(/\d+ +TASK_JOIN +2 +None +main/);
    expect(error.message).toMatch(new RegExp(`${ids[0]} +EVENT_WAIT +1 +None +waiter`));
    expect(error.message).toMatch(new RegExp(`${ids[1]} +QUEUE_GET +1 +None +getter`));
  });

  test('may be two tasks that join each other, or hold what the other wants', async () => {
    await deadlockOf(
      run(quiet(), async () => {
        const tasks: Task<unknown>[] = [];
        tasks.push(await spawn(async () => tasks[1]!.join()));
        tasks.push(await spawn(async () => tasks[0]!.join()));
        await tasks[0]!.join();
      }),
    );
    await deadlockOf(
      run(quiet(), async () => {
        const [a, b] = [new Lock(), new Lock()];
        const both = async (first: Lock, second: Lock) => {
          await using _1 = await first.acquire();
          await sleep(1);
          await using _2 = await second.acquire();
        };
        const tasks = [await spawn(both, a, b), await spawn(both, b, a)];
        for (const task of tasks) await task.wait();
      }),
    );
  });

  test('cancels the tasks with the very error as cause, and lets them clean up first', async () => {
    const log: string[] = [];
    const causes: unknown[] = [];
    const error = await deadlockOf(
      run(quiet(), async () => {
        const event = new Event();
        const waiter = async (name: string) => {
          try {
            await event.wait();
          } catch (exc) {
            expect(exc).toBeInstanceOf(TaskCancelled);
            expect((exc as TaskCancelled).requestedBy).toBe(null);
            causes.push((exc as TaskCancelled).cause);
            await sleep(1);
            log.push(`${name} cleaned up`);
            throw exc;
          }
        };
        await spawn(waiter, 'child');
        await waiter('main');
      }),
    );
    log.push('run has settled');
    expect(log.sort()).toEqual(['child cleaned up', 'main cleaned up', 'run has settled'].sort());
    expect(log.at(-1)).toBe('run has settled');
    expect(causes).toEqual([error, error]);
    expect(causes[0]).toBe(error);
  });

  test('is rejected even if the main task swallows its cancellation', async () => {
    await deadlockOf(
      run(quiet(), async () => {
        await new Event().wait().catch(() => {});
        return 'swallowed';
      }),
    );
  });

  test('settles even if a task swallows its cancellation and blocks for ever again', async () => {
    const options = quiet();
    let task!: Task<unknown>;
    await deadlockOf(
      run(options, async () => {
        const event = new Event();
        task = await spawn(async () => {
          for (;;) await event.wait().catch(() => {});
        });
        await task.join();
      }),
    );
    expect(task.terminated).toBe(true);
    expect(task.exception).toBeInstanceOf(CancelledError);
  });

  test('ends a task group, and whoever waits for it', async () => {
    const log: string[] = [];
    await deadlockOf(
      run(quiet(), async () => {
        const group = new TaskGroup();
        for (let i = 0; i < 3; i++) {
          await group.spawn(async () => {
            try {
              await new Event().wait();
            } finally {
              log.push(`member ${i}`);
            }
          });
        }
        try {
          await group.join();
        } finally {
          log.push('joined');
        }
      }),
    );
    expect(log.slice(0, 3).sort()).toEqual(['member 0', 'member 1', 'member 2']);
    expect(log[3]).toBe('joined');
  });

  test('reports nobody as never joined, and nobody as crashed', async () => {
    const options = quiet();
    await deadlockOf(
      run(options, async () => {
        const task = await spawn(() => new Event().wait());
        await task.join();
      }),
    );
    expect(options.logger.lines).toEqual([]);
  });

  test('is noticed when the last task that awaited an ordinary promise has ended, and woken nobody', async () => {
    await deadlockOf(
      run(quiet(), async () => {
        await spawn({ daemon: true }, () => new Promise((resolve) => setImmediate(resolve)));
        await new Event().wait();
      }),
    );
  });

  test('leaves the kernel usable', async () => {
    await using kernel = new Kernel(quiet());
    const event = new Event();
    await deadlockOf(kernel.run(() => event.wait()));
    expect(await kernel.run(async () => sleep(1))).toBe(1);
    await deadlockOf(kernel.run(() => event.wait()));
    await event.set().catch(() => {});
    expect(await kernel.run(async () => 'usable')).toBe('usable');
  });

  test('is noticed during shutdown, when a task swallows its cancellation and blocks for ever', async () => {
    const options = quiet();
    let task!: Task<unknown>;
    await deadlockOf(
      run(options, async () => {
        task = await spawn(async () => {
          await sleep(1000).catch(() => {});
          await new Event().wait();
        });
        await sleep(1);
        return 'main result';
      }),
    );
    expect(task.terminated).toBe(true);
  });

  test('… and then does not hide the error of the main task', async () => {
    const options = quiet();
    const error = new Error('of main');
    await expect(
      run(options, async () => {
        await spawn(async () => {
          await sleep(1000).catch(() => {});
          await new Event().wait();
        });
        await sleep(1);
        throw error;
      }),
    ).rejects.toBe(error);
    expect(options.logger.of('error')[0]).toContain('Nothing can wake');
  });

  test('is noticed again in a shutdown after it was noticed in the run', async () => {
    await deadlockOf(
      run(quiet(), async () => {
        const event = new Event();
        await spawn(async () => {
          for (let i = 0; i < 3; i++) await event.wait().catch(() => {});
        });
        await event.wait();
      }),
    );
  });
});

describe('no deadlock is', () => {
  test('a task that sleeps, or has a timeout', async () => {
    expect(await run(quiet(), () => sleep(1e6))).toBe(1e6);
    await expect(run(quiet(), () => timeoutAfter(5, () => new Event().wait()))).rejects.toThrow('timeout');
  });

  test('a task that awaits an ordinary promise, however long it takes', async () => {
    const late = <T>(value: T, turns: number): Promise<T> =>
      new Promise((resolve) => setImmediate(() => resolve(turns === 0 ? value : late(value, turns - 1))));
    expect(await run(quiet(), () => late('awaited', 50))).toBe('awaited');
    expect(await run(quiet(), () => wait(late('waited for', 50)))).toBe('waited for');
  });

  test('a task that waits for a signal', async () => {
    using event = new SignalEvent('SIGUSR2');
    setTimeout(() => process.kill(process.pid, 'SIGUSR2'), 5);
    await run(quiet(), () => event.wait());
  });

  test('a kernel whose tasks wait for those of another kernel', async () => {
    const clock = new VirtualClock();
    const event = new Event();
    const [result] = await Promise.all([
      run({ clock }, async () => {
        await event.wait();
        return 'set';
      }),
      run({ clock }, async () => {
        await sleep(50);
        await event.set();
      }),
    ]);
    expect(result).toBe('set');
  });

  test('what other tasks wait for, when the main task ends', async () => {
    const options = quiet();
    const result = await run(options, async () => {
      await spawn(() => new Event().wait());
      await sleep(1);
      return 'main result';
    });
    expect(result).toBe('main result');
    expect(options.logger.lines).toEqual([]);
  });
});
