// UniversalResult: set once, for tasks and for ordinary async code.

import { AsyncLocalStorage } from 'node:async_hooks';
import {
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  UniversalResult,
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { expect, expectTypeOf, test } from 'vitest';
import { thrownBy, virtually } from '../kit/virtual.ts';

/** Calls a function as ordinary code does, even from inside a task. */
const outside = AsyncLocalStorage.snapshot();

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('unwrap() waits for setValue() and gives the value, in tasks and outside of them', async () => {
  const result = new UniversalResult<number>();
  const outside = result.unwrap();
  const inside = run(async () => {
    const value = await result.unwrap();
    expectTypeOf(value).toEqualTypeOf<number>();
    return value;
  });
  await turn();
  expect([result.isSet(), String(result)]).toEqual([false, 'UniversalResult(unset, 2 waiting)']);
  await result.setValue(42);
  expect([await outside, await inside, await result.unwrap(), await run(() => result.unwrap())]).toEqual([
    42, 42, 42, 42,
  ]);
  expect([result.isSet(), String(result)]).toEqual([true, 'UniversalResult(value, 0 waiting)']);
});

test('setException() makes unwrap() throw that very error, without another cause', async () => {
  const bad = new RangeError('bad');
  const result = new UniversalResult<number>();
  const outside = thrownBy(result.unwrap());
  const inside = thrownBy(run(() => result.unwrap()));
  await turn();
  await run(() => result.setException(bad));
  expect(await outside).toBe(bad);
  expect(await inside).toBe(bad);
  expect(await thrownBy(result.unwrap())).toBe(bad);
  expect(await thrownBy(run(() => result.unwrap()))).toBe(bad);
  expect([bad.cause, result.isSet(), String(result)]).toEqual([
    undefined,
    true,
    'UniversalResult(exception, 0 waiting)',
  ]);
});

test('it is set once, from wherever', async () => {
  const result = new UniversalResult<number>();
  await result.setValue(1);
  expect(await thrownBy(result.setValue(2))).toBeInstanceOf(RuntimeError);
  expect(await thrownBy(run(() => result.setException(new Error('late'))))).toMatchObject({
    message: expect.stringContaining('already been set'),
  });
  expect(await result.unwrap()).toBe(1);
});

test('an exception that nobody unwraps, and a promise nobody awaits, end no process', async () => {
  const result = new UniversalResult<number>();
  void result.unwrap();
  await result.setException(new Error('nobody looks'));
  void result.unwrap();
  await turn();
});

test('undefined is a value', async () => {
  const result = new UniversalResult<undefined>();
  await result.setValue(undefined);
  expect([result.isSet(), await result.unwrap()]).toEqual([true, undefined]);
});

test('in a task, unwrap() can be cancelled and can time out', () =>
  virtually(async () => {
    const result = new UniversalResult<number>();
    expect(await thrownBy(timeoutAfter(1, () => result.unwrap()))).toBeInstanceOf(TaskTimeout);
    const reader = await spawn(() => result.unwrap());
    await sleep(1);
    expect(reader.state).toBe('FUTURE_WAIT');
    await reader.cancel();
    expect(reader.exception).toBeInstanceOf(TaskCancelled);
    expect(String(result)).toBe('UniversalResult(unset, 0 waiting)');
    await result.setValue(1);
    expect(await result.unwrap()).toBe(1);
  }));

test('who was given the value and then cancelled before it ran has it', () =>
  virtually(async () => {
    const got: number[] = [];
    const result = new UniversalResult<number>();
    const reader = await spawn(async () => {
      got.push(await result.unwrap());
      await sleep(1);
    });
    await sleep(0);
    await result.setValue(7);
    await reader.cancel();
    expect(got).toEqual([7]);
  }));

test('everyone gets the same, wherever it is interrupted and in whatever order', async () => {
  let got: unknown[] = [];
  const program = async () => {
    got = [];
    const result = new UniversalResult<string>();
    const reader = async () => {
      got.push(await result.unwrap());
    };
    const outsider = outside(reader);
    const tasks = [await spawn(reader), await spawn(reader)];
    await sleep(1);
    await result.setValue('value');
    for (const task of tasks) await task.wait();
    await outsider;
  };
  await cancelEverywhere(program, ({ kind }) => {
    expect(new Set(got).size).toBeLessThan(2);
    if (kind === 'none') expect(got).toEqual(['value', 'value', 'value']);
    else expect(got.length).toBeLessThanOrEqual(3);
  });
  await explore(program, { seeds: 30 });
});
