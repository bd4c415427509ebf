// Async threads as tasks see them: starting, joining, cancelling, and what becomes of what they hold.

import {
  AsyncThread,
  AWAIT,
  CancelledError,
  Event,
  ignoreAfter,
  Lock,
  Queue,
  RLock,
  RuntimeError,
  run,
  Semaphore,
  sleep,
  spawnThread,
  TaskCancelled,
  TaskError,
  TaskGroup,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

describe('a thread that ends by itself', () => {
  test('has a result; before that, asking for it is a RuntimeError', async () => {
    await virtually(async () => {
      const thread = await spawnThread((a: number, b: number) => a + b, 2, 3);
      expect(thread).toBeInstanceOf(AsyncThread);
      expect([thread.terminated, thread.cancelled, thread.state]).toEqual([false, false, 'READY']);
      expect(() => thread.result).toThrow(RuntimeError);
      expect(() => thread.exception).toThrow(RuntimeError);
      expect(await thread.wait()).toBeUndefined();
      expect([thread.result, thread.exception, thread.terminated, thread.state]).toEqual([
        5,
        null,
        true,
        'TERMINATED',
      ]);
      expect(await thread.join()).toBe(5);
      expect(await thread.join()).toBe(5);
      await thread.cancel();
      expect(thread.cancelled).toBe(false);
    });
  });

  test('or with an error: join() throws TaskError, result the error itself, and the log has a warning', async () => {
    const log = recorder();
    await run({ clock: new VirtualClock(), logger: log }, async () => {
      const thread = await spawnThread(function failing() {
        throw new RangeError('too far');
      });
      const thrown = (await thrownBy(thread.join())) as TaskError;
      expect(thrown).toBeInstanceOf(TaskError);
      expect(thrown.cause).toBeInstanceOf(RangeError);
      expect(thread.exception).toBe(thrown.cause);
      expect(() => thread.result).toThrow('too far');
    });
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toMatch(/^warn: Thread Crash: Task\(id=\d+, name='failing'\)/);
  });

  test('or with process.exit(), which is an error', async () => {
    const thrown = await noisily(async () => {
      const thread = await spawnThread(() => process.exit(3));
      await thread.wait();
      return thread.exception;
    });
    expect(String(thrown)).toMatch(/RuntimeError: .*process\.exit\(3\)/);
  });

  test('or because an error was thrown where nobody could catch it', async () => {
    const thrown = await noisily(async () => {
      const thread = await spawnThread(async () => {
        setImmediate(() => {
          throw new RangeError('out of the blue');
        });
        await new Promise(() => {});
      });
      await thread.wait();
      return thread.exception;
    });
    expect(String(thrown)).toBe('RangeError: out of the blue');
  });

  test('is not complained about if nobody joins it', async () => {
    await virtually(async () => {
      const thread = await spawnThread(() => 1);
      while (!thread.terminated) await sleep(1);
    });
  });
});

describe('a thread object', () => {
  test('without a function cannot be started', async () => {
    const thrown = await virtually(() => thrownBy(new AsyncThread().start()));
    expect(thrown).toBeInstanceOf(RuntimeError);
    expect(String(thrown)).toMatch(/no function/);
  });

  test('is started once, and not asked anything before', async () => {
    await virtually(async () => {
      const thread = new AsyncThread(() => 'done');
      expect(() => thread.join()).toThrow(RuntimeError);
      expect([thread.state, thread.terminated, thread.cancelled]).toEqual(['INITIAL', false, false]);
      await thread.start();
      expect(await thrownBy(thread.start())).toBeInstanceOf(RuntimeError);
      expect(await thread.join()).toBe('done');
      expect(String(thread)).toMatch(/^AsyncThread\(id=\d+, name='anonymous', state='TERMINATED'\)$/);
    });
  });

  test('is no promise, no class, and not what is no function', async () => {
    await virtually(async () => {
      expect(() => spawnThread(Promise.resolve() as never)).toThrow(TypeError);
      expect(() => spawnThread(Lock as never)).toThrow(TypeError);
      expect(() => spawnThread(5 as never)).toThrow(TypeError);
    });
  });
});

describe('cancel()', () => {
  test('throws out of the AWAIT the thread is in; the exception is the very one', async () => {
    await virtually(async () => {
      const event = new Event();
      const inside = new Event();
      const thread = await spawnThread(
        (ready: Event, never: Event) => {
          AWAIT(ready.set());
          AWAIT(never.wait());
        },
        inside,
        event,
      );
      await inside.wait();
      const exc = new TaskCancelled('enough');
      await thread.cancel({ exc });
      expect([thread.cancelled, thread.terminated]).toEqual([true, true]);
      expect(thread.exception).toBe(exc);
      const thrown = (await thrownBy(thread.join())) as TaskError;
      expect(thrown.cause).toBe(exc);
    });
  });

  test('can be caught in the thread, which then ends normally after more AWAITs', async () => {
    await virtually(async () => {
      const inside = new Event();
      const thread = await spawnThread((ready: Event) => {
        AWAIT(ready.set());
        try {
          AWAIT(sleep(1000));
        } catch (error) {
          if (!(error instanceof CancelledError)) throw error;
          return [error.name, error.requestedBy?.id, AWAIT(sleep(1)) > 0];
        }
        return [];
      }, inside);
      await inside.wait();
      await thread.cancel();
      expect(thread.result).toEqual(['TaskCancelled', expect.any(Number), true]);
      expect(thread.exception).toBe(null);
    });
  });

  test('waits for the next AWAIT of a thread that computes, even if that would not have to wait', async () => {
    await virtually(async () => {
      const words = new Int32Array(new SharedArrayBuffer(4));
      const queue = new Queue<number>();
      await queue.put(1);
      const thread = await spawnThread(
        (gate: Int32Array, it: Queue<number>) => {
          AWAIT(it.put(2));
          Atomics.wait(gate, 0, 0);
          const before = [it.size()];
          try {
            AWAIT(it.get());
          } catch {
            return [...before, it.size(), AWAIT(it.get())];
          }
          return [];
        },
        words,
        queue,
      );
      while (queue.size() < 2) await sleep(1);
      await thread.cancel({ blocking: false });
      expect([thread.cancelled, thread.terminated]).toEqual([true, false]);
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
      expect(await thread.join()).toEqual([2, 2, 1]);
    });
  });

  test('waits for the end of a thread that never AWAITs', async () => {
    await virtually(async () => {
      const thread = await spawnThread(() => {
        let sum = 0;
        for (let i = 0; i < 1e6; i++) sum += i;
        return sum;
      });
      await thread.cancel();
      expect([thread.cancelled, thread.terminated, thread.result]).toEqual([true, true, 499999500000]);
    });
  });

  test('in one turn with the item the thread waits for: chosen first it has the item, and is cancelled at its next AWAIT', async () => {
    await virtually(async () => {
      const queue = new Queue<string>();
      const inside = new Event();
      const thread = await spawnThread(
        (it: Queue<string>, ready: Event) => {
          AWAIT(ready.set());
          const item = AWAIT(it.get());
          try {
            AWAIT(it.get());
          } catch (error) {
            return [item, (error as Error).name];
          }
          return [item];
        },
        queue,
        inside,
      );
      await inside.wait();
      while (thread.state !== 'QUEUE_GET') await sleep(1);
      await queue.put('mine');
      await thread.cancel({ blocking: false });
      await queue.put('left');
      expect(await thread.join()).toEqual(['mine', 'TaskCancelled']);
      expect(queue.size()).toBe(1);
    });
  });

  test('in one turn, and first: the item stays for the next', async () => {
    await noisily(async () => {
      const queue = new Queue<string>();
      const thread = await spawnThread((it: Queue<string>) => AWAIT(it.get()), queue);
      while (thread.state !== 'QUEUE_GET') await sleep(1);
      await thread.cancel({ blocking: false });
      await queue.put('for the next');
      await thread.wait();
      expect(await queue.get()).toBe('for the next');
    });
  });

  test('of a task that joins the thread leaves the thread alone', async () => {
    await virtually(async () => {
      const gate = new Event();
      const thread = await spawnThread((it: Event) => AWAIT(it.wait()) ?? 'done', gate);
      expect(await ignoreAfter({ timeoutResult: 'late' }, 5, () => thread.join())).toBe('late');
      await gate.set();
      expect(await thread.join()).toBe('done');
    });
  });

  test('by the shutdown of the kernel lets the thread clean up; a daemon that computes is ended', async () => {
    const steps: string[] = [];
    await noisily(async () => {
      const inside = new Event();
      await spawnThread(
        (ready: Event, say: (step: string) => void) => {
          AWAIT(ready.set());
          try {
            // No deadline: the clock would jump to it while the other thread starts.
            AWAIT(sleep(Number.POSITIVE_INFINITY));
          } finally {
            AWAIT(say, 'cleaned up');
          }
        },
        inside,
        (step: string) => void steps.push(step),
      );
      const looping = new Event();
      await spawnThread(
        { daemon: true },
        (ready: Event) => {
          AWAIT(ready.set());
          for (;;);
        },
        looping,
      );
      await inside.wait();
      await looping.wait();
    });
    expect(steps).toEqual(['cleaned up']);
  });
});

describe('what a thread holds when it ends', () => {
  const endings: [string, (lock: Lock) => void][] = [
    [
      'by an error',
      (lock) => {
        AWAIT(lock.acquire());
        throw new Error('crashed');
      },
    ],
    ['by returning', (lock) => void AWAIT(lock.acquire())],
    [
      'by process.exit()',
      (lock) => {
        AWAIT(lock.acquire());
        process.exit(1);
      },
    ],
    [
      'inside with(), by process.exit()',
      (lock) => {
        AWAIT(lock.with(() => process.exit(1)));
      },
    ],
  ];
  for (const [how, fn] of endings) {
    test(`is released: a lock, ${how}`, () =>
      noisily(async () => {
        const lock = new Lock();
        const thread = await spawnThread(fn, lock);
        await thread.wait();
        expect(lock.locked()).toBe(false);
        await timeoutAfter(1, () => lock.acquire());
      }));
  }

  test('is released: several levels of an RLock, permits; but not what it has released itself', () =>
    virtually(async () => {
      const rlock = new RLock();
      const semaphore = new Semaphore(3);
      const thread = await spawnThread(
        (one: RLock, many: Semaphore) => {
          AWAIT(one.acquire());
          AWAIT(one.acquire());
          AWAIT(one.release());
          AWAIT(many.acquire());
          AWAIT(many.acquire());
          AWAIT(many.release());
          return [one.locked(), many.value];
        },
        rlock,
        semaphore,
      );
      expect(await thread.join()).toEqual([true, 2]);
      expect([rlock.locked(), semaphore.value]).toEqual([false, 3]);
    }));

  test('is released when it is ended as a daemon', async () => {
    const lock = new Lock();
    await noisily(async () => {
      const inside = new Event();
      await spawnThread(
        { daemon: true },
        (it: Lock, ready: Event) => {
          AWAIT(it.acquire());
          AWAIT(ready.set());
          for (;;);
        },
        lock,
        inside,
      );
      await inside.wait();
      expect(lock.locked()).toBe(true);
    });
    expect(lock.locked()).toBe(false);
  });

  test('is cancelled: tasks of a group that nobody has joined', () =>
    virtually(async () => {
      const ended = new Event();
      const work = async () => {
        try {
          await sleep(1e6);
        } finally {
          await ended.set();
        }
      };
      const thread = await spawnThread((fn: typeof work) => {
        const group = new TaskGroup();
        AWAIT(group.spawn(fn));
        AWAIT(sleep(1));
      }, work);
      await thread.join();
      expect(ended.isSet()).toBe(true);
    }));
});

describe('in a group', () => {
  test('a thread is a member: joined with the others, its result among theirs', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(async () => 1);
      const thread = await group.spawnThread((n: number) => AWAIT(sleep(1)) * 0 + n, 2);
      await group.spawn(async () => 3);
      await group.join();
      expect(group.results).toEqual([1, 2, 3]);
      expect(thread.result).toBe(2);
    }));

  test('its failure cancels the others, and theirs cancels it', async () => {
    const got = await noisily(async () => {
      const first = new TaskGroup<unknown>();
      const never = new Event();
      const sleeper = await first.spawn(() => never.wait());
      await first.spawnThread(() => {
        throw new RangeError('thread');
      });
      await first.join();
      const second = new TaskGroup<unknown>();
      const thread = await second.spawnThread(() => AWAIT(sleep(Number.POSITIVE_INFINITY)));
      await second.spawn(async () => {
        throw new TypeError('task');
      });
      await second.join();
      return [first.exception, sleeper.cancelled, second.exception, thread.cancelled, thread.exception];
    });
    expect(got).toEqual([
      expect.any(RangeError),
      true,
      expect.any(TypeError),
      true,
      expect.any(TaskCancelled),
    ]);
  });

  test('joined explicitly it drops out of the results; a daemon never is in them', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const joined = await group.spawnThread(() => 1);
      await group.spawnThread({ daemon: true }, () => AWAIT(sleep(Number.POSITIVE_INFINITY)));
      await group.spawn(async () => 3);
      expect(await joined.join()).toBe(1);
      await group.join();
      expect(group.results).toEqual([3]);
    }));

  test('after the join, and outside a task, it is refused', async () => {
    const group = new TaskGroup();
    expect(await thrownBy(group.spawnThread(() => 1))).toBeInstanceOf(RuntimeError);
    await virtually(async () => {
      await group.join();
      expect(await thrownBy(group.spawnThread(() => 1))).toBeInstanceOf(RuntimeError);
    });
  });
});

test('a timeout around AWAIT in the kernel’s own task: the thread goes on', async () => {
  await virtually(async () => {
    const thread = await spawnThread(() => AWAIT(sleep(10)));
    expect(await thrownBy(timeoutAfter(1, () => thread.join()))).toBeInstanceOf(TaskTimeout);
    expect(await thread.join()).toBeGreaterThan(0);
  });
});
