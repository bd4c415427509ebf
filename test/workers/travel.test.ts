// What of a function travels, and what the errors say about one that cannot.

import { createSecretKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { runInThisContext } from 'node:vm';
import { Event, Lock, Queue, TaskGroup, UniversalEvent, UniversalQueue } from 'curio';
import { AWAIT } from 'curio/thread';
import { moduleFunction } from 'curio/workers';
import { transformSync } from 'esbuild';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nameOf } from '../../src/workers/travel/named.ts';
import { pack } from '../../src/workers/travel/pack.ts';
import { refuseShells } from '../../src/workers/travel/shell.ts';
import { unpack } from '../../src/workers/travel/unpack.ts';
import { inContext } from '../kit/context.ts';

type AnyFunction = (...args: never[]) => unknown;

/** Packs, copies as a message would, and unpacks. */
const shipped = async (fn: AnyFunction): Promise<(...args: unknown[]) => unknown> =>
  unpack(structuredClone(pack(fn, 'runInThread')));

const complaint = (fn: AnyFunction): string => {
  try {
    pack(fn, 'runInThread');
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  throw new Error('it can travel');
};

class Account {
  balance = 1;
}
const account = new Account();
const LIMIT = 5;
const even = (n: number): boolean => (n === 0 ? true : odd(n - 1));
const odd = (n: number): boolean => (n === 0 ? false : even(n - 1));

test('in a context of node:vm, where test runners load modules, a function takes along what it uses all the same', async () => {
  const { exports, evaluate } = inContext<{ pack: typeof pack }>('workers/travel/pack.ts');
  const fn = evaluate('(() => { const rate = 2; return (n) => n * rate; })()') as AnyFunction;
  const shipment = exports.pack(fn, 'runInThread');
  expect(await ((await unpack(structuredClone(shipment))) as (n: number) => unknown)(4)).toBe(8);
});

describe('an argument', () => {
  const refused = (...args: unknown[]) => {
    refuseShells(args, [], 'runInThread');
  };

  test('of which nothing would arrive is refused, with its place', () => {
    class Secret {
      readonly #word = 'x';
      tell(): string {
        return this.#word;
      }
    }
    for (const [name, arg] of Object.entries({
      Queue: new Queue(3),
      Lock: new Lock(),
      Event: new Event(),
      TaskGroup: new TaskGroup(),
      Secret: new Secret(),
    })) {
      expect(() => refused(1, arg)).toThrow(
        `runInThread() copies its arguments, and of argument 2, an instance of ${name}, nothing would arrive.`,
      );
    }
  });

  test('that is copied with what it holds is not refused, nor what Node can send', () => {
    class Index extends Map<string, number> {}
    class Point {
      readonly x = 1;
    }
    refused(new Index(), new Point(), {}, [], Object.create(null), new Date(), /x/, new Error('x'));
    refused(Buffer.from('x'), new Uint8Array(1), new Blob(['x']), createSecretKey(Buffer.from('x')), null);
    refused(new UniversalQueue(), new UniversalEvent());
  });

  test('is not looked through, however large it is', () => {
    refused(new Uint8Array(2 ** 28), Buffer.alloc(2 ** 28));
  });
});

describe('a function travels', () => {
  test('as a copy, not as itself', async () => {
    const fn = (x: number) => x + LIMIT;
    const copy = await shipped(fn);
    expect(copy).not.toBe(fn);
    expect([copy(1), copy.name]).toEqual([6, 'fn']);
  });

  test('with functions that use each other', async () => {
    expect((await shipped(even))(10)).toBe(true);
    expect((await shipped(odd))(10)).toBe(false);
  });

  test('with what it captured as it is at the time of the call', async () => {
    let count = 1;
    const fn = () => count;
    const first = await shipped(fn);
    count = 2;
    const second = await shipped(fn);
    count = 3;
    expect([first(), second()]).toEqual([1, 2]);
  });

  test('with the functions that its variables hold at the time of the call', async () => {
    let step = (x: number): number => x + 1;
    let named = 'first';
    const naming = (name: string) => (name === 'first' ? () => 'first' : () => 'second');
    let plan = naming(named);
    let [up, down] = [() => 'up', () => 'down'];
    let library: object = Math;
    const fn = () => `${step(1)} ${plan()} ${up()} ${down()} ${Object.prototype.toString.call(library)}`;
    expect((await shipped(fn))()).toBe('2 first up down [object Math]');
    step = (x) => x + 10;
    named = 'second';
    plan = naming(named);
    [up, down] = [down, up];
    library = JSON;
    expect((await shipped(fn))()).toBe('11 second down up [object JSON]');
  });

  test('also as a method, a getter, a class, a generator, an async function, and bound', async () => {
    const object = {
      method(x: number) {
        return x + LIMIT;
      },
      get five() {
        return LIMIT;
      },
      async *counting() {
        yield LIMIT;
      },
    };
    const getter = Object.getOwnPropertyDescriptor(object, 'five')!.get!;
    class Point {
      static origin = LIMIT;
      x: number;
      constructor(x: number) {
        this.x = x + LIMIT;
      }
    }
    expect((await shipped(object.method))(1)).toBe(6);
    expect((await shipped(getter))()).toBe(5);
    const counting = (await shipped(object.counting))() as AsyncGenerator<number>;
    expect(await counting.next()).toEqual({ value: 5, done: false });
    const Copy = (await shipped(Point as never)) as unknown as typeof Point;
    expect([new Copy(1).x, Copy.origin]).toEqual([6, 5]);
    expect((await shipped(object.method.bind(null, 2)))()).toBe(7);
    expect((await shipped(Math.max))(1, 3)).toBe(3);
    expect((await shipped(readFileSync)) as unknown).toBe(readFileSync);
  });

  test('with what esbuild makes of the import of a CommonJS module that is a function', async () => {
    const text = "import double from './double.cjs'; export const fn = (x) => double(x) + 1;";
    const { code } = transformSync(text, { format: 'cjs', platform: 'node' });
    const module = { exports: {} as { fn: AnyFunction } };
    const double = (x: number) => x * 2;
    runInThisContext(`(function (module, require) {${code}})`)(module, () => double);
    expect((await shipped(module.exports.fn))(4)).toBe(9);
  });

  test('whatever it has by the name of name', async () => {
    class Named {
      readonly x = 1;
      static name(): string {
        return 'mine';
      }
    }
    const odd = Object.defineProperty((x: number) => x + LIMIT, 'name', { value: () => 'odd' });
    expect((await shipped(() => (Named.name as never as () => string)()))()).toBe('mine');
    expect((await shipped(odd))(1)).toBe(6);
  });

  test('by name, if Node has made it global', async () => {
    for (const fn of [
      structuredClone,
      queueMicrotask,
      fetch,
      setTimeout,
      URL,
      AbortController,
      globalThis.Event,
    ]) {
      expect(await shipped(fn as never)).toBe(fn);
      const holder = { fn };
      expect(await (await shipped(() => holder.fn))()).toBe(fn);
    }
  });

  test('by name to an async thread, if it is Curio’s own, and not to a worker, which need not have it', () => {
    expect(nameOf(AWAIT, true)).toEqual({ by: 'own', path: ['AWAIT'] });
    expect(nameOf(AWAIT, false)).toBeNull();
  });

  test('as a copy, if it is the user who has made it global', async () => {
    const world = globalThis as { made?: () => number };
    world.made = function made() {
      return LIMIT;
    };
    try {
      const copy = await shipped(world.made);
      expect(copy).not.toBe(world.made);
      expect(copy()).toBe(5);
    } finally {
      delete world.made;
    }
  });

  test('with class and what it extends, and functions that make objects of it', async () => {
    class Base {
      limit(): number {
        return LIMIT;
      }
    }
    class Derived extends Base {
      static make(): number {
        return make().limit();
      }
    }
    const make = () => new Derived();
    expect((await shipped(() => Derived.make() + make().limit()))()).toBe(10);
  });

  test('whatever its variables are called', async () => {
    const $1 = 1;
    const ünïcode = 2;
    const async = 3;
    const of = 4;
    expect((await shipped(() => $1 + ünïcode + async + of))()).toBe(10);
  });

  test('and names that it declares itself are not taken for captured ones', async () => {
    const fn = () => {
      const account = { balance: 7 };
      return account.balance;
    };
    expect((await shipped(fn))()).toBe(7);
    expect(account.balance).toBe(1);
  });

  test('again and again without being packed anew, unless it took values along', () => {
    const plain = (x: number) => x + 1;
    const capturing = (x: number) => x + LIMIT;
    expect(pack(plain, 'runInThread')).toBe(pack(plain, 'runInThread'));
    expect(pack(even, 'runInThread')).toBe(pack(even, 'runInThread'));
    expect(pack(capturing, 'runInThread')).not.toBe(pack(capturing, 'runInThread'));
  });
});

describe('a function that cannot travel is a TypeError that says why, and what to write', () => {
  test('for an object that would lose its class', () => {
    const spend = () => account.balance++;
    expect(complaint(spend)).toBe(
      "runInThread() cannot send the function spend to where it should run: it uses 'account', which is an instance of " +
        "Account and would arrive without its class. Pass 'account' as an argument, or export spend from a module of its " +
        "own and write runInThread(moduleFunction(import.meta.url, 'spend'), …) there.",
    );
  });

  test('for something inside of what it uses', () => {
    const book = { accounts: [account] };
    expect(complaint(() => book)).toContain("it uses 'book.accounts.0', which is an instance of Account");
  });

  test('for something that a function it uses has captured', () => {
    const inner = () => account;
    const outer = () => inner();
    expect(complaint(outer)).toContain(
      "the function outer to where it should run: it uses 'inner.account', which",
    );
  });

  // Before, V8 did not tell such a variable from one that is undefined.
  test.runIf(Number.parseInt(process.versions.node, 10) >= 22)('for a variable that has no value yet', () => {
    const early = () => later;
    expect(complaint(early)).toContain("it uses 'later', which has no value yet");
    const later = 1;
  });

  test('for symbols, proxies, promises and the like', () => {
    const symbol = Symbol('x');
    const proxy = new Proxy({}, {});
    const promise = Promise.resolve();
    const weak = new WeakMap();
    expect(complaint(() => symbol)).toContain("it uses 'symbol', which is a symbol");
    expect(complaint(() => proxy)).toContain("it uses 'proxy', which is a Proxy");
    expect(complaint(() => promise)).toContain("it uses 'promise', which is an instance of Promise");
    expect(complaint(() => weak)).toContain("it uses 'weak', which is an instance of WeakMap");
  });

  test('for a function that is not written in JavaScript and has no name that all sides know', () => {
    const native = new Intl.Collator().compare;
    expect(complaint(native)).toContain('it is not written in JavaScript');
  });

  test('for the arguments of the function around an arrow', () => {
    const outer = function () {
      // biome-ignore lint/complexity/noArguments: what is tested.
      return () => arguments[0];
    } as (...args: unknown[]) => () => unknown;
    expect(complaint(outer(1))).toContain('it uses the arguments of the function around it');
    // biome-ignore lint/security/noGlobalEval: what is to be refused.
    expect(complaint(() => eval('1 + 1'))).toContain('it calls eval(), which sees all variables around it');
  });

  test('and for super and private members', () => {
    class Vault {
      #secret = 1;
      open() {
        return this.#secret;
      }
    }
    const child = {
      shout() {
        return super.toString();
      },
    };
    expect(complaint(Vault.prototype.open)).toContain('it uses private members of its class');
    expect(complaint(child.shout)).toContain('it uses super');
  });

  test('an arrow that uses this is told so where it runs', async () => {
    class Counter {
      count = 1;
      reader() {
        return () => this.count;
      }
    }
    const reader = await shipped(new Counter().reader());
    expect(() => reader()).toThrow(/uses the 'this' of where it was written/);
  });
});

describe('moduleFunction()', () => {
  const url = new URL('../programs/workers-library.ts', import.meta.url).href;

  test('names a function, which is not looked at before it is there', async () => {
    const { parts } = pack(moduleFunction(url, 'area'), 'runInThread');
    expect(parts).toMatchObject([{ by: 'reference', module: url, key: 'area', text: null }]);
  });

  test('gives a function that can be called here, too', async () => {
    expect(await moduleFunction<(a: number, b: number) => number>(url, 'area')(2, 3)).toBe(6);
    await expect(async () => moduleFunction(url, 'volume')()).rejects.toThrow(
      `${url} exports no function 'volume'.`,
    );
  });

  test('finds a package where the file that names it would', async () => {
    const folder = mkdtempSync(`${tmpdir()}/curio-`);
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const doubler = `${folder}/node_modules/doubler`;
    mkdirSync(doubler, { recursive: true });
    writeFileSync(`${doubler}/package.json`, '{ "type": "module", "exports": { "import": "./index.js" } }');
    writeFileSync(`${doubler}/index.js`, 'export const double = (x) => x * 2;');
    writeFileSync(
      `${folder}/user.cjs`,
      'module.exports = (moduleFunction, it) => moduleFunction(it, "double");',
    );
    type Naming = (name: typeof moduleFunction, it: string) => (x: number) => unknown;
    const named = createRequire(import.meta.url)(`${folder}/user.cjs`) as Naming;
    const fn = named(moduleFunction, 'doubler');
    expect([await fn(3), (await shipped(fn))(4)]).toEqual([6, 8]);
  });

  test('takes a path, whatever is in it', () => {
    const { parts } = pack(moduleFunction('/a b/#1 100%.cjs', 'fn'), 'runInThread');
    expect(parts).toMatchObject([{ module: 'file:///a%20b/%231%20100%25.cjs', key: 'fn' }]);
  });

  test('of something that is not there says so', async () => {
    await expect(shipped(moduleFunction('node:os', 'volume'))).rejects.toThrow(
      "node:os exports no function 'volume'.",
    );
    await expect(shipped(moduleFunction('file:///nowhere.mjs', 'x'))).rejects.toMatchObject({
      message: expect.stringMatching(
        /^file:\/\/\/nowhere\.mjs, and so 'x', could not be loaded there: .*nowhere\.mjs/,
      ),
      cause: { code: expect.stringMatching(/NOT_FOUND|ERR_/) },
    });
  });

  test('of the main script is a TypeError at the call', () => {
    expect(() => moduleFunction(`file://${process.argv[1]}`, 'fib')).toThrow(
      /that is the main script, and importing it in a worker would run the program once more. Move 'fib' to a module/,
    );
  });

  test('wants a URL and a name', () => {
    expect(() => moduleFunction((() => 1) as never, 'x')).toThrow(/wants the URL of a module/);
    expect(() => moduleFunction(url, 1 as never)).toThrow(/wants the name of an export, not 1/);
  });
});
