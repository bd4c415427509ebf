// runInThread and runInProcess: what both do.

import { existsSync, writeFileSync } from 'node:fs';
import {
  blockInThread,
  CancelledError,
  EOFError,
  Kernel,
  NotSupportedError,
  run,
  runInProcess,
  runInThread,
  sleep,
  spawn,
  type Task,
  TaskError,
  TaskGroup,
  TaskTimeout,
  timeoutAfter,
  wait,
  workerLimits,
} from 'curio';
import { moduleFunction } from 'curio/workers';
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest';
import { children, folder, note, stateOf, until } from '../kit/processes.ts';
import { recorder } from '../kit/recorder.ts';

const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));

/** What a rejected promise was rejected with. */
const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    (value) => {
      throw new Error(`it gave ${value}`);
    },
    (error) => error as Error,
  );

function loopsAfterANote(path: string): void {
  writeFileSync(path, `${process.pid}`);
  for (;;);
}

/** Where a function runs. */
const place = () => `${process.pid} ${process.getBuiltinModule('node:worker_threads').threadId}`;

describe.each([
  ['runInThread', runInThread],
  ['runInProcess', runInProcess],
] as const)('%s', { timeout: 60_000 }, (name, elsewhere: typeof runInThread) => {
  test('gives what the function returns, or what its promise gives', async () => {
    const results = await run(async () => [
      await elsewhere(fib, 15),
      await elsewhere(async (x: number) => x + 1, 1),
      await elsewhere(() => undefined),
    ]);
    expect(results).toEqual([610, 2, undefined]);
  });

  test('says each time why a function cannot be made there', async () => {
    const work = moduleFunction('file:///nowhere.mjs', 'work');
    const errors = await run(async () => [await failure(elsewhere(work)), await failure(elsewhere(work))]);
    expect(errors[0]!.message).toContain("file:///nowhere.mjs, and so 'work', could not be loaded there");
    expect(errors[1]!.message).toBe(errors[0]!.message);
  });

  test('runs the function elsewhere, and one call after the other in the same place', async () => {
    const places = await run(async () => [
      await elsewhere(place),
      await elsewhere(place),
      await elsewhere(place),
    ]);
    expect(new Set(places).size).toBe(1);
    expect(places[0]).not.toBe(place());
  });

  test('lets other tasks run meanwhile', async () => {
    const said: string[] = [];
    await run(async () => {
      const answer = await spawn(async () => {
        said.push(`fib ${await elsewhere(fib, 32)}`);
      });
      for (let i = 0; i < 3; i++) {
        await sleep(0);
        said.push(`tick ${i}`);
      }
      await answer.join();
    });
    expect(said).toEqual(['tick 0', 'tick 1', 'tick 2', 'fib 2178309']);
  });

  test('copies arguments and results of every kind that can be copied', async () => {
    const given = [
      1n,
      new Date(5),
      /x/g,
      new Map([['a', new Set([1])]]),
      Float64Array.of(1.5),
      { deep: [null, undefined] },
    ];
    const got = await run(() => elsewhere((...all: unknown[]) => all, ...given));
    expect(got).toEqual(given);
  });

  test('gives Buffers for Buffers, both ways, and no more of the pool than is theirs', async () => {
    const got = await run(() =>
      elsewhere(
        (buffer: Buffer) =>
          Buffer.from(`${Buffer.isBuffer(buffer)} ${buffer.buffer.byteLength < 2000} ${buffer}`),
        Buffer.from('abc'),
      ),
    );
    expect(Buffer.isBuffer(got)).toBe(true);
    expect(`${got}`).toBe('true true abc');
  });

  test('gives a Buffer for one that the function has captured, and no more of the pool than is its own', async () => {
    const mine = Buffer.from('mine');
    const [isBuffer, text, bytes] = await run(() =>
      elsewhere(() => [Buffer.isBuffer(mine), String(mine), mine.buffer.byteLength] as const),
    );
    expect([isBuffer, text]).toEqual([true, 'mine']);
    // From a process it is a view of the message.
    expect(bytes).toBeLessThan(Buffer.poolSize / 2);
  });

  test('throws the error of the function, with its class, message, code, cause and remote stack', async () => {
    const error = await failure(
      run(() =>
        elsewhere(function breaks() {
          throw Object.assign(new RangeError('too far', { cause: new TypeError('why') }), {
            code: 'FAR',
            by: [7],
          });
        }),
      ),
    );
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ name: 'RangeError', message: 'too far', code: 'FAR', by: [7] });
    expect(error.cause).toBeInstanceOf(TypeError);
    expect(error.stack).toMatch(/^RangeError: too far\n {4}at breaks \(.*elsewhere\.test\.ts:\d+:\d+\)$/);
  });

  test("throws Curio's own errors as what they are", async () => {
    const error = await failure(
      run(() =>
        elsewhere(() => {
          throw new EOFError('too short', { bytesRead: 'ab' });
        }),
      ),
    );
    expect(error).toBeInstanceOf(EOFError);
    expect(error).toMatchObject({ message: 'too short', code: 'ERR_CURIO_EOF', bytesRead: 'ab' });
  });

  test('throws a subclass of the user’s as the nearest class that is known, under its own name', async () => {
    const error = await failure(
      run(() =>
        elsewhere(() => {
          class OddError extends SyntaxError {
            override name = 'OddError';
          }
          throw new OddError('odd');
        }),
      ),
    );
    expect(error).toBeInstanceOf(SyntaxError);
    expect(error.name).toBe('OddError');
  });

  test('throws what was thrown that is no error', async () => {
    const thrown = await failure(run(() => elsewhere(() => Promise.reject({ reason: [1] }))));
    expect(thrown).toEqual({ reason: [1] });
  });

  test('throws a TypeError for a result that cannot be copied, and the worker goes on', async () => {
    await run(async () => {
      const error = await failure(elsewhere(() => () => 1));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.message).toMatch(/^What the function returned cannot be copied to the caller/);
      expect(await elsewhere(fib, 5)).toBe(5);
    });
  });

  test('throws a TypeError for an argument that cannot be copied, before anything runs', async () => {
    await run(async () => {
      const path = `${folder()}/note`;
      for (let i = 0; i < 2; i++) {
        const error = await failure(elsewhere(loopsAfterANote as (...all: unknown[]) => void, path, () => 1));
        expect(error).toBeInstanceOf(TypeError);
        expect(error.message).toMatch(
          /^An argument of loopsAfterANote\(\) cannot be copied to where it should run/,
        );
      }
      expect(await elsewhere(fib, 5)).toBe(5);
      expect(existsSync(path)).toBe(false);
    });
  });

  test('throws an EOFError if the worker ends in the middle, and the next call has another', async () => {
    await run(async () => {
      const error = await failure(elsewhere(() => process.exit(3)));
      expect(error).toBeInstanceOf(EOFError);
      expect(error.message).toContain('while it ran the function');
      expect(await elsewhere(fib, 5)).toBe(5);
    });
  });

  test('throws an EOFError with the cause if something else in the worker fails without being caught', async () => {
    const error = await failure(
      run(() =>
        elsewhere(() => {
          setImmediate(() => {
            throw new Error('stray');
          });
          return new Promise(() => {});
        }),
      ),
    );
    expect(error).toBeInstanceOf(EOFError);
    expect((error.cause as Error).message).toBe('stray');
  });

  test('lets no call pay for an error that an earlier one has left behind', async () => {
    const logger = recorder();
    const results = await run({ logger }, async () => {
      const all: unknown[] = [];
      for (let round = 0; round < 10; round++) {
        all.push(
          await elsewhere(() => {
            void Promise.reject(new Error('left behind'));
            return 'gave';
          }).catch((error: unknown) => (error as Error).constructor.name),
        );
        all.push(await elsewhere(() => 'innocent'));
      }
      return all;
    });
    expect(results.filter((_, i) => i % 2 === 1)).toEqual(Array(10).fill('innocent'));
    // Who left it gets its own result or an error, and the log has the others.
    for (const it of results.filter((_, i) => i % 2 === 0)) expect(['gave', 'EOFError']).toContain(it);
    for (const text of logger.of('warn')) expect(text).toContain('nothing to do: Error: left behind');
  });

  test('cancelled, releases the task at once and ends the worker, also in an endless loop', async () => {
    const path = `${folder()}/note`;
    await run(async () => {
      const task = await spawn(() => elsewhere(loopsAfterANote, path));
      const pid = Number(await wait(note(path)));
      const error = await cancelAndJoin(task);
      expect(error).toBeInstanceOf(TaskError);
      expect(error.cause).toBeInstanceOf(CancelledError);
      expect(await elsewhere(fib, 5)).toBe(5);
      if (name === 'runInProcess') await wait(until(() => stateOf(pid) === null));
    });
  });

  test('timed out, releases the task at once', async () => {
    await run(async () => {
      const error = await failure(
        timeoutAfter(0.05, () =>
          elsewhere(() => {
            for (;;);
          }),
        ),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(await elsewhere(fib, 5)).toBe(5);
    });
  });

  test('does not run the function of a task whose cancellation is pending', async () => {
    const path = `${folder()}/note`;
    await run(async () => {
      const task = await spawn(() => elsewhere(loopsAfterANote, path));
      expect((await cancelAndJoin(task)).cause).toBeInstanceOf(CancelledError);
      await elsewhere(fib, 1);
    });
    expect(existsSync(path)).toBe(false);
  });

  test("with { onCancel: 'abandon' } lets the function finish, and uses the worker again", async () => {
    const path = `${folder()}/note`;
    const slow = async (file: string): Promise<number> => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      writeFileSync(file, `${process.pid}`);
      return process.pid;
    };
    const threads = workerLimits[name === 'runInThread' ? 'threads' : 'processes'];
    setLimit(name, 1);
    onTestFinished(() => setLimit(name, threads));
    await run(async () => {
      const before = await elsewhere(place);
      const error = await failure(timeoutAfter(0.02, () => elsewhere({ onCancel: 'abandon' }, slow, path)));
      expect(error).toBeInstanceOf(TaskTimeout);
      // The next call waits for its turn with the only worker there may be.
      expect(await elsewhere(place)).toBe(before);
      expect(existsSync(path)).toBe(true);
    });
  });

  test('makes further calls wait for their turn, first come first served; one that is cancelled leaves', async () => {
    const limit = workerLimits[name === 'runInThread' ? 'threads' : 'processes'];
    setLimit(name, 1);
    onTestFinished(() => setLimit(name, limit));
    const order: string[] = [];
    await run(async () => {
      const call = (label: string) =>
        spawn(async () => {
          order.push(await elsewhere((text: string) => text, label));
        });
      const tasks = [await call('a'), await call('b'), await call('c'), await call('d')];
      await sleep(0);
      await tasks[2]!.cancel();
      for (const i of [0, 1, 3]) await tasks[i]!.join();
    });
    expect(order).toEqual(['a', 'b', 'd']);
  });

  test('leaves no worker behind when the kernel shuts down', async () => {
    const before = children().length;
    const kernel = new Kernel();
    await kernel.run(async () => {
      const tasks = [];
      for (let i = 0; i < 3; i++) tasks.push(await spawn(() => elsewhere(fib, 10)));
      for (const task of tasks) await task.join();
      if (name === 'runInProcess') expect(children().length).toBeGreaterThan(before);
    });
    await kernel.run({ shutdown: true });
    expect(children().length).toBe(before);
  });

  test('says at the call what is wrong with its arguments', () =>
    run(async () => {
      expect(() => elsewhere(fib(3) as never)).toThrow(TypeError);
      expect(() => elsewhere(Promise.resolve() as never)).toThrow(/was given a promise/);
      expect(() => elsewhere({ onCancel: 'wait' as 'abandon' }, fib, 1)).toThrow(
        `${name}({ onCancel }) is 'terminate' or 'abandon', not "wait".`,
      );
    }));

  test('outside a task is a RuntimeError', async () => {
    expect((await failure(elsewhere(fib, 1))).message).toContain(`${name}() was called outside a task`);
  });
});

async function cancelAndJoin(task: { cancel(): Promise<void>; join(): Promise<unknown> }): Promise<Error> {
  await task.cancel();
  return failure(task.join());
}

function setLimit(name: string, limit: number): void {
  workerLimits[name === 'runInThread' ? 'threads' : 'processes'] = limit;
}

test('what a function in a worker process sends to its parent is no answer to anybody', {
  timeout: 60_000,
}, async () => {
  const results = await run(async () => [
    await runInProcess(() => {
      for (let i = 0; i < 3; i++) process.send?.({ value: 'forged', isBuffer: false });
      return 'mine';
    }),
    await runInProcess(() => 'next'),
  ]);
  expect(results).toEqual(['mine', 'next']);
});

test('a function in a worker process that removes all listeners there are leaves it able to hear the next call', {
  timeout: 60_000,
}, async () => {
  const pids = await run(async () => [
    await runInProcess(() => {
      process.removeAllListeners('message');
      return process.pid;
    }),
    await runInProcess(() => {
      process.removeAllListeners();
      return process.pid;
    }),
    await runInProcess(() => process.pid),
  ]);
  expect(new Set(pids).size).toBe(1);
});

test('a worker process has the environment of its program, and nothing more', {
  timeout: 60_000,
}, async () => {
  process.env.CURIO_TEST_COLOUR = 'green';
  onTestFinished(() => void delete process.env.CURIO_TEST_COLOUR);
  expect(await run(runInProcess, () => ({ ...process.env }))).toEqual(process.env);
});

test('where workers would be copies of the program, there are none', { timeout: 60_000 }, async () => {
  // As a worker finds it that runs the program and not what it was told to.
  process.env.CURIO_WORKER_STARTS = '1';
  onTestFinished(() => void delete process.env.CURIO_WORKER_STARTS);
  await run(async () => {
    const error = await failure(runInProcess(fib, 5));
    expect(error).toBeInstanceOf(NotSupportedError);
    expect(error.message).toContain(
      `${process.execPath} is an executable that runs a program of its own instead`,
    );
    expect(await runInThread(fib, 5)).toBe(5);
  });
});

test('tells how to move what can only be moved', { timeout: 60_000 }, async () => {
  const { port1 } = new MessageChannel();
  const error = await run(() => failure(runInThread((port) => typeof port, port1)));
  expect(error.message).toMatch(/transferList\. Move it: runInThread\(\{ transfer: \[it\] \}, fn, it\)\.$/);
  port1.close();
});

test('spawn() starts a call elsewhere, and knows its type', () =>
  run(async () => {
    const size = (text: string, times = 1): number => text.length * times;
    const task = await spawn(runInThread, size, 'abc', 2);
    expectTypeOf(task).toEqualTypeOf<Task<number>>();
    expect(await task.join()).toBe(6);
    const other = await spawn({ daemon: true }, async (name: string) => name.length, 'ab');
    expectTypeOf(other).toEqualTypeOf<Task<number>>();
    const group = new TaskGroup<number>();
    const member = await group.spawn(runInProcess, size, 'a');
    expectTypeOf(member).toEqualTypeOf<Task<number>>();
    // @ts-expect-error: no text.
    await group.spawn(blockInThread, (n: number) => n, 'a');
    await group.join();
    expect(group.results).toEqual([1, 'a']);
  }));
