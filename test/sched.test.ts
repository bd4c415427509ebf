// Scheduling primitives, and what one builds of them.

import {
  CancelledError,
  ignoreAfter,
  RuntimeError,
  sleep,
  spawn,
  type Task,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { SchedBarrier, SchedBase, SchedFIFO } from 'curio/sched';
import { cancelEverywhere, explore } from 'curio/testing';
import { schedulerWait, schedulerWake } from 'curio/traps';
import { describe, expect, test } from 'vitest';
import { noisily, thrownBy, virtually } from './kit/virtual.ts';

/** Tasks that suspend in `sched` and log their names when woken. */
async function sleepers(sched: SchedBase, log: string[], ...names: string[]): Promise<Task[]> {
  const tasks = [];
  for (const name of names) {
    tasks.push(
      await spawn(async () => {
        await sched.suspend('RESTING');
        log.push(name);
      }),
    );
  }
  await sleep(0);
  return tasks;
}

const joinAll = async (tasks: Task[]) => {
  for (const task of tasks) if (!task.cancelled) await task.join();
};

for (const Kind of [SchedFIFO, SchedBarrier]) {
  describe(Kind.name, () => {
    test('has a length: the number of tasks suspended in it', () =>
      virtually(async () => {
        const sched = new Kind();
        expect(sched).toBeInstanceOf(SchedBase);
        expect(sched.length).toBe(0);
        const tasks = await sleepers(sched, [], 'a', 'b', 'c');
        expect(sched.length).toBe(3);
        await sched.wake(1);
        expect(sched.length).toBe(2);
        await sched.wake(2);
        expect(sched.length).toBe(0);
        await joinAll(tasks);
      }));

    test('the reason becomes the state name', () =>
      virtually(async () => {
        const sched = new Kind();
        const [task] = await sleepers(sched, [], 'a');
        expect(task!.state).toBe('RESTING');
        await sched.wake(1);
        expect(task!.state).toBe('READY');
        await task!.join();
      }));

    test('wake(n) wakes up to n, in the order they came, and does not give up control', () =>
      virtually(async () => {
        const log: string[] = [];
        const sched = new Kind();
        const tasks = await sleepers(sched, log, 'a', 'b', 'c', 'd');
        await sched.wake(0);
        await sched.wake(2);
        log.push('woken');
        await sleep(0);
        expect(log).toEqual(['woken', 'a', 'b']);
        await sched.wake(100);
        await joinAll(tasks);
        expect(log).toEqual(['woken', 'a', 'b', 'c', 'd']);
        // With nobody there it does nothing.
        await sched.wake();
        await sched.wake(5);
      }));

    test('cancelled and timed-out tasks leave it, and are skipped', () =>
      virtually(async () => {
        const log: string[] = [];
        const sched = new Kind();
        const tasks = await sleepers(sched, log, 'a', 'b', 'c');
        expect(await thrownBy(timeoutAfter(1, () => sched.suspend('RESTING')))).toBeInstanceOf(TaskTimeout);
        await tasks[0]!.cancel();
        expect(sched.length).toBe(2);
        await sched.wake(1);
        await sleep(0);
        expect(log).toEqual(['b']);
        await sched.wake(1);
        await joinAll(tasks);
        expect(log).toEqual(['b', 'c']);
      }));

    test('who was woken and then cancelled before it ran has been woken', () =>
      virtually(async () => {
        const log: string[] = [];
        const sched = new Kind();
        const task = await spawn(async () => {
          await sched.suspend('RESTING');
          log.push('woken');
          await sleep(1);
          log.push('never here');
        });
        await sleep(0);
        await sched.wake(1);
        await task.cancel();
        expect(log).toEqual(['woken']);
        expect(task.exception).toBeInstanceOf(TaskCancelled);
      }));

    test('schedulerWait() and schedulerWake() work on it, with a value or an exception', () =>
      virtually(async () => {
        const sched = new Kind();
        const bad = new RangeError('bad');
        const tasks = [];
        for (let i = 0; i < 4; i++) {
          tasks.push(await spawn(() => schedulerWait(sched, 'RESTING').catch((error) => error)));
        }
        await sleep(0);
        await schedulerWake(sched);
        await schedulerWake(sched, 2, 'value');
        await schedulerWake(sched, 1, undefined, bad);
        const results = [];
        for (const task of tasks) results.push(await task.join());
        expect(results).toEqual([undefined, 'value', 'value', bad]);
        expect(sched.length).toBe(0);
      }));

    test('a second operation while one waits is refused at the call; so is a reason that is no string', () =>
      noisily(async () => {
        const sched = new Kind();
        expect(() => sched.suspend(undefined as never)).toThrow('suspend() wants the name of a state');
        expect(() => sched.wake('all' as never)).toThrow('wake() wants a number of tasks, not "all"');
        const task = await spawn(async () => {
          const first = sched.suspend('RESTING');
          expect(() => sched.suspend('RESTING')).toThrow(TaskBusyError);
          await first;
        });
        await sleep(0);
        expect(sched.length).toBe(1);
        await sched.wake();
        await task.join();
      }));

    test('outside a task it is refused', async () => {
      const sched = new Kind();
      expect(await thrownBy(sched.suspend('RESTING'))).toBeInstanceOf(RuntimeError);
      expect(await thrownBy(sched.wake())).toBeInstanceOf(RuntimeError);
    });
  });
}

describe('without a number', () => {
  test('a SchedFIFO wakes one, a SchedBarrier all', () =>
    virtually(async () => {
      const log: string[] = [];
      const [fifo, barrier] = [new SchedFIFO(), new SchedBarrier()];
      const tasks = [
        ...(await sleepers(fifo, log, 'a', 'b')),
        ...(await sleepers(barrier, log, 'c', 'd', 'e')),
      ];
      await fifo.wake();
      await barrier.wake();
      expect([fifo.length, barrier.length]).toEqual([1, 0]);
      await fifo.wake();
      await joinAll(tasks);
      expect(log).toEqual(['a', 'c', 'd', 'e', 'b']);
    }));
});

describe('built of them', () => {
  /** The manual's own example. */
  class HandmadeEvent {
    #value = false;
    readonly #sched = new SchedBarrier();

    async wait(): Promise<void> {
      if (!this.#value) await this.#sched.suspend('EVENT_WAIT');
    }

    async set(): Promise<void> {
      this.#value = true;
      await this.#sched.wake(this.#sched.length);
    }
  }

  test('an event', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new HandmadeEvent();
      const tasks = [];
      for (const name of ['a', 'b']) {
        tasks.push(
          await spawn(async () => {
            await event.wait();
            log.push(name);
          }),
        );
      }
      await sleep(1);
      expect(tasks[0]!.state).toBe('EVENT_WAIT');
      await event.set();
      await event.wait();
      log.push('set');
      await joinAll(tasks);
      expect(log).toEqual(['set', 'a', 'b']);
    }));

  class HandmadeLock {
    locked = false;
    readonly sched = new SchedFIFO();

    async acquire(): Promise<void> {
      while (this.locked) await this.sched.suspend('LOCK_ACQUIRE');
      this.locked = true;
    }

    async release(): Promise<void> {
      this.locked = false;
      await this.sched.wake();
    }
  }

  test('a lock, in every order and wherever it is interrupted', async () => {
    let lock!: HandmadeLock;
    let inside = 0;
    const program = async () => {
      lock = new HandmadeLock();
      inside = 0;
      const critical = async () => {
        await lock.acquire();
        try {
          expect(++inside).toBe(1);
          await sleep(1);
        } finally {
          inside--;
          await lock.release();
        }
      };
      const tasks = [];
      for (let i = 0; i < 3; i++) tasks.push(await spawn(critical));
      tasks.push(await spawn(() => ignoreAfter(1.5, critical)));
      for (const task of tasks) await task.wait();
    };
    await cancelEverywhere(program, ({ error }) => {
      if (error instanceof Error && !(error instanceof CancelledError)) throw error;
      expect([inside, lock.locked, lock.sched.length]).toEqual([0, false, 0]);
    });
    await explore(program, { seeds: 30 });
  });
});
