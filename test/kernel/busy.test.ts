// One blocking operation a task: a forgotten await, or Promise.all over operations, is an error at the second call; and an
// operation that still waits when its task ends is withdrawn, so that nothing is lost to it.

import { PassThrough } from 'node:stream';
import {
  abortable,
  Condition,
  disableCancellation,
  Event,
  gather,
  Lock,
  openConnection,
  openUnixConnection,
  Queue,
  type RuntimeError,
  run,
  runInThread,
  Semaphore,
  SignalQueue,
  sleep,
  spawn,
  type Task,
  TaskBusyError,
  TaskError,
  TaskGroup,
  taskGroup,
  tcpServer,
  timeoutAfter,
  UniversalQueue,
  unixServer,
  wait,
} from 'curio';
import { aopen } from 'curio/file';
import { FileStream } from 'curio/io';
import { createConnection, getfqdn, socket } from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** What a call throws, then and there. */
function thrownBy(call: () => unknown): TaskBusyError {
  try {
    call();
  } catch (error) {
    expect(error).toBeInstanceOf(TaskBusyError);
    return error as TaskBusyError;
  }
  throw new Error('nothing was thrown at the call');
}

describe('a second blocking operation', () => {
  test('is refused at the call, with the names of both and the way out', async () => {
    await run(quiet(), async () => {
      const queue = new Queue<number>();
      const first = queue.get();
      const error = thrownBy(() => sleep(1));
      expect(error.code).toBe('ERR_CURIO_TASK_BUSY');
      expect(error.message).toMatch(/Task\(id=\d+/);
      expect(error.message).toContain('Queue.get()');
      expect(error.message).toContain('sleep()');
      expect(error.message).toContain('await');
      expect(error.message).toContain('gather');
      expect(error.message).toContain('TaskGroup');
      await spawn({ daemon: true }, () => queue.put(7));
      expect(await first).toBe(7);
    });
  });

  test('leaves the first one waiting, and the task may go on to await it', async () => {
    await run(quiet(), async () => {
      const napping = sleep(5);
      thrownBy(() => sleep(1));
      thrownBy(() => sleep(1));
      expect(await napping).toBe(5);
      expect(await sleep(1)).toBe(6);
    });
  });

  test('is refused whatever the two are', async () => {
    await run(quiet(), async () => {
      const lock = new Lock();
      await lock.acquire();
      const event = new Event();
      const condition = new Condition(lock);
      const full = new Queue<number>(1);
      await full.put(1);
      const semaphore = new Semaphore(0);
      const group = new TaskGroup();
      const child = await spawn({ daemon: true }, () => sleep(1e6));
      await group.spawn(() => sleep(1e6));
      const blocking: Record<string, () => unknown> = {
        'sleep()': () => sleep(1),
        'sleep() ': () => sleep(0),
        'wait()': () => wait(Promise.resolve()),
        'Event.wait()': () => event.wait(),
        'Lock.acquire()': () => lock.acquire(),
        'Semaphore.acquire()': () => semaphore.acquire(),
        'Queue.put()': () => full.put(2),
        'Queue.join()': () => full.join(),
        'Task.join()': () => child.join(),
        'Task.wait()': () => child.wait(),
        'Task.cancel()': () => child.cancel(),
        'Condition.wait()': () => condition.wait(),
        'TaskGroup.join()': () => group.join(),
        'TaskGroup.nextDone()': () => group.nextDone(),
        'TaskGroup.cancelRemaining()': () => group.cancelRemaining(),
      };
      const first = sleep(1);
      for (const [name, call] of Object.entries(blocking)) {
        expect(thrownBy(call).message, name).toContain(name.trim());
      }
      // Nothing was begun by the refused calls.
      await first;
      expect(lock.locked()).toBe(true);
      expect(full.size()).toBe(1);
      await lock.release();
      await group[Symbol.asyncDispose]();
    });
  });

  test('is refused inside functions that run others: timeoutAfter, with, gather, taskGroup', async () => {
    await run(quiet(), async () => {
      const first = sleep(1);
      let called = 0;
      const fn = () => {
        called++;
      };
      for (const call of [
        () => timeoutAfter(1, fn),
        () => timeoutAfter(1).run(fn),
        () => new Lock().with(fn),
        () => new Semaphore().with(fn),
        () => gather([fn]),
        () => taskGroup(fn),
        () => disableCancellation(fn),
        () => abortable(fn),
      ]) {
        thrownBy(call);
      }
      expect(called).toBe(0);
      await first;
    });
  });

  test('of Promise.all over operations is refused, and the first is withdrawn with the task', async () => {
    const options = quiet();
    const queue = new Queue<string>();
    await run(options, async () => {
      const task = await spawn(async () => Promise.all([queue.get(), queue.get()]));
      const error = await task.join().catch((it) => it);
      expect(error).toBeInstanceOf(TaskError);
      expect(error.cause).toBeInstanceOf(TaskBusyError);
      await queue.put('kept');
      expect(queue.size()).toBe(1);
    });
  });

  test('of another task is nobody’s business: each has one of its own', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => sleep(5));
      await sleep(1);
      expect(await task.join()).toBe(5);
    });
  });

  test('is fine once the first has come to an end, by result, error or cancellation', async () => {
    await run(quiet(), async () => {
      await sleep(1);
      await expect(timeoutAfter(1, () => new Event().wait())).rejects.toThrow();
      await sleep(1);
      const promise = sleep(1);
      await promise;
      await promise;
      expect(await sleep(1)).toBe(5);
    });
  });

  test('says where the first began when stacks are on, and does not when they are off', async () => {
    const message = async (stacks: boolean) =>
      run({ ...quiet(), stacks }, async () => {
        const first = sleep(1);
        const { message } = thrownBy(() => sleep(2));
        await first;
        return message;
      });
    expect(await message(true)).toMatch(/began at .*busy\.test\.ts:\d+/);
    expect(await message(false)).not.toContain('busy.test.ts');
  });

  test('by a callback in the context of a waiting task is refused; what does not block is welcome there', async () => {
    await run(quiet(), async () => {
      const queue = new Queue<string>();
      const seen: unknown[] = [];
      setImmediate(() => {
        seen.push(thrownBy(() => sleep(1)).name);
        void queue.put('from the callback').then(() => seen.push('put'));
      });
      await sleep(1);
      expect(seen).toEqual(['TaskBusyError', 'put']);
      expect(await queue.get()).toBe('from the callback');
    });
  });
});

describe('an operation that still waits when its task ends', () => {
  test('is withdrawn, and reported with its name and what to do', async () => {
    const options = quiet();
    await run(options, async () => {
      const event = new Event();
      const task = await spawn(async () => {
        void event.wait();
        return 'ended';
      });
      expect(await task.join()).toBe('ended');
      expect(task.state).toBe('TERMINATED');
      await event.set();
      await sleep(1);
    });
    expect(options.logger.lines).toHaveLength(1);
    expect(options.logger.of('warn')[0]).toMatch(
      /Task\(id=\d+.*\) ended while its Event\.wait\(\) was still waiting: .*never awaited.*Write await/,
    );
  });

  test('says where it began when stacks are on', async () => {
    const options = quiet();
    await run({ ...options, stacks: true }, async () => {
      await (
        await spawn(async () => {
          void sleep(1);
        })
      ).join();
    });
    expect(options.logger.lines.join()).toMatch(/busy\.test\.ts:\d+/);
  });

  test('of the main task is withdrawn too', async () => {
    const options = quiet();
    await run(options, async () => {
      void sleep(1000);
    });
    expect(options.clock.now()).toBe(0);
    expect(options.logger.of('warn')[0]).toContain('sleep()');
  });

  test('does not take an item that comes later', async () => {
    for (const Kind of [Queue, UniversalQueue]) {
      await run(quiet(), async () => {
        const queue = new Kind<string>();
        const task = await spawn(async () => {
          void queue.get();
        });
        await task.join();
        await queue.put('item');
        expect(queue.size()).toBe(1);
        expect(await queue.get()).toBe('item');
      });
    }
  });

  test('does not add an item when room comes later', async () => {
    await run(quiet(), async () => {
      const queue = new Queue<string>(1);
      await queue.put('first');
      await (
        await spawn(async () => {
          void queue.put('forgotten');
        })
      ).join();
      expect(await queue.get()).toBe('first');
      await sleep(1);
      expect(queue.empty()).toBe(true);
    });
  });

  // The operation is chosen for something and the task ends before the turn in which it would have got it.
  const chosenAndNotRun: Record<string, () => Promise<void>> = {
    'an item goes back to the front of its queue': async () => {
      const queue = new Queue<string>();
      await chosen(
        () => queue.get(),
        () => queue.put('first'),
      );
      await queue.put('second');
      expect([await queue.get(), await queue.get()]).toEqual(['first', 'second']);
    },
    'an item goes to the next getter': async () => {
      const queue = new Queue<string>();
      let next!: Task<string>;
      await chosen(
        () => queue.get(),
        async () => {
          next = await spawn(() => queue.get());
          await sleep(0);
          await queue.put('item');
        },
      );
      expect(await next.join()).toBe('item');
    },
    'an item of a universal queue is still there': async () => {
      const queue = new UniversalQueue<string>();
      await chosen(
        () => queue.get(),
        () => queue.put('item'),
      );
      expect(await queue.get()).toBe('item');
    },
    'a lock goes to the next in line': async () => {
      const lock = new Lock();
      await lock.acquire();
      let next!: Task<string>;
      await chosen(
        () => lock.acquire(),
        async () => {
          next = await spawn(() => lock.with(() => 'got it'));
          await sleep(0);
          await lock.release();
        },
      );
      expect(await next.join()).toBe('got it');
      expect(lock.locked()).toBe(false);
    },
    'a lock nobody else waits for is free': async () => {
      const lock = new Lock();
      await lock.acquire();
      await chosen(
        () => lock.acquire(),
        () => lock.release(),
      );
      expect(lock.locked()).toBe(false);
    },
    'a permit is free': async () => {
      const semaphore = new Semaphore(0);
      await chosen(
        () => semaphore.acquire(),
        () => semaphore.release(),
      );
      expect(semaphore.value).toBe(1);
    },
    'a signal goes to the next who waits': async () => {
      using signals = new SignalQueue('SIGUSR2');
      let next!: Task<string>;
      await chosen(
        () => signals.get(),
        async () => {
          next = await spawn(() => signals.get());
          await sleep(0);
          process.emit('SIGUSR2', 'SIGUSR2');
        },
      );
      expect(await next.join()).toBe('SIGUSR2');
    },
    'a signal is there for the next': async () => {
      using signals = new SignalQueue('SIGUSR2');
      await chosen(
        () => signals.get(),
        () => process.emit('SIGUSR2', 'SIGUSR2'),
      );
      expect(signals.size()).toBe(1);
      expect(await signals.get()).toBe('SIGUSR2');
    },
  };

  /** A task that forgets to await `operation`, and ends when `choose` has chosen it and before its next turn. */
  async function chosen(operation: () => Promise<unknown>, choose: () => unknown): Promise<void> {
    let end!: () => void;
    const ending = new Promise<void>((resolve) => {
      end = resolve;
    });
    const task = await spawn(async () => {
      void operation();
      await ending;
    });
    await sleep(0);
    await choose();
    expect(task.state).toBe('READY');
    end();
    // No operation here: the task ends in this very turn.
    for (let i = 0; i < 10; i++) await null;
    expect(task.terminated).toBe(true);
    await task.join();
  }

  for (const [title, program] of Object.entries(chosenAndNotRun)) {
    test(`and has been chosen but has not run loses nothing: ${title}`, async () => {
      const options = quiet();
      await run(options, program);
      expect(options.logger.of('warn')[0]).toContain('never awaited');
    });
  }

  test('does not crash the process with a rejection nobody sees when it is cancelled', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        void sleep(1000);
        await new Promise((resolve) => setImmediate(resolve));
        await new Promise((resolve) => setImmediate(resolve));
      });
      await sleep(0);
      await task.cancel();
    });
    // Unhandled rejections fail the whole test run; let one come out.
    await new Promise((resolve) => setImmediate(resolve));
  });
});

describe('an operation on behalf of a task that has ended', () => {
  test('is refused, with what to write instead, and does not count as an unhandled rejection', async () => {
    const errors: RuntimeError[] = [];
    let done!: () => void;
    const finished = new Promise<void>((resolve) => {
      done = resolve;
    });
    await run(quiet(), async () => {
      const queue = new Queue<number>();
      const task = await spawn({ name: 'gone' }, async () => {
        setImmediate(async () => {
          void sleep(1);
          void queue.get();
          void wait(Promise.resolve());
          for (const call of [
            () => sleep(1),
            () => queue.put(1),
            () => queue.get(),
            () => spawn(() => 1),
            () => timeoutAfter(1, () => 1),
            () => wait(Promise.resolve()),
          ]) {
            await call().catch((error) => errors.push(error));
          }
          done();
        });
      });
      await task.join();
      await finished;
      expect(queue.size()).toBe(0);
    });
    expect(errors).toHaveLength(6);
    for (const error of errors) {
      expect(error.code).toBe('ERR_CURIO_RUNTIME');
      expect(error.message).toMatch(/Task\(id=\d+, name='gone'\), which has ended.*spawn\(\)/);
    }
  });
});

describe('an operation made of several that nobody awaits', () => {
  const forgotten: Record<string, () => Promise<unknown>> = {
    'gather()': () => gather([() => sleep(1), () => sleep(1)]),
    'taskGroup()': () => taskGroup((group) => group.spawn(sleep, 1)),
    'runInThread()': () => runInThread(() => 1),
    'openConnection()': () => openConnection('127.0.0.1', 1),
    'openUnixConnection()': () => openUnixConnection('/nonexistent'),
    'tcpServer()': () => tcpServer('127.0.0.1', 0, () => {}),
    'unixServer()': () => unixServer('/nonexistent/socket', () => {}),
    'createConnection()': () => createConnection(['127.0.0.1', 1]),
    'getfqdn()': () => getfqdn('localhost'),
    'Socket.connect()': () => socket().connect(['localhost', 1]),
    'Socket.connectEx()': () => socket().connectEx(['localhost', 1]),
    'Stream.writelines()': () => new FileStream(new PassThrough()).writelines(['a', 'b']),
    'AsyncFile.writelines()': async () => {
      const file = await aopen('/dev/null', 'w');
      void file.writelines(['a', 'b']);
    },
  };
  for (const [name, operation] of Object.entries(forgotten)) {
    test(`ends no process when its task goes on with something else: ${name}`, async () => {
      const options = { logger: recorder() };
      await run(options, async () => {
        void operation();
        try {
          await sleep(0.02);
        } catch (error) {
          // If it is this one that came too late.
          expect(error).toBeInstanceOf(TaskBusyError);
        }
      });
      // Unhandled rejections fail the whole test run; let one come out.
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
  }

  test('is reported when its task goes on with something else', async () => {
    const options = quiet();
    await run(options, async function hurried() {
      void gather([() => sleep(1), () => sleep(1)]);
      await sleep(5);
    });
    const warnings = options.logger.of('warn').filter((text) => text.includes('cut short'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("name='hurried'");
    expect(warnings[0]).toContain('write await in front of it');
    expect(warnings[0]).toContain('was still waiting');
  });

  test('is reported when its task ends', async () => {
    const options = quiet();
    await run(options, async function hurried() {
      void gather([() => sleep(1), () => sleep(1)]);
    });
    await new Promise((resolve) => setImmediate(resolve));
    const warnings = options.logger.of('warn').filter((text) => text.includes('cut short'));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('which has ended');
  });

  test('says nothing of a misuse that happened in another task, and came out here', async () => {
    const options = quiet();
    await run(options, async () => {
      await expect(gather([() => Promise.all([sleep(1), sleep(1)])])).rejects.toThrow(TaskBusyError);
    });
    expect(options.logger.of('warn').filter((text) => text.includes('cut short'))).toEqual([]);
  });
});
