// A Map for entries that come and go: compared with a Map, and with nobody left in it that has gone.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Turnover } from '../../src/base/turnover.ts';
import { collectGarbage, youngHeap } from '../kit/garbage.ts';

test('holds what a Map holds, in the same order', () => {
  const key = fc.nat(60);
  const step = fc.oneof(
    key.map((it) => ({ do: 'set' as const, it })),
    key.map((it) => ({ do: 'delete' as const, it })),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), (steps) => {
      const turnover = new Turnover<number, number>();
      // So many have left that it is about to replace its Map.
      for (let i = 0; i < 240; i++) {
        turnover.set(i, i);
        turnover.delete(i);
      }
      const model = new Map<number, number>();
      for (const [value, { do: what, it }] of steps.entries()) {
        if (what === 'delete') expect(turnover.delete(it)).toBe(model.delete(it));
        else {
          turnover.set(it, value);
          model.set(it, value);
        }
        expect([turnover.size, turnover.get(it)]).toEqual([model.size, model.get(it)]);
      }
      expect([...turnover]).toEqual([...model]);
    }),
  );
});

test('a loop meets nobody who has left, however many leave meanwhile', () => {
  const turnover = new Turnover<number, string>();
  for (let i = 0; i < 600; i++) turnover.set(i, `${i}`);
  const met: string[] = [];
  for (const [, value] of turnover) {
    met.push(value);
    for (let i = 0; i < 600; i++) if (i !== 450) turnover.delete(i);
  }
  expect(met).toEqual(['0', '450']);
});

test('what has left is not kept by a table that has grown old', async () => {
  const turnover = new Turnover<number, object>();
  turnover.set(-1, {});
  await collectGarbage();
  const before = youngHeap();
  for (let i = 0; i < 20_000; i++) {
    turnover.set(i, { kilobyte: new Array(125).fill(i) });
    turnover.delete(i - 50);
  }
  // With a Map it were 17 MB of 20.
  expect(youngHeap() - before).toBeLessThan(5_000_000);
});
