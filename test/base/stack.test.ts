// Stacks as the user wrote them: which frames are the user's, and errors as text.

import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { captureStack, errorText, userFrames, valueText } from '../../src/base/stack.ts';

const library = fileURLToPath(new URL('../../src', import.meta.url));

/** An error with this stack. */
const withStack = (...lines: string[]) =>
  Object.assign(new Error('x'), { stack: ['Error: x', ...lines.map((line) => `    at ${line}`)].join('\n') });

describe('userFrames()', () => {
  test('reads every form of a line that V8 writes', () => {
    expect(
      userFrames(
        withStack(
          'fn (/home/me/a.ts:1:2)',
          'async deep.fn (file:///home/me/with%20space/b.ts:33:4)',
          '/home/me/c.ts:5:6',
          'async /home/me/d.ts:7:8',
          'new Thing (/home/me/e.ts:9:10)',
          'async Promise.all (index 0)',
          'Object.<anonymous> (/home/me/f.ts:11:12)',
          'C:\\Users\\me\\g.ts:13:14',
          'fn [as alias] (/home/me/h.ts:15:16)',
        ),
      ),
    ).toEqual([
      { fn: 'fn', file: '/home/me/a.ts', line: 1, column: 2 },
      { fn: 'deep.fn', file: '/home/me/with space/b.ts', line: 33, column: 4 },
      { fn: '<anonymous>', file: '/home/me/c.ts', line: 5, column: 6 },
      { fn: '<anonymous>', file: '/home/me/d.ts', line: 7, column: 8 },
      { fn: 'Thing', file: '/home/me/e.ts', line: 9, column: 10 },
      { fn: 'Object.<anonymous>', file: '/home/me/f.ts', line: 11, column: 12 },
      { fn: '<anonymous>', file: 'C:\\Users\\me\\g.ts', line: 13, column: 14 },
      { fn: 'fn [as alias]', file: '/home/me/h.ts', line: 15, column: 16 },
    ]);
  });

  test('leaves out the library and Node, and nothing that is only called like them', () => {
    const frames = userFrames(
      withStack(
        `Task.join (${library}/task.ts:1:1)`,
        `suspend (file://${library}/kernel/core.ts:1:1)`,
        'processTicksAndRejections (node:internal/process/task_queues:95:5)',
        'node:internal/main/run_main_module:28:49',
        `mine (${library}2/task.ts:2:2)`,
        `mine (${library}-app/main.ts:3:3)`,
        'mine (/home/me/node_modules/curio-extras/index.js:4:4)',
      ),
    );
    expect(frames.map(({ line }) => line)).toEqual([2, 3, 4]);
  });

  test('gives none for a stack that is none', () => {
    for (const stack of [undefined, '', 'nonsense', [1, 2], 5]) {
      expect(userFrames(Object.assign(new Error('x'), { stack }))).toEqual([]);
    }
  });
});

describe('an error whose message somebody else has written', () => {
  test('may look like a stack of files that cannot be', () => {
    const error = withStack(
      'f (file://elsewhere/a.ts:1:2)',
      'g (file:///a%2Fb.ts:3:4)',
      'h (/home/me/h.ts:5:6)',
    );
    expect(userFrames(error)).toEqual([{ fn: 'h', file: '/home/me/h.ts', line: 5, column: 6 }]);
  });

  // Searched from every place to its end, one such line takes a minute.
  test.each([' (/', ' (file://', ':1', ':1:1', ' (REPL', ')', ' '])('may be long: %j', (piece) => {
    expect(userFrames(withStack(piece.repeat(250_000)))).toEqual([]);
    expect(userFrames(withStack(`${piece.repeat(250_000)}:1:2)`)).length).toBeLessThan(2);
  });
});

describe('captureStack()', () => {
  test('is deep, whatever the limit, which it leaves alone', () => {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 1;
    try {
      const deep = (n: number): Error => (n === 0 ? captureStack() : deep(n - 1));
      const frames = userFrames(deep(30));
      expect(Error.stackTraceLimit).toBe(1);
      expect(frames.filter(({ fn }) => fn === 'deep').length).toBeGreaterThanOrEqual(30);
      expect(frames[0]?.file).toBe(fileURLToPath(import.meta.url));
    } finally {
      Error.stackTraceLimit = limit;
    }
  });
});

describe('errorText()', () => {
  test('is the stack of an error and of its causes, each once', () => {
    const root = new Error('root');
    const middle = new Error('middle', { cause: root });
    const top = new Error('top', { cause: middle });
    Object.assign(root, { cause: top });
    const text = errorText(top);
    expect(text.match(/Caused by:/g)).toHaveLength(2);
    expect(text).toMatch(/^Error: top\n[\s\S]*Caused by: Error: middle\n[\s\S]*Caused by: Error: root\n/);
    expect(text).toContain('stack.test.ts');
  });

  test('shows the first of very many causes, and says that there are more', () => {
    let error = new Error('the root');
    for (let i = 0; i < 20; i++) error = new Error(`number ${i}`, { cause: error });
    expect(errorText(error)).toContain('the root');
    error = new Error('one more', { cause: error });
    expect(errorText(error)).not.toContain('the root');
    expect(errorText(error)).toMatch(/Caused by: Error: number 0\n[\s\S]*Caused by: … and further causes$/);
  });

  test('shows causes that are no errors, and what is no error itself', () => {
    expect(errorText(new Error('top', { cause: 'a string' }))).toMatch(/Caused by: a string$/);
    expect(errorText(new Error('top', { cause: null }))).toMatch(/Caused by: null$/);
    expect(errorText('text')).toBe('text');
    expect(errorText(undefined)).toBe('undefined');
    expect(errorText(Symbol('s'))).toBe('Symbol(s)');
  });

  test('shows what is in an object that is no error', () => {
    expect(errorText({ status: 404, url: 'x' })).toBe("{ status: 404, url: 'x' }");
  });

  test('shows each of the errors that an AggregateError is made of', () => {
    const refused = new Error('connect ECONNREFUSED ::1');
    const circle = new AggregateError([refused, refused], '');
    circle.errors.push(circle, 'a string', new Error('outer', { cause: new Error('inner') }));
    const text = errorText(circle);
    expect(text.match(/One of its errors: .*/g)).toEqual([
      'One of its errors: Error: connect ECONNREFUSED ::1',
      'One of its errors: a string',
      'One of its errors: Error: outer',
    ]);
    expect(text).toMatch(/Error: outer\n[\s\S]*Caused by: Error: inner\n/);
  });

  test('shows what a block with `using` has failed with, and its clean-up', () => {
    const both = Object.assign(new Error('An error was suppressed during disposal.'), {
      name: 'SuppressedError',
      error: new Error('not closed'),
      suppressed: new Error('the disk is full'),
    });
    expect(errorText(both).match(/One of its errors: .*/g)).toEqual([
      'One of its errors: Error: not closed',
      'One of its errors: Error: the disk is full',
    ]);
  });

  test('never throws', () => {
    const nasty = () => {
      throw new Error('nasty');
    };
    const values = [
      Object.create(null),
      { toString: nasty },
      new Proxy({}, { get: nasty, getPrototypeOf: nasty }),
      Object.defineProperty(new Error('x'), 'stack', { get: nasty }),
      Object.defineProperty(new Error('x'), 'cause', { get: nasty }),
      Object.assign(new Error('x'), { stack: [1] }),
      Object.assign(new Error('x'), { stack: undefined }),
      new Error('x', { cause: Object.create(null) }),
    ];
    for (const value of values) expect(typeof errorText(value)).toBe('string');
    expect(valueText(Object.create(null))).toBe('[object that cannot be shown]');
  });
});
