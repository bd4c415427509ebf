// Many tasks for whom data have come in one turn of the event loop: each gets its own, whatever the sizes, and keeps it.

import { Activation, run, sleep, spawn, type Task, TaskCancelled, TaskError } from 'curio';
import type { Socket } from 'curio/io';
import { socketpair } from 'curio/socket';
import { expect, onTestFinished, test } from 'vitest';
import { requestCancel, type TaskRecord } from '../../../src/traps.ts';
import { onPosix } from '../../kit/drivers.ts';
import { posix } from '../../native/addon.ts';

/** Pairs of which the second ends wait in `recv`. */
async function waiting(count: number, maxbytes: number): Promise<[Socket[], Task<Buffer>[]]> {
  const senders: Socket[] = [];
  const tasks: Task<Buffer>[] = [];
  for (let i = 0; i < count; i++) {
    const [a, b] = socketpair();
    onTestFinished(() => {
      a.closeNow();
      b.closeNow();
    });
    senders.push(a);
    tasks.push(await spawn(() => b.recv(maxbytes)));
  }
  await sleep(0);
  // The first event tells that they can be written.
  await sleep(0.001);
  return [senders, tasks];
}

/** Sends without letting anybody else have a turn, so that the next batch of events tells of all. */
function sendAtOnce(senders: Socket[], message: (i: number) => Buffer): void {
  for (const [i, sock] of senders.entries()) {
    const data = message(i);
    expect(posix.send(sock.fileno(), data)).toBe(data.length);
  }
}

const joined = async (tasks: Task<Buffer>[]) => {
  const results: Buffer[] = [];
  for (const task of tasks) results.push(await task.join());
  return results;
};

onPosix('data for many tasks in one turn', () => {
  for (const [what, count, size] of [
    ['small messages for more tasks than one call serves', 200, 100],
    ['messages larger than a pool', 20, 9000],
    ['messages of half a pool and more', 20, 5000],
    ['messages of all sizes', 100, 0],
    ['more than is received ahead of the tasks', 40, 65536],
  ] as const) {
    test(what, () =>
      run(async () => {
        const [senders, tasks] = await waiting(count, 65536);
        const message = (i: number) => Buffer.alloc(size || (i * i * 7) % 20_000 || 1, i % 251);
        sendAtOnce(senders, message);
        for (const [i, data] of (await joined(tasks)).entries()) {
          expect(data.equals(message(i)), `message ${i}`).toBe(true);
        }
      }),
    );
  }

  test('a message stays what it is when others come', () =>
    run(async () => {
      const [a, b] = socketpair();
      const kept: Buffer[] = [];
      const reader = await spawn(async () => {
        for (let i = 0; i < 500; i++) kept.push(await b.recv(100));
      });
      for (let i = 0; i < 500; i++) {
        await sleep(0);
        await a.sendall(Buffer.alloc(40, i % 256));
        while (kept.length === i) await sleep(0);
      }
      await reader.join();
      for (const [i, data] of kept.entries()) expect(data.equals(Buffer.alloc(40, i % 256))).toBe(true);
      await a.close();
      await b.close();
    }));

  test('no more than was asked for, and the rest with the next call', () =>
    run(async () => {
      const [senders, tasks] = await waiting(3, 4);
      sendAtOnce(senders, () => Buffer.from('abcdef'));
      expect((await joined(tasks)).map(String)).toEqual(['abcd', 'abcd', 'abcd']);
    }));

  test('the end of one, and a failure of another, are theirs alone', () =>
    run(async () => {
      const [senders, tasks] = await waiting(3, 10);
      senders[0]!.closeNow();
      sendAtOnce(senders.slice(1), () => Buffer.from('x'));
      expect((await joined(tasks)).map(String)).toEqual(['', 'x', 'x']);
    }));

  test('a message is the next reader’s if the task it was for is cancelled while others are given theirs', async () => {
    const victims: TaskRecord[] = [];
    class Meddler extends Activation {
      override running(task: Task<unknown>): void {
        if (task.name !== 'first') return;
        for (const victim of victims.splice(0)) requestCancel(victim, TaskCancelled, null);
      }
    }
    const main = async () => {
      const [a, b] = socketpair();
      const [c, d] = socketpair();
      const first = await spawn({ name: 'first' }, () => b.recv(10));
      const victim = await spawn(() => d.recv(10));
      await sleep(0.001);
      victims.push(victim as unknown as TaskRecord);
      sendAtOnce([a, c], () => Buffer.from('data'));
      expect(String(await first.join())).toBe('data');
      await expect(victim.join()).rejects.toThrow(TaskError);
      expect(String(await d.recv(10))).toBe('data');
      for (const sock of [a, b, c, d]) await sock.close();
    };
    await run({ activations: [new Meddler()] }, main);
  });
});
