// The list of live tasks, against an array.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TaskRecord } from '../../src/kernel/record.ts';
import { Roster } from '../../src/kernel/roster.ts';

const entry = (id: number) => ({ id, older: null, newer: null }) as unknown as TaskRecord;

test('tasks stand in it oldest first, whoever leaves', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { maxLength: 100 }), (steps) => {
      const roster = new Roster();
      let id = 0;
      const model: TaskRecord[] = [];
      for (const step of steps) {
        // A number of somebody who is there: that one leaves. Otherwise somebody comes.
        const leaver = model[step];
        if (leaver === undefined) {
          const task = entry(++id);
          roster.add(task);
          model.push(task);
        } else {
          roster.delete(leaver);
          model.splice(step, 1);
        }
        expect([...roster]).toEqual(model);
        expect([roster.size, roster.oldest, roster.newest]).toEqual([
          model.length,
          model[0] ?? null,
          model.at(-1) ?? null,
        ]);
      }
    }),
  );
});

test('what happens to the tasks meanwhile is no matter to an iteration', () => {
  const roster = new Roster();
  const tasks = [1, 2, 3].map(entry);
  for (const task of tasks) roster.add(task);
  const seen: number[] = [];
  for (const task of roster) {
    seen.push(task.id);
    roster.delete(task);
    roster.add(entry(task.id + 10));
  }
  expect(seen).toEqual([1, 2, 3]);
  expect([...roster].map((task) => task.id)).toEqual([11, 12, 13]);
});
