// Large pieces are received straight into the Buffer that their receiver gets: what comes before, between and after them must come
// as it was sent.

import { Activation, run, sleep, spawn, type Task, TaskCancelled, TaskError } from 'curio';
import { FileStream, type Socket } from 'curio/io';
import { AF_INET, AF_UNIX, MSG_PEEK, SOCK_DGRAM, SOCK_STREAM, socket, socketpair } from 'curio/socket';
import { expect, onTestFinished, test } from 'vitest';
import { requestCancel, type TaskRecord } from '../../../src/traps.ts';
import { onPosix } from '../../kit/drivers.ts';
import { posix } from '../../native/addon.ts';

const WHOLE = 65_536;
const POOL = Math.max(8192, Buffer.allocUnsafe(1).buffer.byteLength);

async function tcpPair(): Promise<[Socket, Socket]> {
  const listener = socket(AF_INET, SOCK_STREAM);
  listener.bind(['127.0.0.1', 0]);
  listener.listen(1);
  const client = socket(AF_INET, SOCK_STREAM);
  await client.connect(listener.getsockname());
  const [server] = await listener.accept();
  listener.closeNow();
  onTestFinished(() => {
    client.closeNow();
    server.closeNow();
  });
  return [client, server];
}

function unixPair(): [Socket, Socket] {
  const pair = socketpair();
  onTestFinished(() => {
    for (const sock of pair) sock.closeNow();
  });
  return pair;
}

/** Bytes that tell where in the stream they stand. */
function bytesFrom(start: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) bytes[i] = ((start + i) * 2_654_435_761) >>> 24;
  return bytes;
}

const sizes = [100_000, 10, 65_536, 32_768, 32_767, 1, 200_000, 40_000, 3, 65_535, 5000];
const total = sizes.reduce((a, b) => a + b);

/** Sends pieces, each when the one before has been received, and receives them as they come. */
async function exchange(
  send: (data: Buffer) => Promise<unknown>,
  recv: (maxbytes: number) => Promise<Buffer>,
  waitsFirst: boolean,
): Promise<void> {
  let sent = 0;
  let received = 0;
  for (const size of sizes) {
    const sending = () => send(bytesFrom(sent, size));
    const receiving = async () => {
      for (const end = received + size; received < end; ) {
        const data = await recv(WHOLE);
        expect(data.equals(bytesFrom(received, data.length))).toBe(true);
        // A small piece keeps no more alive than the pool it is cut from, which is Node's: as large as a large piece on some versions.
        if (data.length < 4000) expect(data.buffer.byteLength).toBeLessThanOrEqual(POOL);
        received += data.length;
      }
    };
    const tasks: Task<unknown>[] = [];
    for (const act of waitsFirst ? [receiving, sending] : [sending, receiving]) {
      tasks.push(await spawn(act));
      await sleep(0);
      await sleep(0);
    }
    for (const task of tasks) await task.join();
    sent += size;
  }
  expect(received).toBe(total);
}

onPosix('large pieces', () => {
  for (const waitsFirst of [true, false]) {
    const when = waitsFirst ? 'for a task that waits' : 'for a task that comes later';
    test(`over TCP, ${when}`, () =>
      run(async () => {
        const [a, b] = await tcpPair();
        await exchange(
          (data) => a.sendall(data),
          (maxbytes) => b.recv(maxbytes),
          waitsFirst,
        );
      }));

    test(`over a Unix socket, ${when}`, () =>
      run(async () => {
        const [a, b] = unixPair();
        await exchange(
          (data) => a.sendall(data),
          (maxbytes) => b.recv(maxbytes),
          waitsFirst,
        );
      }));

    test(`through a pipe, ${when}`, () =>
      run(async () => {
        const [readEnd, writeEnd] = posix.pipe() as [number, number];
        await using input = new FileStream(readEnd);
        await using output = new FileStream(writeEnd);
        await exchange(
          (data) => output.write(data),
          (maxbytes) => input.read(maxbytes),
          waitsFirst,
        );
      }));
  }

  test('one that a cancelled task would have got is the next one’s', () =>
    run(async () => {
      const [a, b] = await tcpPair();
      await a.sendall(bytesFrom(0, WHOLE));
      for (let received = 0; received < WHOLE; ) received += (await b.recv(WHOLE)).length;
      const reader = await spawn(() => b.recv(WHOLE));
      await sleep(0);
      expect(posix.send(a.fileno(), bytesFrom(0, 50_000))).toBe(50_000);
      await reader.cancel();
      let received = 0;
      while (received < 50_000) {
        const data = await b.recv(WHOLE);
        expect(data.equals(bytesFrom(received, data.length))).toBe(true);
        received += data.length;
      }
    }));

  test('one whose task is cancelled after it was chosen, before its turn, stays for the next', async () => {
    const victims: TaskRecord[] = [];
    class Meddler extends Activation {
      override running(task: Task<unknown>): void {
        if (task.name !== 'first') return;
        for (const victim of victims.splice(0)) requestCancel(victim, TaskCancelled, null);
      }
    }
    await run({ activations: [new Meddler()] }, async () => {
      const [a, b] = unixPair();
      const [c, d] = unixPair();
      for (const [from, to] of [
        [a, b],
        [c, d],
      ] as const) {
        await from.sendall(bytesFrom(0, WHOLE));
        expect((await to.recv(WHOLE)).length).toBe(WHOLE);
      }
      const first = await spawn({ name: 'first' }, () => b.recv(WHOLE));
      const victim = await spawn(() => d.recv(WHOLE));
      await sleep(0.001);
      victims.push(victim as unknown as TaskRecord);
      expect(posix.send(a.fileno(), Buffer.from('x'))).toBe(1);
      expect(posix.send(c.fileno(), bytesFrom(0, 50_000))).toBe(50_000);
      expect(String(await first.join())).toBe('x');
      await expect(victim.join()).rejects.toThrow(TaskError);
      expect(victims).toEqual([]);
      expect((await d.recv(WHOLE)).equals(bytesFrom(0, 50_000))).toBe(true);
    });
  });

  test('no more than was asked for, and what was only looked at stays', () =>
    run(async () => {
      const [a, b] = unixPair();
      await a.sendall(bytesFrom(0, WHOLE));
      expect((await b.recv(WHOLE)).length).toBe(WHOLE);
      await a.sendall(bytesFrom(0, WHOLE));
      expect((await b.recv(WHOLE, MSG_PEEK)).equals(bytesFrom(0, WHOLE))).toBe(true);
      expect((await b.recv(40_000)).equals(bytesFrom(0, 40_000))).toBe(true);
      expect((await b.recv(100)).equals(bytesFrom(40_000, 100))).toBe(true);
      expect((await b.recv(10 * WHOLE)).equals(bytesFrom(40_100, WHOLE - 40_100))).toBe(true);
      await a.close();
      expect((await b.recv(WHOLE)).length).toBe(0);
    }));

  test('datagrams are whole whatever their size', () =>
    run(async () => {
      const [a, b] = socketpair(AF_UNIX, SOCK_DGRAM);
      for (const size of [60_000, 90_000, 10, 60_000, 90_000]) {
        await a.send(bytesFrom(0, size));
        expect((await b.recv(200_000)).equals(bytesFrom(0, size)), String(size)).toBe(true);
      }
      a.closeNow();
      b.closeNow();
    }));
});
