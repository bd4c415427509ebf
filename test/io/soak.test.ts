// Everything at once, at random, for a while: clients that echo, reset, say nothing, close half, are cancelled. At the end
// every byte was right, and nothing has grown. CURIO_SOAK is the number of seconds, by default a few; a failure names its seed.

import { connect as nodeConnect } from 'node:net';
import {
  CancelledError,
  gather,
  ignoreAfter,
  openConnection,
  run,
  runServer,
  sleep,
  spawn,
  TaskGroup,
  tcpServerSocket,
} from 'curio';
import type { Socket } from 'curio/io';
import { SHUT_WR } from 'curio/socket';
import { randomNumbers } from 'curio/testing';
import { expect, test } from 'vitest';
import { descriptors } from '../kit/descriptors.ts';
import { connectedPair, drain, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';

const seconds = Number(process.env.CURIO_SOAK ?? 2);

async function echo(client: Socket): Promise<void> {
  const stream = client.asStream();
  for (let data = await stream.read(30_000); data.length > 0; data = await stream.read(30_000))
    await stream.write(data);
}

/** What a client may do. `pick(n)` is a random whole number below n. */
type Client = (port: number, pick: (n: number) => number) => Promise<void>;

/** Bytes that tell where they belong. */
function pattern(length: number, start: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) data[i] = (start + i * 31) & 0xff;
  return data;
}

const clients: Client[] = [
  async function echoing(port, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    for (let round = pick(5); round >= 0; round--) {
      const data = pattern(1 + pick(20_000), pick(256));
      await sock.sendall(data);
      const reply = await sock.asStream().readExactly(data.length);
      if (!reply.equals(data)) throw new Error('an echo was wrong');
    }
  },
  async function streaming(port, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    const data = pattern(pick(400_000), pick(256));
    const [, reply] = await gather([
      async () => {
        for (let at = 0; at < data.length; ) {
          const length = 1 + pick(50_000);
          await sock.sendall(data.subarray(at, at + length));
          at += length;
          if (pick(3) === 0) await sleep(0);
        }
        await sock.shutdown(SHUT_WR);
      },
      () => drain(sock),
    ]);
    if (!reply.equals(data)) throw new Error('a stream was wrong');
  },
  async function silent(port, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    await sleep(pick(30) / 1000);
    await ignoreAfter(0.001, () => sock.recv(1));
  },
  async function interrupted(port, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    await ignoreAfter(pick(5) / 1000, async () => {
      try {
        await sock.sendall(Buffer.alloc(3_000_000));
      } catch (error) {
        if (error instanceof CancelledError && error.bytesSent === undefined)
          throw new Error('a cancelled sendall did not say how far it came');
        throw error;
      }
    });
  },
  async function resetting(port, pick) {
    const sock = nodeConnect(port, '127.0.0.1');
    sock.on('error', () => {});
    sock.write(Buffer.alloc(pick(100_000)));
    try {
      await sleep(pick(10) / 1000);
    } finally {
      sock.resetAndDestroy();
    }
  },
];

/** What waiting needs once in a thread is open after this. */
async function firstWait(): Promise<void> {
  const [a, b] = await connectedPair();
  await gather([() => b.recv(1), () => a.sendall('x')]);
  await a.close();
  await b.close();
}

onEachDriver('soak', (driver) => {
  test(
    `everything at random for ${seconds} s leaves every byte right and nothing behind`,
    async () => {
      const seed = Number(process.env.CURIO_SOAK_SEED ?? Date.now() & 0x7fff_ffff);
      const next = randomNumbers(seed);
      const pick = (n: number) => Math.floor(next() * n);
      const logger = recorder();
      let done = 0;
      await run(firstWait);
      const before = descriptors();
      const failures: unknown[] = [];
      try {
        await run({ logger }, async () => {
          const listening = tcpServerSocket('127.0.0.1', 0, { backlog: 500 });
          await listening.ready();
          const [, port] = listening.getsockname() as [string, number];
          const server = await spawn(runServer, listening, echo);
          const until = performance.now() + seconds * 1000;
          const group = new TaskGroup();
          for (let i = 0; i < 20; i++) {
            await group.spawn(async () => {
              while (performance.now() < until) {
                const client = clients[pick(clients.length)] as Client;
                // Some are cut short, wherever they are.
                const limit = pick(5) === 0 ? pick(20) / 1000 : null;
                await ignoreAfter(limit, client, port, pick);
                done++;
              }
            });
          }
          await group.join();
          failures.push(...group.exceptions.filter((error) => error !== null));
          expect(server.terminated).toBe(false);
          await server.cancel();
        });
        expect(failures).toEqual([]);
        // Clients that reset, or were closed under way, are news of the network and no crashes.
        expect(logger.of('error')).toEqual([]);
        const news = /^(Client 127\.0\.0\.1:\d+|A client) has gone: .*(ECONNRESET|EPIPE)$/;
        // On a busy machine a result may come a little after its time was up, and be welcome all the same.
        const rest = logger
          .of('warn')
          .filter((line) => !line.includes('Nothing in it blocked') && !news.test(line));
        expect(rest).toEqual([]);
        for (let i = 0; i < 200 && descriptors() > before; i++) await new Promise((r) => setTimeout(r, 5));
        expect(descriptors()).toBeLessThanOrEqual(before);
        expect(done).toBeGreaterThan(20);
      } catch (error) {
        throw new Error(`with CURIO_SOAK_SEED=${seed} CURIO_DRIVER=${driver}`, { cause: error });
      }
    },
    seconds * 1000 + 30_000,
  );
});
