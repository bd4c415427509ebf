// What a snapshot says of tasks, and that it can leave the thread.

import { Kernel, Lock, Queue, sleep, spawn, TaskGroup, timeoutAfter } from 'curio';
import { VirtualClock } from 'curio/testing';
import { expect, test } from 'vitest';
import { packSnapshot, takeSnapshot, unpackSnapshot } from '../../src/monitor/snapshot.ts';

async function sleeper() {
  await sleep(100);
}

test('a snapshot says what each task is, how it is, and what it waits for', async () => {
  await using kernel = new Kernel({ clock: new VirtualClock() });
  await kernel.run(async function main() {
    const lock = new Lock();
    await lock.acquire();
    const queue = new Queue<number>();
    async function getter() {
      await timeoutAfter(50, () => queue.get());
    }
    async function locker() {
      await lock.acquire();
    }
    const group = new TaskGroup();
    const tasks = [await group.spawn(sleeper), await group.spawn(getter), await spawn(locker)] as const;
    await sleep(10);
    const snapshot = takeSnapshot(kernel);
    expect(unpackSnapshot(structuredClone(packSnapshot(snapshot)))).toEqual(snapshot);
    const { tasks: found, running, pid } = snapshot;
    const [main, first, second, third] = structuredClone(found);
    expect(pid).toBe(process.pid);
    expect(running).toBe(main!.id);
    expect(main).toMatchObject({
      name: 'main',
      state: 'RUNNING',
      parentId: null,
      group: null,
      timeout: null,
    });
    expect(first).toMatchObject({ name: 'sleeper', state: 'TIME_SLEEP', parentId: main!.id, cycles: 1 });
    expect(first!.sleep).toBeCloseTo(90, 0);
    expect(second).toMatchObject({
      name: 'getter',
      state: 'QUEUE_GET',
      operation: 'Queue.get()',
      sleep: null,
    });
    expect(second!.timeout).toBeCloseTo(40, 0);
    expect(second!.waitingOn).toMatch(/^Queue#\d+$/);
    expect(second!.group).toBe(first!.group);
    expect(third).toMatchObject({ state: 'LOCK_ACQUIRE', group: null, daemon: false, cancelled: false });
    await tasks[2].cancel({ blocking: false });
    expect(takeSnapshot(kernel).tasks.at(-1)).toMatchObject({ cancelled: true });
    await tasks[2].wait();
    await group.cancelRemaining();
    await group.join();
  });
});

test('without a kernel a snapshot is of all that run in the thread, and of nothing when none does', async () => {
  const two = [new Kernel({ clock: new VirtualClock() }), new Kernel({ clock: new VirtualClock() })];
  expect(takeSnapshot().tasks).toEqual([]);
  let names: string[] = [];
  const [one, other] = two as [Kernel, Kernel];
  await Promise.all([
    one.run({ shutdown: true }, async function first() {
      await sleep(1);
      names = takeSnapshot().tasks.map(({ name }) => name);
    }),
    other.run({ shutdown: true }, async function second() {
      await sleep(1000);
    }),
  ]);
  expect(names).toEqual(['first', 'second']);
});

test('ten thousand tasks are described, each once', async () => {
  await using kernel = new Kernel({ clock: new VirtualClock() });
  await kernel.run(async () => {
    for (let n = 0; n < 10_000; n++) await spawn({ daemon: true }, sleeper);
    await sleep(1);
    expect(new Set(takeSnapshot(kernel).tasks.map(({ id }) => id)).size).toBe(10_001);
  });
});
