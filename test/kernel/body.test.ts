// What a task's function gives back, when that is no ordinary promise: whatever it does, it is this task's end and nobody else's.

import { currentTask, run, sleep, spawn, TaskError } from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

class Oops extends Error {}

function virtual<T>(main: () => Promise<T>): Promise<T> {
  return run({ clock: new VirtualClock(), logger: recorder() }, main);
}

/** A promise with one property of its own. */
function promiseWith(name: string, property: PropertyDescriptor): Promise<unknown> {
  return Object.defineProperty(Promise.resolve('real'), name, property);
}

const thrower = () => {
  throw new Oops();
};

describe('A promise that a task’s function gives', () => {
  const hostile = {
    'whose constructor cannot be read': () => promiseWith('constructor', { get: thrower }),
    'whose then() cannot be read': () => promiseWith('then', { get: thrower }),
    'whose then() throws': () => promiseWith('then', { value: thrower }),
  };
  for (const [what, make] of Object.entries(hostile)) {
    test(`${what} is its task’s failure, and the others go on`, () =>
      virtual(async () => {
        const other = await spawn(async () => {
          await sleep(1);
          return 'went on';
        });
        const task = await spawn(make);
        const error: unknown = await task.join().catch((caught: unknown) => caught);
        expect(error).toBeInstanceOf(TaskError);
        expect((error as Error).cause).toBeInstanceOf(Oops);
        expect(await other.join()).toBe('went on');
      }));
  }

  test('whose then() is called back from another task ends its own task, and not that one', () =>
    virtual(async () => {
      let settle: (value: string) => void = () => {};
      const task = await spawn(() =>
        promiseWith('then', {
          value: (resolve: (value: string) => void) => {
            settle = resolve;
          },
        }),
      );
      const other = await spawn(async () => {
        await sleep(1);
        settle('from elsewhere');
        settle('twice');
        await sleep(1);
        return (await currentTask()).id;
      });
      expect(await other.join()).toBe(other.id);
      expect(await task.join()).toBe('from elsewhere');
    }));
});
