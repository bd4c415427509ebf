// The heap of deadlines, against a sorted list; and the one timer that stands for all of them.

import { type Clock, Kernel, run, sleep, spawn, type Task, TaskTimeout, timeoutAfter } from 'curio';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Deadlines } from '../../src/kernel/deadlines.ts';
import type { TaskRecord } from '../../src/kernel/record.ts';
import { recorder } from '../kit/recorder.ts';

/** As much of a task as the heap needs. */
const entry = (id: number) =>
  ({ id, deadline: null, deadlineOrder: 0, heapIndex: -1 }) as unknown as TaskRecord;

describe('the heap', () => {
  test('gives the next deadline, and what is due, in order', () => {
    const heap = new Deadlines();
    expect(heap.next).toBe(null);
    expect(heap.takeDue(1e9)).toBe(null);
    const [a, b, c] = [entry(1), entry(2), entry(3)];
    heap.set(b, 50);
    heap.set(c, 100);
    heap.set(a, 25);
    expect(heap.size).toBe(3);
    expect(heap.next).toBe(25);
    expect(heap.takeDue(24.9)).toBe(null);
    expect(heap.takeDue(25)).toBe(a);
    expect(heap.takeDue(25)).toBe(null);
    expect(heap.next).toBe(50);
    expect([heap.takeDue(101), heap.takeDue(101), heap.takeDue(101)]).toEqual([b, c, null]);
    expect([heap.size, heap.next]).toEqual([0, null]);
    heap.remove(c);
    expect(heap.size).toBe(0);
  });

  test('is a list sorted by deadline, then by when it was set, whatever is done to it', () => {
    const step = fc.record({
      task: fc.nat(30),
      deadline: fc.option(fc.nat(20), { freq: 3, nil: null }),
      now: fc.option(fc.nat(20), { freq: 2, nil: null }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new Deadlines();
        const tasks = Array.from({ length: 31 }, (_, id) => entry(id));
        let model: { task: TaskRecord; deadline: number }[] = [];
        for (const { task: id, deadline, now } of steps) {
          const task = tasks[id]!;
          const old = model.find((it) => it.task === task);
          if (deadline === null) {
            heap.remove(task);
            model = model.filter((it) => it !== old);
          } else {
            heap.set(task, deadline);
            // One that is set to what it was keeps its place.
            if (old?.deadline !== deadline) {
              model = model.filter((it) => it !== old);
              const at = model.findIndex((it) => it.deadline > deadline);
              model.splice(at < 0 ? model.length : at, 0, { task, deadline });
            }
          }
          if (now !== null) {
            const due = model.length > 0 && model[0]!.deadline <= now ? model.shift()!.task : null;
            expect(heap.takeDue(now)).toBe(due);
          }
          expect([heap.size, heap.next]).toEqual([model.length, model[0]?.deadline ?? null]);
          for (const it of tasks) expect(it.heapIndex >= 0).toBe(model.some((entry) => entry.task === it));
        }
        while (model.length > 0) expect(heap.takeDue(20)).toBe(model.shift()!.task);
        expect(heap.takeDue(20)).toBe(null);
      }),
    );
  });
});

/** A clock that notes what it is asked for, and moves when it is told. */
class HandClock implements Clock {
  time = 0;
  asked: number[] = [];
  pending = new Map<() => void, number>();
  now() {
    return this.time;
  }
  schedule(deadline: number, wake: () => void, background = false) {
    if (!background) this.asked.push(deadline - this.time);
    this.pending.set(wake, deadline);
    return () => void this.pending.delete(wake);
  }
  async moveTo(time: number) {
    this.time = time;
    for (const [wake, deadline] of [...this.pending]) {
      if (deadline > time || !this.pending.delete(wake)) continue;
      wake();
      await settled();
    }
  }
}

const settled = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('the timer', () => {
  test('is one, for the earliest deadline, and asks for the next when that has come', async () => {
    const clock = new HandClock();
    const log: number[] = [];
    const running = run({ clock, logger: recorder() }, async () => {
      const tasks: Task<unknown>[] = [];
      for (const seconds of [50, 25, 100]) {
        tasks.push(
          await spawn(async () => {
            await sleep(seconds);
            log.push(seconds);
          }),
        );
      }
      for (const task of tasks) await task.join();
    });
    await settled();
    expect(clock.asked).toEqual([25]);
    expect(clock.pending.size).toBe(1);
    await clock.moveTo(5);
    expect(clock.asked).toEqual([25]);
    await clock.moveTo(25);
    expect(log).toEqual([25]);
    expect(clock.asked).toEqual([25, 25]);
    await clock.moveTo(101);
    expect(log).toEqual([25, 50, 100]);
    await running;
    expect(clock.pending.size).toBe(0);
  });

  test('that rings too early wakes nobody, and is set again', async () => {
    const clock = new HandClock();
    let done = false;
    const running = run({ clock }, async () => {
      await sleep(10);
      done = true;
    });
    await settled();
    for (const [wake] of [...clock.pending]) {
      clock.pending.delete(wake);
      clock.time = 3;
      wake();
    }
    await settled();
    expect(done).toBe(false);
    expect(clock.asked).toEqual([10, 7]);
    await clock.moveTo(10);
    await running;
    expect(done).toBe(true);
  });

  test('is not set for timeouts that end before anything blocks', async () => {
    const clock = new HandClock();
    await run({ clock }, async () => {
      for (let i = 0; i < 100; i++) await timeoutAfter(1, () => i);
      await sleep(0);
    });
    expect(clock.asked).toEqual([]);
  });

  test('is taken back when the run ends', async () => {
    const clock = new HandClock();
    const kernel = new Kernel({ clock, logger: recorder() });
    await kernel.run(async () => {
      await spawn({ daemon: true }, () => sleep(10));
      await spawn({ daemon: true }, () => timeoutAfter(20, sleep, 30));
      await sleep(0);
      await new Promise((resolve) => setImmediate(resolve));
    });
    expect(clock.pending.size).toBe(0);
    await kernel.run({ shutdown: true });
    expect(clock.pending.size).toBe(0);
  });

  test('wakes a timeout, and the sleep it cut short is never heard of again', async () => {
    const clock = new HandClock();
    const running = run({ clock }, async () => {
      await expect(timeoutAfter(5, sleep, 10)).rejects.toThrow(TaskTimeout);
      return sleep(20);
    });
    await settled();
    await clock.moveTo(5);
    await clock.moveTo(10);
    await clock.moveTo(24.9);
    await clock.moveTo(25);
    expect(await running).toBe(25);
  });
});

describe('real time', () => {
  test('knows sleeps longer than the timers of Node', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    try {
      await run({ logger: recorder() }, async () => {
        const tasks: Task<unknown>[] = [];
        for (const seconds of [2_147_484, 1e9, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
          tasks.push(await spawn({ daemon: true }, () => sleep(seconds)));
        }
        await sleep(0.005);
        expect(tasks.map((task) => task.state)).toEqual(Array(4).fill('TIME_SLEEP'));
      });
      await settled();
    } finally {
      process.off('warning', listen);
    }
    expect(warnings).toEqual([]);
  });

  test('lets a sleep last at least as long as it was to', async () => {
    await run(async () => {
      for (const seconds of [0.0005, 0.001, 0.0015, 0.005]) {
        const before = performance.now();
        await sleep(seconds);
        expect(performance.now() - before).toBeGreaterThanOrEqual(seconds * 1000);
      }
    });
  });
});
