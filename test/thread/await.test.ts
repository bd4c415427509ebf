// AWAIT: what an async thread can do in its kernel. The functions run in real threads: they go there by their text.

import {
  AsyncOnlyError,
  AWAIT,
  blockInThread,
  checkCancellation,
  clock,
  currentTask,
  Event,
  isAsyncThread,
  Queue,
  Result,
  RuntimeError,
  run,
  runInProcess,
  runInThread,
  setCancellation,
  sleep,
  spawn,
  spawnThread,
  Task,
  TaskCancelled,
  timeoutAfter,
} from 'curio';
import { curioRunning } from 'curio/meta';
import { CalledProcessError, checkOutput } from 'curio/subprocess';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { inThread } from '../kit/in-thread.ts';
import { recorder } from '../kit/recorder.ts';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

describe('an operation', () => {
  test('of the library’s own functions, called or by name, is done in the kernel', async () => {
    const got = await inThread(() => {
      const before = AWAIT(clock());
      const [one, two] = [AWAIT(sleep, 0.001), AWAIT(sleep(0.001))];
      return [one - before >= 0.001, two - one >= 0.001];
    });
    expect(got).toEqual([true, true]);
  });

  test('of one of the kernel’s objects gives its value', async () => {
    const got = await virtually(async () => {
      const queue = new Queue<number>();
      for (const item of [1, 2, 3]) await queue.put(item);
      const thread = await spawnThread((from: Queue<number>) => {
        const items = [AWAIT(from.get()), AWAIT(from.get())];
        return { items, left: from.size(), empty: from.empty(), limit: from.maxsize };
      }, queue);
      return await thread.join();
    });
    expect(got).toEqual({ items: [1, 2], left: 1, empty: false, limit: 0 });
  });

  test('throws what it throws in the kernel: class, code, message and cause', async () => {
    const [isError, name, message, cause] = (await inThread(() => {
      const result = new Result<number>();
      AWAIT(result.setException(new RangeError('far away', { cause: 'elsewhere' })));
      try {
        return AWAIT(result.unwrap());
      } catch (error) {
        const thrown = error as Error;
        return [thrown instanceof RangeError, thrown.name, thrown.message, thrown.cause];
      }
    })) as unknown as unknown[];
    expect([isError, name, message, cause]).toEqual([true, 'RangeError', 'far away', 'elsewhere']);
  });

  test("throws Curio's errors as what they are there, of whatever module", async () => {
    const got = await inThread(() => {
      try {
        AWAIT(checkOutput(['sh', '-c', 'echo out; exit 3']));
      } catch (error) {
        return error instanceof CalledProcessError && [error.returncode, String(error.stdout), error.cmd[0]];
      }
      return 'nothing';
    });
    expect(got).toEqual([3, 'out\n', 'sh']);
  });

  test('is not begun before it is AWAITed', async () => {
    const sizes = await inThread(() => {
      const queue = new Queue<string>();
      const put = queue.put('later');
      const before = queue.size();
      AWAIT(put);
      return [before, queue.size()];
    });
    expect(sizes).toEqual([0, 1]);
  });

  test('is awaited by an async function of the thread’s as well', async () => {
    const got = await inThread(async () => {
      const event = new Event();
      await event.set();
      await event.wait();
      return [event.isSet(), (await sleep(0.001)) > 0];
    });
    expect(got).toEqual([true, true]);
  });

  test('waits for the other tasks of the kernel', async () => {
    const steps: string[] = [];
    await virtually(async () => {
      const event = new Event();
      const log = (step: string) => void steps.push(step);
      const thread = await spawnThread(
        (it: Event, say: (step: string) => void) => {
          AWAIT(say, 'thread waits');
          AWAIT(it.wait());
          AWAIT(say, 'thread goes on');
        },
        event,
        log,
      );
      while (!steps.includes('thread waits')) await sleep(1);
      steps.push('set');
      await event.set();
      await thread.join();
    });
    expect(steps).toEqual(['thread waits', 'set', 'thread goes on']);
  });
});

describe('what is no operation', () => {
  test('is passed on: values as they are, a plain function is called in the thread', async () => {
    const got = await inThread(() => [
      AWAIT(5),
      AWAIT(null),
      AWAIT(undefined) === undefined,
      AWAIT((a: number, b: number) => [a + b, isAsyncThread()], 2, 3),
    ]);
    expect(got).toEqual([5, null, true, [5, true]]);
  });

  test('has a type: of a value, of a promise, of a function', () => {
    expectTypeOf(AWAIT<number>).returns.toEqualTypeOf<number>();
    expectTypeOf(() => AWAIT(Promise.resolve('text'))).returns.toEqualTypeOf<string>();
    expectTypeOf(() => AWAIT(sleep, 1)).returns.toEqualTypeOf<number>();
  });
});

describe('outside an async thread', () => {
  test('an operation is an AsyncOnlyError', async () => {
    expect(() => AWAIT(sleep, 1)).toThrow(AsyncOnlyError);
    expect(() => AWAIT(sleep(1))).toThrow(/spawnThread/);
    const thrown = await virtually(async () => {
      const queue = new Queue<number>();
      return thrownBy((async () => AWAIT(queue.put(1)))());
    });
    expect(thrown).toBeInstanceOf(AsyncOnlyError);
  });

  test('an async function is not even called', () => {
    let called = false;
    expect(() =>
      AWAIT(async () => {
        called = true;
      }),
    ).toThrow(AsyncOnlyError);
    expect(called).toBe(false);
  });

  test('anything else is passed on all the same', () => {
    expect(AWAIT(5)).toBe(5);
    expect(AWAIT((n: number) => n * 2, 4)).toBe(8);
    expect(isAsyncThread()).toBe(false);
  });
});

describe('the thread', () => {
  test('runs no kernel: curioRunning() is false, isAsyncThread() is true', async () => {
    expect(await inThread(() => [curioRunning(), isAsyncThread()])).toEqual([false, true]);
  });

  test('is one task to the kernel: currentTask() gives it, with the handle’s id', async () => {
    await virtually(async () => {
      const thread = await spawnThread(() => {
        const me = AWAIT(currentTask());
        const isTask = me instanceof Task;
        return [me.id, AWAIT(currentTask).id, me.name, isTask, me.state, me.daemon];
      });
      expect(await thread.join()).toEqual([thread.id, thread.id, 'anonymous', true, 'RUNNING', true]);
    });
  });

  test('gets an object of the kernel as the same one each time', async () => {
    const same = await virtually(async () => {
      const queue = new Queue<Queue<unknown>>();
      await queue.put(queue as never);
      const thread = await spawnThread((it: typeof queue) => AWAIT(it.get()) === it, queue);
      return await thread.join();
    });
    expect(same).toBe(true);
  });

  test('makes queues, locks and the rest in the kernel, and may hand them out', async () => {
    await virtually(async () => {
      const thread = await spawnThread(() => {
        const queue = new Queue<string>(2);
        AWAIT(queue.put('made there'));
        return queue;
      });
      const queue = await thread.join();
      expect(queue).toBeInstanceOf(Queue);
      expect(queue.maxsize).toBe(2);
      expect(await queue.get()).toBe('made there');
    });
  });

  test('spawns tasks in the kernel, which run functions of the kernel’s or of its own', async () => {
    const got = await virtually(async () => {
      const twice = async (n: number) => {
        await sleep(1);
        return n * 2;
      };
      const thread = await spawnThread((there: typeof twice) => {
        const one = AWAIT(spawn(there, 4));
        const two = AWAIT(spawn(async (n: number) => (await sleep(1)) && n + 1, 4));
        return [AWAIT(one.join()), AWAIT(two.join()), one.terminated, one.result];
      }, twice);
      return await thread.join();
    });
    expect(got).toEqual([8, 5, true, 8]);
  });

  test('has its own functions run there, not those that another thread sent before', async () => {
    const got = await virtually(async () => {
      const first = await spawnThread(() => [AWAIT(AWAIT(spawn(() => 'a')).join()), AWAIT(async () => 'b')]);
      const second = await spawnThread(() => [AWAIT(AWAIT(spawn(() => 'c')).join()), AWAIT(async () => 'd')]);
      return [await first.join(), await second.join()];
    });
    expect(got).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
  });

  test('has work done in other threads and processes', async () => {
    const got = await inThread(() => {
      const base = 10;
      const more = (n: number) => base + n;
      const id = (mine: number) => mine !== process.getBuiltinModule('node:worker_threads').threadId;
      return [
        AWAIT(runInThread(more, 1)),
        AWAIT(runInThread(more, 2)),
        AWAIT(runInProcess({ onCancel: 'abandon' }, more, 3)),
        AWAIT(blockInThread(more, 4)),
        AWAIT(timeoutAfter(60, runInThread, more, 5)),
        AWAIT(AWAIT(spawn(runInThread, more, 6)).join()),
        AWAIT(runInThread(id, process.getBuiltinModule('node:worker_threads').threadId)),
      ];
    });
    expect(got).toEqual([11, 12, 13, 14, 15, 16, true]);
  });

  test('runs an async function of its own in the kernel, where it can wait', async () => {
    const got = await inThread(() => {
      const queue = new Queue<number>();
      return AWAIT(async (it: Queue<number>) => {
        await it.put(7);
        await sleep(0.001);
        return [await it.get(), isAsyncThread()];
      }, queue);
    });
    expect(got).toEqual([7, false]);
  });

  test('is told at once when it asks for something that there is not', async () => {
    const [first, second] = await inThread<[], string[]>(() => {
      const texts: string[] = [];
      const queue = new Queue<number>();
      for (const attempt of [
        () => (queue as never as { fly(): void }).fly(),
        () => AWAIT(queue.taskDone()),
      ]) {
        try {
          attempt();
        } catch (error) {
          texts.push(`${(error as Error).name}: ${(error as Error).message}`);
        }
      }
      return texts;
    });
    expect(first).toMatch(/^TypeError: .*fly/);
    expect(second).toMatch(/^RuntimeError: .*taskDone/);
  });
});

describe('what crosses', () => {
  test('is copied with what a copy alone would lose: Buffers, errors, objects of the kernel, inside arrays and maps', async () => {
    await virtually(async () => {
      const queue = new Queue<unknown>();
      const thread = await spawnThread(
        (it: { list: unknown[]; map: Map<string, Queue<unknown>> }) => {
          const [bytes, error] = it.list as [Buffer, Error];
          const inside = it.map.get('queue') as Queue<unknown>;
          AWAIT(inside.put(Buffer.from('back')));
          return [Buffer.isBuffer(bytes), bytes.toString(), error instanceof TypeError, inside];
        },
        { list: [Buffer.from('there'), new TypeError('broken')], map: new Map([['queue', queue]]) },
      );
      expect(await thread.join()).toEqual([true, 'there', true, queue]);
      const back = (await queue.get()) as Buffer;
      expect([Buffer.isBuffer(back), back.toString()]).toEqual([true, 'back']);
    });
  });

  test('may go round in a circle', async () => {
    const same = await virtually(async () => {
      const ring: unknown[] = [new Queue()];
      ring.push(ring);
      const thread = await spawnThread(
        (it: unknown[]) => it[1] === it && (it[0] as Queue<unknown>).size(),
        ring,
      );
      return await thread.join();
    });
    expect(same).toBe(0);
  });

  test('functions are called back where they are from', async () => {
    const said: string[] = [];
    const got = await virtually(async () => {
      const ask = async (question: string) => {
        said.push(question);
        await sleep(1);
        return `${question}!`;
      };
      const thread = await spawnThread((it: typeof ask) => AWAIT(it('what')), ask);
      return await thread.join();
    });
    expect([said, got]).toEqual([['what'], 'what!']);
  });

  test('a reply that cannot be cloned is an error in the thread, which goes on', async () => {
    const got = await virtually(async () => {
      const give = () => new WeakMap();
      const thread = await spawnThread((it: () => unknown) => {
        try {
          return AWAIT(it());
        } catch (error) {
          return [(error as Error).name, (error as Error).message, AWAIT(sleep, 1)];
        }
      }, give);
      return (await thread.join()) as unknown[];
    });
    expect(got).toEqual(['TypeError', expect.stringMatching(/cannot be sent to the thread/), 1]);
  });

  test('what the thread cannot send is its error at the call', async () => {
    const got = await inThread(() => {
      const queue = new Queue<unknown>();
      try {
        return AWAIT(queue.put(new WeakMap()));
      } catch (error) {
        return [(error as Error).name, (error as Error).message, queue.size()];
      }
    });
    expect(got).toEqual(['TypeError', expect.stringMatching(/cannot send/), 0]);
  });

  test('a result that cannot be cloned ends the thread with an error that says so', async () => {
    const thrown = await noisily(async () => {
      const thread = await spawnThread(() => new WeakMap());
      await thread.wait();
      return thread.exception;
    });
    expect(thrown).toBeInstanceOf(TypeError);
    expect(String(thrown)).toMatch(/WeakMap/);
  });

  test('an argument that cannot be cloned makes spawnThread() fail, and nothing runs', async () => {
    const thrown = await virtually(async () =>
      thrownBy(spawnThread((it: WeakMap<object, object>) => it, new WeakMap())),
    );
    expect(thrown).toBeInstanceOf(TypeError);
  });

  test('an operation that was not AWAITed is not passed on', async () => {
    const text = await inThread(() => {
      const queue = new Queue<unknown>();
      try {
        AWAIT(queue.put(queue.get()));
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    });
    expect(text).toMatch(/AWAIT\(…\)/);
  });
});

describe('an operation that is never AWAITed is not done, and the log says so', () => {
  const logged = async (fn: (queue: Queue<number>) => unknown) => {
    const log = recorder();
    const size = await run({ logger: log }, async () => {
      const queue = new Queue<number>();
      await (await spawnThread(fn, queue)).join();
      return queue.size();
    });
    return { lines: log.lines, size };
  };

  test('of an object, when two others have been done', async () => {
    const { lines, size } = await logged((queue) => {
      void queue.put(1);
      AWAIT(sleep(0));
      AWAIT(sleep(0));
      return AWAIT(queue.put(2));
    });
    expect(size).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(
        /warn.* is a thread that called Queue\.put\(\) without AWAIT, and so it was not done\. Write AWAIT/,
      ),
    ]);
  });

  test('of the library, at the end of the thread', async () => {
    const { lines } = await logged(() => void sleep(1));
    expect(lines).toEqual([expect.stringContaining('called sleep() without AWAIT')]);
  });

  test('once for all that look the same', async () => {
    const { lines, size } = await logged((queue) => {
      for (let i = 0; i < 5; i++) {
        void queue.put(i);
        void queue.taskDone();
        AWAIT(sleep(0));
      }
    });
    expect([size, lines.length]).toEqual([0, 2]);
  });

  test('but one may be kept while another is done', async () => {
    const { lines, size } = await logged((queue) => {
      const later = queue.put(1);
      AWAIT(queue.put(2));
      AWAIT(later);
    });
    expect([size, lines]).toEqual([2, []]);
  });

  test('and what comes after an error in the thread is not reproached', async () => {
    const log = recorder();
    const thrown = await run({ logger: log }, async () => {
      const thread = await spawnThread(() => {
        void sleep(1);
        throw new Error('by the thread');
      });
      return thrownBy(thread.join());
    });
    expect(String(thrown)).toContain('by the thread');
    expect(log.lines.filter((line) => line.includes('AWAIT'))).toEqual([]);
  });
});

test('cancellation can be looked at and set, as in a task', async () => {
  const got = await inThread(() => {
    const before = AWAIT(checkCancellation());
    AWAIT(setCancellation(new TaskCancelled('by hand')));
    try {
      AWAIT(sleep(0));
    } catch (error) {
      return [before, (error as Error).message, error instanceof TaskCancelled];
    }
    return [];
  });
  expect(got).toEqual([null, 'by hand', true]);
});

test('spawnThread() needs a task', async () => {
  expect(await thrownBy(spawnThread(() => 1))).toBeInstanceOf(RuntimeError);
  await expect(run(async () => (await spawnThread(() => 1)).join())).resolves.toBe(1);
});
