// What Node's sockets receive in one turn of its loop is told in one go: nothing may be lost in between.

import { AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import { connect, createServer, type Socket as NetSocket } from 'node:net';
import { ignoreAfter, run, sleep, spawn, type Task, TaskCancelled } from 'curio';
import { Socket } from 'curio/io';
import { expect, onTestFinished, test, vi } from 'vitest';

/** Connections of Node's own: the side to wrap, and its peer. */
async function nodePairs(count: number): Promise<[NetSocket, NetSocket][]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const pairs: [NetSocket, NetSocket][] = [];
  while (pairs.length < count) {
    const client = connect((server.address() as { port: number }).port, '127.0.0.1');
    const [peer] = (await once(server, 'connection')) as [NetSocket];
    if (client.connecting) await once(client, 'connect');
    pairs.push([client, peer]);
  }
  server.close();
  return pairs;
}

/** Calls `fn`, in the context of the calling task, between the arrival of data and its being told. */
function onceArrived(raw: NetSocket, fn: () => void): void {
  raw.once('data', AsyncResource.bind(fn));
}

/**
 * Does something to a task that waits in `recv` when its data has come. Some are told at once, and then the task had been chosen by that
 * time and has its data; one of a few is not, and `lost` gets to see that one.
 */
async function whenArrived(
  act: (reader: Task<unknown>, sock: Socket) => void,
  lost: (error: unknown, sock: Socket) => Promise<void>,
): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const [[raw, peer]] = (await nodePairs(1)) as [[NetSocket, NetSocket]];
    const sock = new Socket(raw);
    let error: unknown;
    const reader = await spawn(() =>
      sock.recv(100).then(String, (reason) => {
        error = reason;
      }),
    );
    await sleep(0);
    onceArrived(raw, () => act(reader, sock));
    peer.write('for the next');
    const data = await reader.join();
    if (data === undefined) await lost(error, sock);
    else expect(data).toBe('for the next');
    await sock.close();
    peer.destroy();
    if (data === undefined) return;
  }
  throw new Error('Everything was told at once.');
}

test('a task that is cancelled when its data has come and has not been told of has received nothing', () =>
  run(() =>
    whenArrived(
      (reader) => void reader.cancel({ blocking: false }),
      async (error, sock) => {
        expect(error).toBeInstanceOf(TaskCancelled);
        expect(String(await sock.recv(100))).toBe('for the next');
      },
    ),
  ));

test('another task may wait by the time the data is told of, and gets it', () =>
  run(async () => {
    let heir: Task<string> | undefined;
    await whenArrived(
      (reader, sock) => {
        void reader.cancel({ blocking: false });
        void spawn({ daemon: true }, () => sock.recv(100).then(String, () => 'closed')).then((task) => {
          heir = task;
        });
      },
      async () => {
        expect(await heir?.join()).toBe('for the next');
      },
    );
  }));

test('a socket that is closed when its data has come and has not been told of wakes its task with an error', () =>
  run(() =>
    whenArrived(
      (_, sock) => void sock.close(),
      async (error) => {
        expect((error as NodeJS.ErrnoException).code).toBe('EBADF');
      },
    ),
  ));

test('what comes for many at once reaches each', () =>
  run(async () => {
    const pairs = await nodePairs(40);
    const readers = [];
    for (const [raw] of pairs) {
      const sock = new Socket(raw);
      readers.push(await spawn(async () => [String(await sock.recv(100)), await sock.close()][0]));
    }
    await sleep(0);
    for (const [i, [, peer]] of pairs.entries()) peer.write(`number ${i}`);
    for (const [i, reader] of readers.entries()) expect(await reader.join()).toBe(`number ${i}`);
    for (const [, peer] of pairs) peer.destroy();
  }));

test('more than one piece for one task, among many, comes in order and whole', () =>
  run(async () => {
    const pairs = await nodePairs(8);
    const sent = Buffer.alloc(3_000_000, 'what is sent is what is received. ');
    const readers = [];
    for (const [raw] of pairs) {
      const sock = new Socket(raw);
      readers.push(
        await spawn(async () => {
          const chunks: Buffer[] = [];
          for (let chunk = await sock.recv(1e6); chunk.length > 0; chunk = await sock.recv(1e6))
            chunks.push(chunk);
          await sock.close();
          return Buffer.concat(chunks);
        }),
      );
    }
    await sleep(0);
    for (const [, peer] of pairs) peer.end(sent);
    for (const reader of readers) expect((await reader.join()).equals(sent)).toBe(true);
  }));

test('a timeout that is over finds what has come', () =>
  run(async () => {
    const [[raw, peer]] = (await nodePairs(1)) as [[NetSocket, NetSocket]];
    await using sock = new Socket(raw);
    expect(await ignoreAfter(0.01, () => sock.recv(100))).toBeUndefined();
    const arrived = once(raw, 'data');
    peer.write('here');
    await arrived;
    expect(String(await ignoreAfter(0, () => sock.recv(100)))).toBe('here');
    peer.destroy();
  }));

test('the fake timers of a test do not hold it up', () =>
  run(async () => {
    const pairs = await nodePairs(2);
    const socks = pairs.map(([raw]) => new Socket(raw));
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    for (let round = 0; round < 10; round++) {
      const readers = [];
      for (const sock of socks) readers.push(await spawn(() => sock.recv(100)));
      for (const [, peer] of pairs) peer.write('x');
      for (const reader of readers) expect(String(await reader.join())).toBe('x');
    }
    for (const sock of socks) await sock.close();
    for (const [, peer] of pairs) peer.destroy();
  }));
