// Task-local storage: an object whose properties have another value in every task.

import {
  gather,
  Kernel,
  Local,
  RuntimeError,
  run,
  sleep,
  spawn,
  type Task,
  TaskGroup,
  timeoutAfter,
  wait,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';

interface Info {
  tag: string;
  list: number[];
  count: number;
}

const clock = () => ({ clock: new VirtualClock() });

describe('a property of a Local', () => {
  test('is set and read without await, and undefined where it was never set', async () => {
    const info = new Local<Info>();
    await run(async () => {
      expect(info.tag).toBe(undefined);
      info.tag = 'main';
      expect(info.tag).toBe('main');
      expect(info.count).toBe(undefined);
    });
  });

  test('has a value of its own in each of several siblings, also when their steps interleave', async () => {
    const info = new Local<Info>();
    const log: string[] = [];
    await run(clock(), async () => {
      const worker = async (name: string) => {
        expect(info.tag).toBe(undefined);
        info.tag = name;
        for (let i = 0; i < 3; i++) {
          await sleep(1);
          log.push(`${name} sees ${info.tag}`);
          info.tag += '+';
        }
      };
      const tasks = [await spawn(worker, 'a'), await spawn(worker, 'b')];
      for (const task of tasks) await task.join();
      expect(info.tag).toBe(undefined);
    });
    expect(log).toEqual(['a sees a', 'b sees b', 'a sees a+', 'b sees b+', 'a sees a++', 'b sees b++']);
  });

  test('is inherited by a child as it is at the time of spawn; later changes stay on their side', async () => {
    const info = new Local<Info>();
    const log: string[] = [];
    await run(clock(), async () => {
      info.tag = 'of the parent';
      const task = await spawn(async () => {
        log.push(`child: ${info.tag}`);
        await sleep(2);
        log.push(`child: ${info.tag}`);
        info.tag = 'of the child';
        const grandchild = await spawn(async () => log.push(`grandchild: ${info.tag}`));
        await grandchild.join();
      });
      info.tag = 'changed after spawn';
      await sleep(1);
      info.tag = 'changed again';
      await task.join();
      log.push(`parent: ${info.tag}`);
    });
    expect(log).toEqual([
      'child: of the parent',
      'child: of the parent',
      'grandchild: of the child',
      'parent: changed again',
    ]);
  });

  test('is copied shallowly: an array is shared', async () => {
    const info = new Local<Info>();
    await run(async () => {
      info.list = [1];
      const task = await spawn(async () => {
        info.list.push(2);
        info.list = [9];
      });
      await task.join();
      expect(info.list).toEqual([1, 2]);
    });
  });

  test('belongs to its Local: others are independent', async () => {
    const [a, b] = [new Local<Info>(), new Local<Info>()];
    await run(async () => {
      a.tag = 'a';
      expect(b.tag).toBe(undefined);
      b.tag = 'b';
      const task = await spawn(async () => [a.tag, b.tag]);
      expect(await task.join()).toEqual(['a', 'b']);
      expect(a.tag).toBe('a');
    });
  });

  test('is seen by plain functions that the task calls, however deep, and through timeouts', async () => {
    const info = new Local<Info>();
    const lines: string[] = [];
    const log = (message: string) => lines.push(`[${info.tag}] ${message}`);
    const helper = (message: string) => log(message);
    await run(clock(), async () => {
      const worker = async (tag: string) => {
        info.tag = tag;
        helper('begins');
        await timeoutAfter(5, async () => {
          await sleep(1);
          helper('in a timeout');
        });
      };
      await gather([() => worker('one'), () => worker('two')]);
    });
    expect(lines).toEqual(['[one] begins', '[two] begins', '[one] in a timeout', '[two] in a timeout']);
  });

  test('is there after an ordinary promise, and in callbacks of the task', async () => {
    const info = new Local<Info>();
    await run(async () => {
      info.tag = 'main';
      await new Promise((resolve) => setImmediate(resolve));
      expect(info.tag).toBe('main');
      const seen = await wait(new Promise((resolve) => setImmediate(() => resolve(info.tag))));
      expect(seen).toBe('main');
    });
  });

  test('is inherited by members of a group from the task that spawns them', async () => {
    const info = new Local<Info>();
    await run(async () => {
      info.tag = 'owner';
      const group = new TaskGroup<string>();
      await group.spawn(async () => info.tag);
      info.tag = 'changed';
      await group.spawn(async () => info.tag);
      await group.join();
      expect(group.results).toEqual(['owner', 'changed']);
    });
  });

  test('is not seen in another run, nor by a later main task of the same kernel', async () => {
    const info = new Local<Info>();
    await using kernel = new Kernel();
    let task!: Task<string>;
    await kernel.run(async () => {
      info.tag = 'first';
      task = await spawn(async () => {
        await sleep(0);
        return info.tag;
      });
    });
    await kernel.run(async () => {
      expect(info.tag).toBe(undefined);
      expect(await task.join()).toBe('first');
    });
  });
});

describe('a Local as an object', () => {
  test('answers to in, delete, keys, spread and JSON as the calling task sees it', async () => {
    const info = new Local();
    await run(async () => {
      info.a = 1;
      info.b = 2;
      const task = await spawn(async () => {
        delete info.a;
        info.c = 3;
        return [Object.keys(info), 'a' in info, 'c' in info];
      });
      expect(await task.join()).toEqual([['b', 'c'], false, true]);
      expect(Object.keys(info)).toEqual(['a', 'b']);
      expect('a' in info).toBe(true);
      expect({ ...info }).toEqual({ a: 1, b: 2 });
      expect(JSON.stringify(info)).toBe('{"a":1,"b":2}');
      expect(Object.entries(info)).toEqual([
        ['a', 1],
        ['b', 2],
      ]);
      Object.assign(info, { d: 4 });
      expect(info.d).toBe(4);
      Object.defineProperty(info, 'e', { value: 5, configurable: true });
      expect(info.e).toBe(5);
      expect(Object.getOwnPropertyDescriptor(info, 'e')).toMatchObject({ value: 5, configurable: true });
      expect(Object.getOwnPropertyDescriptor(info, 'z')).toBe(undefined);
    });
  });

  test('has no properties it was not given: names of Object.prototype mean nothing', async () => {
    const info = new Local();
    await run(async () => {
      for (const name of ['toString', 'constructor', '__proto__', 'hasOwnProperty']) {
        expect(info[name]).toBe(undefined);
        info[name] = 'mine';
        expect(info[name]).toBe('mine');
        expect(await (await spawn(async () => info[name])).join()).toBe('mine');
      }
      expect(({} as Record<string, unknown>).mine).toBe(undefined);
    });
  });

  test('takes symbols, and any value', async () => {
    const key = Symbol('key');
    const info = new Local<Record<PropertyKey, unknown>>();
    await run(async () => {
      info[key] = 'by symbol';
      info.nothing = null;
      info.fn = () => 5;
      const child = await spawn(async () => [info[key], info.nothing, (info.fn as () => number)()]);
      expect(await child.join()).toEqual(['by symbol', null, 5]);
      expect(info[Symbol.iterator]).toBe(undefined);
    });
  });

  test('refuses what it cannot keep: accessors, being frozen, a prototype', async () => {
    const info = new Local();
    await run(async () => {
      info.a = 1;
      const getter = {
        configurable: true,
        get() {
          throw new Error('a getter of the user’s');
        },
      };
      expect(() => Object.defineProperty(info, 'bad', getter)).toThrow(TypeError);
      expect(() => Object.freeze(info)).toThrow(TypeError);
      expect(() => Object.preventExtensions(info)).toThrow(TypeError);
      expect(() => Object.setPrototypeOf(info, { inherited: 1 })).toThrow(TypeError);
      // It works as before, for this task and for children.
      expect(Object.keys(info)).toEqual(['a']);
      info.b = 2;
      const child = await spawn(async () => ({ ...info }));
      expect(await child.join()).toEqual({ a: 1, b: 2 });
    });
  });

  test('keeps values whose own getters throw: they are not looked at when a task is spawned', async () => {
    const info = new Local();
    await run(async () => {
      info.trap = Object.defineProperty({}, 'x', {
        enumerable: true,
        get() {
          throw new Error('looked at');
        },
      });
      const child = await spawn(async () => info.trap);
      expect(await child.join()).toBe(info.trap);
    });
  });
});

describe('outside a task', () => {
  test('a property is refused, with what to do', async () => {
    const info = new Local<Info>();
    expect(() => info.tag).toThrow(RuntimeError);
    expect(() => info.tag).toThrow(/Local.*outside a task.*run\(fn\)/);
    expect(() => {
      info.tag = 'x';
    }).toThrow(RuntimeError);
    expect(() => 'tag' in info).toThrow(RuntimeError);
    expect(() => Object.keys(info)).toThrow(RuntimeError);
  });

  test('… and in the name of a task that has ended as well', async () => {
    const info = new Local<Info>();
    let later!: Promise<unknown>;
    await run(async () => {
      info.tag = 'main';
      later = new Promise((resolve) => setImmediate(resolve)).then(() => info.tag).catch((error) => error);
    });
    expect(await later).toBeInstanceOf(RuntimeError);
    expect(String(await later)).toContain('has ended');
  });

  test('it can be shown by console.log and String() without harm', async () => {
    const { inspect } = await import('node:util');
    const info = new Local<Info>();
    expect(inspect(info)).toBe('Local {}');
    expect(String(info)).toBe('[object Local]');
    await run(async () => {
      info.tag = 'main';
      expect(inspect({ info })).toBe("{ info: Local { tag: 'main' } }");
      expect(String(info)).toBe('[object Local]');
    });
  });

  test('it is a Local, and has no properties of one', async () => {
    const info = new Local();
    expect(info).toBeInstanceOf(Local);
    await run(async () => {
      expect(info.constructor).toBe(undefined);
      expect('toString' in info).toBe(false);
      expect({ ...info }).toEqual({});
    });
  });
});

test('the values of a task that has ended are not kept', async () => {
  await run(async () => {
    const info = new Local<Info>();
    const task = await spawn(async () => {
      info.tag = 'set';
    });
    await task.join();
    const record = task as unknown as { locals: unknown };
    expect(record.locals).toBe(null);
  });
});
