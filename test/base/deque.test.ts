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
