// Random programs on conditions: the lock excludes, no notification is lost, and whoever waits for something that has become
// true comes through.

import { Condition, Lock, RLock, sleep } from 'curio';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { execute, programs, RUNS, Trace } from './programs.ts';

type Action =
  | { do: 'take'; n: number }
  | { do: 'give'; n: number; notify: 'one each' | 'all' }
  | { do: 'dawdle'; seconds: number };

const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 2 }).map((n) => ({ do: 'take' as const, n })) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('give' as const),
      n: fc.integer({ min: 1, max: 3 }),
      notify: fc.constantFrom('one each' as const, 'all' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom(0, 0.5, 1).map((seconds) => ({ do: 'dawdle' as const, seconds })) },
);

for (const Kind of [Lock, RLock]) {
  test(`a store of tokens behind a condition over a ${Kind.name}`, () =>
    fc.assert(
      fc.asyncProperty(programs(action), async (program) => {
        const condition = new Condition(new Kind());
        const trace = new Trace();
        let tokens = 0;
        let given = 0;
        let taken = 0;
        let inside = 0;
        let withoutLock = 0;
        const enter = async (body: () => unknown): Promise<void> => {
          await using _ = await condition.acquire();
          if (++inside !== 1) throw new Error('two have the lock');
          try {
            await body();
          } finally {
            inside--;
          }
        };
        /** Waits outside of the count of those inside: the lock is given away meanwhile. */
        const waitFor = async (task: number, predicate: () => boolean) => {
          inside--;
          try {
            await trace.of(task, 'wait', () => condition.waitFor(predicate));
          } finally {
            // Interrupted or not, it has the lock again.
            if (++inside !== 1 || !condition.locked()) withoutLock++;
          }
        };
        await execute(
          program,
          (task, action) =>
            enter(async () => {
              if (action.do === 'take') {
                await waitFor(task, () => tokens >= action.n);
                tokens -= action.n;
                taken += action.n;
              } else if (action.do === 'give') {
                tokens += action.n;
                given += action.n;
                if (action.notify === 'all') await condition.notifyAll();
                else for (let i = 0; i < action.n; i++) await condition.notify();
              } else await sleep(action.seconds);
            }),
          () => {
            expect([inside, withoutLock]).toEqual([0, 0]);
            expect(String(condition)).toBe('Condition(unlocked, 0 waiting)');
          },
        );
        trace.allSettled();
        expect(tokens).toBe(given - taken);
      }),
      { numRuns: RUNS },
    ));
}

test('notify(n) wakes the n that have waited longest, or as many as there are', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 0, max: 10 }),
      fc.array(fc.nat(9), { maxLength: 3 }),
      async (notifications, waiters, leaving) => {
        const condition = new Condition();
        const woken: number[] = [];
        // One waiter a script; those that leave are cancelled before the first notification.
        const scripts = Array.from({ length: waiters }, (_, i) => [{ pause: 0, timeout: null, action: i }]);
        const leavers = new Set(leaving.filter((i) => i < waiters));
        await execute(
          {
            scripts: [...scripts, notifications.map((n) => ({ pause: 2, timeout: null, action: -1 - n }))],
            cancels: [...leavers].map((task) => ({ task, at: 1 })),
            seed: null,
          },
          (_, action) =>
            condition.with(async () => {
              if (action < 0) await condition.notify(-1 - action);
              else {
                await condition.wait();
                woken.push(action);
              }
            }),
        );
        const line = Array.from({ length: waiters }, (_, i) => i).filter((i) => !leavers.has(i));
        const sum = notifications.reduce((a, b) => a + b, 0);
        expect(woken).toEqual(line.slice(0, sum));
        expect(String(condition)).toBe('Condition(unlocked, 0 waiting)');
      },
    ),
    { numRuns: RUNS },
  ));
