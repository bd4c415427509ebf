// Shutdown: every task that is left is cancelled, newest first, and waited for; then what was registered is closed.

import {
  CancelledError,
  currentTask,
  disableCancellation,
  Event,
  Kernel,
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
import { atShutdown, callingTask, type TaskRecord } from '../../src/traps.ts';
import { recorder } from '../kit/recorder.ts';

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

describe('shutdown', () => {
  test('cancels the tasks left, newest first, and waits for each before the next', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const worker = async (name: string) => {
        try {
          await sleep(1000);
        } finally {
          log.push(`${name} cancelled`);
          await sleep(1);
          log.push(`${name} cleaned up`);
        }
      };
      await spawn(worker, 'oldest');
      await spawn({ daemon: true }, worker, 'daemon');
      await spawn(worker, 'newest');
      await sleep(1);
      log.push('main ends');
    });
    log.push('run has settled');
    expect(log).toEqual([
      'main ends',
      'newest cancelled',
      'newest cleaned up',
      'daemon cancelled',
      'daemon cleaned up',
      'oldest cancelled',
      'oldest cleaned up',
      'run has settled',
    ]);
  });

  test('does so too when the newest task has ended already', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn(async () => {
        try {
          await sleep(1000);
        } finally {
          log.push('old one cancelled');
        }
      });
      await (await spawn(async () => {})).join();
      await sleep(0);
    });
    expect(log).toEqual(['old one cancelled']);
  });

  test('says that it is the one who cancels', async () => {
    let error!: TaskCancelled;
    await run(quiet(), async () => {
      await spawn(async () => {
        try {
          await sleep(1000);
        } catch (exc) {
          error = exc as TaskCancelled;
          throw exc;
        }
      });
      await sleep(0);
    });
    expect(error).toBeInstanceOf(TaskCancelled);
    expect(error.requestedBy).toBe(null);
    expect((error.cause as Error).message).toContain('shuts down');
  });

  test('lets a task that has not begun begin, and cancels it at its first blocking operation', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn(async () => {
        log.push('begins');
        await sleep(1).catch((error) => {
          log.push(error.name);
          throw error;
        });
      });
    });
    expect(log).toEqual(['begins', 'TaskCancelled']);
  });

  test('waits for a task that swallows the cancellation until it ends by itself', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn(async () => {
        await sleep(1000).catch(() => {});
        for (let i = 1; i <= 3; i++) {
          await sleep(1);
          log.push(`still here ${i}`);
        }
      });
      await sleep(0);
    });
    expect(log).toEqual(['still here 1', 'still here 2', 'still here 3']);
  });

  test('lets tasks wait for one another while they clean up', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const queue = new Queue<string>();
      const stop = new Event();
      await spawn({ daemon: true }, async () => {
        for await (const item of queue) log.push(item);
      });
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          await queue.put('farewell');
          await stop.set();
        }
      });
      await spawn({ daemon: true }, async () => {
        // The newest, cancelled first, hears of nothing until the next one is cancelled: so it must not wait for that.
        await stop.wait();
      });
      await sleep(1);
    });
    expect(log).toEqual(['farewell']);
  });

  test('goes on until what clean-up has spawned has ended too', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          await spawn({ daemon: true }, async () => {
            try {
              log.push('spawned in clean-up');
              await sleep(1000);
            } finally {
              await spawn({ daemon: true }, async () => {
                log.push('spawned in the clean-up of that');
              });
            }
          });
        }
      });
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          const helper = await spawn(async () => {
            await sleep(0);
            return 'helped';
          });
          log.push(await helper.join().catch((error) => error.cause.name));
        }
      });
      await sleep(1);
    });
    expect(log.sort()).toEqual(['helped', 'spawned in clean-up', 'spawned in the clean-up of that']);
  });

  test('does not interrupt a shield, and waits for it', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn({ daemon: true }, async () => {
        await disableCancellation(async () => {
          await sleep(5);
          log.push('shielded work done');
        });
        await sleep(1);
        log.push('not reached');
      });
      await sleep(1);
    });
    expect(log).toEqual(['shielded work done']);
  });

  test('ends the groups of tasks, members first', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn({ daemon: true }, async () => {
        const group = new TaskGroup();
        await group.spawn(async () => {
          try {
            await sleep(1000);
          } finally {
            log.push('member');
          }
        });
        try {
          await group.join();
        } finally {
          log.push('owner');
        }
      });
      await sleep(1);
    });
    expect(log).toEqual(['member', 'owner']);
  });

  test('logs a task that crashes while it cleans up, and goes on', async () => {
    const options = quiet();
    const log: string[] = [];
    await run(options, async () => {
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          log.push('other cleaned up');
        }
      });
      await spawn({ daemon: true }, async () => {
        await sleep(1000).catch(() => {
          throw new Error('in clean-up');
        });
      });
      await sleep(1);
    });
    expect(options.logger.of('error')[0]).toContain('in clean-up');
    expect(log).toEqual(['other cleaned up']);
  });

  test('takes tasks that were left by several runs', async () => {
    const log: string[] = [];
    const kernel = new Kernel(quiet());
    for (const name of ['first', 'second']) {
      await kernel.run(async () => {
        await spawn({ daemon: true }, async () => {
          try {
            await sleep(1000);
          } finally {
            log.push(name);
          }
        });
        await sleep(0);
      });
    }
    await kernel.run({ shutdown: true });
    expect(log).toEqual(['second', 'first']);
  });

  test('waits for a task that an ordinary promise holds, and says which it is after ten seconds', async () => {
    const options = quiet();
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let task!: Task<string>;
    const running = run(options, async () => {
      task = await spawn({ name: 'held' }, async () => {
        await held;
        return 'let go';
      });
      await sleep(0);
      await new Promise((resolve) => setImmediate(resolve));
    });
    const turns = async () => {
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    await turns();
    options.clock.advance(9.9);
    await turns();
    expect(options.logger.lines).toEqual([]);
    options.clock.advance(0.2);
    await turns();
    expect(options.logger.of('warn')).toHaveLength(1);
    expect(options.logger.of('warn')[0]).toMatch(/name='held'\) was cancelled 10 s ago.*PROMISE_WAIT/);
    expect(task.terminated).toBe(false);
    release();
    await running;
    expect(task.result).toBe('let go');
  });

  test('of a kernel is not hurried by a timeout that a task stands in', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      await spawn({ daemon: true }, async () => {
        await timeoutAfter(5, async () => {
          try {
            await sleep(1000);
          } catch (error) {
            await sleep(50);
            log.push('cleaned up');
            throw error;
          }
        });
      });
      await sleep(1);
    });
    expect(log).toEqual(['cleaned up']);
  });

  test('cancels ten thousand tasks', async () => {
    let cancelled = 0;
    await run(quiet(), async () => {
      for (let i = 0; i < 10_000; i++) {
        await spawn({ daemon: true }, async () => {
          try {
            await sleep(1000);
          } catch (error) {
            if (error instanceof CancelledError) cancelled++;
            throw error;
          }
        });
      }
      await sleep(0);
    });
    expect(cancelled).toBe(10_000);
  });
});

describe('what was registered to be closed', () => {
  test('is closed after the tasks have ended, in the order of registration, one after the other', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const task = callingTask() as TaskRecord;
      atShutdown(task, async () => {
        log.push('poller closes');
        await new Promise((resolve) => setImmediate(resolve));
        log.push('poller closed');
      });
      atShutdown(task, () => log.push('pool closed'));
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          log.push('task ended');
        }
      });
      await sleep(0);
    });
    expect(log).toEqual(['task ended', 'poller closes', 'poller closed', 'pool closed']);
  });

  test('is closed even if another one fails to', async () => {
    const options = quiet();
    const log: string[] = [];
    await run(options, async () => {
      const task = callingTask() as TaskRecord;
      atShutdown(task, () => {
        throw new Error('cannot be closed');
      });
      atShutdown(task, async () => {
        throw new Error('cannot be closed either');
      });
      atShutdown(task, () => log.push('closed'));
    });
    expect(log).toEqual(['closed']);
    expect(options.logger.of('error').join()).toMatch(/cannot be closed[\s\S]*cannot be closed either/);
  });

  test('is not closed between two runs', async () => {
    const log: string[] = [];
    const kernel = new Kernel(quiet());
    await kernel.run(async () => {
      atShutdown(callingTask() as TaskRecord, () => log.push('closed'));
    });
    await kernel.run(async () => {});
    expect(log).toEqual([]);
    await kernel[Symbol.asyncDispose]();
    expect(log).toEqual(['closed']);
  });

  test('may be a signal that a task of the kernel waited for: nobody watches it any more', async () => {
    const event = new SignalEvent('SIGUSR2');
    await run(quiet(), async () => {
      await timeoutAfter(1, () => event.wait()).catch(() => {});
      expect(process.listenerCount('SIGUSR2')).toBe(1);
    });
    expect(process.listenerCount('SIGUSR2')).toBe(0);
  });
});

describe('after shutdown', () => {
  test('no task is left, and all know that they have ended', async () => {
    const tasks: Task<unknown>[] = [];
    await run(quiet(), async () => {
      tasks.push(await currentTask());
      tasks.push(await spawn(() => sleep(1000)));
      tasks.push(await spawn(() => wait(new Promise(() => {}))));
      tasks.push(await spawn(() => new Event().wait()));
      await sleep(1);
    });
    expect(tasks.map((task) => task.state)).toEqual(Array(4).fill('TERMINATED'));
    expect(tasks.map((task) => task.cancelled)).toEqual([false, true, true, true]);
    expect(tasks.every((task) => task.terminated)).toBe(true);
  });
});
