// Scheduler activations: which of their methods are called, when, and that what they do wrong stays theirs.

import {
  Activation,
  CancelledError,
  Event,
  Kernel,
  Lock,
  Queue,
  run,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  timeoutAfter,
  wait,
} from 'curio';
import { Activation as SameActivation } from 'curio/activation';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

class Oops extends Error {
  override name = 'Oops';
}

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** Logs every call, with the names of the tasks if there are several. */
class Log extends Activation {
  readonly lines: string[] = [];
  kernel: Kernel | null = null;
  override activate(kernel: Kernel): void {
    this.kernel = kernel;
    this.lines.push('activate');
  }
  override created(task: Task): void {
    this.lines.push(`created ${task.name}`);
  }
  override running(task: Task): void {
    this.lines.push(`running ${task.name}`);
  }
  override suspended(task: Task, trap: { name: string; args: unknown[] } | null): void {
    this.lines.push(`suspended ${task.name} ${trap?.name ?? 'null'}`);
  }
  override terminated(task: Task): void {
    this.lines.push(`terminated ${task.name}`);
  }
}

/** What an activation sees of one main function. */
async function seen(main: () => unknown): Promise<string[]> {
  const log = new Log();
  await run({ ...quiet(), activations: [log] }, main);
  return log.lines;
}

describe('the calls', () => {
  test('for a task with three sleeps', async () => {
    const lines = await seen(async function main() {
      await sleep(1);
      await sleep(1);
      await sleep(1);
    });
    expect(lines).toEqual([
      'activate',
      'created main',
      'running main',
      'suspended main sleep',
      'running main',
      'suspended main sleep',
      'running main',
      'suspended main sleep',
      'running main',
      'suspended main null',
      'terminated main',
    ]);
  });

  test('for a task that crashes after one sleep; the error comes out, and the kernel can be shut down', async () => {
    const log = new Log();
    const kernel = new Kernel({ ...quiet(), activations: [log] });
    await expect(
      kernel.run(async function main() {
        await sleep(1);
        throw new Oops();
      }),
    ).rejects.toThrow(Oops);
    expect(log.lines).toEqual([
      'activate',
      'created main',
      'running main',
      'suspended main sleep',
      'running main',
      'suspended main null',
      'terminated main',
    ]);
    await kernel.run({ shutdown: true });
  });

  test('for a child: created inside the step of its spawner', async () => {
    const lines = await seen(async function main() {
      const task = await spawn(async function child() {
        await sleep(0);
      });
      await task.join();
    });
    expect(lines).toEqual([
      'activate',
      'created main',
      'running main',
      'created child',
      'suspended main schedulerWait',
      'running child',
      'suspended child sleep',
      'running child',
      'suspended child null',
      'terminated child',
      'running main',
      'suspended main null',
      'terminated main',
    ]);
  });

  test('for an ordinary promise: a suspension like another, with no trap', async () => {
    const lines = await seen(async function main() {
      await new Promise((resolve) => setImmediate(resolve));
      await sleep(0);
    });
    expect(lines).toEqual([
      'activate',
      'created main',
      'running main',
      'suspended main null',
      'running main',
      'suspended main sleep',
      'running main',
      'suspended main null',
      'terminated main',
    ]);
  });

  test('for a task that ends after an ordinary promise, without another operation', async () => {
    const lines = await seen(async function main() {
      await new Promise((resolve) => setImmediate(resolve));
    });
    expect(lines.slice(2)).toEqual([
      'running main',
      'suspended main null',
      'running main',
      'suspended main null',
      'terminated main',
    ]);
  });

  test('come in pairs: running and suspended alternate for every task, terminated is the last', async () => {
    const log = new Log();
    await run({ ...quiet(), activations: [log] }, async function main() {
      const queue = new Queue<number>(1);
      const lock = new Lock();
      const worker = async (n: number) => {
        for (let i = 0; i < 5; i++) {
          await lock.with(async () => {
            await queue.put(n);
            if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
            await sleep(0);
          });
        }
      };
      const tasks: Task[] = [];
      for (let n = 0; n < 4; n++) tasks.push(await spawn({ name: `worker${n}` }, worker, n));
      tasks.push(
        await spawn({ name: 'consumer' }, async () => {
          for (;;) await queue.get();
        }),
      );
      for (const task of tasks.slice(0, 4)) await task.join();
      await spawn({ name: 'left', daemon: true }, () => sleep(1000));
      await spawn({ name: 'never begun', daemon: true }, async () => {});
    });
    const byTask = new Map<string, string[]>();
    for (const line of log.lines.slice(1)) {
      const [, event, name] = /^(\w+) (worker\d|consumer|main|left|never begun)/.exec(line) as string[];
      byTask.set(name!, [...(byTask.get(name!) ?? []), event!]);
    }
    expect(byTask.size).toBe(8);
    for (const [name, events] of byTask) {
      expect(events[0], name).toBe('created');
      expect(events.at(-1), name).toBe('terminated');
      const steps = events.slice(1, -1);
      expect(steps.length % 2, name).toBe(0);
      for (const [i, event] of steps.entries())
        expect(event, name).toBe(i % 2 === 0 ? 'running' : 'suspended');
    }
  });

  test('tell the trap and its arguments', async () => {
    const traps: unknown[] = [];
    class Traps extends Activation {
      override suspended(_task: Task, trap: unknown): void {
        traps.push(trap);
      }
    }
    const promise = Promise.resolve();
    await run({ ...quiet(), activations: [Traps] }, async () => {
      await sleep(2.5);
      await wait(promise);
      await timeoutAfter(1, () => new Event().wait()).catch(() => {});
      await sleep(0);
    });
    expect(traps).toEqual([
      { name: 'sleep', args: [2.5] },
      { name: 'futureWait', args: [promise] },
      { name: 'schedulerWait', args: [expect.anything(), 'EVENT_WAIT'] },
      { name: 'sleep', args: [0] },
      null,
    ]);
  });

  test('are not made for the kernel’s own tasks', async () => {
    const log = new Log();
    const kernel = new Kernel({ ...quiet(), activations: [log] });
    await kernel.run(async function main() {});
    const before = log.lines.length;
    await kernel.run();
    await kernel.run({ shutdown: true });
    expect(log.lines.length).toBe(before);
  });
});

describe('activate()', () => {
  test('is called once for each kernel, at its first run', async () => {
    const log = new Log();
    const kernel = new Kernel({ ...quiet(), activations: [log] });
    expect(log.lines).toEqual([]);
    await kernel.run(async () => {});
    expect(log.lines.filter((line) => line === 'activate')).toHaveLength(1);
    expect(log.kernel).toBe(kernel);
    await kernel.run(async () => {});
    await kernel.run({ shutdown: true });
    expect(log.lines.filter((line) => line === 'activate')).toHaveLength(1);
    expect(log.lines[0]).toBe('activate');
  });

  test('comes before anything else, also if the first run is a single cycle', async () => {
    const log = new Log();
    await using kernel = new Kernel({ ...quiet(), activations: [log] });
    await kernel.run();
    expect(log.lines).toEqual(['activate']);
  });
});

describe('activations', () => {
  test('may be instances or classes; a class is instantiated at the first run', async () => {
    let made = 0;
    let called = 0;
    class Counting extends Activation {
      constructor() {
        super();
        made++;
      }
      override running(): void {
        called++;
      }
    }
    await using kernel = new Kernel({ ...quiet(), activations: [Counting, new Counting()] });
    expect(made).toBe(1);
    await kernel.run(async () => {});
    expect(made).toBe(2);
    expect(called).toBe(2);
    await kernel.run(async () => {});
    expect(made).toBe(2);
    expect(called).toBe(4);
  });

  test('whose constructor throws are an error of the run, and the kernel can try again', async () => {
    let ready = false;
    class Late extends Activation {
      constructor() {
        super();
        if (!ready) throw new Oops('not yet');
      }
    }
    await using kernel = new Kernel({ ...quiet(), activations: [Late] });
    await expect(kernel.run(async () => 1)).rejects.toThrow('not yet');
    ready = true;
    expect(await kernel.run(async () => 1)).toBe(1);
  });

  test('may be the base class itself, which does nothing', async () => {
    expect(SameActivation).toBe(Activation);
    expect(await run({ activations: [Activation, new Activation()] }, async () => 1)).toBe(1);
  });

  test('are called in the order they were given, debuggers first', async () => {
    const log: string[] = [];
    const named = (name: string) =>
      new (class extends Activation {
        override running(): void {
          log.push(name);
        }
      })();
    await run({ debug: [named('debug')], activations: [named('a'), named('b')] }, async () => {});
    expect(log).toEqual(['debug', 'a', 'b']);
  });

  test('that are none are refused when the kernel is made, and the message says what is wanted', () => {
    for (const bad of [{}, 5, 'text', Map, new Map(), () => 5, null]) {
      expect(() => new Kernel({ activations: [bad as never] }), String(bad)).toThrow(TypeError);
      expect(() => new Kernel({ activations: [bad as never] })).toThrow(/extends Activation/);
    }
  });

  test('see tasks as the kernel does: id, state and cycles are right in each call', async () => {
    const states: string[] = [];
    class States extends Activation {
      override created(task: Task): void {
        states.push(`created ${task.state} ${task.cycles}`);
      }
      override running(task: Task): void {
        states.push(`running ${task.state} ${task.cycles}`);
      }
      override suspended(task: Task): void {
        states.push(`suspended ${task.state} ${task.cycles}`);
      }
      override terminated(task: Task): void {
        states.push(`terminated ${task.state} ${task.cycles} ${task.result}`);
      }
    }
    await run({ ...quiet(), activations: [States] }, async () => {
      await sleep(1);
      return 'value';
    });
    expect(states).toEqual([
      'created READY 0',
      'running RUNNING 1',
      'suspended TIME_SLEEP 1',
      'running RUNNING 2',
      'suspended TERMINATED 2',
      'terminated TERMINATED 2 value',
    ]);
  });
});

describe('an activation that does wrong', () => {
  const program = async () => {
    const log: string[] = [];
    const child = async (name: string) => {
      await sleep(1);
      log.push(name);
      await new Promise((resolve) => setImmediate(resolve));
      return name;
    };
    const tasks = [await spawn(child, 'a'), await spawn(child, 'b')];
    for (const task of tasks) log.push(`joined ${await task.join()}`);
    const cancelled = await spawn(() => sleep(1000));
    await sleep(1);
    await cancelled.cancel();
    log.push('end');
    return log.join();
  };
  const result = 'a,b,joined a,joined b,end';

  for (const method of ['activate', 'created', 'running', 'suspended', 'terminated'] as const) {
    test(`by throwing from ${method}() is logged, and neither tasks nor other activations notice`, async () => {
      const options = quiet();
      class Broken extends Activation {
        [method](): void {
          throw new Oops('activation broken');
        }
      }
      const log = new Log();
      expect(await run({ ...options, activations: [Broken, log] }, program)).toBe(result);
      const without = new Log();
      await run({ ...quiet(), activations: [without] }, program);
      expect(log.lines).toEqual(without.lines);
      expect(new Set(options.logger.of('error').map((line) => line.split('\n')[0]))).toEqual(
        new Set([`The activation Broken threw in ${method}(): Oops: activation broken`]),
      );
    });

    test(`by throwing from ${method}() what cannot be shown does no harm`, async () => {
      class Broken extends Activation {
        [method](): void {
          throw Object.create(null);
        }
      }
      expect(await run({ ...quiet(), activations: [Broken] }, program)).toBe(result);
    });

    test(`by blocking in ${method}() leaves nobody stuck`, async () => {
      class Blocking extends Activation {
        [method](): void {
          void sleep(1).catch(() => {});
        }
      }
      const outcome = await run({ ...quiet(), activations: [Blocking] }, program).catch((error) => error);
      // The task whose turn it was now waits, so its own next operation may be refused.
      if (outcome !== result) expect(String(outcome)).toMatch(/TaskBusyError|TaskError|RuntimeError/);
    });
  }

  test('by failing later, in an async method, is logged too', async () => {
    const options = quiet();
    class Later extends Activation {
      override async suspended(): Promise<void> {
        throw new Oops('later');
      }
    }
    expect(await run({ ...options, activations: [Later] }, program)).toBe(result);
    await new Promise((resolve) => setImmediate(resolve));
    expect(options.logger.of('error').join()).toContain('later');
  });

  test('by cancelling tasks in suspended() cancels them, no more', async () => {
    class Killer extends Activation {
      override suspended(task: Task): void {
        if (task.name === 'victim' && task.cycles === 2 && !task.terminated)
          void task.cancel({ blocking: false }).catch(() => {});
      }
    }
    await run({ ...quiet(), activations: [Killer] }, async () => {
      const victim = await spawn({ name: 'victim' }, async () => {
        await sleep(1);
        await sleep(1);
        await sleep(1);
      });
      await victim.wait();
      expect(victim.exception).toBeInstanceOf(TaskCancelled);
      expect(victim.exception).toBeInstanceOf(CancelledError);
      expect(victim.cycles).toBe(3);
    });
  });
});
