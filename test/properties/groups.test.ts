// Random groups, compared with a model: who ends by itself, who is cancelled, what the group then says; and that nobody
// survives.

import {
  gather,
  ignoreAfter,
  sleep,
  TaskCancelled,
  TaskGroup,
  taskGroup,
  timeoutAfter,
  type WaitPolicy,
} from 'curio';
import { explore } from 'curio/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { noisily } from '../kit/virtual.ts';
import { RUNS } from './programs.ts';

/** What a member does after some seconds. */
type Ending = 'value' | 'nothing' | 'throws';

interface Member {
  /** All different, so that the model need not know who of two is first. */
  seconds: number;
  ending: Ending;
  /** Seconds that its clean-up takes when it is cancelled. */
  cleanup: number;
  daemon: boolean;
}

const members: fc.Arbitrary<Member[]> = fc
  .uniqueArray(
    fc.record({
      seconds: fc.integer({ min: 1, max: 30 }),
      ending: fc.constantFrom<Ending>('value', 'value', 'nothing', 'throws'),
      cleanup: fc.constantFrom(0, 0, 0.25, 100),
      daemon: fc.boolean(),
    }),
    { selector: (member) => member.seconds, maxLength: 6 },
  )
  .map((list) => list.map((member) => ({ ...member, daemon: member.daemon && member.seconds % 3 === 0 })));

const policy = fc.constantFrom<WaitPolicy>('all', 'any', 'object', null);

async function live({ seconds, ending, cleanup }: Member, index: number): Promise<number | null> {
  try {
    await sleep(seconds);
  } catch (error) {
    if (cleanup > 0) await sleep(cleanup);
    throw error;
  }
  if (ending === 'throws') throw new RangeError(String(index));
  return ending === 'value' ? index : null;
}

/** When a join without interruption is over, and who completes it. */
function model(list: Member[], wait: WaitPolicy): { end: number; completed: number | null } {
  const order = [...list.entries()]
    .filter(([, { daemon }]) => !daemon)
    .sort(([, a], [, b]) => a.seconds - b.seconds);
  if (wait === null) return { end: 0, completed: null };
  let completed: number | null = null;
  let end = 0;
  for (const [index, { seconds, ending }] of order) {
    end = seconds;
    if (wait === 'object' && ending === 'nothing') continue;
    completed ??= index;
    if (ending === 'throws' || wait !== 'all') break;
  }
  return { end, completed };
}

test('a group ends when, and with whom, the model says; nobody survives it', () =>
  fc.assert(
    fc.asyncProperty(
      members,
      policy,
      // When the join is cut short, if it is; between two whole seconds, so not at the end of a member.
      fc.option(fc.integer({ min: 0, max: 30 }).map((n) => n + 0.5)),
      async (list, wait, limit) => {
        await noisily(async () => {
          const group = new TaskGroup<number | null>({ wait });
          const tasks = [];
          for (const [index, member] of list.entries()) {
            tasks.push(await group.spawn({ daemon: member.daemon }, live, member, index));
          }
          const expected = model(list, wait);
          const cutShort = limit !== null && limit < expected.end;
          const end = cutShort ? limit : expected.end;
          const scope = ignoreAfter(limit);
          await scope.run(() => group.join());
          expect(scope.expired).toBe(cutShort);
          const tracked = tasks.filter((task) => !task.daemon);
          for (const [index, task] of tasks.entries()) {
            const { seconds, ending } = list[index]!;
            expect(task.terminated).toBe(true);
            // It ended by itself, or somebody’s clean-up took so long that it could.
            const cancelled = task.cancelled;
            if (seconds <= end) expect(cancelled).toBe(false);
            if (cancelled) expect(task.exception).toBeInstanceOf(TaskCancelled);
            else if (ending === 'throws') expect(task.exception).toEqual(new RangeError(String(index)));
            else expect(task.result).toBe(ending === 'value' ? index : null);
          }
          expect(group.tasks).toEqual(tracked);
          expect(group.exceptions).toEqual(tracked.map((task) => task.exception));
          if (!cutShort) {
            const completed = expected.completed === null ? null : tasks[expected.completed];
            expect(group.completed).toBe(completed);
            expect(group.exception).toBe(completed?.exception ?? null);
          }
          if (tracked.every((task) => task.exception === null)) {
            expect(group.results).toEqual(tracked.map((task) => task.result));
          } else expect(() => group.results).toThrow();
        });
      },
    ),
    { numRuns: RUNS },
  ));

test('nextDone gives every member once, in the order they end, whoever collects', () =>
  fc.assert(
    fc.asyncProperty(
      members,
      fc.integer({ min: 1, max: 3 }),
      fc.option(fc.integer({ min: 1, max: 1e6 })),
      async (list, collectors, seed) => {
        const program = async () => {
          const group = new TaskGroup<number | null>();
          for (const [index, member] of list.entries()) {
            await group.spawn({ name: String(index) }, live, member, index);
          }
          const collected: string[] = [];
          const collect = async () => {
            for await (const task of group) collected.push(task.name);
          };
          await gather(Array.from({ length: collectors }, () => collect));
          expect(group.tasks).toEqual([]);
          const order = [...list.entries()].sort(([, a], [, b]) => a.seconds - b.seconds);
          expect(collected).toEqual(order.map(([index]) => String(index)));
          await group.join();
        };
        if (seed === null) await noisily(program);
        else await explore(program, { seeds: [seed] });
      },
    ),
    { numRuns: RUNS },
  ));

test('gather gives all the results, or throws what was thrown first, and leaves nobody running', () =>
  fc.assert(
    fc.asyncProperty(
      members,
      fc.option(fc.integer({ min: 0, max: 30 }).map((n) => n + 0.5)),
      async (list, limit) => {
        let alive = 0;
        await noisily(async () => {
          const fns = list.map((member, index) => async () => {
            alive++;
            try {
              return await live(member, index);
            } finally {
              alive--;
            }
          });
          const failing = list
            .filter(({ ending }) => ending === 'throws')
            .sort((a, b) => a.seconds - b.seconds)[0];
          const end = failing?.seconds ?? Math.max(0, ...list.map(({ seconds }) => seconds));
          const outcome = await timeoutAfter(limit, () => gather(fns)).catch((error: unknown) => error);
          expect(alive).toBe(0);
          if (limit !== null && limit < end) expect((outcome as Error).name).toBe('TaskTimeout');
          else if (failing !== undefined)
            expect(outcome).toEqual(new RangeError(String(list.indexOf(failing))));
          else expect(outcome).toEqual(list.map(({ ending }, index) => (ending === 'value' ? index : null)));
        });
      },
    ),
    { numRuns: RUNS },
  ));

/** Groups within groups: each member may be a group of its own. */
interface Tree {
  seconds: number;
  kids: Tree[];
}

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.record({
    seconds: fc.integer({ min: 0, max: 10 }),
    kids: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant<Tree[]>([]),
      fc.array(tie('tree'), { maxLength: 3 }),
    ),
  }),
}));

test('groups within groups: wherever one is cut short, everything below it has ended when it returns', () =>
  fc.assert(
    fc.asyncProperty(
      tree,
      fc.integer({ min: 0, max: 12 }),
      fc.option(fc.integer({ min: 1, max: 1e6 })),
      async (root, at, seed) => {
        let alive = 0;
        const grow = async ({ seconds, kids }: Tree): Promise<void> => {
          alive++;
          try {
            await taskGroup(async (group) => {
              for (const kid of kids) await group.spawn(grow, kid);
              await sleep(seconds);
            });
          } finally {
            alive--;
          }
        };
        const program = async () => {
          alive = 0;
          await ignoreAfter(at, grow, root);
          expect(alive).toBe(0);
        };
        if (seed === null) await noisily(program);
        else await explore(program, { seeds: [seed] });
      },
    ),
    { numRuns: RUNS },
  ));
