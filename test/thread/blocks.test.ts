// Synchronous blocks in an async thread: what tasks write with `await using` and `for await`, threads write with `using`
// and `for`.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AWAIT,
  aopen,
  CancelledError,
  Condition,
  disableCancellation,
  Event,
  type Guard,
  ignoreAfter,
  Lock,
  Queue,
  SignalEvent,
  SignalQueue,
  sleep,
  spawn,
  spawnThread,
  TaskCancelled,
  TaskGroup,
  TaskTimeout,
  TimeoutCancellationError,
  taskGroup,
  timeoutAfter,
  UncaughtTimeoutError,
} from 'curio';
import { socketpair } from 'curio/socket';
import { PIPE, Popen } from 'curio/subprocess';
import { describe, expect, onTestFinished, test } from 'vitest';
import { inThread } from '../kit/in-thread.ts';
import { virtually } from '../kit/virtual.ts';

describe('a lock', () => {
  test('as a block really waits, and lets others in afterwards', async () => {
    const steps: string[] = [];
    await virtually(async () => {
      const lock = new Lock();
      const say = (step: string) => void steps.push(step);
      const waiting = new Event();
      const guard = await lock.acquire();
      say('main in');
      const thread = await spawnThread(
        (it: Lock, log: typeof say, ready: Event) => {
          AWAIT(ready.set());
          {
            using _ = AWAIT(it.acquire());
            AWAIT(log, 'thread in');
          }
          return it.locked();
        },
        lock,
        say,
        waiting,
      );
      await waiting.wait();
      while (thread.state !== 'LOCK_ACQUIRE') await sleep(1);
      say('main leaving');
      guard.release();
      expect(await thread.join()).toBe(false);
    });
    expect(steps).toEqual(['main in', 'main leaving', 'thread in']);
  });

  test('around a function of the thread’s, which AWAITs itself; a condition waits with its predicate in the thread', async () => {
    const got = await inThread(() => {
      const lock = new Lock();
      const inside = AWAIT(lock.with((n: number) => [lock.locked(), AWAIT(sleep(0)) > 0, n], 5));
      const condition = new Condition(lock);
      let looks = 0;
      const found = AWAIT(condition.with(() => AWAIT(condition.waitFor(() => ++looks))));
      return [inside, lock.locked(), found, looks];
    });
    expect(got).toEqual([[true, true, 5], false, 1, 1]);
  });

  test('a guard let go of twice, or after lock.release(), does nothing', async () => {
    const got = await inThread(() => {
      const lock = new Lock();
      const guard: Guard = AWAIT(lock.acquire());
      guard.release();
      guard.release();
      const second = AWAIT(lock.acquire());
      AWAIT(lock.release());
      const third = AWAIT(lock.acquire());
      second.release();
      const held = lock.locked();
      third.release();
      return [held, lock.locked()];
    });
    expect(got).toEqual([true, false]);
  });
});

describe('a timeout', () => {
  test('around a function of the thread’s: TaskTimeout out of the AWAIT, and out of timeoutAfter()', async () => {
    const got = await inThread(() => {
      const seen: unknown[] = [];
      try {
        AWAIT(
          timeoutAfter(0.01, () => {
            try {
              AWAIT(sleep(1000));
            } catch (error) {
              seen.push((error as Error).name);
              throw error;
            }
          }),
        );
      } catch (error) {
        seen.push(error instanceof TaskTimeout);
      }
      seen.push(AWAIT(ignoreAfter({ timeoutResult: 'late' }, 0.01, () => AWAIT(sleep(1000)))));
      seen.push(AWAIT(timeoutAfter(1000, () => 'in time')));
      return seen;
    });
    expect(got).toEqual(['TaskTimeout', true, 'late', 'in time']);
  });

  test('nested: each level has the exception it has in a task', async () => {
    const got = await inThread(() => {
      const names: string[] = [];
      const guarded = (seconds: number, fn: () => unknown) => {
        try {
          AWAIT(timeoutAfter(seconds, fn));
        } catch (error) {
          names.push((error as Error).name);
          throw error;
        }
      };
      const attempt = (outer: number, inner: number) => {
        try {
          guarded(outer, () => guarded(inner, () => AWAIT(sleep(1000))));
        } catch (error) {
          names.push(
            String(
              [TaskTimeout, TimeoutCancellationError, UncaughtTimeoutError].map(
                (cls) => error instanceof cls,
              ),
            ),
          );
        }
      };
      // Long enough for the thread to be in the inner one by then.
      attempt(1, 1000);
      attempt(1000, 0.01);
      return names;
    });
    expect(got).toEqual([
      'TimeoutCancellationError',
      'TaskTimeout',
      'true,false,false',
      'TaskTimeout',
      'UncaughtTimeoutError',
      'false,false,true',
    ]);
  });

  test('as a block: TaskTimeout out of the AWAIT; the scope says whether it was its own; afterwards there is none', async () => {
    const got = await inThread(() => {
      const seen: unknown[] = [];
      const outer = AWAIT(timeoutAfter(1000));
      const inner = AWAIT(timeoutAfter(0.01));
      try {
        using _outer = outer;
        using _inner = inner;
        AWAIT(sleep(1000));
      } catch (error) {
        seen.push(error instanceof TaskTimeout, inner.expired, outer.expired);
      }
      const once = AWAIT(ignoreAfter(1000));
      {
        using _ = once;
      }
      seen.push(once.expired, AWAIT(sleep(0.02)) > 0);
      return seen;
    });
    expect(got).toEqual([true, true, false, false, true]);
  });

  test('as a scope for functions: run() gives the result, expired tells', async () => {
    const got = await inThread(() => {
      const scope = ignoreAfter(0.01);
      const result = AWAIT(scope.run(() => AWAIT(sleep(1000))));
      return [result === undefined, scope.expired];
    });
    expect(got).toEqual([true, true]);
  });

  test('that expires while the thread computes comes at its next AWAIT', async () => {
    const got = await inThread(() => {
      try {
        AWAIT(
          timeoutAfter(0, () => {
            for (let i = 0; i < 1e5; i++);
            AWAIT(sleep(0));
          }),
        );
      } catch (error) {
        return (error as Error).name;
      }
      return '';
    });
    expect(got).toBe('TaskTimeout');
  });
});

test('clean-up of a block that is cancelled is no crash', async () => {
  await virtually(async () => {
    const closing = new Event();
    const thread = await spawnThread((ready: Event) => {
      const slow = {
        [Symbol.dispose]() {
          AWAIT(ready.set());
          AWAIT(sleep, 1000);
        },
      };
      using _ = slow;
      throw new Error('the disk is full');
    }, closing);
    await closing.wait();
    await thread.cancel();
    expect(thread.exception).toBeInstanceOf(TaskCancelled);
    expect((thread.exception as TaskCancelled).cause).toMatchObject({ message: 'the disk is full' });
  });
});

describe('disableCancellation()', () => {
  test('as a block, and around a function, holds a cancellation back until the first AWAIT after it', async () => {
    await virtually(async () => {
      for (const form of ['block', 'function'] as const) {
        const inside = new Event();
        const asked = new Event();
        const thread = await spawnThread(
          (how: string, ready: Event, request: Event) => {
            const seen: string[] = [];
            const body = () => {
              AWAIT(ready.set());
              AWAIT(request.wait());
              seen.push('not disturbed');
            };
            if (how === 'function') AWAIT(disableCancellation(body));
            else {
              using _ = disableCancellation();
              body();
            }
            try {
              AWAIT(sleep(1));
            } catch (error) {
              if (error instanceof CancelledError) seen.push(error.name);
            }
            return seen;
          },
          form,
          inside,
          asked,
        );
        await inside.wait();
        await thread.cancel({ blocking: false });
        await asked.set();
        expect(await thread.join()).toEqual(['not disturbed', 'TaskCancelled']);
      }
    });
  });
});

describe('a task group', () => {
  test('as a block is iterated in the order its tasks end, and joined', async () => {
    const got = await virtually(async () => {
      const turns = [0, 1, 2, 3].map(() => new Event());
      await turns[0]!.set();
      const work = async (turn: number) => {
        await turns[turn - 1]!.wait();
        await turns[turn]!.set();
        return turn;
      };
      const thread = await spawnThread((fn: typeof work) => {
        const ended: number[] = [];
        {
          using group = AWAIT(new TaskGroup<number>());
          for (const turn of [3, 1, 2]) AWAIT(group.spawn(fn, turn));
          for (const task of group) ended.push(task.result);
        }
        using group = AWAIT(new TaskGroup<number>({ tasks: [AWAIT(spawn(fn, 2)), AWAIT(spawn(fn, 1))] }));
        AWAIT(group.join());
        return [ended, group.results, group.exceptions, group.tasks.length];
      }, work);
      return await thread.join();
    });
    expect(got).toEqual([[1, 2, 3], [2, 1], [null, null], 2]);
  });

  test('left by an error cancels its tasks', async () => {
    const cancelled = await virtually(async () => {
      const ended = new Event();
      const forever = async () => {
        try {
          await sleep(1e6);
        } finally {
          await ended.set();
        }
      };
      const thread = await spawnThread((fn: typeof forever) => {
        try {
          using group = AWAIT(new TaskGroup());
          AWAIT(group.spawn(fn));
          AWAIT(sleep(1));
          throw new Error('out');
        } catch (error) {
          return (error as Error).message;
        }
      }, forever);
      expect(await thread.join()).toBe('out');
      return ended.isSet();
    });
    expect(cancelled).toBe(true);
  });

  test('as a function joins, and gives the group', async () => {
    const got = await inThread(() => {
      const group = AWAIT(
        taskGroup<number>((g) => {
          AWAIT(g.spawn(async () => 1));
          AWAIT(g.spawn(async () => 2));
        }),
      );
      return group.results;
    });
    expect(got).toEqual([1, 2]);
  });
});

describe('a loop', () => {
  test('over a queue takes items until it is left, and loses none', async () => {
    const got = await inThread(() => {
      const queue = new Queue<number>();
      for (const item of [1, 2, 3, 4]) AWAIT(queue.put(item));
      const items: number[] = [];
      for (const item of queue as unknown as Iterable<number>) {
        items.push(item);
        if (item === 3) break;
      }
      return [items, queue.size(), AWAIT(queue.get())];
    });
    expect(got).toEqual([[1, 2, 3], 1, 4]);
  });

  test('over what cannot be looped over is refused', async () => {
    const text = await inThread(() => {
      try {
        for (const _ of new Lock() as never as number[]);
      } catch (error) {
        return (error as Error).name;
      }
      return '';
    });
    expect(text).toBe('TypeError');
  });
});

describe('a lock itself', () => {
  test('is no block: only what acquire() gives is, and `using` says so', async () => {
    const thrown = await inThread(
      (lock: Lock, event: Event) => {
        const errors: unknown[] = [];
        for (const it of [lock, event, new Lock()]) {
          try {
            using _ = it as unknown as Disposable;
            errors.push('taken for a block');
          } catch (error) {
            errors.push((error as Error).name);
          }
        }
        return errors;
      },
      new Lock(),
      new Event(),
    );
    expect(thrown).toEqual(['TypeError', 'TypeError', 'TypeError']);
  });
});

describe('processes and signals', () => {
  test('a process that a thread starts belongs to the kernel: its pipes and its end are AWAITed', async () => {
    const got = await inThread(() => {
      using there = AWAIT(new Popen(['cat'], { stdin: PIPE, stdout: PIPE }));
      const running = there.returncode;
      const [output] = AWAIT(there.communicate('one\n'));
      using other = AWAIT(new Popen(['echo', 'two'], { stdout: PIPE }));
      const line = AWAIT(other.stdout.readline());
      return [running, output.toString(), there.returncode, line.toString(), AWAIT(other.wait())];
    });
    expect(got).toEqual([null, 'one\n', 0, 'two\n', 0]);
  });

  test('one that cannot be started, or with options that make no sense, says so in the thread', async () => {
    const got = await inThread(() => {
      const missing = new Popen(['curio-there-is-no-such-program']);
      const errors: unknown[] = [];
      try {
        AWAIT(missing.wait());
      } catch (error) {
        errors.push((error as NodeJS.ErrnoException).code);
      }
      try {
        new Popen(['cat'], { timeout: 1 } as never);
      } catch (error) {
        errors.push((error as Error).name);
      }
      return errors;
    });
    expect(got).toEqual(['ENOENT', 'TypeError']);
  });

  test('signals that a thread watches come to the kernel, and are let go of where the block ends', async () => {
    const before = process.listenerCount('SIGUSR2');
    const got = await inThread(() => {
      using queue = new SignalQueue('SIGUSR2');
      using event = new SignalEvent('SIGUSR2');
      process.kill(process.pid, 'SIGUSR2');
      AWAIT(event.wait());
      return [AWAIT(queue.get()), event.isSet()];
    });
    expect(got).toEqual(['SIGUSR2', true]);
    expect(process.listenerCount('SIGUSR2')).toBe(before);
  });
});

describe('files and sockets', () => {
  test('a file is a block whose reads and lines are AWAITed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'curio-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'lines');
    writeFileSync(path, 'one\ntwo\nthree\n');
    const got = await inThread((name: string) => {
      const seen: unknown[] = [];
      using file = AWAIT(aopen(name));
      seen.push(AWAIT(file.readline()), file.closed);
      for (const line of file) seen.push(line);
      file[Symbol.dispose]();
      seen.push(file.closed);
      return seen;
    }, path);
    expect(got).toEqual(['one\n', false, 'two\n', 'three\n', true]);
  });

  test('a socket and its stream: Buffers both ways, and into the thread’s own buffer', async () => {
    const got = await virtually(
      async () => {
        const [ours, theirs] = socketpair();
        const thread = await spawnThread((sock: typeof theirs) => {
          const first = AWAIT(sock.recv(100));
          const own = new Uint8Array(8);
          const count = AWAIT(sock.recvInto(own));
          AWAIT(sock.sendall('thanks\n'));
          const stream = sock.asStream();
          const line = AWAIT(stream.readline());
          AWAIT(sock.close());
          return [Buffer.isBuffer(first), first.toString(), count, [...own], line.toString()];
        }, theirs);
        await ours.sendall('hello');
        while (thread.state !== 'READ_WAIT') await sleep(0.001);
        await ours.sendall(new Uint8Array([1, 2, 3]));
        const answer = (await ours.recv(100)).toString();
        await ours.sendall('a line\n');
        const result = await thread.join();
        await ours.close();
        return [answer, result];
      },
      { clock: undefined },
    );
    expect(got).toEqual(['thanks\n', [true, 'hello', 3, [1, 2, 3, 0, 0, 0, 0, 0], 'a line\n']]);
  });
});
