// Whose turn it is: tasks start when their spawner blocks, switch at blocking operations and nowhere else, and go on in
// the order in which they became ready. Each test logs what happens and compares the whole log.

import {
  CancelledError,
  checkCancellation,
  clock,
  currentTask,
  Event,
  ignoreAfter,
  Kernel,
  Lock,
  Queue,
  run,
  Semaphore,
  sleep,
  spawn,
  type Task,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { cancelTask, getKernel } from 'curio/traps';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

describe('spawn', () => {
  test('does not switch: the child begins when its spawner blocks', async () => {
    const log: string[] = [];
    await run(async () => {
      log.push('before spawn');
      const task = await spawn(async () => {
        log.push('child');
      });
      log.push('after spawn');
      await Promise.resolve();
      log.push('after a promise');
      await task.join();
      log.push('joined');
    });
    expect(log).toEqual(['before spawn', 'after spawn', 'after a promise', 'child', 'joined']);
  });

  test('lets tasks begin in the order of spawning', async () => {
    const log: string[] = [];
    await run(async () => {
      const child = async (name: string) => {
        log.push(`${name} begins`);
        await sleep(0);
        log.push(`${name} ends`);
      };
      const tasks = [await spawn(child, 'a'), await spawn(child, 'b'), await spawn(child, 'c')];
      log.push('spawned');
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(['spawned', 'a begins', 'b begins', 'c begins', 'a ends', 'b ends', 'c ends']);
  });

  test('puts the child behind those that are ready already', async () => {
    const log: string[] = [];
    await run(async () => {
      const grandchild = async () => {
        log.push('grandchild');
      };
      await spawn({ daemon: true }, async () => {
        log.push('first');
        await spawn({ daemon: true }, grandchild);
        log.push('first ends');
      });
      await spawn({ daemon: true }, async () => {
        log.push('second');
      });
      await sleep(0);
      log.push('main');
      await sleep(0);
    });
    expect(log).toEqual(['first', 'first ends', 'second', 'main', 'grandchild']);
  });

  test('runs nothing of the child inside the stack of its spawner', async () => {
    const DEPTH = 10_000;
    let deepest = 0;
    const child = async (depth: number): Promise<void> => {
      deepest = Math.max(deepest, depth);
      if (depth < DEPTH) await spawn({ daemon: true }, child, depth + 1);
    };
    await run(async () => {
      await spawn({ daemon: true }, child, 1);
      while (deepest < DEPTH) await sleep(0);
    });
    expect(deepest).toBe(DEPTH);
  });

  test('of a function that throws at once is a failed task, not an error of spawn', async () => {
    await run({ logger: recorder() }, async () => {
      const task = await spawn(() => {
        throw new Error('at once');
      });
      await task.wait();
      expect((task.exception as Error).message).toBe('at once');
    });
  });
});

describe('between two blocking operations', () => {
  test('no other task runs, however many awaits of async functions lie between', async () => {
    const log: string[] = [];
    const deep = async (n: number): Promise<number> => (n === 0 ? 0 : 1 + (await deep(n - 1)));
    const worker = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        log.push(`${name} in`);
        await deep(50);
        await null;
        await Promise.all([deep(3), deep(5)]);
        log.push(`${name} out`);
        await sleep(0);
      }
    };
    await run(async () => {
      const tasks = [await spawn(worker, 'a'), await spawn(worker, 'b')];
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(Array.from({ length: 3 }, () => ['a in', 'a out', 'b in', 'b out']).flat());
  });

  test('no other task runs, though operations are done that need not wait', async () => {
    const log: string[] = [];
    await run(async () => {
      const queue = new Queue<number>();
      const event = new Event();
      const lock = new Lock();
      const semaphore = new Semaphore(2);
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      const ended = await spawn(async () => 'value');
      await ended.join();
      log.splice(0);
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      const busy = await spawn({ daemon: true }, () => sleep(1));

      await queue.put(1);
      expect(await queue.get()).toBe(1);
      await queue.taskDone();
      await queue.join();
      await event.set();
      await event.wait();
      (await lock.acquire()).release();
      await lock.acquire();
      await lock.release();
      (await semaphore.acquire()).release();
      await clock();
      await currentTask();
      await getKernel();
      await checkCancellation();
      expect(await ended.join()).toBe('value');
      await ended.wait();
      await ended.cancel();
      await cancelTask(busy);
      await timeoutAfter(1, () => queue.put(2));
      await ignoreAfter(1, () => queue.get());
      log.push('main');
      await sleep(0);
      log.push('main again');
    });
    expect(log).toEqual(['main', 'other', 'main again']);
  });

  test('sleep(0) and sleep of less than nothing are blocking operations', async () => {
    const log: string[] = [];
    await run(async () => {
      const other = async () => {
        for (let i = 1; i <= 2; i++) {
          log.push(`other ${i}`);
          await sleep(-5);
        }
      };
      const task = await spawn(other);
      await sleep(0);
      log.push('main 1');
      await sleep(-1);
      log.push('main 2');
      await task.join();
    });
    expect(log).toEqual(['other 1', 'main 1', 'other 2', 'main 2']);
  });
});

describe('ready tasks', () => {
  test('take turns in the order in which they became ready', async () => {
    const log: string[] = [];
    await run({ clock: new VirtualClock() }, async () => {
      const events = [new Event(), new Event(), new Event()];
      const tasks: Task<void>[] = [];
      for (const [i, event] of events.entries()) {
        tasks.push(
          await spawn(async () => {
            await event.wait();
            log.push(`woken ${i}`);
          }),
        );
      }
      await sleep(0);
      await events[2]!.set();
      await events[0]!.set();
      await spawn({ daemon: true }, async () => {
        log.push('spawned');
      });
      await events[1]!.set();
      log.push('main');
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(['main', 'woken 2', 'woken 0', 'spawned', 'woken 1']);
  });

  test('all get a turn before one of them gets a second', async () => {
    const log: number[] = [];
    await run(async () => {
      const worker = async (n: number) => {
        for (let i = 0; i < 4; i++) {
          log.push(n);
          await sleep(0);
        }
      };
      const tasks: Task<void>[] = [];
      for (let n = 0; n < 300; n++) tasks.push(await spawn(worker, n));
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(Array.from({ length: 4 }, () => Array.from({ length: 300 }, (_, n) => n)).flat());
  });
});

describe('when the process was busy past several deadlines', () => {
  test('sleepers wake in the order of their deadlines, whatever the order of their calls', async () => {
    const log: string[] = [];
    const time = new VirtualClock();
    await run({ clock: time }, async () => {
      const sleeper = async (seconds: number) => {
        await sleep(seconds);
        log.push(`${seconds}`);
      };
      const tasks: Task<void>[] = [];
      for (const seconds of [3, 1, 4, 1.5, 9, 2]) tasks.push(await spawn(sleeper, seconds));
      await sleep(0);
      time.advance(100);
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(['1', '1.5', '2', '3', '4', '9']);
  });

  test('equal deadlines come in the order in which they were set', async () => {
    const log: number[] = [];
    await run({ clock: new VirtualClock() }, async () => {
      const tasks: Task<void>[] = [];
      for (let i = 0; i < 20; i++) {
        tasks.push(
          await spawn(async () => {
            await sleep(5);
            log.push(i);
          }),
        );
      }
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('a sleep that is over stays over: a cancellation hits the next operation', async () => {
    const log: string[] = [];
    const time = new VirtualClock();
    await run({ clock: time }, async () => {
      const child = async () => {
        log.push('child sleeps');
        await sleep(1);
        log.push("the child's first sleep has returned");
        try {
          await sleep(10);
        } catch (error) {
          log.push('the child sees the cancellation');
          throw error;
        }
      };
      const task = await spawn(child);
      log.push('parent sleeps');
      await spawn({ daemon: true }, async () => {
        // Blocks the thread until both sleeps are over.
        time.advance(5);
      });
      await sleep(0.5);
      log.push('parent cancels');
      await task.cancel();
      log.push('cancel has returned');
    });
    expect(log).toEqual([
      'parent sleeps',
      'child sleeps',
      'parent cancels',
      "the child's first sleep has returned",
      'the child sees the cancellation',
      'cancel has returned',
    ]);
  });

  test('a sleep that was to end before the timeout around it wins, and later sleeps are left in peace', async () => {
    const log: string[] = [];
    const time = new VirtualClock();
    await run({ clock: time, logger: recorder() }, async () => {
      await spawn({ daemon: true }, async () => time.advance(10));
      try {
        await timeoutAfter(2, async () => {
          await sleep(1);
          log.push('slept');
        });
        log.push('the block ended');
      } catch (error) {
        log.push((error as Error).name);
      }
      log.push(`later sleep until ${await sleep(5)}`);
    });
    expect(log).toEqual(['slept', 'the block ended', 'later sleep until 15']);
  });

  test('a timeout that was to expire before the sleep in it wins', async () => {
    const log: string[] = [];
    const time = new VirtualClock();
    await run({ clock: time, logger: recorder() }, async () => {
      await spawn({ daemon: true }, async () => time.advance(10));
      try {
        await timeoutAfter(1, async () => {
          await sleep(2);
          log.push('slept');
        });
      } catch (error) {
        expect(error).toBeInstanceOf(TaskTimeout);
        log.push('timed out');
      }
      await sleep(5);
      log.push('later sleep');
    });
    expect(log).toEqual(['timed out', 'later sleep']);
  });

  test('a task that has been woken already gets the event, and the late timeout is forgotten', async () => {
    const log: string[] = [];
    const time = new VirtualClock();
    await run({ clock: time, logger: recorder() }, async () => {
      const event = new Event();
      const task = await spawn(async () => {
        try {
          await timeoutAfter(1, () => event.wait());
          log.push('event');
        } catch (error) {
          log.push((error as Error).name);
        }
        await sleep(5);
        log.push('undisturbed');
      });
      await sleep(0);
      await event.set();
      time.advance(10);
      await task.join();
    });
    expect(log).toEqual(['event', 'undisturbed']);
  });

  test('a timeout that was delivered first is not undone by an event that comes before the task runs', async () => {
    const log: string[] = [];
    const time = new VirtualClock();
    await run({ clock: time }, async () => {
      const event = new Event();
      const task = await spawn(async () => {
        try {
          await timeoutAfter(1, () => event.wait());
          log.push('event');
        } catch (error) {
          log.push((error as Error).name);
        }
      });
      await spawn({ daemon: true }, async () => {
        await sleep(0.9);
        await event.set();
        log.push('set');
      });
      await sleep(0.5);
      time.advance(10);
      await task.join();
    });
    expect(log).toEqual(['set', 'TaskTimeout']);
  });
});

describe('cycles', () => {
  test('counts the turns of a task', async () => {
    await run(async () => {
      const task = await spawn(async () => {
        for (let i = 0; i < 3; i++) await sleep(0);
      });
      expect(task.cycles).toBe(0);
      await task.join();
      expect(task.cycles).toBe(4);
    });
  });
});

describe('a task that is cancelled before its first turn', () => {
  test('still begins, and gets the cancellation at its first blocking operation', async () => {
    const log: string[] = [];
    await run(async () => {
      const task = await spawn(async () => {
        log.push('begins');
        try {
          await new Queue<number>().put(1);
          log.push('put does not block');
          await sleep(0);
          log.push('not reached');
        } catch (error) {
          expect(error).toBeInstanceOf(CancelledError);
          log.push('cancelled');
        }
      });
      await task.cancel();
      log.push('cancel has returned');
    });
    expect(log).toEqual(['begins', 'put does not block', 'cancelled', 'cancel has returned']);
  });
});

describe('a hundred thousand ready tasks', () => {
  test('all have their turn, in order, without recursion, and a timer fires among them', async () => {
    const COUNT = 100_000;
    let done = 0;
    let doneAtTimer = -1;
    let inOrder = true;
    await using kernel = new Kernel();
    await kernel.run(async () => {
      const event = new Event();
      const worker = async (n: number) => {
        await event.wait();
        if (n !== done) inOrder = false;
        done++;
      };
      for (let n = 0; n < COUNT; n++) await spawn({ daemon: true }, worker, n);
      await sleep(0);
      setImmediate(() => {
        doneAtTimer = done;
      });
      await event.set();
      expect(done).toBe(0);
      while (done < COUNT) await sleep(0);
    });
    expect(done).toBe(COUNT);
    expect(inOrder).toBe(true);
    expect(doneAtTimer).toBeGreaterThanOrEqual(0);
    expect(doneAtTimer).toBeLessThan(COUNT);
  });
});
