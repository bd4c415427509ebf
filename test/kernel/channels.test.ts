// The life of tasks on node:diagnostics_channel, as tracing tools listen to it.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { currentTask, run, sleep, spawn, type Task, TaskCancelled } from 'curio';
import { VirtualClock } from 'curio/testing';
import { expect, onTestFinished, test } from 'vitest';
import { recorder } from '../kit/recorder.ts';
import { noisily, virtually } from '../kit/virtual.ts';

interface Message {
  task: Task;
  parent?: Task | null;
  reason?: unknown;
  result?: unknown;
  error?: unknown;
}

function listening(event: string): Message[] {
  const heard: Message[] = [];
  const listener = (message: unknown) => void heard.push(message as Message);
  subscribe(`curio:task:${event}`, listener);
  onTestFinished(() => void unsubscribe(`curio:task:${event}`, listener));
  return heard;
}

test('tell of a task that is created, with its parent, and of its end with its result', async () => {
  const created = listening('created');
  const terminated = listening('terminated');
  let main!: Task;
  let child!: Task;
  await virtually(async () => {
    main = await currentTask();
    child = await spawn(async () => 7);
    expect(created).toEqual([
      { task: main, parent: null },
      { task: child, parent: main },
    ]);
    expect(terminated).toEqual([]);
    await child.join();
    expect(terminated).toEqual([{ task: child, result: 7 }]);
  });
  expect(terminated.at(-1)).toEqual({ task: main, result: undefined });
  expect(created).toHaveLength(2);
});

test('tell of a cancellation when it is asked for, once, and then of the end with the error', async () => {
  const cancelled = listening('cancelled');
  const terminated = listening('terminated');
  await virtually(async () => {
    const task = await spawn(() => sleep(100));
    await sleep(1);
    await task.cancel({ blocking: false });
    expect(cancelled).toEqual([{ task, reason: expect.any(TaskCancelled) }]);
    expect(terminated).toEqual([]);
    await task.cancel();
    expect(cancelled).toHaveLength(1);
    expect(terminated).toEqual([{ task, error: cancelled[0]!.reason }]);
  });
});

test('tell of a crash', async () => {
  const terminated = listening('terminated');
  const error = new Error('spam');
  await noisily(async () => {
    const task = await spawn(() => Promise.reject(error));
    await task.wait();
    expect(terminated).toEqual([{ task, error }]);
  });
});

test('a listener may come while the kernel runs, and after it has gone nothing is told', async () => {
  await virtually(async () => {
    const heard: unknown[] = [];
    const listener = (message: unknown) => void heard.push(message);
    const task = async () => {};
    await (await spawn(task)).join();
    subscribe('curio:task:created', listener);
    await (await spawn(task)).join();
    unsubscribe('curio:task:created', listener);
    await (await spawn(task)).join();
    expect(heard).toHaveLength(1);
  });
});

test('the task that shuts the kernel down is not shown', async () => {
  const created = listening('created');
  await run({ clock: new VirtualClock(), logger: recorder() }, async () => {
    await spawn(() => sleep(100));
  });
  expect(created).toHaveLength(2);
});
