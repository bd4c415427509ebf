// A method of Curio's own that was handed on without its object.

import {
  disableCancellation,
  Event,
  Lock,
  Queue,
  run,
  Semaphore,
  sleep,
  spawn,
  type Task,
  TaskGroup,
  timeoutAfter,
} from 'curio';
import { expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

const task = () => spawn(() => sleep(0)) as Promise<Task<unknown>>;
const method: [name: string, make: () => unknown, key: string][] = [
  ['a method', () => new Queue<number>(), 'put'],
  ['a method that reads a private field', () => new Event(), 'wait'],
  ['a method of the parent class', () => new Semaphore(), 'acquire'],
  ['an asynchronous method', () => new TaskGroup(), 'join'],
  ['a method of a task', task, 'join'],
];

test.each(method)('%s that was handed on without its object says what to write', async (_, make, key) => {
  await run({ logger: recorder() }, async () => {
    const object = (await make()) as Record<string, () => Promise<void>>;
    const unbound = object[key]!;
    const told = {
      name: 'TypeError',
      message: `${key}() was handed on without the object that it is a method of. Hand on a function that calls it, () => object.${key}(...), or object.${key}.bind(object).`,
      cause: expect.any(TypeError),
    };
    await expect(timeoutAfter(1, unbound)).rejects.toMatchObject(told);
    await expect(disableCancellation(unbound)).rejects.toMatchObject(told);
    await expect(new Lock().with(unbound)).rejects.toMatchObject(told);
    const failing = await spawn(unbound);
    await expect(failing.join()).rejects.toMatchObject({ cause: told });
    if (object.cancel) await object.cancel();
  });
});

test('other errors are left alone, whoever made them', () =>
  run({ logger: recorder() }, async () => {
    const nothing = undefined as unknown as { field: number };
    const own = async () => nothing.field;
    await expect(timeoutAfter(1, own)).rejects.toThrow(/^Cannot read properties of undefined/);
    const queue = new Queue<number>();
    const calling = () => queue.put.call(undefined as never, 1);
    await expect(timeoutAfter(1, calling)).rejects.toThrow(/^Cannot read properties of undefined/);
    class Put {
      put(): number {
        return nothing.field;
      }
    }
    await expect(timeoutAfter(1, new Put().put)).rejects.toThrow(/^Cannot read properties of undefined/);
  }));
