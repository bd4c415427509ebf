// The list in which tasks wait, against an array.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TaskRecord } from '../../src/kernel/record.ts';
import { TaskList } from '../../src/kernel/tasklist.ts';

const entry = (id: number) => ({ id, list: null, prev: null, next: null }) as unknown as TaskRecord;

/** The ids of a list, read in both directions. */
function ids(list: TaskList): number[] {
  const forward: number[] = [];
  for (let it = list.first; it !== null; it = it.next) forward.push(it.id);
  const backward: number[] = [];
  for (let it = list.last; it !== null; it = it.prev) backward.push(it.id);
  expect(backward.reverse()).toEqual(forward);
  expect(list.length).toBe(forward.length);
  return forward;
}

test('tasks come out in the order they went in, and can leave from anywhere', () => {
  const list = new TaskList();
  const tasks = [1, 2, 3, 4].map(entry);
  for (const task of tasks) list.add(task);
  expect(ids(list)).toEqual([1, 2, 3, 4]);
  list.remove(tasks[1]!);
  expect(ids(list)).toEqual([1, 3, 4]);
  list.remove(tasks[3]!);
  list.remove(tasks[0]!);
  expect(ids(list)).toEqual([3]);
  expect(list.shift()).toBe(tasks[2]);
  expect(list.shift()).toBe(null);
  expect(ids(list)).toEqual([]);
});

test('a task that is not in the list is not taken out of another one', () => {
  const [list, other] = [new TaskList(), new TaskList()];
  const task = entry(1);
  other.add(task);
  list.remove(task);
  expect(ids(other)).toEqual([1]);
  list.remove(entry(2));
  expect(ids(list)).toEqual([]);
});

test('behaves like an array, whatever is done to it', () => {
  const step = fc.record({ task: fc.nat(12), shift: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const list = new TaskList();
      const tasks = Array.from({ length: 13 }, (_, id) => entry(id));
      const model: TaskRecord[] = [];
      for (const { task: id, shift } of steps) {
        const task = tasks[id]!;
        if (shift) expect(list.shift()).toBe(model.shift() ?? null);
        else if (model.includes(task)) {
          list.remove(task);
          model.splice(model.indexOf(task), 1);
        } else {
          list.add(task);
          model.push(task);
        }
        expect(ids(list)).toEqual(model.map((it) => it.id));
        for (const it of tasks) expect(it.list).toBe(model.includes(it) ? list : null);
      }
    }),
  );
});
