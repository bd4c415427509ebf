// What holds for every place where tasks wait, whatever they wait for: what happens first decides, what was given is never lost,
// and nobody is left behind when a kernel stops or shuts down.

import {
  BoundedSemaphore,
  type CancelledError,
  Condition,
  Event,
  Kernel,
  LifoQueue,
  Lock,
  PriorityQueue,
  Queue,
  Result,
  RLock,
  RuntimeError,
  Semaphore,
  sleep,
  spawn,
  TaskCancelled,
  TaskGroup,
  timeoutAfter,
  UniversalEvent,
  UniversalQueue,
  UniversalResult,
} from 'curio';
import { SchedBarrier, SchedFIFO } from 'curio/sched';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { forgetful } from './kit/forgetful.ts';
import { recorder } from './kit/recorder.ts';
import { noisily } from './kit/virtual.ts';

interface Place {
  /** Waits until something is given. */
  wait(): Promise<unknown>;
  /** Gives something to one who waits. Called by the task that made the place. */
  give(): Promise<unknown>;
  /** How much is there of what was given; null where it is for those only who wait at that time. */
  left(): number | null;
  /** Who waits: the thing itself, or a place where it says so. */
  inside(): string;
}

/** Made in a task, which is to be the one that gives. */
const places: Record<string, () => Promise<Place>> = {
  'Lock.acquire': async () => {
    const lock = new Lock();
    await lock.acquire();
    return {
      wait: () => lock.acquire(),
      give: () => lock.release(),
      left: () => (lock.locked() ? 0 : 1),
      inside: () => String(lock),
    };
  },
  'RLock.acquire': async () => {
    const lock = new RLock();
    await lock.acquire();
    return {
      wait: () => lock.acquire(),
      give: () => lock.release(),
      left: () => (lock.locked() ? 0 : 1),
      inside: () => String(lock),
    };
  },
  'Semaphore.acquire': async () => {
    const semaphore = new Semaphore(0);
    return {
      wait: () => semaphore.acquire(),
      give: () => semaphore.release(),
      left: () => semaphore.value,
      inside: () => String(semaphore),
    };
  },
  'BoundedSemaphore.acquire': async () => {
    const semaphore = new BoundedSemaphore(1);
    await semaphore.acquire();
    return {
      wait: () => semaphore.acquire(),
      give: () => semaphore.release(),
      left: () => semaphore.value,
      inside: () => String(semaphore),
    };
  },
  'Condition.wait': async () => {
    const condition = new Condition();
    return {
      wait: () => condition.with(() => condition.wait()),
      give: () => condition.with(() => condition.notify()),
      left: () => null,
      inside: () => String(condition),
    };
  },
  'Event.wait': async () => {
    const event = new Event();
    return {
      wait: () => event.wait(),
      give: () => event.set(),
      left: () => null,
      inside: () => String(event),
    };
  },
  'Result.unwrap': async () => {
    const result = new Result<number>();
    return {
      wait: () => result.unwrap(),
      give: () => result.setValue(1),
      left: () => null,
      inside: () => String(result),
    };
  },
  'UniversalEvent.wait': async () => {
    const event = new UniversalEvent();
    return {
      wait: () => event.wait(),
      give: () => event.set(),
      left: () => null,
      inside: () => String(event),
    };
  },
  'UniversalResult.unwrap': async () => {
    const result = new UniversalResult<number>();
    return {
      wait: () => result.unwrap(),
      give: () => result.setValue(1),
      left: () => null,
      inside: () => String(result),
    };
  },
  ...Object.fromEntries(
    [
      ['Queue', (maxsize: number) => new Queue<number>(maxsize)] as const,
      ['PriorityQueue', (maxsize: number) => new PriorityQueue<number>(maxsize)] as const,
      ['LifoQueue', (maxsize: number) => new LifoQueue<number>(maxsize)] as const,
      ['UniversalQueue', (maxsize: number) => new UniversalQueue<number>({ maxsize })] as const,
    ].flatMap(([name, make]) => [
      [
        `${name}.get`,
        async () => {
          const queue = make(0);
          return {
            wait: () => queue.get(),
            give: () => queue.put(1),
            left: () => queue.size(),
            inside: () => String(queue),
          };
        },
      ],
      [
        `${name}.put`,
        async () => {
          const queue = make(1);
          await queue.put(0);
          return {
            wait: () => queue.put(1),
            give: () => queue.get(),
            left: () => 1 - queue.size(),
            inside: () => String(queue),
          };
        },
      ],
      [
        `${name}.join`,
        async () => {
          const queue = make(0);
          await queue.put(0);
          return {
            wait: () => queue.join(),
            give: () => queue.taskDone(),
            left: () => null,
            inside: () => String(queue),
          };
        },
      ],
    ]),
  ),
  'TaskGroup.nextDone': async () => {
    const group = new TaskGroup();
    const event = new Event();
    await group.spawn(() => event.wait());
    await sleep(0);
    return {
      wait: () => group.nextDone(),
      give: async () => {
        await event.set();
        await sleep(0);
      },
      left: () => group.tasks.filter((task) => task.terminated).length,
      inside: () => '0 waiting',
    };
  },
  'Task.join': async () => {
    const event = new Event();
    const task = await spawn(() => event.wait());
    await sleep(0);
    return {
      wait: () => task.join(),
      give: async () => {
        await event.set();
        await sleep(0);
      },
      left: () => null,
      inside: () => '0 waiting',
    };
  },
  SchedFIFO: async () => {
    const sched = new SchedFIFO();
    return {
      wait: () => sched.suspend('RESTING'),
      give: () => sched.wake(),
      left: () => null,
      inside: () => `${sched.length} waiting`,
    };
  },
  SchedBarrier: async () => {
    const sched = new SchedBarrier();
    return {
      wait: () => sched.suspend('RESTING'),
      give: () => sched.wake(),
      left: () => null,
      inside: () => `${sched.length} waiting`,
    };
  },
};

const nobody = /^0 waiting|, 0 waiting|0 getting, 0 putting/;

type Happening = 'give' | 'cancel' | 'timeout';

/** All the orders of several things. */
function orders<T>(things: T[]): T[][] {
  if (things.length < 2) return [things];
  return things.flatMap((first, i) =>
    orders(things.filter((_, j) => j !== i)).map((rest) => [first, ...rest]),
  );
}

const subsets: Happening[][] = [
  ['give'],
  ['cancel'],
  ['timeout'],
  ['give', 'cancel'],
  ['give', 'timeout'],
  ['cancel', 'timeout'],
  ['give', 'cancel', 'timeout'],
];

for (const [name, make] of Object.entries(places)) {
  describe(name, () => {
    // A member that ends, ends in a turn of its own: what is given there takes one.
    const takesTurns = name.startsWith('Task');

    for (const happenings of subsets.flatMap(orders)) {
      test(`${happenings.join(', then ')}, in one turn: the first decides, and nothing is lost`, async () => {
        const clock = new VirtualClock();
        const log = recorder();
        const limit = 10;
        await noisily(
          async () => {
            const place = await make();
            const ends: string[] = [];
            const waiter = await spawn(async () => {
              try {
                await timeoutAfter(limit, async () => {
                  await place.wait();
                  ends.push('give');
                  // Whatever came afterwards is delivered here.
                  await sleep(1);
                });
              } catch (error) {
                ends.push((error as Error).name);
                throw error;
              }
              ends.push('end');
            });
            // A timeout that comes first expires on its own; a later one is overdue when the kernel looks.
            await sleep(happenings[0] === 'timeout' ? limit : 1);
            for (const what of happenings) {
              if (what === 'give') await place.give();
              else if (what === 'cancel') await waiter.cancel({ blocking: false });
              else if (what !== happenings[0]) clock.advance(limit);
            }
            await waiter.wait();
            const [first, ...later] = happenings;
            const interruption = { give: '', cancel: 'TaskCancelled', timeout: 'TaskTimeout' };
            if (first !== 'give') {
              // What comes after a timeout was delivered finds the task ended, or ending.
              expect(ends).toEqual([interruption[first!]]);
            } else if (takesTurns && later.length > 0) {
              expect(ends[0]).toBe('give');
            } else if (later.includes('cancel')) {
              expect(ends).toEqual(['give', 'TaskCancelled']);
            } else expect(ends).toEqual(['give', later.length > 0 ? 'TaskTimeout' : 'end']);
            const given = happenings.includes('give') ? 1 : 0;
            const left = place.left();
            if (left !== null) expect(left + (ends[0] === 'give' ? 1 : 0)).toBe(given);
            expect(place.inside()).toMatch(nobody);
          },
          { clock, logger: log },
        );
        expect(log.of('error')).toEqual([]);
      });
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
        expect(place.inside()).toMatch(nobody);
        if (place.left() !== null) expect(place.left()).toBe(0);
      }));

    test('a callback in the context of the waiting task itself may give', () =>
      noisily(async () => {
        // Not for what only another task can give: an RLock’s owner, a member that has to end, a lock in hand.
        if (/^(RLock|Task|Condition)/.test(name)) return;
        const place = await make();
        const waiter = await spawn(async () => {
          setImmediate(() => void place.give());
          await place.wait();
        });
        await waiter.join();
        expect(place.inside()).toMatch(nobody);
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
        expect(place.inside()).toMatch(nobody);
      }
    });

    test('shutdown while tasks wait: all are cancelled, none is left in the place', async () => {
      let place!: Place;
      const seen: unknown[] = [];
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder() });
      await kernel.run({ shutdown: true }, async () => {
        place = await make();
        for (let i = 0; i < 3; i++) {
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
      expect(seen).toHaveLength(3);
      for (const error of seen) {
        expect(error).toBeInstanceOf(TaskCancelled);
        expect((error as CancelledError).cause).toMatchObject({ message: 'The kernel shuts down.' });
      }
      expect(place.inside()).toMatch(nobody);
    });

    test('shutdown between its choice and its turn: it has what it was given, and is cancelled afterwards', async () => {
      let place!: Place;
      const seen: string[] = [];
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder() });
      await kernel.run({ shutdown: true }, async () => {
        place = await make();
        await spawn(async () => {
          await place.wait();
          seen.push('has it');
          try {
            await sleep(1);
          } catch (error) {
            seen.push((error as Error).name);
            throw error;
          }
        });
        await sleep(1);
        await place.give();
      });
      expect(seen).toEqual(['has it', 'TaskCancelled']);
      expect(place.inside()).toMatch(nobody);
      if (place.left() !== null) expect(place.left()).toBe(0);
    });

    test('the kernel stops between its choice and its turn: it goes on in the next run', async () => {
      const seen: string[] = [];
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder() });
      await kernel.run(async () => {
        const place = await make();
        await spawn({ daemon: true }, async () => {
          await place.wait();
          seen.push('has it');
        });
        await sleep(1);
        if (!takesTurns) await place.give();
        else await spawn({ daemon: true }, () => place.give());
      });
      expect(seen).toEqual([]);
      await kernel.run(() => sleep(1));
      expect(seen).toEqual(['has it']);
      await kernel.run({ shutdown: true });
    });
  });
}
