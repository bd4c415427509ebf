// The workers behind the calls: limits, turns, random cancellations, workers that are killed, and how it all ends.

import { readFileSync } from 'node:fs';
import {
  blockInThread,
  CancelledError,
  EOFError,
  type Executor,
  Kernel,
  NotSupportedError,
  run,
  runInExecutor,
  runInProcess,
  runInThread,
  sleep,
  spawn,
  type Task,
  TaskTimeout,
  timeoutAfter,
  UniversalQueue,
  wait,
  workerLimits,
} from 'curio';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { randomNumbers } from '../../src/testing/index.ts';
import { program } from '../kit/child.ts';
import { children, stateOf, until } from '../kit/processes.ts';

const add = (a: number, b: number) => a + b;
const thread = () => process.getBuiltinModule('node:worker_threads').threadId;
const pid = () => process.pid;

/** Threads of this process. */
const threads = () => Number(/^Threads:\s+(\d+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]);

function limit(kind: 'threads' | 'processes', most: number): void {
  const before = workerLimits[kind];
  workerLimits[kind] = most;
  onTestFinished(() => {
    workerLimits[kind] = before;
  });
}

const failureOf = async (task: Task<unknown>): Promise<unknown> => {
  try {
    await task.join();
  } catch (error) {
    return (error as Error).cause;
  }
  return null;
};

test('in a single executable application, which would start itself without end, runInProcess() is not supported', async () => {
  const isSea = vi.spyOn(process.getBuiltinModule('node:sea'), 'isSea').mockReturnValue(true);
  onTestFinished(() => isSea.mockRestore());
  await run(async () => {
    const before = children().length;
    const running = runInProcess(add, 1, 2);
    await expect(running).rejects.toBeInstanceOf(NotSupportedError);
    await expect(running).rejects.toThrow('Use runInThread().');
    expect(children().length).toBe(before);
    expect(await runInThread(add, 1, 2)).toBe(3);
  });
});

test('a worker does one call at a time, also of async functions that are over soon', () => {
  limit('threads', 3);
  return run(async () => {
    const company = async (): Promise<number> => {
      const here = globalThis as { atWork?: number };
      here.atWork = (here.atWork ?? 0) + 1;
      const most = here.atWork;
      await new Promise((resolve) => setImmediate(resolve));
      here.atWork--;
      return most;
    };
    const tasks: Task<number>[] = [];
    for (let i = 0; i < 300; i++) tasks.push(await spawn(() => runInThread(company)));
    for (const task of tasks) expect(await task.join()).toBe(1);
  });
});

describe('random cancellations', () => {
  // In the middle, before its turn, at the very end: a call is withdrawn wherever it is.
  test('of ten thousand calls lose no worker, no call and no memory', { timeout: 120_000 }, async () => {
    limit('threads', 4);
    const random = randomNumbers(7);
    await run(async () => {
      await runInThread(add, 0, 0);
      const before = threads();
      let cancelled = 0;
      let done = 0;
      for (let round = 0; round < 100; round++) {
        const tasks: Task<number>[] = [];
        for (let i = 0; i < 100; i++) tasks.push(await spawn(() => runInThread(add, round, i)));
        // How far they are by then is for chance to say.
        for (let turns = Math.floor(random() * 4); turns > 0; turns--) await sleep(0);
        const victims = new Set(tasks.filter(() => random() < 0.3));
        // Of those that run, few at most: each costs a thread.
        let terminated = round % 4;
        for (const task of [...tasks].reverse()) {
          if (!victims.has(task) || (task.id <= tasks[4]!.id && ++terminated > 1)) continue;
          await task.cancel({ blocking: false });
        }
        for (const [i, task] of tasks.entries()) {
          const failure = await failureOf(task);
          if (failure === null) {
            expect(task.result).toBe(round + i);
            done++;
          } else {
            expect(failure).toBeInstanceOf(CancelledError);
            expect(victims.has(task)).toBe(true);
            cancelled++;
          }
        }
      }
      expect(done + cancelled).toBe(10_000);
      expect(cancelled).toBeGreaterThan(1000);
      expect(await runInThread(add, 1, 2)).toBe(3);
      // No more than there may be, and the thread or two that Node itself may have started meanwhile.
      await wait(until(() => threads() <= before + 3 + 2));
    });
  });
});

describe('a worker process', { timeout: 60_000 }, () => {
  test('that is killed from outside is an EOFError for its caller, and is replaced', () =>
    run({ logger: silent }, async () => {
      const victim = await runInProcess(pid);
      const call = await spawn(() =>
        runInProcess(() => {
          for (;;);
        }),
      );
      await sleep(0);
      process.kill(victim, 'SIGKILL');
      const failure = (await failureOf(call)) as Error;
      expect(failure).toBeInstanceOf(EOFError);
      expect(failure.message).toBe('The worker process was ended by SIGKILL while it ran the function.');
      const next = await runInProcess(pid);
      expect(next).not.toBe(victim);
    }));

  test('that is killed while it has nothing to do is replaced', () =>
    run({ logger: silent }, async () => {
      const victim = await runInProcess(pid);
      process.kill(victim, 'SIGKILL');
      await wait(until(() => stateOf(victim) === null));
      expect(await runInProcess(pid)).not.toBe(victim);
    }));

  test(
    'that ignores SIGTERM releases its caller at once, and is killed in the end',
    { timeout: 60_000 },
    () =>
      run(async () => {
        const stubborn = await runInProcess(pid);
        const call = await spawn(() =>
          runInProcess(() => {
            process.on('SIGTERM', () => {});
            for (;;);
          }),
        );
        await sleep(0.2);
        await call.cancel();
        expect(await failureOf(call)).toBeInstanceOf(CancelledError);
        await wait(until(() => stateOf(stubborn) === null));
      }),
  );

  test("gives the remote stack as the error's cause", () =>
    run({ logger: silent }, async () => {
      const task = await spawn(() =>
        runInProcess(function breaks() {
          throw new TypeError('why');
        }),
      );
      const failure = (await failureOf(task)) as Error;
      expect(failure).toBeInstanceOf(TypeError);
      expect(failure.cause).toMatch(/^In the worker process:\nTypeError: why\n {4}at breaks \(/);
    }));

  test('ends with the kernel, also in an endless loop', async () => {
    const before = children().length;
    await run(async () => {
      await runInProcess(pid);
      await spawn({ daemon: true }, () =>
        runInProcess(() => {
          for (;;);
        }),
      );
      await sleep(0);
    });
    expect(children().length).toBe(before);
  });
});

describe('a worker thread', () => {
  test("gives its errors without a cause of Curio's", () =>
    run({ logger: silent }, async () => {
      const task = await spawn(() =>
        runInThread(() => {
          throw new TypeError('why');
        }),
      );
      expect('cause' in ((await failureOf(task)) as Error)).toBe(false);
    }));

  test('takes over what is listed to be transferred', () =>
    run(async () => {
      const buffer = new ArrayBuffer(8);
      const length = await runInThread(
        { transfer: [buffer] },
        (given: ArrayBuffer) => given.byteLength,
        buffer,
      );
      expect([length, buffer.byteLength]).toEqual([8, 0]);
      expect(() => runInProcess({ transfer: [] } as never, add, 1, 2)).toThrow(/copies everything/);
      expect(() => runInThread({ transfer: 5 as never }, add, 1, 2)).toThrow(/wants an array/);
    }));

  test('ends with the kernel, also in an endless loop', async () => {
    await run(async () => {
      await runInThread(thread);
    });
    const before = threads();
    await run(async () => {
      await runInThread(thread);
      await spawn({ daemon: true }, () =>
        runInThread(() => {
          for (;;);
        }),
      );
      await sleep(0);
    });
    await until(() => threads() <= before);
  });
});

describe('blockInThread', { timeout: 60_000 }, () => {
  test('uses one thread for a thousand tasks that want the same, in the order of their calls', async () => {
    const seen = new Set<number>();
    const order: number[] = [];
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const take = (shared: Int32Array): [number, number] => {
      Atomics.wait(shared, 0, 0);
      const item = Atomics.sub(shared, 0, 1);
      return [process.getBuiltinModule('node:worker_threads').threadId, item];
    };
    await run(async () => {
      const tasks: Task<void>[] = [];
      for (let i = 0; i < 1000; i++) {
        tasks.push(
          await spawn(async () => {
            const [where] = await blockInThread(take, gate);
            seen.add(where);
            order.push(i);
          }),
        );
      }
      await sleep(0);
      // Others are not kept from their threads.
      expect(await runInThread(add, 1, 2)).toBe(3);
      for (let i = 0; i < 1000; i++) {
        Atomics.add(gate, 0, 1);
        Atomics.notify(gate, 0, 1);
      }
      for (const task of tasks) await task.join();
    });
    expect(seen.size).toBe(1);
    expect(order).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });

  test('cancelled before its turn, just leaves; cancelled in its turn, makes room for the next', async () => {
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const take = (shared: Int32Array, name: string): string => {
      Atomics.wait(shared, 0, 0);
      Atomics.sub(shared, 0, 1);
      return name;
    };
    await run(async () => {
      const tasks: Task<string>[] = [];
      for (const name of ['a', 'b', 'c']) tasks.push(await spawn(() => blockInThread(take, gate, name)));
      await sleep(0);
      await tasks[1]!.cancel();
      await tasks[0]!.cancel();
      Atomics.add(gate, 0, 1);
      Atomics.notify(gate, 0);
      expect(await tasks[2]!.join()).toBe('c');
      for (const i of [0, 1]) expect(await failureOf(tasks[i]!)).toBeInstanceOf(CancelledError);
    });
  });

  test('with an argument that cannot be copied fails, and the next has its turn', () =>
    run({ logger: silent }, async () => {
      const same = (x: unknown) => x;
      const tasks = [
        await spawn(() => blockInThread(same, 1)),
        await spawn(() => blockInThread(same, () => 2)),
        await spawn(() => blockInThread(same, 3)),
      ];
      expect(await tasks[0]!.join()).toBe(1);
      expect(await failureOf(tasks[1]!)).toBeInstanceOf(TypeError);
      expect(await tasks[2]!.join()).toBe(3);
    }));
});

describe('a task whose call is over, and that has not had its turn since', () => {
  /** Starts it in a kernel that stands still when the answer comes. */
  async function chosen(kernel: Kernel, call: () => Promise<unknown>): Promise<Task<unknown>> {
    onTestFinished(() => kernel.run({ shutdown: true }));
    const task = await kernel.run(async () => {
      const waiting = await spawn(call);
      await sleep(0);
      return waiting;
    });
    while (task.state !== 'READY') await new Promise((resolve) => setImmediate(resolve));
    return task;
  }

  for (const elsewhere of [runInThread, runInProcess, blockInThread] as const) {
    test(`has its result if it is cancelled or timed out then, and its worker is there for the next: ${elsewhere.name}`, async () => {
      const kernel = new Kernel({ logger: silent });
      const got: unknown[] = [];
      const where = elsewhere === runInProcess ? pid : thread;
      const task = await chosen(kernel, async () => {
        got.push(await timeoutAfter(3600, () => elsewhere(where)));
        await sleep(1000);
      });
      await kernel.run(() => task.cancel());
      expect(got).toEqual([expect.any(Number)]);
      expect(await kernel.run(() => elsewhere(where))).toBe(got[0]);
    });
  }

  test('lets the next in line have its turn if it ends without', async () => {
    const kernel = new Kernel({ logger: silent });
    let end!: () => void;
    const gate = new Promise<void>((resolve) => {
      end = resolve;
    });
    let next: Task<number> | undefined;
    const task = await chosen(kernel, async () => {
      next = await spawn(() => blockInThread(thread));
      void blockInThread(thread);
      await gate;
    });
    end();
    expect(await kernel.run(() => next!.join())).toBeGreaterThan(0);
    await kernel.run(() => task.wait());
  });
});

describe('runInExecutor', () => {
  const executor: Executor = { submit: async (fn, args) => fn(...args) };

  test('gives what the executor gives, or throws what it throws', () =>
    run({ logger: silent }, async () => {
      expect(await runInExecutor(executor, add, 1, 2)).toBe(3);
      const broken = await spawn(() =>
        runInExecutor(executor, () => {
          throw new RangeError('no');
        }),
      );
      expect(await failureOf(broken)).toBeInstanceOf(RangeError);
    }));

  test('cancelled, releases the task at once, and aborts the signal that the executor was given', () =>
    run(async () => {
      let signal: AbortSignal | undefined;
      const slow = {
        submit: (_fn: unknown, _args: unknown, context: { signal: AbortSignal }) => {
          signal = context.signal;
          return new Promise(() => {});
        },
      };
      const task = await spawn(() => timeoutAfter(0, () => runInExecutor(slow, add, 1, 2)));
      const failure = await failureOf(task);
      expect(failure).toBeInstanceOf(TaskTimeout);
      if (signal !== undefined) expect(signal.aborted).toBe(true);
      const other = await spawn(() => runInExecutor(slow, add, 1, 2));
      await sleep(0);
      await other.cancel();
      expect(await failureOf(other)).toBeInstanceOf(CancelledError);
      expect(signal?.aborted).toBe(true);
      expect(signal?.reason).toBeInstanceOf(CancelledError);
    }));

  test('wants an executor and a function', () =>
    run(async () => {
      expect(() => runInExecutor({} as never, add, 1, 2)).toThrow(/wants an executor with submit\(fn, args/);
      expect(() => runInExecutor(executor, 5 as never)).toThrow(TypeError);
    }));
});

describe.concurrent('a program', { timeout: 120_000 }, () => {
  test('sends a function without loading what Node makes when it is looked at, such as fetch', async () => {
    expect((await program('workers-lazy')).said).toEqual(['7 nothing more']);
  });

  test('ends although a worker is kept warm, and gives up nothing that was printed', async () => {
    const { said, complaint, code } = await program('workers-end', { args: ['print'] });
    expect(complaint).toBe('');
    expect(said).toEqual([...Array.from({ length: 200 }, (_, i) => `line ${i}`), 'cancelled', 'end']);
    expect(code).toBe(0);
  });

  test('prints what a worker prints before what is printed after it', async () => {
    const { said } = await program('workers-end', { args: ['order'] });
    expect(said).toEqual(['main 1', 'worker 1', 'main 2', 'worker 2', 'main 3']);
  });

  test('that ends by process.exit() takes its processes along', async () => {
    const { said, code } = await program('workers-end', { args: ['exit'] });
    expect(code).toBe(5);
    await until(() => [null, 'Z'].includes(stateOf(Number(said[0]))));
  });
});

const silent = { debug() {}, info() {}, warn() {}, error() {} };

describe('universal objects', { timeout: 60_000 }, () => {
  test('cross to threads by themselves, as arguments and as what a function uses', () =>
    run(async () => {
      const results = new UniversalQueue<number>();
      const add = (queue: UniversalQueue<number>, n: number): void => {
        for (let i = 0; i < n; i++) void queue.put(i);
      };
      await runInThread(add, results, 3);
      await runInThread(() => void results.put(3));
      expect([await results.get(), await results.get(), await results.get(), await results.get()]).toEqual([
        0, 1, 2, 3,
      ]);
    }));

  test('block a thread that waits, until a task gives it what it waits for', () =>
    run(async () => {
      const questions = new UniversalQueue<number>();
      const square = (queue: UniversalQueue<number>): number => {
        const n = queue.get() as unknown as number;
        return n * n;
      };
      const answer = await spawn(() => runInThread(square, questions));
      await sleep(0);
      await questions.put(7);
      expect(await answer.join()).toBe(49);
    }));

  test('do not cross to processes', () =>
    run(async () => {
      const queue = new UniversalQueue<number>();
      expect(() => runInProcess((x: unknown) => x, queue)).toThrow(
        'runInProcess() was given an instance of UniversalQueue, which only threads of this process can reach.',
      );
      await expect(runInProcess(() => void queue.put(1))).rejects.toThrow(
        /uses 'queue', which only threads of this/,
      );
    }));
});
