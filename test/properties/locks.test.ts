// Random programs on locks, semaphores and events: never more inside than may be, no permit lost, nobody overtakes, nobody is
// left waiting.

import { BoundedSemaphore, Event, Lock, Result, RLock, Semaphore, sleep, UniversalEvent } from 'curio';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { execute, programs, RUNS, Trace } from './programs.ts';

/** Holds a permit for some seconds, or gives it back at once; with a second level where the lock knows levels. */
interface Hold {
  seconds: number;
  how: 'guard' | 'release' | 'with' | 'again';
}

const hold: fc.Arbitrary<Hold> = fc.record({
  seconds: fc.constantFrom(0, 0.5, 1, 1.5),
  how: fc.constantFrom('guard', 'release', 'with', 'again'),
});

const kinds: Record<string, () => { lock: Lock | RLock | Semaphore; permits: number }> = {
  Lock: () => ({ lock: new Lock(), permits: 1 }),
  RLock: () => ({ lock: new RLock(), permits: 1 }),
  'Semaphore(1)': () => ({ lock: new Semaphore(), permits: 1 }),
  'Semaphore(3)': () => ({ lock: new Semaphore(3), permits: 3 }),
  'BoundedSemaphore(2)': () => ({ lock: new BoundedSemaphore(2), permits: 2 }),
};

for (const [name, make] of Object.entries(kinds)) {
  test(`${name}: never more inside than may be, no permit lost, nobody overtakes`, () =>
    fc.assert(
      fc.asyncProperty(programs(hold), async (program) => {
        const { lock, permits } = make();
        const trace = new Trace();
        let inside = 0;
        const critical = async ({ seconds, how }: Hold): Promise<void> => {
          if (++inside > permits) throw new Error('too many inside');
          if (lock.locked() !== (lock instanceof Semaphore ? lock.value === 0 : true))
            throw new Error('locked() lies');
          try {
            if (how === 'again' && lock instanceof RLock) {
              await lock.with(async () => {
                if (seconds > 0) await sleep(seconds);
              });
            } else if (seconds > 0) await sleep(seconds);
          } finally {
            inside--;
          }
        };
        await execute(program, async (task, action) => {
          if (action.how === 'with') {
            // The trace ends when the lock has been acquired, so acquiring is traced apart.
            await lock.with(critical, action);
            return;
          }
          const call = lock.locked() ? 'acquire, locked' : 'acquire';
          const guard = await trace.of(task, call, () => lock.acquire());
          try {
            await critical(action);
          } finally {
            if (action.how === 'release') await lock.release();
            else guard.release();
          }
        });
        trace.allSettled();
        trace.atOnce('acquire');
        if (program.seed === null) trace.firstComeFirstServed('acquire, locked');
        expect([inside, lock.locked()]).toEqual([0, false]);
        if (lock instanceof Semaphore) expect(lock.value).toBe(permits);
        expect(String(lock)).toContain('0 waiting');
      }),
      { numRuns: RUNS },
    ));
}

describe('events', () => {
  type Action = 'wait' | 'set' | 'clear' | 'set and clear';
  const action = fc.constantFrom<Action>('wait', 'wait', 'wait', 'set', 'clear', 'set and clear');

  for (const Kind of [Event, UniversalEvent]) {
    test(`${Kind.name}: who waits is woken by a set(), in the order they came; who comes to a set event does not wait`, () =>
      fc.assert(
        fc.asyncProperty(programs(action), async (program) => {
          const event = new Kind();
          const trace = new Trace();
          await execute(program, async (task, action) => {
            if (action === 'wait') {
              const wasSet = event.isSet();
              await trace.of(task, wasSet ? 'wait, set' : 'wait, unset', () => event.wait());
            } else if (action === 'clear') event.clear();
            else {
              await trace.of(task, 'set', () => event.set());
              if (action === 'set and clear') event.clear();
            }
          });
          trace.allSettled();
          expect(String(event)).toContain('0 waiting');
          for (const wait of trace.done('wait, unset')) {
            // Woken by somebody, after its call.
            const sets = trace.done('set').filter((set) => set.begin > wait.begin && set.end < wait.end);
            expect(sets.length).toBeGreaterThan(0);
          }
          trace.atOnce('wait, set');
          if (program.seed === null) trace.firstComeFirstServed('wait, unset');
        }),
        { numRuns: RUNS },
      ));
  }

  test('Result: everyone who waits, or comes later, gets the same', () =>
    fc.assert(
      fc.asyncProperty(programs(fc.constantFrom('unwrap', 'unwrap', 'set')), async (program) => {
        const result = new Result<number>();
        const trace = new Trace();
        let value = 0;
        await execute(program, async (task, action) => {
          if (action === 'unwrap') {
            await trace.of(task, result.isSet() ? 'unwrap, set' : 'unwrap', () => result.unwrap());
          } else if (!result.isSet()) await result.setValue(++value);
        });
        trace.allSettled();
        const unwrapped = trace.done('unwrap', 'unwrap, set');
        for (const traced of unwrapped) expect(traced.value).toBe(1);
        if (result.isSet()) expect(value).toBe(1);
        else expect(unwrapped).toEqual([]);
        trace.atOnce('unwrap, set');
        if (program.seed === null) trace.firstComeFirstServed('unwrap');
      }),
      { numRuns: RUNS },
    ));
});
