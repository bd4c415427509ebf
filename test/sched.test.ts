// Scheduling primitives: what locks and events of one's own are made of.

import { run, sleep, spawn, type Task, TaskCancelled, TaskTimeout, timeoutAfter } from 'curio';
import { SchedBarrier, SchedBase, SchedFIFO } from 'curio/sched';
import { cancelEverywhere, explore, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** Tasks that wait in `sched` and log when they go on. */
async function waiters(sched: SchedBase, log: string[], names: string[]): Promise<Task<void>[]> {
  const tasks: Task<void>[] = [];
  for (const name of names) {
    tasks.push(
      await spawn(async () => {
        await sched.suspend('MY_WAIT');
        log.push(name);
      }),
    );
  }
  await sleep(0);
  return tasks;
}

describe('SchedFIFO', () => {
  test('wakes one task, in the order they came', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const sched = new SchedFIFO();
      expect(sched).toBeInstanceOf(SchedBase);
      const tasks = await waiters(sched, log, ['a', 'b', 'c', 'd']);
      expect(sched.length).toBe(4);
      await sched.wake();
      expect(sched.length).toBe(3);
      await sleep(1);
      log.push('-');
      await sched.wake(2);
      await sleep(1);
      log.push('-');
      await sched.wake(10);
      for (const task of tasks) await task.join();
      expect(sched.length).toBe(0);
      await sched.wake();
    });
    expect(log).toEqual(['a', '-', 'b', 'c', '-', 'd']);
  });

  test('skips those who were cancelled or timed out', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const sched = new SchedFIFO();
      const tasks = await waiters(sched, log, ['a', 'b', 'c']);
      await tasks[0]!.cancel();
      expect(tasks[0]!.exception).toBeInstanceOf(TaskCancelled);
      await expect(timeoutAfter(1, () => sched.suspend('MY_WAIT'))).rejects.toThrow(TaskTimeout);
      expect(sched.length).toBe(2);
      await tasks[1]!.cancel();
      await sched.wake();
      await tasks[2]!.join();
    });
    expect(log).toEqual(['c']);
  });
});

describe('SchedBarrier', () => {
  test('wakes all, in the order they came', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const sched = new SchedBarrier();
      const tasks = await waiters(sched, log, ['a', 'b', 'c']);
      await sched.wake();
      expect(sched.length).toBe(0);
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(['a', 'b', 'c']);
  });

  test('wakes so many, if told', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const sched = new SchedBarrier();
      const tasks = await waiters(sched, log, ['a', 'b', 'c']);
      await sched.wake(2);
      await sleep(1);
      expect(log).toEqual(['a', 'b']);
      await sched.wake();
      await tasks[2]!.join();
    });
  });

  test('does not wake who comes back to wait while the others are being woken', async () => {
    await run(quiet(), async () => {
      const sched = new SchedBarrier();
      let rounds = 0;
      const tasks: Task<unknown>[] = [];
      for (let i = 0; i < 3; i++) {
        tasks.push(
          await spawn({ daemon: true }, async () => {
            for (;;) {
              await sched.suspend('MY_WAIT');
              rounds++;
            }
          }),
        );
      }
      await sleep(1);
      await sched.wake();
      await sleep(1);
      expect(rounds).toBe(3);
      expect(sched.length).toBe(3);
      expect(tasks.map((task) => task.state)).toEqual(['MY_WAIT', 'MY_WAIT', 'MY_WAIT']);
    });
  });
});

describe('the Event of the reference manual', () => {
  class Event {
    #value = 0;
    readonly #sched = new SchedBarrier();
    async wait() {
      if (this.#value === 0) await this.#sched.suspend('EVENT_WAIT');
    }
    async set() {
      this.#value = 1;
      await this.#sched.wake(this.#sched.length);
    }
  }

  test('works in every order of its tasks', async () => {
    await explore(
      async () => {
        const event = new Event();
        const tasks: Task<void>[] = [];
        for (let i = 0; i < 4; i++) tasks.push(await spawn(() => event.wait()));
        await spawn({ daemon: true }, () => event.set());
        for (const task of tasks) await task.join();
      },
      { seeds: 30, logger: recorder() },
    );
  });

  test('leaves nobody behind wherever one of its tasks is interrupted', async () => {
    await cancelEverywhere(
      async () => {
        const event = new Event();
        const tasks: Task<void>[] = [];
        for (let i = 0; i < 3; i++) tasks.push(await spawn({ daemon: true }, () => event.wait()));
        await sleep(1);
        await event.set();
        for (const task of tasks) await task.wait();
        return tasks;
      },
      ({ result }) => {
        if (result?.some((task) => !task.terminated)) throw new Error('a task is left behind');
      },
    );
  });
});
