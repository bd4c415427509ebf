// What counts as a function, what it is called, and what the error says when something else was given.

import { describe, expect, test } from 'vitest';
import {
  Coroutine,
  callable,
  checkSeconds,
  describe as describeValue,
  functionName,
  isOptions,
  isThenable,
} from '../../src/base/callable.ts';

const thenable = Object.fromEntries([['then', () => {}]]);

describe('callable()', () => {
  test('takes any function: async or not, bound, a method, a proxy of one', () => {
    const fns = [
      () => 1,
      async () => 1,
      function named() {},
      { method() {} }.method,
      Math.max,
      (() => 1).bind(null),
      new Proxy(() => 1, {}),
      function OldStyleClass() {},
    ];
    for (const fn of fns) expect(callable(fn, 'spawn')).toBe(fn);
  });

  test('takes a coroutine, and makes its call each time', () => {
    let calls = 0;
    const start = callable(new Coroutine((...args) => [++calls, ...args], ['a', 'b']), 'spawn');
    expect(calls).toBe(0);
    expect(start()).toEqual([1, 'a', 'b']);
    expect(start()).toEqual([2, 'a', 'b']);
  });

  test('refuses a generator function, of which a call would run nothing', () => {
    const generators = [function* pages() {}, async function* pages() {}];
    for (const pages of generators) {
      expect(() => callable(pages, 'spawn')).toThrow(TypeError);
      expect(() => callable(pages, 'timeoutAfter', 'seconds, ')).toThrow(
        'Write timeoutAfter(seconds, async () => { for await (const item of pages(...)) ... }).',
      );
    }
  });

  test('refuses a promise, and says what to write instead', () => {
    const refusal = () => callable(Promise.resolve(), 'spawn');
    expect(refusal).toThrow(TypeError);
    expect(refusal).toThrow(/spawn\(\) was given a promise.*already started/);
    expect(refusal).toThrow('Write spawn(fn, arg) instead of spawn(fn(arg)), or spawn(() => fn(arg)).');
    expect(refusal).toThrow('spawn(() => wait(promise))');
  });

  test('… with the arguments that come before the function', () => {
    expect(() => callable(Promise.resolve(), 'timeoutAfter', 'seconds, ')).toThrow(
      'Write timeoutAfter(seconds, fn, arg) instead of timeoutAfter(seconds, fn(arg)), or timeoutAfter(seconds, () => fn(arg)).',
    );
    expect(() => callable(5, 'timeoutAfter', 'seconds, ')).toThrow(
      'Write timeoutAfter(seconds, fn, ...args).',
    );
    expect(() => callable(Map, 'timeoutAfter', 'seconds, ')).toThrow(
      'timeoutAfter(seconds, () => new Map(...))',
    );
  });

  test('… and, where the function gets no arguments, with what the call ends with', () => {
    const gather = (value: unknown) => () => callable(value, 'gather', '[', '])');
    expect(gather(Promise.resolve())).toThrow('Write gather([() => fn(arg)]) instead of gather([fn(arg)]).');
    expect(gather(Promise.resolve())).toThrow('write gather([() => wait(promise)]).');
    expect(gather(5)).toThrow('gather() wants a function, not 5. Write gather([() => fn(arg)]).');
    expect(gather(Map)).toThrow('Write gather([() => new Map(...)]) to construct one.');
  });

  test('refuses a class, and says how to construct one', () => {
    class Worker {}
    expect(() => callable(Worker, 'spawn')).toThrow(
      'was given the class Worker. Write spawn(() => new Worker(...))',
    );
    expect(() => callable(class {}, 'spawn')).toThrow('the class anonymous');
    for (const builtIn of [Map, Promise, Error, Uint8Array])
      expect(() => callable(builtIn, 'run')).toThrow(TypeError);
  });

  test('refuses everything else by what it is', () => {
    const cases: [unknown, string][] = [
      [undefined, 'undefined'],
      [null, 'null'],
      [5, '5'],
      [10n, '10n'],
      ['text', '"text"'],
      [{}, 'an object'],
      [[], 'an array'],
      [new Map(), 'an instance of Map'],
      [Symbol('s'), 'Symbol(s)'],
      [true, 'true'],
    ];
    for (const [value, text] of cases) {
      expect(() => callable(value, 'spawn')).toThrow(
        `spawn() wants a function, not ${text}. Write spawn(fn, ...args).`,
      );
    }
  });
});

describe('functionName()', () => {
  test('is the name, that of the target of a bound function, or anonymous', () => {
    function named() {}
    expect(functionName(named)).toBe('named');
    expect(functionName(named.bind(null))).toBe('named');
    expect(functionName(named.bind(null).bind(null))).toBe('named');
    expect(functionName([() => {}][0]!)).toBe('anonymous');
    expect(functionName([() => {}][0]!.bind(null))).toBe('anonymous');
  });
});

describe('describe()', () => {
  test('is short, whatever the value', () => {
    expect(describeValue('x'.repeat(1000))).toBe(`"${'x'.repeat(40)}…"`);
    expect(describeValue(function long() {})).toBe('the function long');
    expect(describeValue(class Long {})).toBe('the class Long');
    expect(describeValue(Object.create(null))).toBe('an object');
    expect(describeValue({ constructor: { name: 5 } })).toBe('an object');
    expect(describeValue(new (class Foo {})())).toBe('an instance of Foo');
    expect(describeValue(Number.NaN)).toBe('NaN');
  });
});

describe('isThenable()', () => {
  test('is true for what has a then(), of whatever kind', () => {
    expect([Promise.resolve(), thenable, Object.assign(() => {}, thenable)].every(isThenable)).toBe(true);
    expect([null, undefined, 5, {}, Object.fromEntries([['then', 5]]), () => {}].some(isThenable)).toBe(
      false,
    );
  });
});

describe('isOptions()', () => {
  test('is true for plain objects only', () => {
    expect(
      [{}, { daemon: true }, Object.create(null), Object.create({ daemon: true })].every(isOptions),
    ).toBe(true);
    const others = [null, undefined, 5, 'x', () => {}, [], new Map(), Promise.resolve(), thenable];
    expect(others.some(isOptions)).toBe(false);
    expect(isOptions(new Coroutine(() => {}, []))).toBe(false);
  });
});

describe('checkSeconds()', () => {
  test('lets any number through but NaN', () => {
    for (const seconds of [0, -1, 0.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      expect(checkSeconds(seconds, 'sleep')).toBe(seconds);
    }
    for (const bad of [Number.NaN, '1', null, undefined, {}, 5n, new Date()]) {
      expect(() => checkSeconds(bad, 'sleep'), String(bad)).toThrow(TypeError);
      expect(() => checkSeconds(bad, 'sleep')).toThrow(/sleep\(\) wants a number of seconds, not /);
    }
  });
});
