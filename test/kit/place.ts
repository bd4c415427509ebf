// A place where tasks wait, whatever they wait for, and what holds for each: what happens first decides, and who was chosen has its
// turn, even if the kernel stops or shuts down in between. test/waiting.test.ts and test/io/waiting.test.ts have the
// places, and what holds for theirs only. It must know nothing of Curio's insides.

import { Kernel, sleep, spawn, timeoutAfter } from 'curio';
import { VirtualClock } from 'curio/testing';
import { expect, test } from 'vitest';
import { recorder } from './recorder.ts';
import { noisily } from './virtual.ts';

/** Something that tasks wait for. */
export interface Place {
  /** Waits until something is given. */
  wait(): Promise<unknown>;
  /** Gives something to one who waits, who is chosen then. Called by the task that made the place. */
  give(): unknown;
  /** How much is there of what was given; left out where nothing is ever left for the next one. */
  left?(): number;
}

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

/**
 * Tests every order of what can happen to a waiting task in one turn.
 * @param giving what the titles call that something is given
 * @param afterwards looks at the place then, where `untaken` of what was given are left
 */
export function testFirstDecides<P extends Place>(
  giving: string,
  make: () => Promise<P>,
  afterwards: (place: P, untaken: number) => unknown,
): void {
  for (const happenings of subsets.flatMap(orders)) {
    const title = happenings.map((what) => (what === 'give' ? giving : what)).join(', then ');
    test(`${title}, in one turn: the first decides, and nothing is lost`, async () => {
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
                ends.push('has it');
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
          // What comes after a timeout was delivered finds the task ended, or ending.
          if (first === 'cancel') expect(ends).toEqual(['TaskCancelled']);
          else if (first === 'timeout') expect(ends).toEqual(['TaskTimeout']);
          else if (later.includes('cancel')) expect(ends).toEqual(['has it', 'TaskCancelled']);
          else expect(ends).toEqual(['has it', later.length > 0 ? 'TaskTimeout' : 'end']);
          const untaken = later.includes('give') ? 1 : 0;
          if (place.left) expect(place.left()).toBe(untaken);
          await afterwards(place, untaken);
        },
        { clock, logger: log },
      );
      expect(log.of('error')).toEqual([]);
    });
  }
}

/**
 * Tests that who was chosen waits for its turn until the kernel runs again.
 * @param give as the place's own, where that takes turns
 */
export function testTurnInNextRun<P extends Place>(
  make: () => Promise<P>,
  give: (place: P) => unknown = (place) => place.give(),
): void {
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
      await give(place);
    });
    expect(seen).toEqual([]);
    await kernel.run(() => sleep(1));
    expect(seen).toEqual(['has it']);
    await kernel.run({ shutdown: true });
  });
}

/**
 * Tests that who was chosen has its turn before a shutdown cancels it.
 * @param giving what the title calls that something is given
 * @param afterwards looks at the place then
 */
export function testTurnAtShutdown<P extends Place>(
  giving: string,
  make: () => Promise<P>,
  afterwards: (place: P) => void,
): void {
  test(`shutdown between its choice and its turn: it has what ${giving}, and is cancelled afterwards`, async () => {
    let place!: P;
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
    afterwards(place);
  });
}
