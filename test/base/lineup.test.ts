// A set with a first member: compared with an array, and so large that what is not O(1) would never end.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Lineup } from '../../src/base/lineup.ts';
import { collectGarbage, youngHeap } from '../kit/garbage.ts';

test('the first is whoever has been there longest, whoever comes, comes again or leaves', () => {
  const member = fc.nat(12);
  const step = fc.oneof(
    member.map((it) => ({ do: 'add' as const, it })),
    member.map((it) => ({ do: 'delete' as const, it })),
    fc.constant({ do: 'first' as const, it: 0 }),
    fc.constant({ do: 'shift' as const, it: 0 }),
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), (steps) => {
      const lineup = new Lineup<number>();
      // So many have left that it is about to replace its Set.
      for (let i = 0; i < 240; i++) {
        lineup.add(i);
        lineup.delete(i);
      }
      let model: number[] = [];
      for (const { do: what, it } of steps) {
        if (what === 'add') {
          lineup.add(it);
          if (!model.includes(it)) model.push(it);
        } else if (what === 'delete') {
          expect(lineup.delete(it)).toBe(model.includes(it));
          model = model.filter((other) => other !== it);
        } else {
          const { first } = lineup;
          expect(first).toBe(model[0]);
          if (what === 'shift' && first !== undefined) {
            lineup.delete(first);
            model.shift();
          }
        }
        expect([...lineup]).toEqual(model);
        expect([lineup.size, lineup.has(it)]).toEqual([model.length, model.includes(it)]);
      }
    }),
  );
});

test('a loop meets nobody who has left, however many leave meanwhile', () => {
  const lineup = new Lineup<number>();
  for (let i = 0; i < 600; i++) lineup.add(i);
  const met: number[] = [];
  for (const member of lineup) {
    met.push(member);
    for (let i = 0; i < 600; i++) if (i !== 450) lineup.delete(i);
  }
  expect(met).toEqual([0, 450]);
});

test('who has left is not held on to', async () => {
  const lineup = new Lineup<object>();
  const gone: WeakRef<object>[] = [];
  for (let i = 0; i < 1000; i++) lineup.add({ i });
  expect(lineup.first).toEqual({ i: 0 });
  for (const member of [...lineup]) {
    gone.push(new WeakRef(member));
    lineup.delete(member);
  }
  await collectGarbage();
  // The machine may have one left in a register.
  expect(gone.filter((it) => it.deref() !== undefined).length).toBeLessThan(5);
  expect([lineup.size, lineup.first]).toEqual([0, undefined]);
});

test('who has left is not kept by a table that has grown old', async () => {
  const lineup = new Lineup<object>();
  lineup.add({});
  await collectGarbage();
  const before = youngHeap();
  for (let i = 0; i < 20_000; i++) {
    lineup.add({ kilobyte: new Array(125).fill(i) });
    if (lineup.size > 50) lineup.delete(lineup.first as object);
  }
  // With a Set it were 17 MB of 20.
  expect(youngHeap() - before).toBeLessThan(5_000_000);
});

test('hundreds of thousands may leave from the front', () => {
  const lineup = new Lineup<number>();
  for (let i = 0; i < 300_000; i++) lineup.add(i);
  for (let i = 0; i < 300_000; i++) {
    if (lineup.first !== i) expect(lineup.first).toBe(i);
    lineup.delete(i);
    // Somebody always comes.
    if (i % 2 === 0) lineup.add(300_000 + i);
  }
  expect([lineup.size, lineup.first]).toEqual([150_000, 300_000]);
});
