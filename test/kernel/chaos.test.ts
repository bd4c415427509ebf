// Random programs: tasks that do everything to each other, badly written ones among them. Whatever they do, the run settles,
// every task ends, each one's turns alternate with its rests, and no item is lost or doubled.

import {
  Activation,
  abortable,
  Condition,
  checkCancellation,
  currentSignal,
  DeadlockError,
  disableCancellation,
  Event,
  ignoreAfter,
  Kernel,
  Lock,
  Queue,
  RLock,
  run,
  Semaphore,
  setCancellation,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskGroup,
  timeoutAfter,
  wait,
} from 'curio';
import { randomNumbers, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';

class Odd extends Error {}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const rejected = Promise.reject(new Error('rejected'));
rejected.catch(() => {});

/** Checks that a task runs and rests in turn, and that nothing follows its end. */
class Turns extends Activation {
  readonly #states = new Map<number, 'resting' | 'running' | 'ended'>();
  readonly wrong: string[] = [];
  #step(task: Task, from: string, to: 'resting' | 'running' | 'ended'): void {
    const state = this.#states.get(task.id) ?? 'new';
    if (state !== from) this.wrong.push(`Task ${task.id}: from ${state} to ${to}`);
    this.#states.set(task.id, to);
  }
  override created(task: Task): void {
    this.#step(task, 'new', 'resting');
  }
  override running(task: Task): void {
    this.#step(task, 'resting', 'running');
  }
  override suspended(task: Task): void {
    this.#step(task, 'running', 'resting');
  }
  override terminated(task: Task): void {
    this.#step(task, 'resting', 'ended');
  }
  get unended(): number {
    return [...this.#states.values()].filter((state) => state !== 'ended').length;
  }
}

class World {
  readonly random: () => number;
  readonly queue = new Queue<number>(3);
  readonly event = new Event();
  readonly lock = new Lock();
  readonly semaphore = new Semaphore(2);
  readonly condition = new Condition(new RLock());
  readonly tasks: Task<unknown>[] = [];

  constructor(seed: number) {
    this.random = randomNumbers(seed);
  }

  below(n: number): number {
    return Math.floor(this.random() * n);
  }

  any(): Task<unknown> | undefined {
    return this.tasks[this.below(this.tasks.length)];
  }

  async spawn(depth: number): Promise<void> {
    if (this.tasks.length > 40) return;
    this.tasks.push(await spawn({ daemon: true }, () => this.live(depth)));
  }

  /** A task's life: some steps, each of which may fail, be cut short, or be done carelessly. */
  async live(depth: number): Promise<number> {
    for (let left = 2 + this.below(6); left > 0; left--) {
      try {
        await this.step(depth);
      } catch (error) {
        if (this.below(4) === 0) throw error;
      }
    }
    return depth;
  }

  async step(depth: number): Promise<unknown> {
    switch (this.below(27)) {
      case 0:
        return sleep(0);
      case 1:
        return sleep(this.below(5));
      case 2:
        return turn();
      case 3:
      case 4:
        return this.queue.put(1);
      case 5:
      case 6:
        return this.queue.get();
      case 7:
        return this.event.isSet() ? this.event.clear() : this.event.set();
      case 8:
        return ignoreAfter(this.below(4), () => this.event.wait());
      case 9:
        return this.lock.with(() => sleep(this.below(2)));
      case 10:
        return this.spawn(depth + 1);
      case 11:
        return this.any()?.cancel({ blocking: this.below(2) === 0 && this.below(2) === 0 });
      case 12:
        return timeoutAfter(this.below(4), () => this.live(depth + 1));
      case 13:
        return timeoutAfter(this.below(4), async () => this.any()?.join());
      case 14: {
        const group = new TaskGroup({ wait: this.below(2) === 0 ? 'any' : 'all' });
        await group.spawn(() => this.live(depth + 1));
        await group.spawn(() => sleep(this.below(4)));
        return group.join();
      }
      case 15:
        return wait(this.below(2) === 0 ? turn() : rejected);
      case 16: {
        // A forgotten await: what follows is refused, or the task ends and the operation is withdrawn.
        void this.event.wait();
        return this.below(2) === 0 ? sleep(1) : turn();
      }
      case 17: {
        let done!: () => void;
        const promise = new Promise<void>((resolve) => {
          done = resolve;
        });
        this.tasks.push(await spawn({ daemon: true }, async () => done()));
        return promise;
      }
      case 18:
        throw this.below(2) === 0 ? new Error('a crash') : Object.create(null);
      case 19:
        return disableCancellation(() => this.live(depth + 1));
      case 20:
        return abortable(async (signal) => {
          for (let i = this.below(6); i > 0 && !signal.aborted; i--) await turn();
          signal.throwIfAborted();
        });
      case 21:
        return this.semaphore.with(() => this.step(depth + 1));
      case 22:
        return this.condition.with(async () => {
          if (this.below(2) === 0) return this.condition.notify(1 + this.below(2));
          return ignoreAfter(this.below(4), () => this.condition.wait());
        });
      case 23:
        return timeoutAfter(this.below(4), () => ignoreAfter(this.below(4), () => this.step(depth + 1)));
      case 24:
        return this.any()?.cancel({ exc: this.below(2) === 0 ? Odd : new Odd(), blocking: false });
      case 25: {
        currentSignal();
        if (this.below(2) === 0) return checkCancellation();
        await setCancellation(new TaskCancelled('planted'));
        return;
      }
      default:
        for (let i = this.below(30); i > 0; i--) await null;
        return;
    }
  }
}

describe('random programs', () => {
  const SEEDS = 400;

  test('settle, end every task, and keep turns and rests in order', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const turns = new Turns();
      const world = new World(seed);
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder(), activations: [turns] });
      const outcome = await kernel
        .run({ shutdown: true }, async () => {
          for (let i = 0; i < 5; i++) await world.spawn(0);
          for (let i = 0; i < 10; i++) {
            await sleep(1);
            if (i % 3 === 0) await turn();
          }
          return 'main';
        })
        .catch((error) => error);
      expect(turns.wrong, `seed ${seed}`).toEqual([]);
      expect(turns.unended, `seed ${seed}`).toBe(0);
      expect(
        world.tasks.every((task) => task.terminated),
        `seed ${seed}`,
      ).toBe(true);
      // Who swallows its cancellation and then blocks for ever is given up, with what it holds; and that is told.
      if (outcome instanceof DeadlockError) continue;
      expect(outcome, `seed ${seed}`).toBe('main');
      const { lock, condition, semaphore } = world;
      expect([lock.locked(), condition.locked(), semaphore.value], `seed ${seed}`).toEqual([false, false, 2]);
    }
  });

  test('do the same in kernels that are stopped and go on again and again', async () => {
    for (let seed = 1; seed <= SEEDS / 4; seed++) {
      const turns = new Turns();
      const world = new World(seed);
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder(), activations: [turns] });
      await kernel.run(() => world.spawn(0));
      await kernel.run(() => world.spawn(0));
      for (let i = 0; i < 30; i++) {
        if (i % 5 === 4) await kernel.run(() => sleep(1));
        else await kernel.run();
        if (i % 3 === 0) await turn();
      }
      await kernel.run({ shutdown: true }).catch((error) => expect(error).toBeInstanceOf(DeadlockError));
      expect(turns.wrong, `seed ${seed}`).toEqual([]);
      expect(turns.unended, `seed ${seed}`).toBe(0);
    }
  });

  test('of producers and consumers, cancelled at random, lose and double nothing', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = randomNumbers(seed);
      const below = (n: number) => Math.floor(random() * n);
      const queue = new Queue<number>(below(4));
      const sent: number[] = [];
      const received: number[] = [];
      await run({ clock: new VirtualClock(), logger: recorder() }, async () => {
        let next = 0;
        const producer = async () => {
          for (;;) {
            const item = next++;
            await queue.put(item);
            sent.push(item);
            if (below(3) === 0) await turn();
            await sleep(below(3));
          }
        };
        const consumer = async () => {
          for (;;) {
            const item = await (below(2) === 0
              ? queue.get()
              : ignoreAfter({ timeoutResult: null }, below(3), () => queue.get()));
            if (item !== null) received.push(item);
            if (below(3) === 0) await turn();
            await sleep(below(3));
          }
        };
        const tasks: Task<unknown>[] = [];
        for (let i = 0; i < 60; i++) {
          if (tasks.length < 6)
            tasks.push(await spawn({ daemon: true }, below(2) === 0 ? producer : consumer));
          if (below(3) === 0)
            await tasks.splice(below(tasks.length), 1)[0]!.cancel({ blocking: below(2) === 0 });
          await sleep(below(2));
          if (below(4) === 0) await turn();
        }
        for (const task of tasks) await task.cancel();
      });
      const rest: number[] = [];
      await run(async () => {
        while (!queue.empty()) rest.push(await queue.get());
      });
      const all = [...received, ...rest];
      expect(new Set(all).size, `seed ${seed}: doubled`).toBe(all.length);
      all.sort((a, b) => a - b);
      sent.sort((a, b) => a - b);
      expect(all, `seed ${seed}`).toEqual(sent);
    }
  });
});
