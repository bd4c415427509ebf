// What holds for every place where tasks wait, whatever they wait for: what happens first decides, what was given is never lost,
// and nobody is left behind when a kernel stops or shuts down.

import {
  abortable,
  BoundedSemaphore,
  type CancelledError,
  Condition,
  Event,
  Guard,
  gather,
  Kernel,
  LifoQueue,
  Lock,
  PriorityQueue,
  Queue,
  Result,
  RLock,
  RuntimeError,
  Semaphore,
  SignalEvent,
  SignalQueue,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskGroup,
  timeoutAfter,
  UniversalEvent,
  UniversalQueue,
  UniversalResult,
  wait,
} from 'curio';
import { SchedBarrier, type SchedBase, SchedFIFO } from 'curio/sched';
import { VirtualClock } from 'curio/testing';
import { futureWait } from 'curio/traps';
import { describe, expect, test } from 'vitest';
import { forgetful } from './kit/forgetful.ts';
import {
  testFirstDecides,
  testTurnAtShutdown,
  testTurnInNextRun,
  type Place as Waited,
} from './kit/place.ts';
import { recorder } from './kit/recorder.ts';
import { noisily } from './kit/virtual.ts';

/** One that says who waits in it. */
interface Place extends Waited {
  /** What says how many tasks wait in it; left out where nothing does. */
  inside?: unknown;
}

const mutex = (make: () => Lock | RLock | Semaphore) => async (): Promise<Place> => {
  const lock = make();
  await lock.acquire();
  return {
    wait: () => lock.acquire(),
    give: () => lock.release(),
    left: () => (lock.locked() ? 0 : 1),
    inside: lock,
  };
};

const flag = (make: () => Event | UniversalEvent | SignalEvent) => async (): Promise<Place> => {
  const event = make();
  return {
    wait: () => event.wait(),
    give: () => event.set(),
    inside: event instanceof SignalEvent ? undefined : event,
  };
};

const promised = (make: () => Result<number> | UniversalResult<number>) => async (): Promise<Place> => {
  const result = make();
  return { wait: () => result.unwrap(), give: () => result.setValue(1), inside: result };
};

const notified =
  (
    lock: Lock | RLock | undefined,
    wait: (condition: Condition, notified: () => boolean) => Promise<unknown>,
  ) =>
  async (): Promise<Place> => {
    const condition = new Condition(lock);
    let given = 0;
    return {
      wait: () => condition.with(() => wait(condition, () => given > 0 && given-- > 0)),
      give: () =>
        condition.with(async () => {
          given++;
          await condition.notify();
        }),
      inside: condition,
    };
  };

const queued = (name: string, make: (maxsize: number) => Queue<number> | UniversalQueue<number>) => ({
  [`${name}.get`]: async (): Promise<Place> => {
    const queue = make(0);
    return { wait: () => queue.get(), give: () => queue.put(1), left: () => queue.size(), inside: queue };
  },
  [`${name}.put`]: async (): Promise<Place> => {
    const queue = make(1);
    await queue.put(0);
    return {
      wait: () => queue.put(1),
      give: () => queue.get(),
      left: () => 1 - queue.size(),
      inside: queue,
    };
  },
  [`${name}.join`]: async (): Promise<Place> => {
    const queue = make(0);
    await queue.put(0);
    return { wait: () => queue.join(), give: () => queue.taskDone(), inside: queue };
  },
});

/** What waits for a member to end, or for any other task. It ends in a turn of its own, after the one of whoever lets it. */
const ending =
  (waiting: (group: TaskGroup, member: Task) => Promise<unknown>, left?: (group: TaskGroup) => number) =>
  async (): Promise<Place> => {
    const group = new TaskGroup();
    const event = new Event();
    const member = await group.spawn(() => event.wait());
    await sleep(0);
    return {
      wait: () => waiting(group, member),
      give: async () => {
        await event.set();
        await sleep(0);
      },
      ...(left && { left: () => left(group) }),
    };
  };

const scheduled = (sched: () => SchedBase) => async (): Promise<Place> => {
  const list = sched();
  return {
    wait: () => list.suspend('RESTING'),
    give: () => list.wake(),
    inside: { toString: () => `${list.length} waiting` },
  };
};

const settled = (waiting: (promise: Promise<void>) => Promise<unknown>) => async (): Promise<Place> => {
  let settle!: () => void;
  const promise = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return {
    wait: () => waiting(promise),
    give: async () => {
      settle();
      // What has settled says so in a few microtasks, in the same turn.
      for (let i = 0; i < 5; i++) await null;
    },
  };
};

/** Made in a task, which is to be the one that gives. */
const places: Record<string, () => Promise<Place>> = {
  'Lock.acquire': mutex(() => new Lock()),
  'RLock.acquire': mutex(() => new RLock()),
  'Semaphore.acquire': mutex(() => new Semaphore()),
  'BoundedSemaphore.acquire': mutex(() => new BoundedSemaphore()),
  'Condition.wait': notified(undefined, (condition) => condition.wait()),
  'Condition.wait, over an RLock': notified(new RLock(), (condition) => condition.wait()),
  'Condition.waitFor': notified(undefined, (condition, given) => condition.waitFor(given)),
  'Event.wait': flag(() => new Event()),
  'UniversalEvent.wait': flag(() => new UniversalEvent()),
  'SignalEvent.wait': flag(() => new SignalEvent('SIGUSR2')),
  'SignalQueue.get': async () => {
    const signals = new SignalQueue('SIGUSR2');
    return {
      wait: () => signals.get(),
      give: async () => process.emit('SIGUSR2', 'SIGUSR2'),
      left: () => signals.size(),
    };
  },
  'Result.unwrap': promised(() => new Result<number>()),
  'UniversalResult.unwrap': promised(() => new UniversalResult<number>()),
  ...queued('Queue', (maxsize) => new Queue(maxsize)),
  ...queued('PriorityQueue', (maxsize) => new PriorityQueue(maxsize)),
  ...queued('LifoQueue', (maxsize) => new LifoQueue(maxsize)),
  ...queued('UniversalQueue', (maxsize) => new UniversalQueue({ maxsize })),
  'TaskGroup.nextDone': ending(
    (group) => group.nextDone(),
    (group) => group.tasks.filter((task) => task.terminated).length,
  ),
  'Task.join': ending((_, member) => member.join()),
  'Task.wait': ending((_, member) => member.wait()),
  'TaskGroup.join': ending((group) => group.join()),
  gather: async () => {
    const event = new Event();
    return {
      wait: () => gather([() => event.wait()]),
      give: async () => {
        await event.set();
        await sleep(0);
      },
    };
  },
  SchedFIFO: scheduled(() => new SchedFIFO()),
  SchedBarrier: scheduled(() => new SchedBarrier()),
  wait: settled((promise) => wait(promise)),
  futureWait: settled((promise) => futureWait(promise)),
  abortable: settled((promise) => abortable(() => promise)),
};

const nobody = /^0 waiting|, 0 waiting|0 getting, 0 putting/;

/** Fails if somebody still waits in this place. */
function expectNobody(place: Place): void {
  if (place.inside !== undefined) expect(String(place.inside)).toMatch(nobody);
}

for (const [name, make] of Object.entries(places)) {
  describe(name, () => {
    // A member that ends, ends in a turn of its own: what is given there takes one.
    const takesTurns = /^(Task|gather)/.test(name);

    testFirstDecides('give', make, expectNobody);

    for (const how of ['cancelled', 'timed out', 'cancelled once another was chosen'] as const) {
      test(`one in the middle of the line is ${how}: those before and behind it are served, in order`, () =>
        noisily(async () => {
          const place = await make();
          const served: string[] = [];
          const waiter = (who: string, seconds: number | null) =>
            spawn({ name: who }, async () => {
              const got = await timeoutAfter(seconds, place.wait);
              served.push(who);
              // Who has a lock passes it on.
              if (got instanceof Guard) got.release();
            });
          const first = await waiter('first', null);
          const middle = await waiter('middle', how === 'timed out' ? 5 : null);
          const last = await waiter('last', null);
          await sleep(1);
          if (how === 'cancelled') await middle.cancel();
          else if (how === 'timed out') await middle.wait();
          await place.give();
          if (how === 'cancelled once another was chosen') await middle.cancel({ blocking: false });
          for (let i = 0; i < 10 && !last.terminated; i++) {
            await sleep(1);
            if (!last.terminated) await place.give();
          }
          await first.join();
          await last.join();
          // Where one gift is for all, the one in the middle had been chosen as well.
          expect(served.filter((who) => who !== 'middle')).toEqual(['first', 'last']);
          if (how !== 'cancelled once another was chosen') expect(served).not.toContain('middle');
          expectNobody(place);
        }));
    }

    test('one that was chosen and ends without taking: it is not lost, and who comes next gets it', () =>
      noisily(async () => {
        const place = await make();
        const careless = await forgetful(() => place.wait());
        const careful = await spawn(() => place.wait());
        await sleep(1);
        await place.give();
        if (careless.task.state === 'READY') await careless.end();
        else await careless.task.cancel();
        // The item of a putter that was let in is in; and what a bare wake-up was for, only its maker knows.
        if (name.endsWith('.put') || name === 'SchedFIFO') await place.give();
        await careful.join();
        expectNobody(place);
        if (place.left) expect(place.left()).toBe(0);
      }));

    test('a callback in the context of the waiting task itself may give', () =>
      noisily(async () => {
        // Not for what only another task can give: an RLock’s owner, a member that has to end, a lock in hand.
        if (takesTurns || /^(RLock|Condition)/.test(name)) return;
        const place = await make();
        const waiter = await spawn(async () => {
          setImmediate(() => void place.give());
          await place.wait();
        });
        await waiter.join();
        expectNobody(place);
      }));

    test('a call on behalf of a task that has ended is refused, but for the universal ones, and waits nowhere', async () => {
      let place!: Place;
      let late!: Promise<unknown>;
      await noisily(async () => {
        place = await make();
        const task = await spawn(async () => {
          late = new Promise((resolve) => setImmediate(resolve)).then(() =>
            Promise.race([place.wait(), 'waits']),
          );
          late.catch(() => {});
        });
        await task.join();
      });
      if (name.startsWith('Universal')) expect(await late).toBe('waits');
      else {
        await expect(late).rejects.toBeInstanceOf(RuntimeError);
        await expect(late).rejects.toThrow('which has ended');
        expectNobody(place);
      }
    });

    test('shutdown while tasks wait: all are cancelled, none is left in the place', async () => {
      // Of several tasks that join one group the first to be cancelled ends the members, and so what the others wait for.
      const many = name === 'TaskGroup.join' ? 1 : 3;
      let place!: Place;
      const seen: unknown[] = [];
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder() });
      await kernel.run({ shutdown: true }, async () => {
        place = await make();
        for (let i = 0; i < many; i++) {
          await spawn(async () => {
            try {
              await place.wait();
            } catch (error) {
              seen.push(error);
              throw error;
            }
          });
        }
        await sleep(1);
      });
      expect(seen).toHaveLength(many);
      for (const error of seen) {
        expect(error).toBeInstanceOf(TaskCancelled);
        expect((error as CancelledError).cause).toMatchObject({ message: 'The kernel shuts down.' });
      }
      expectNobody(place);
    });

    testTurnAtShutdown('it was given', make, (place) => {
      expectNobody(place);
      if (place.left) expect(place.left()).toBe(0);
    });

    testTurnInNextRun(make, (place) =>
      takesTurns ? spawn({ daemon: true }, async () => place.give()) : place.give(),
    );
  });
}
