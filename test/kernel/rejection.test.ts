// Operations that run what the user gave them: an error in there shows in its stack who waits for it, all the way up. That a failure
// which nobody awaits ends no process is tested by a program, in test/programs.test.ts.

import {
  abortable,
  Condition,
  disableCancellation,
  ignoreAfter,
  Lock,
  RLock,
  Semaphore,
  sleep,
  taskGroup,
  timeoutAfter,
} from 'curio';
import { expect, test } from 'vitest';
import { thrownBy, virtually } from '../kit/virtual.ts';

type Operation = (fn: () => Promise<void>) => Promise<unknown>;

const operations: Record<string, Operation> = {
  timeoutAfter: (fn) => timeoutAfter(10, fn),
  ignoreAfter: (fn) => ignoreAfter(10, fn),
  'TimeoutScope.run': (fn) => timeoutAfter(10).run(fn),
  disableCancellation: (fn) => disableCancellation(fn),
  'Lock.with': (fn) => new Lock().with(fn),
  'RLock.with': (fn) => new RLock().with(fn),
  'Semaphore.with': (fn) => new Semaphore().with(fn),
  'Condition.with': (fn) => new Condition().with(fn),
  taskGroup: (fn) => taskGroup(fn),
};

for (const [name, operation] of Object.entries(operations)) {
  test(`${name}: an error in what it runs shows in its stack who waits`, () =>
    virtually(async () => {
      async function innermost() {
        await sleep(0);
        throw new Error('deep down');
      }
      async function inTheMiddle() {
        await operation(innermost);
      }
      async function outermost() {
        await operation(inTheMiddle);
      }
      const error = (await thrownBy(outermost())) as Error;
      const shown = ['innermost', 'inTheMiddle', 'outermost'].filter((fn) =>
        error.stack?.includes(`${fn} (`),
      );
      expect(shown).toEqual(['innermost', 'inTheMiddle', 'outermost']);
    }));
}

test('abortable: an error that what it runs throws at once shows in its stack who called', () =>
  virtually(async () => {
    async function caller() {
      await abortable(() => {
        throw new Error('at once');
      });
    }
    expect(((await thrownBy(caller())) as Error).stack).toContain('caller (');
  }));
