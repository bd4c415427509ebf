// A priority heap, and the order that priorities have unless told otherwise.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Heap, naturalOrder } from '../../src/base/heap.ts';

describe('a heap', () => {
  test('gives the smallest item first, and undefined when it is empty', () => {
    const heap = new Heap<number>(naturalOrder);
    for (const item of [3, 1, 2]) heap.push(item);
    expect(heap.length).toBe(3);
    expect([heap.shift(), heap.shift(), heap.shift(), heap.shift()]).toEqual([1, 2, 3, undefined]);
    expect(heap.length).toBe(0);
  });

  test('is a stable sort, whatever goes in and out between', () => {
    const step = fc.oneof(fc.constant(null), fc.nat(9));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const heap = new Heap<{ priority: number; order: number }>((a, b) => a.priority - b.priority);
        const model: { priority: number; order: number }[] = [];
        let order = 0;
        for (const priority of steps) {
          if (priority === null) {
            model.sort((a, b) => a.priority - b.priority || a.order - b.order);
            expect(heap.shift()).toEqual(model.shift());
          } else {
            const item = { priority, order: order++ };
            heap.push(item);
            model.push(item);
          }
          expect(heap.length).toBe(model.length);
        }
      }),
    );
  });

  test('is as it was when the comparator throws, wherever that happens', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(20), { minLength: 1, maxLength: 40 }),
        fc.nat(10),
        fc.boolean(),
        (items, after, push) => {
          let left = Number.POSITIVE_INFINITY;
          const heap = new Heap<number>((a, b) => {
            if (left-- <= 0) throw new Error('not comparable');
            return a - b;
          });
          for (const item of items) heap.push(item);
          left = after;
          let failed = false;
          const rest = [...items].sort((a, b) => a - b);
          try {
            if (push) heap.push(7);
            else heap.shift();
          } catch {
            failed = true;
          }
          left = Number.POSITIVE_INFINITY;
          if (!failed && push) rest.push(7);
          if (!failed && !push) rest.shift();
          const drained: number[] = [];
          while (heap.length > 0) drained.push(heap.shift() as number);
          expect(drained).toEqual(rest.sort((a, b) => a - b));
        },
      ),
    );
  });
});

describe('the natural order', () => {
  test('is that of < for numbers, strings, bigints, dates and objects with a value', () => {
    const date = (n: number) => new Date(n);
    for (const [small, large] of [
      [1, 2],
      ['a', 'b'],
      [1n, 2n],
      [date(1), date(2)],
      ['B', 'a'],
      [1, 2n],
    ]) {
      expect(naturalOrder(small, large)).toBeLessThan(0);
      expect(naturalOrder(large, small)).toBeGreaterThan(0);
      expect(naturalOrder(small, small)).toBe(0);
    }
  });

  test('compares arrays element by element, as Python does tuples', () => {
    const sorted = [[], [1], [1, 'a'], [1, 'b'], [1, 'b', 0], [2], [2, [1]], [2, [1, 5]], [10]];
    fc.assert(
      fc.property(fc.shuffledSubarray(sorted, { minLength: sorted.length }), (shuffled) => {
        expect([...shuffled].sort(naturalOrder)).toEqual(sorted);
      }),
    );
  });

  test('takes what cannot be ordered as equal', () => {
    expect(naturalOrder(Number.NaN, 1)).toBe(0);
    expect(naturalOrder({}, {})).toBe(0);
    expect(naturalOrder(undefined, 1)).toBe(0);
  });
});
