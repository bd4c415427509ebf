// Running: run() and Kernel, what comes out of them, single cycles, and what stands between two runs.

import {
  currentTask,
  Event,
  ignoreAfter,
  Kernel,
  Queue,
  RuntimeError,
  run,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  timeoutAfter,
  wait,
} from 'curio';
import { instantiateCoroutine } from 'curio/meta';
import { VirtualClock } from 'curio/testing';
import { getKernel } from 'curio/traps';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

class Oops extends Error {}

describe('the result', () => {
  test('of the main task comes out of run() and of kernel.run()', async () => {
    expect(await run(async (name: string) => `Hello ${name}`, 'Guido')).toBe('Hello Guido');
    await using kernel = new Kernel();
    expect(await kernel.run(async (a: number, b: number) => a + b, 2, 3)).toBe(5);
  });

  test('of a plain function will do, and so will a thenable it returns', async () => {
    expect(await run(() => 5)).toBe(5);
    // biome-ignore lint/suspicious/noThenProperty: what is tested is any thenable.
    const thenable = { then: (resolve: (value: string) => void) => resolve('late') };
    expect(await run(() => thenable as PromiseLike<string>)).toBe('late');
  });

  test("that is an error is the main task's own, unwrapped", async () => {
    const error = new Oops('mine');
    await expect(
      run(async () => {
        await sleep(0);
        throw error;
      }),
    ).rejects.toBe(error);
    await expect(
      run(() => {
        throw error;
      }),
    ).rejects.toBe(error);
  });

  test('may be any value thrown, and a cancellation as well', async () => {
    await expect(
      run(() => {
        throw 'text';
      }),
    ).rejects.toBe('text');
    await expect(
      run(() => {
        throw undefined;
      }),
    ).rejects.toBe(undefined);
    const cancelled = new TaskCancelled('by hand');
    await expect(
      run(() => {
        throw cancelled;
      }),
    ).rejects.toBe(cancelled);
  });

  test('settles after the last statement of the main task, and not before', async () => {
    const log: string[] = [];
    const running = run({ clock: new VirtualClock() }, async () => {
      log.push('main starts');
      await sleep(1);
      log.push('main ends');
    });
    log.push('run() has returned');
    await running;
    log.push('run() has settled');
    expect(log).toEqual(['run() has returned', 'main starts', 'main ends', 'run() has settled']);
  });
});

describe('call shapes', () => {
  const add = async (a: number, b: number, c = 0) => {
    await sleep(0);
    return a + b * 10 + c * 100;
  };

  test('of run: function and arguments, bound functions, coroutines, options first', async () => {
    expect(await run(add, 1, 2, 3)).toBe(321);
    expect(await run(add.bind(null, 1), 2, 3)).toBe(321);
    expect(await run(() => add(1, 2, 3))).toBe(321);
    expect(await run(instantiateCoroutine(add, 1, 2, 3))).toBe(321);
    expect(await run({}, add, 1, 2, 3)).toBe(321);
    expect(await run({ debug: [] }, instantiateCoroutine(add, 1, 2, 3))).toBe(321);
    await using kernel = new Kernel();
    expect(await kernel.run(add, 1, 2, 3)).toBe(321);
    expect(await kernel.run(add.bind(null, 1), 2, 3)).toBe(321);
    expect(await kernel.run(instantiateCoroutine(add, 1, 2, 3))).toBe(321);
    expect(await kernel.run({}, add, 1, 2, 3)).toBe(321);
  });

  test('of spawn, timeoutAfter and ignoreAfter are the same', async () => {
    const coroutine = () => instantiateCoroutine(add, 1, 2, 3);
    const bound = add.bind(null, 1);
    await run(async () => {
      for (const task of [
        await spawn(add, 1, 2, 3),
        await spawn(bound, 2, 3),
        await spawn(coroutine()),
        await spawn({ name: 'x' }, add, 1, 2, 3),
        await spawn({ name: 'x' }, coroutine()),
      ]) {
        expect(await task.join()).toBe(321);
      }
      expect(await timeoutAfter(1, add, 1, 2, 3)).toBe(321);
      expect(await timeoutAfter(1, bound, 2, 3)).toBe(321);
      expect(await timeoutAfter(1, coroutine())).toBe(321);
      expect(await timeoutAfter(1).run(add, 1, 2, 3)).toBe(321);
      expect(await ignoreAfter(1, add, 1, 2, 3)).toBe(321);
      expect(await ignoreAfter(1, bound, 2, 3)).toBe(321);
      expect(await ignoreAfter(1, coroutine())).toBe(321);
      expect(await ignoreAfter({ timeoutResult: 0 }, 1, add, 1, 2, 3)).toBe(321);
    });
  });

  test('need arguments of their own for each call: a coroutine that is run twice makes its call twice', async () => {
    let calls = 0;
    const counted = instantiateCoroutine(async () => ++calls);
    await using kernel = new Kernel();
    expect(await kernel.run(counted)).toBe(1);
    expect(await kernel.run(counted)).toBe(2);
  });
});

describe('a kernel', () => {
  test('stays usable after its main task failed', async () => {
    await using kernel = new Kernel();
    await expect(
      kernel.run(async () => {
        await sleep(0);
        throw new Oops();
      }),
    ).rejects.toThrow(Oops);
    await expect(
      kernel.run(() => {
        throw new Oops();
      }),
    ).rejects.toThrow(Oops);
    expect(await kernel.run(async () => 'still here')).toBe('still here');
  });

  test('refuses run() while it runs, and says what to write instead', async () => {
    await using kernel = new Kernel({ clock: new VirtualClock() });
    const first = kernel.run(async () => {
      await sleep(1);
      return 'first';
    });
    await expect(kernel.run(async () => 'second')).rejects.toThrow(/already running.*spawn\(fn\)/);
    await expect(kernel.run()).rejects.toThrow(RuntimeError);
    await expect(kernel.run({ shutdown: true })).rejects.toThrow(RuntimeError);
    expect(await first).toBe('first');
    expect(await kernel.run(async () => 'third')).toBe('third');
  });

  test('is not disposed of while it runs, and goes on', async () => {
    const kernel = new Kernel({ clock: new VirtualClock() });
    const running = kernel.run(async () => {
      await sleep(1);
      return 'done';
    });
    await expect(kernel[Symbol.asyncDispose]()).rejects.toThrow(RuntimeError);
    expect(await running).toBe('done');
    await kernel[Symbol.asyncDispose]();
  });

  test('refuses run() from one of its own tasks, which carries on', async () => {
    await using kernel = new Kernel();
    const result = await kernel.run(async () => {
      await expect(kernel.run(async () => 1)).rejects.toThrow(/inside a task.*spawn\(fn\)/);
      await expect(kernel.run()).rejects.toThrow(RuntimeError);
      await sleep(0);
      return 'carried on';
    });
    expect(result).toBe('carried on');
  });

  test('refuses run() from a task of another kernel', async () => {
    await using other = new Kernel();
    await run(async () => {
      await expect(run(async () => 1)).rejects.toThrow(RuntimeError);
      await expect(other.run(async () => 1)).rejects.toThrow(/inside a task/);
    });
    expect(await other.run(async () => 1)).toBe(1);
  });

  test('refuses run() when it has been shut down', async () => {
    const kernel = new Kernel();
    await kernel.run({ shutdown: true }, async () => {});
    await expect(kernel.run(async () => 1)).rejects.toThrow(/shut down.*new Kernel/);
    await expect(kernel.run()).rejects.toThrow(RuntimeError);
    await expect(kernel.run({ shutdown: true })).rejects.toThrow(RuntimeError);
  });

  test('that has been shut down may be disposed of, again and again', async () => {
    const kernel = new Kernel();
    await kernel.run({ shutdown: true });
    await kernel[Symbol.asyncDispose]();
    await kernel[Symbol.asyncDispose]();
  });

  test('that never ran is shut down all the same', async () => {
    {
      await using kernel = new Kernel();
      void kernel;
    }
    const kernel = new Kernel();
    expect(await kernel.run({ shutdown: true })).toBe(undefined);
    await expect(kernel.run(async () => 1)).rejects.toThrow(RuntimeError);
  });

  test('may be run from a callback of a task that has ended', async () => {
    await using kernel = new Kernel();
    let later!: () => Promise<string>;
    await run(async () => {
      // Keeps the task's context, as a callback of Node's would.
      const { AsyncResource } = await import('node:async_hooks');
      later = AsyncResource.bind(() => kernel.run(async () => 'ran'));
    });
    expect(await later()).toBe('ran');
  });

  test('of the calling task is what getKernel() gives', async () => {
    await using kernel = new Kernel();
    await kernel.run(async () => {
      expect(await getKernel()).toBe(kernel);
    });
  });

  test('cannot be started in the moment between the end of its main task and its shutdown', async () => {
    const kernel = new Kernel();
    const intrusions: Promise<unknown>[] = [];
    const intrude = (left: number) => {
      intrusions.push(kernel.run(async () => 'intruder').catch((error) => error));
      if (left > 0) queueMicrotask(() => intrude(left - 1));
    };
    let start!: () => void;
    const started = new Promise<void>((resolve) => {
      start = resolve;
    });
    // Outside the task's context, so that only the kernel itself can refuse.
    void started.then(() => intrude(30));
    const seen: string[] = [];
    await kernel.run({ shutdown: true }, async () => {
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          seen.push('daemon cleaned up');
        }
      });
      await sleep(0);
      start();
    });
    for (const answer of await Promise.all(intrusions)) expect(answer).toBeInstanceOf(RuntimeError);
    expect(seen).toEqual(['daemon cleaned up']);
  });
});

describe('several kernels', () => {
  test('run side by side, each with its own tasks', async () => {
    const log: string[] = [];
    const program = async (name: string, pause: number) => {
      for (let i = 1; i <= 3; i++) {
        await sleep(pause);
        log.push(`${name}${i}`);
      }
      return name;
    };
    const clock = new VirtualClock();
    const results = await Promise.all([
      run({ clock }, program, 'a', 2),
      run({ clock }, program, 'b', 5),
      run({ clock }, program, 'c', 100),
    ]);
    expect(results).toEqual(['a', 'b', 'c']);
    expect(log).toEqual(['a1', 'a2', 'b1', 'a3', 'b2', 'b3', 'c1', 'c2', 'c3']);
  });

  test('share queues and events: each wakes the tasks of the other', async () => {
    const there = new Queue<number>();
    const back = new Queue<number>();
    const stop = new Event();
    const [, sum] = await Promise.all([
      run(async () => {
        for (;;) {
          const item = await there.get();
          if (item === 0) break;
          await back.put(item * 10);
        }
        await stop.set();
      }),
      run(async () => {
        let total = 0;
        for (const item of [1, 2, 3]) {
          await there.put(item);
          total += await back.get();
        }
        await there.put(0);
        await stop.wait();
        return total;
      }),
    ]);
    expect(sum).toBe(60);
  });

  test('number their tasks in one sequence', async () => {
    const ids: number[] = [];
    const main = async () => {
      const task = await spawn(async () => {});
      ids.push(task.id);
      await task.join();
    };
    await run(main);
    await run(main);
    await Promise.all([run(main), run(main)]);
    expect(new Set(ids).size).toBe(4);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
  });

  test('join and cancel tasks of one another', async () => {
    let task!: Task<string>;
    const ready = withResolvers();
    const owner = run(async () => {
      task = await spawn(async () => {
        try {
          await sleep(1e6);
        } catch {
          return 'stopped';
        }
        return 'slept';
      });
      ready.resolve(undefined);
      await task.wait();
    });
    await ready.promise;
    await run(async () => {
      await task.cancel();
      expect(await task.join()).toBe('stopped');
    });
    await owner;
  });
});

function withResolvers() {
  let resolve!: (value: unknown) => void;
  const promise = new Promise((it) => {
    resolve = it;
  });
  return { promise, resolve };
}

describe('between two runs', () => {
  test('a child spawned in the last step of the main task has not begun; it begins in the next run', async () => {
    const log: string[] = [];
    await using kernel = new Kernel();
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        log.push('child');
      });
      log.push('main ends');
    });
    log.push('run has settled');
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['main ends', 'run has settled']);
    await kernel.run(async () => {
      log.push('second main');
      await sleep(0);
    });
    expect(log).toEqual(['main ends', 'run has settled', 'child', 'second main']);
  });

  test('spawn may be the main task itself, and its task lives on into the next run', async () => {
    await using kernel = new Kernel({ clock: new VirtualClock() });
    const child = async () => {
      await sleep(1);
      return 42;
    };
    const task = await kernel.run(spawn, child);
    expect(task.terminated).toBe(false);
    expect(task.name).toBe('child');
    expect(await kernel.run(() => task.join())).toBe(42);
  });

  test('tasks stand still: neither timers nor events move them', async () => {
    const log: string[] = [];
    const clock = new VirtualClock();
    await using kernel = new Kernel({ clock });
    const event = new Event();
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        await sleep(1);
        log.push('slept');
      });
      await spawn({ daemon: true }, async () => {
        await event.wait();
        log.push('event');
      });
      await sleep(0);
    });
    // A second kernel sets the event, and lets time pass, while the first stands.
    await run({ clock }, async () => {
      await event.set();
      await sleep(5);
    });
    expect(log).toEqual([]);
    await kernel.run(() => sleep(1));
    expect(log).toEqual(['event', 'slept']);
  });

  test('a task held by an ordinary promise gets as far as its next operation', async () => {
    const log: string[] = [];
    await using kernel = new Kernel();
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let task!: Task<string>;
    await kernel.run(async () => {
      task = await spawn(async () => {
        await held;
        log.push('the promise has settled');
        await sleep(0);
        log.push('past the operation');
        return 'done';
      });
      await sleep(0);
      await new Promise((resolve) => setImmediate(resolve));
      expect(task.state).toBe('PROMISE_WAIT');
    });
    release();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['the promise has settled']);
    expect(task.state).toBe('READY');
    expect(await kernel.run(() => task.join())).toBe('done');
  });

  test('… also if that operation does not have to wait, or is a composite one', async () => {
    const log: string[] = [];
    await using kernel = new Kernel();
    const queue = new Queue<string>();
    let release!: () => void;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        await held;
        await queue.put('item');
        log.push('past put');
      });
      await spawn({ daemon: true }, async () => {
        await held;
        await timeoutAfter(10, async () => {
          log.push('inside timeoutAfter');
          await sleep(0);
          log.push('past sleep');
        });
      });
      await sleep(0);
    });
    release();
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['inside timeoutAfter']);
    await kernel.run(() => sleep(0));
    expect(log).toEqual(['inside timeoutAfter', 'past put', 'past sleep']);
    expect(queue.size()).toBe(1);
  });

  test('a task that ends between two runs, held by an ordinary promise, has ended', async () => {
    await using kernel = new Kernel();
    let release!: (value: string) => void;
    const held = new Promise<string>((resolve) => {
      release = resolve;
    });
    const task = await kernel.run(async () => {
      const child = await spawn(() => held);
      await sleep(0);
      return child;
    });
    release('late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(task.terminated).toBe(true);
    expect(await kernel.run(() => task.join())).toBe('late');
  });

  test('a wait() that is over wakes its task in the next run', async () => {
    await using kernel = new Kernel();
    let release!: (value: string) => void;
    const held = new Promise<string>((resolve) => {
      release = resolve;
    });
    const task = await kernel.run(async () => {
      const child = await spawn(() => wait(held));
      await sleep(0);
      return child;
    });
    expect(task.state).toBe('FUTURE_WAIT');
    release('value');
    await new Promise((resolve) => setImmediate(resolve));
    expect(task.terminated).toBe(false);
    expect(await kernel.run(() => task.join())).toBe('value');
  });
});

describe('kernel.run() with no function', () => {
  test('does one cycle: each ready task takes one step, and undefined comes out', async () => {
    const log: string[] = [];
    await using kernel = new Kernel();
    const worker = async (name: string) => {
      for (let i = 1; i <= 3; i++) {
        log.push(`${name}${i}`);
        await sleep(0);
      }
    };
    await kernel.run(async () => {
      await spawn({ daemon: true }, worker, 'a');
      await spawn({ daemon: true }, worker, 'b');
    });
    expect(log).toEqual([]);
    expect(await kernel.run()).toBe(undefined);
    expect(log).toEqual(['a1', 'b1']);
    await kernel.run();
    expect(log).toEqual(['a1', 'b1', 'a2', 'b2']);
    await kernel.run();
    await kernel.run();
    await kernel.run();
    expect(log).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  });

  test('leaves tasks that were made ready or spawned in it to the next cycle', async () => {
    const log: string[] = [];
    await using kernel = new Kernel();
    const event = new Event();
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        await event.wait();
        log.push('woken');
      });
      await sleep(0);
      await spawn({ daemon: true }, async () => {
        log.push('sets');
        await event.set();
        await spawn({ daemon: true }, async () => {
          log.push('spawned');
        });
      });
    });
    await kernel.run();
    expect(log).toEqual(['sets']);
    await kernel.run();
    expect(log).toEqual(['sets', 'woken', 'spawned']);
  });

  test('executes a task whose timer is due, and does not wait for one that is not', async () => {
    const log: string[] = [];
    const clock = new VirtualClock();
    await using kernel = new Kernel({ clock });
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        await sleep(1);
        log.push('slept');
      });
      await sleep(0);
    });
    await kernel.run();
    expect(log).toEqual([]);
    expect(clock.now()).toBe(0);
    clock.advance(1.5);
    await kernel.run();
    expect(log).toEqual(['slept']);
  });

  test('takes ready tasks first, then those woken from outside, then those whose time has come', async () => {
    const log: string[] = [];
    const clock = new VirtualClock();
    await using kernel = new Kernel({ clock });
    let arrive!: () => void;
    const arrival = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        await sleep(1);
        log.push('time');
      });
      await spawn({ daemon: true }, async () => {
        await wait(arrival);
        log.push('outside');
      });
      await sleep(0);
      await spawn({ daemon: true }, async () => {
        log.push('ready');
      });
    });
    clock.advance(2);
    arrive();
    await kernel.run();
    expect(log).toEqual(['ready', 'outside', 'time']);
  });

  test('does nothing where there is nothing to do', async () => {
    await using kernel = new Kernel();
    expect(await kernel.run()).toBe(undefined);
    expect(await kernel.run()).toBe(undefined);
    expect(await kernel.run({})).toBe(undefined);
  });

  test('ends though a task it runs goes on to await an ordinary promise', async () => {
    const log: string[] = [];
    await using kernel = new Kernel();
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        log.push('before');
        await new Promise((resolve) => setImmediate(resolve));
        log.push('after');
      });
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
    });
    await kernel.run();
    expect(log.slice(0, 2)).toEqual(['before', 'other']);
  });
});

describe('options', () => {
  test('shutdown: the kernel is shut down before the error of its function comes out', async () => {
    const log: string[] = [];
    const kernel = new Kernel({ clock: new VirtualClock() });
    await expect(
      kernel.run({ shutdown: true }, async () => {
        await spawn({ daemon: true }, async () => {
          try {
            await sleep(1000);
          } finally {
            await sleep(1);
            log.push('child cleaned up');
          }
        });
        await sleep(0);
        throw new Oops();
      }),
    ).rejects.toThrow(Oops);
    expect(log).toEqual(['child cleaned up']);
    await expect(kernel.run(async () => 1)).rejects.toThrow(/shut down/);
  });

  test('a main task that crashes in run() is the end of its children first', async () => {
    const log: string[] = [];
    await run({ clock: new VirtualClock() }, async () => {
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } catch (error) {
          log.push((error as Error).name);
          await sleep(1);
          log.push('cleaned up');
          throw error;
        }
      });
      await sleep(0);
      throw new Oops();
    }).catch((error) => log.push(error.constructor.name));
    expect(log).toEqual(['TaskCancelled', 'cleaned up', 'Oops']);
  });

  test('clock: sleep and clock() go by it', async () => {
    const clock = new VirtualClock({ start: 100 });
    const times = await run({ clock }, async () => [await sleep(2.5), await sleep(0), await sleep(-1)]);
    expect(times).toEqual([102.5, 102.5, 102.5]);
  });

  test('a clock of the user needs now() and schedule() only', async () => {
    const asked: number[] = [];
    let now = 0;
    const clock = {
      now: () => now,
      schedule(deadline: number, wake: () => void) {
        asked.push(deadline - now);
        const timer = setImmediate(() => {
          now = deadline;
          wake();
        });
        return () => clearImmediate(timer);
      },
    };
    const log: string[] = [];
    await run({ clock }, async () => {
      const sleeper = async (seconds: number) => {
        await sleep(seconds);
        log.push(`${seconds} at ${now}`);
      };
      const tasks = [await spawn(sleeper, 50), await spawn(sleeper, 25), await spawn(sleeper, 100)];
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(['25 at 25', '50 at 50', '100 at 100']);
    expect(asked).toEqual([25, 25, 50]);
  });

  test('logger: what the kernel has to say goes there', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      const task = await spawn(async () => {
        throw new Oops('in child');
      });
      await task.wait();
    });
    expect(logger.of('error')).toHaveLength(1);
    expect(logger.of('error')[0]).toMatch(/Task Crash: Task\(id=\d+.*\n.*in child/);
  });

  test('taskClass: tasks are made of a subclass', async () => {
    const { Task: Base } = await import('curio');
    class Tagged<T> extends Base<T> {
      tag = `#${this.id}`;
    }
    await run({ taskClass: Tagged }, async () => {
      const task = await spawn(async () => 7);
      expect(task).toBeInstanceOf(Tagged);
      expect((task as Tagged<number>).tag).toBe(`#${task.id}`);
      expect(await task.join()).toBe(7);
    });
    class Plain extends Base {}
    await run({ taskClass: Plain }, async () => expect(await currentTask()).toBeInstanceOf(Plain));
  });

  test('a class of tasks, a clock or a signal that is none is refused at the call', () => {
    const main = () => {
      throw new Error('it ran');
    };
    expect(() => run({ taskClass: class Other {} as never }, main)).toThrow(
      'taskClass wants a class that extends Task, not the class Other.',
    );
    expect(() => run({ clock: {} as never }, main)).toThrow(
      'A clock has the methods now() and schedule(deadline, wake); an object has not.',
    );
    expect(() => run({ signal: new AbortController() as never }, main)).toThrow(
      'run({ signal }) wants an AbortSignal, not an instance of AbortController.',
    );
    for (const option of ['taskClass', 'clock', 'signal']) {
      expect(() => run({ [option]: 5 }, main)).toThrow(TypeError);
    }
  });
});

describe('the signal option', () => {
  test('cancels the main task, with its reason as the cause', async () => {
    const controller = new AbortController();
    const reason = new Oops('enough');
    const log: string[] = [];
    const running = run({ clock: new VirtualClock(), signal: controller.signal }, async () => {
      try {
        queueMicrotask(() => controller.abort(reason));
        await sleep(1000);
      } finally {
        await sleep(1);
        log.push('cleaned up');
      }
    });
    const error = await running.catch((it) => it);
    expect(error).toBeInstanceOf(TaskCancelled);
    expect(error.cause).toBe(reason);
    expect(error.requestedBy).toBe(null);
    expect(log).toEqual(['cleaned up']);
  });

  test('aborted beforehand lets the main task run up to its first blocking operation', async () => {
    const log: string[] = [];
    const signal = AbortSignal.abort('too late');
    const error = await run({ signal }, async () => {
      log.push('begins');
      await sleep(0);
      log.push('not reached');
    }).catch((it) => it);
    expect(error).toBeInstanceOf(TaskCancelled);
    expect(error.cause).toBe('too late');
    expect(log).toEqual(['begins']);
  });

  test('aborted beforehand changes nothing for a main task that never blocks', async () => {
    expect(await run({ signal: AbortSignal.abort() }, async () => 'never blocked')).toBe('never blocked');
  });

  test('aborted afterwards does nothing, and nobody listens to it any more', async () => {
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = ((...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    }) as typeof add;
    signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    }) as typeof remove;
    expect(await run({ signal }, async () => 'done')).toBe('done');
    expect(listeners).toBe(0);
    controller.abort();
  });

  test('aborted while the kernel shuts down leaves the result as it is', async () => {
    const controller = new AbortController();
    const result = await run({ clock: new VirtualClock(), signal: controller.signal }, async () => {
      await spawn({ daemon: true }, async () => {
        try {
          await sleep(1000);
        } finally {
          controller.abort();
          await sleep(1);
        }
      });
      await sleep(0);
      return 'done';
    });
    expect(result).toBe('done');
  });

  test('a main task that swallows it gives its result', async () => {
    const controller = new AbortController();
    const result = await run({ clock: new VirtualClock(), signal: controller.signal }, async () => {
      queueMicrotask(() => controller.abort());
      await sleep(1000).catch(() => {});
      return 'swallowed';
    });
    expect(result).toBe('swallowed');
  });

  test('works for kernel.run() too, and leaves the other tasks alone', async () => {
    const controller = new AbortController();
    await using kernel = new Kernel({ clock: new VirtualClock() });
    let task!: Task<string>;
    const error = await kernel
      .run({ signal: controller.signal }, async () => {
        task = await spawn(async () => {
          await sleep(1);
          return 'undisturbed';
        });
        await sleep(0);
        controller.abort();
        await sleep(1000);
      })
      .catch((it) => it);
    expect(error).toBeInstanceOf(TaskCancelled);
    expect(await kernel.run(() => task.join())).toBe('undisturbed');
  });

  test('abort wins over nothing: a result that was there first comes out', async () => {
    const controller = new AbortController();
    const event = new Event();
    const result = await run({ signal: controller.signal }, async () => {
      await spawn({ daemon: true }, async () => {
        await event.set();
        controller.abort();
      });
      await event.wait();
      return 'the event came first';
    });
    expect(result).toBe('the event came first');
  });
});
