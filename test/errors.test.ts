// Every error class: what it derives from, its code and its name, and how it is made.

import { inspect } from 'node:util';
import * as curio from 'curio';
import { run, sleep, spawn, timeoutAfter } from 'curio';
import * as errors from 'curio/errors';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

type ErrorClass = new (message?: string, options?: ErrorOptions) => Error & { code: string };

const classes = { ...errors } as unknown as Record<string, ErrorClass>;

/** Class, parent, code: api.md, section 11. */
const table: [name: keyof typeof errors, parent: keyof typeof errors | null, code: string][] = [
  ['CurioError', null, 'ERR_CURIO'],
  ['CancelledError', 'CurioError', 'ERR_CURIO_CANCELLED'],
  ['TaskCancelled', 'CancelledError', 'ERR_CURIO_TASK_CANCELLED'],
  ['TaskTimeout', 'CancelledError', 'ERR_CURIO_TASK_TIMEOUT'],
  ['TimeoutCancellationError', 'CancelledError', 'ERR_CURIO_TIMEOUT_CANCELLATION'],
  ['UncaughtTimeoutError', 'CurioError', 'ERR_CURIO_UNCAUGHT_TIMEOUT'],
  ['TaskError', 'CurioError', 'ERR_CURIO_TASK_ERROR'],
  ['TaskKilled', 'CurioError', 'ERR_CURIO_TASK_KILLED'],
  ['TaskBusyError', 'CurioError', 'ERR_CURIO_TASK_BUSY'],
  ['DeadlockError', 'CurioError', 'ERR_CURIO_DEADLOCK'],
  ['SyncIOError', 'CurioError', 'ERR_CURIO_SYNC_IO'],
  ['AsyncOnlyError', 'CurioError', 'ERR_CURIO_ASYNC_ONLY'],
  ['ResourceBusy', 'CurioError', 'ERR_CURIO_RESOURCE_BUSY'],
  ['ReadResourceBusy', 'ResourceBusy', 'ERR_CURIO_READ_BUSY'],
  ['WriteResourceBusy', 'ResourceBusy', 'ERR_CURIO_WRITE_BUSY'],
  ['EOFError', 'CurioError', 'ERR_CURIO_EOF'],
  ['ConnectionError', 'CurioError', 'ERR_CURIO_CONNECTION'],
  ['AuthenticationError', 'ConnectionError', 'ERR_CURIO_AUTHENTICATION'],
  ['NotSupportedError', 'CurioError', 'ERR_CURIO_NOT_SUPPORTED'],
  ['RuntimeError', 'CurioError', 'ERR_CURIO_RUNTIME'],
];

test('the table holds every class there is, and every class has a code of its own', () => {
  expect(Object.keys(errors).sort()).toEqual(table.map(([name]) => name).sort());
  expect(new Set(table.map(([, , code]) => code)).size).toBe(table.length);
});

describe.each(table)('%s', (name, parent, code) => {
  const Class = classes[name]!;

  test('derives from its parent, and from Error', () => {
    const Parent = parent === null ? Error : classes[parent]!;
    expect(Object.getPrototypeOf(Class)).toBe(Parent);
    expect(new Class('text')).toBeInstanceOf(Error);
    expect(new Class('text')).toBeInstanceOf(errors.CurioError);
  });

  test('has its name and its code, which do not clutter the error when it is shown', () => {
    const error = new Class('some text');
    expect(error.name).toBe(name);
    expect(Class.name).toBe(name);
    expect(error.code).toBe(code);
    expect(String(error)).toBe(`${name}: some text`);
    expect(error.stack).toContain(`${name}: some text`);
    expect(inspect(error)).toContain(`${name}: some text`);
    const enumerable: string[] = [];
    for (const key in error) enumerable.push(key);
    expect(enumerable).not.toContain('code');
    expect(enumerable).not.toContain('name');
  });

  test('takes a message and a cause', () => {
    const cause = new Error('the cause');
    const error = new Class('text', { cause });
    expect(error.message).toBe('text');
    expect(error.cause).toBe(cause);
    expect('cause' in new Class('text')).toBe(false);
  });

  test('is the same class in curio and in curio/errors', () => {
    expect(Object.entries(curio)).toContainEqual([name, Class]);
  });

  test('can be derived from, and the derived class keeps the code unless it has its own', () => {
    class Own extends Class {}
    const error = new Own('text');
    expect(error).toBeInstanceOf(Class);
    expect(error.code).toBe(code);
    expect(error.name).toBe(name);
  });
});

test('a cancellation without a message carries its class name', () => {
  for (const Class of [
    errors.CancelledError,
    errors.TaskCancelled,
    errors.TaskTimeout,
    errors.TimeoutCancellationError,
  ]) {
    expect(new Class().message).toBe(Class.name);
    expect(new Class('').message).toBe('');
    expect(new Class().requestedBy).toBe(null);
    expect(new Class().requestedAt).toBe(null);
  }
});

test('what a join throws says whether the task failed or was cancelled', async () => {
  await run({ logger: recorder() }, async () => {
    const failing = await spawn(async function kid() {
      throw new TypeError('it broke');
    });
    await expect(failing.join()).rejects.toThrow(/^Task\(id=\d+, name='kid'\) failed: TypeError: it broke$/);
    for (const [exc, text] of [
      [errors.TaskCancelled, 'was cancelled'],
      [new errors.TaskCancelled('go to bed'), 'failed: TaskCancelled: go to bed'],
    ] as const) {
      const task = await spawn(sleep, 1);
      await task.cancel({ exc });
      await expect(task.join()).rejects.toThrow(`Task(id=${task.id}, name='sleep') ${text}`);
    }
  });
});

test('with stacks on, what a join or a timeout throws shows where it came out', async () => {
  await run({ stacks: true, clock: new VirtualClock(), logger: recorder() }, async () => {
    const stackOf = async (wait: () => Promise<unknown>) => {
      async function caller() {
        await wait();
      }
      return (await caller().catch((error: Error) => error.stack?.split('\n'))) ?? [];
    };
    const failing = await spawn(async () => {
      await sleep(1);
      throw new Error('it broke');
    });
    const [failed, ...place] = await stackOf(() => failing.join());
    expect(failed).toMatch(/^TaskError: Task.* failed: Error: it broke$/);
    expect(place.every((line) => line.includes('errors.test.ts'))).toBe(true);
    expect(place.join()).toContain('caller');
    const [late, ...waiting] = await stackOf(() => timeoutAfter(1, sleep, 2));
    expect(late).toBe('TaskTimeout: The timeout expired while waiting in sleep().');
    expect(waiting.every((line) => line.includes('errors.test.ts'))).toBe(true);
    expect(waiting.join()).toContain('caller');
  });
});

test('a cancellation that ends the process does not print all of a task and its kernel', async () => {
  const task = await run(async () => {
    const task = await spawn(() => sleep(1));
    await task.cancel();
    return task;
  });
  const { exception } = task;
  expect(exception).toBeInstanceOf(errors.TaskCancelled);
  // As Node prints what nobody caught.
  const printed = inspect(exception, { customInspect: false, depth: 5 });
  expect(printed).toMatch(/^TaskCancelled: TaskCancelled\n/);
  expect(printed).not.toContain('{');
});

describe('a cancellation', () => {
  const cancelled = async () => {
    const task = await spawn(() => sleep(1));
    await task.cancel();
    return task.exception as Error;
  };
  const timedOut = () =>
    timeoutAfter(0, () => sleep(1)).then(String, (error: Error) => error) as Promise<Error>;

  test('shows where it was asked for, and a timeout where it struck, if stacks are on', () =>
    run({ stacks: true }, async () => {
      expect((await cancelled()).stack).toContain('errors.test.ts');
      expect((await timedOut()).stack).toContain('errors.test.ts');
    }));

  test('says how to turn them on if they are off', () =>
    run({ stacks: false }, async () => {
      expect((await cancelled()).stack).toBe(
        'TaskCancelled: TaskCancelled\n    at an unknown place (CURIO_STACKS=1 shows it)',
      );
      expect((await timedOut()).stack).toMatch(
        /^TaskTimeout: The timeout expired while waiting in sleep\(\)\.\n {4}at an unknown place/,
      );
      expect(Error.stackTraceLimit).toBeGreaterThan(0);
    }));

  test("of a class of the user's has the stack that such an error has anywhere", () =>
    run(async () => {
      class Enough extends Error {}
      const task = await spawn(() => sleep(1));
      await task.cancel({ exc: Enough });
      expect((task.exception as Error).stack).toContain('errors.test.ts');
    }));
});

test('an EOFError has what was read before the end, empty if nothing was', () => {
  expect(new errors.EOFError().bytesRead).toEqual(Buffer.alloc(0));
  const error = new errors.EOFError('short', { bytesRead: Buffer.from('ab'), cause: 'why' });
  expect(error.bytesRead).toEqual(Buffer.from('ab'));
  expect(error.cause).toBe('why');
});

test('the errors of a cancellation and of its request can be shown without end', async () => {
  await run({ logger: recorder() }, async () => {
    const task = await spawn(async () => {
      await curio.sleep(1000);
    });
    await curio.sleep(0);
    await task.cancel();
    const failure = await task.join().catch((error) => error);
    expect(inspect(failure).length).toBeLessThan(5000);
    expect(() => JSON.stringify(failure)).not.toThrow();
  });
});
