// A Map for entries that come and go: compared with a Map, and with nobody left in it that has gone.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Turnover } from '../../src/base/turnover.ts';

test('holds what a Map holds, in the same order', () => {
  const key = fc.nat(60);
  const step = fc.oneof(
    key.map((it) => ({ do: 'set' as const, it })),
    key.map((it) => ({ do: 'delete' as const, it })),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), (steps) => {
      const turnover = new Turnover<number, number>();
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
  for (let i = 0; i < 200; i++) turnover.set(i, `${i}`);
  const met: string[] = [];
  for (const [, value] of turnover) {
    met.push(value);
    for (let i = 0; i < 200; i++) if (i !== 150) turnover.delete(i);
  }
  expect(met).toEqual(['0', '150']);
});
