// A double-ended queue in a ring of slots.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Deque } from '../../src/base/deque.ts';
import { collectGarbage } from '../kit/garbage.ts';

test('items come out in the order they went in, or the last first', () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 5; i++) deque.push(i);
  expect(deque.length).toBe(5);
  expect([deque.shift(), deque.pop(), deque.shift()]).toEqual([0, 4, 1]);
  expect(deque.length).toBe(2);
});

test('an empty one gives undefined, and stays empty', () => {
  const deque = new Deque<number>();
  expect([deque.shift(), deque.pop(), deque.length]).toEqual([undefined, undefined, 0]);
  deque.push(1);
  deque.pop();
  expect([deque.shift(), deque.length]).toEqual([undefined, 0]);
});

test('behaves like an array, whatever is done to it', () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.integer().map((item) => ({ do: 'push' as const, item })) },
    { weight: 1, arbitrary: fc.integer().map((item) => ({ do: 'unshift' as const, item })) },
    { weight: 2, arbitrary: fc.constant({ do: 'shift' as const, item: 0 }) },
    { weight: 1, arbitrary: fc.constant({ do: 'pop' as const, item: 0 }) },
    { weight: 1, arbitrary: fc.nat(40).map((item) => ({ do: 'burst' as const, item })) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const deque = new Deque<number>();
      const model: number[] = [];
      for (const { do: what, item } of steps) {
        if (what === 'push' || what === 'unshift') {
          deque[what](item);
          model[what](item);
        } else if (what === 'burst') {
          for (let i = 0; i < item; i++) {
            deque.push(i);
            model.push(i);
          }
        } else expect(deque[what]()).toBe(model[what]());
        expect(deque.length).toBe(model.length);
      }
      while (model.length > 0) expect(deque.shift()).toBe(model.shift());
      expect(deque.length).toBe(0);
    }),
  );
});

test('one that was large and ran empty is as good as new', () => {
  for (const size of [1000, 1023, 1024, 1025, 1500, 5000]) {
    const deque = new Deque<number>();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < size; i++) deque.push(i);
      for (let i = 0; i < size; i++) expect(deque.shift()).toBe(i);
      expect([deque.length, deque.shift(), deque.pop()]).toEqual([0, undefined, undefined]);
      deque.push(1);
      deque.unshift(0);
      deque.push(2);
      expect([deque.shift(), deque.pop(), deque.shift(), deque.length]).toEqual([0, 2, 1, 0]);
    }
  }
});

test('does not hold on to items that have left', async () => {
  const deque = new Deque<object>();
  const refs: WeakRef<object>[] = [];
  const fill = () => {
    for (let i = 0; i < 12; i++) {
      const item = { i };
      refs.push(new WeakRef(item));
      deque.push(item);
    }
    deque.unshift({ stays: true });
    for (let i = 0; i < 6; i++) deque.pop();
    const first = deque.shift() as object;
    for (let i = 0; i < 6; i++) deque.shift();
    deque.push(first);
  };
  fill();
  await collectGarbage();
  expect(refs.map((ref) => ref.deref())).toEqual(Array(12).fill(undefined));
  expect(deque.shift()).toEqual({ stays: true });
});
