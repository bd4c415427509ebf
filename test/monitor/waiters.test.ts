// Who waits for whom: in the text of a DeadlockError, and in a program that still runs.

import {
  Activation,
  DeadlockError,
  Event,
  Lock,
  Queue,
  RLock,
  run,
  Semaphore,
  sleep,
  spawn,
  type Task,
  TaskGroup,
  timeoutAfter,
  UniversalQueue,
  wait,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { waitersOf } from '../../src/monitor/waiters.ts';
import { recorder } from '../kit/recorder.ts';
import { noisily, thrownBy } from '../kit/virtual.ts';

/** Knows the tasks that live, as the monitor does. */
class Living extends Activation {
  readonly tasks = new Set<Task>();
  override created(task: Task): void {
    this.tasks.add(task);
  }
  override terminated(task: Task): void {
    this.tasks.delete(task);
  }
  graph() {
    return waitersOf(this.tasks);
  }
  /** The lines of the report, task and object numbers made comparable. */
  lines(): string[] {
    return unnumbered(this.graph().text);
  }
}

/** Without the numbers, which other tests have moved on. */
function unnumbered(text: string): string[] {
  return text
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replace(/\b\d+ '/g, "'")
        .replace(/#\d+/g, ''),
    )
    .sort();
}

async function deadlock(main: () => unknown): Promise<DeadlockError> {
  const error = await thrownBy(noisily(main));
  expect(error).toBeInstanceOf(DeadlockError);
  return error as DeadlockError;
}

/** Runs `main` and then, while everybody waits, `look`. */
async function looking(main: (living: Living) => unknown): Promise<void> {
  const living = new Living();
  await run({ clock: new VirtualClock(), logger: recorder(), activations: [living] }, async () => {
    await main(living);
  });
}

const inTurn = (first: Lock | RLock | Semaphore, second: Lock | RLock | Semaphore) => async () => {
  await using _1 = await first.acquire();
  await sleep(1);
  await using _2 = await second.acquire();
};

describe('the report of a deadlock', () => {
  test('names the circle of two tasks that each hold what the other wants', async () => {
    let ids: number[] = [];
    const error = await deadlock(async function main() {
      const [a, b] = [new Lock(), new RLock()];
      const left = await spawn({ name: 'left' }, inTurn(a, b));
      const right = await spawn({ name: 'right' }, inTurn(b, a));
      ids = [left.id, right.id];
      await left.join();
    });
    expect(error.circles).toEqual([ids]);
    const lines = unnumbered(error.message);
    expect(lines).toContain("'left' waits for RLock, held by 'right'   [RLock.acquire()]");
    expect(lines).toContain("'right' waits for Lock, held by 'left'   [Lock.acquire()]");
    expect(lines).toContain("'main' waits for the end of 'left'   [Task.join()]");
    expect(lines).toContain("A circle: 'left' → RLock → 'right' → Lock → 'left'.");
  });

  test('names each of several circles, also one of a single task and one of tasks that join each other', async () => {
    const error = await deadlock(async function main() {
      const lock = new Lock();
      await spawn({ name: 'alone' }, async () => {
        await lock.acquire();
        await lock.acquire();
      });
      const tasks: Task<unknown>[] = [];
      tasks.push(await spawn({ name: 'one' }, () => tasks[1]!.join()));
      tasks.push(await spawn({ name: 'two' }, () => tasks[0]!.join()));
      await tasks[0]!.wait();
    });
    const circles = unnumbered(error.message).filter((line) => line.startsWith('A circle'));
    expect(circles).toEqual([
      "A circle: 'alone' → Lock → 'alone'.",
      "A circle: 'one' → Task → 'two' → Task → 'one'.",
    ]);
  });

  test('says that a lock is held by a task that has ended', async () => {
    const error = await deadlock(async function main() {
      const lock = new Lock();
      const forgetful = await spawn({ name: 'forgetful' }, () => lock.acquire());
      await forgetful.join();
      await lock.acquire();
    });
    expect(error.circles).toEqual([]);
    expect(error.message).toMatch(/'main' waits for Lock#\d+, held by \d+ 'forgetful', which has ended/);
  });

  test('names some of the circles where a thousand tasks each hold what a thousand others want', async () => {
    const many = 1000;
    const error = await deadlock(async function main() {
      const [a, b] = [new Semaphore(many), new Semaphore(many)];
      for (let i = 0; i < many; i++) {
        await spawn({ name: 'left' }, inTurn(a, b));
        await spawn({ name: 'right' }, inTurn(b, a));
      }
      await new Event().wait();
    });
    expect(error.circles.length).toBeGreaterThan(50);
    expect(error.circles.flat().length).toBeLessThan(20_000);
    for (const circle of error.circles) expect(new Set(circle).size).toBe(circle.length);
    const lines = unnumbered(error.message);
    expect(lines.filter((line) => line.startsWith('A circle'))).toHaveLength(50);
    expect(lines).toContain(`… and ${error.circles.length - 50} circles more.`);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(10_000);
  });

  test('finds the circle through a semaphore and a group, and describes queues and events', async () => {
    const error = await deadlock(async function main() {
      const permits = new Semaphore(2);
      await spawn({ name: 'getter' }, () => new Queue<number>(3).get());
      const group = new TaskGroup();
      await permits.acquire();
      await permits.acquire();
      await group.spawn({ name: 'member' }, () => permits.acquire());
      await group.join();
    });
    const lines = unnumbered(error.message);
    expect(lines).toContain("'main' waits for the end of 'member', in TaskGroup   [TaskGroup.join()]");
    expect(lines).toContain("'member' waits for Semaphore, held by 'main'   [Semaphore.acquire()]");
    expect(lines).toContain("A circle: 'main' → TaskGroup → 'member' → Semaphore → 'main'.");
    expect(lines).toContain(
      "'getter' waits for Queue: Queue(0 of 3 items, 1 getting, 0 putting)   [Queue.get()]",
    );
  });

  test('of ten thousand tasks that wait for each other in one line is cut, after what stands in the circle', async () => {
    const error = await deadlock(async function main() {
      let last: Task<unknown> = await spawn({ name: 'victim' }, () => new Event().wait());
      for (let n = 0; n < 10_000; n++) {
        const next = last;
        last = await spawn({ name: 'link' }, () => next.wait());
      }
      const lock = new Lock();
      await lock.acquire();
      await lock.acquire();
    });
    const report = error.message.slice(error.message.indexOf('Who waits for whom')).split('\n');
    expect(report.length).toBeLessThan(60);
    expect(report[1]).toMatch(/'main' waits for Lock#\d+, held by \d+ 'main'/);
    expect(report.at(-2)).toMatch(/and 9,?952 more/);
    expect(error.circles).toHaveLength(1);
  });
});

describe('waiters of a program that runs', () => {
  test('shows who holds what, as data that can be sent elsewhere', () =>
    looking(async (living) => {
      const lock = new Lock();
      const holder = await spawn({ name: 'holder' }, inTurn(lock, new Lock()));
      const blocked = await spawn({ name: 'blocked' }, () => lock.acquire());
      await sleep(0.5);
      const graph = living.graph();
      expect(structuredClone(graph)).toEqual(graph);
      expect(graph.waits.find(({ id }) => id === blocked.id)).toMatchObject({
        name: 'blocked',
        state: 'LOCK_ACQUIRE',
        operation: 'Lock.acquire()',
        place: null,
        about: 'Lock(locked, 1 waiting)',
        holders: [{ id: holder.id, name: 'holder', ended: false }],
        holding: 1,
      });
      expect(graph.circles).toEqual([]);
    }));

  test('keeps the number of an object from one report to the next', () =>
    looking(async (living) => {
      const event = new Event();
      await spawn({ name: 'one' }, () => event.wait());
      await sleep(1);
      const [first] = living.graph().waits.filter(({ on }) => on !== null);
      await spawn({ name: 'two' }, () => event.wait());
      await sleep(1);
      const both = living.graph().waits.filter(({ on }) => on !== null);
      expect(both.map(({ on }) => on)).toEqual([first!.on, first!.on]);
    }));

  test('describes universal queues, too, and has no more than a state to tell of an ordinary promise', () =>
    looking(async (living) => {
      await spawn({ name: 'outside' }, () => new UniversalQueue<number>().get());
      const promise = await spawn({ name: 'promise' }, () => wait(new Promise(() => {})));
      await sleep(1);
      const lines = living.lines().join();
      expect(lines).toContain("'outside' waits for UniversalQueue: UniversalQueue(0 items, 1 getting");
      expect(lines).not.toContain("'promise'");
      expect(living.graph().waits.find(({ id }) => id === promise.id)).toMatchObject({
        state: 'FUTURE_WAIT',
        on: null,
        about: null,
      });
    }));

  test('finds a circle while other tasks go on', () =>
    looking(async (living) => {
      const [a, b] = [new Lock(), new Lock()];
      const left = await spawn({ name: 'left' }, inTurn(a, b));
      const right = await spawn({ name: 'right' }, inTurn(b, a));
      await spawn({ name: 'also' }, () => a.acquire());
      await sleep(2);
      expect(living.graph().circles).toEqual([[left.id, right.id]]);
    }));

  test('calls nothing a circle that a timeout will end, or somebody outside it', () =>
    looking(async (living) => {
      const [a, b] = [new Lock(), new Lock()];
      await spawn({ name: 'left' }, async () => {
        await a.acquire();
        await sleep(1);
        await timeoutAfter(10, () => b.acquire());
      });
      await spawn({ name: 'right' }, inTurn(b, a));
      // Either member may let it go on, and one of them sleeps.
      await spawn({ name: 'group' }, async () => {
        const group = new TaskGroup();
        await group.spawn({ name: 'waits' }, async () => {
          await group.nextDone();
        });
        await group.spawn({ name: 'sleeps' }, () => sleep(100));
        await group.nextDone();
      });
      await sleep(2);
      expect(living.lines().filter((line) => line.startsWith('A circle'))).toEqual([]);
      expect(living.graph().waits.length).toBeGreaterThan(4);
    }));

  test('tells of twenty thousand that wait for what twenty thousand others hold, who wait themselves', () =>
    looking(async (living) => {
      const many = 20_000;
      const permits = new Semaphore(many);
      const lock = new Lock();
      await spawn({ name: 'holder' }, async () => {
        await using _ = await lock.acquire();
        await sleep(100);
      });
      for (let i = 0; i < many; i++) await spawn(inTurn(permits, lock));
      await sleep(2);
      for (let i = 0; i < many; i++) await spawn({ name: 'waiter' }, () => permits.acquire());
      await sleep(1);
      const graph = living.graph();
      expect(graph.circles).toEqual([]);
      expect(graph.waits.find(({ name }) => name === 'waiter')).toMatchObject({ holding: many });
    }));

  test('says so when nobody waits for anything', () =>
    looking((living) => {
      expect(living.lines()).toEqual(['No task waits for another, or for a lock, queue or the like.']);
    }));

  test('knows nothing of who holds a semaphore that is used to count, and remembers no more than its permits', () =>
    looking(async (living) => {
      const signal = new Semaphore(0);
      for (let n = 0; n < 100; n++) {
        await signal.release();
        await signal.acquire();
      }
      await spawn({ name: 'waiter' }, () => signal.acquire());
      await sleep(1);
      expect(living.graph().waits.find(({ name }) => name === 'waiter')).toMatchObject({
        holders: [],
        holding: 0,
      });
    }));

  test('forgets who held a permit when it is given back, by guard or by release()', () =>
    looking(async (living) => {
      const permits = new Semaphore(2);
      const held = await permits.acquire();
      await spawn({ name: 'other' }, async () => {
        await permits.acquire();
        await sleep(5);
        await permits.release();
        await sleep(100);
      });
      await sleep(1);
      await spawn({ name: 'waiter' }, async () => {
        await permits.acquire();
        await permits.acquire();
        await permits.acquire();
      });
      await sleep(1);
      const holders = () =>
        living
          .graph()
          .waits.find(({ name }) => name === 'waiter')!
          .holders.map(({ name }) => name);
      expect(holders()).toEqual([expect.any(String), 'other']);
      held.release();
      await sleep(1);
      expect(holders()).toEqual(['other', 'waiter']);
      await sleep(5);
      expect(holders()).toEqual(['waiter']);
    }));
});
