// Everything at once, at random, for a while: clients that echo, reset, say nothing, close half, send byte by byte or noise, to plain,
// TLS and channel servers; files, processes and names that fail; all of it cut short anywhere. At the end every byte was right, and
// neither descriptors, handles, listeners, processes nor the heap have grown. CURIO_SOAK is the number of seconds, by default a few; a
// failure names its seed.

import { randomFillSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { connect as nodeConnect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  aopen,
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
import { Channel, type Connection } from 'curio/channel';
import type { Socket } from 'curio/io';
import { SHUT_WR } from 'curio/socket';
import { checkOutput, PIPE, Popen } from 'curio/subprocess';
import { randomNumbers } from 'curio/testing';
import { afterAll, expect, test } from 'vitest';
import { descriptors } from '../kit/descriptors.ts';
import { connectedPair, drain, onEachDriver } from '../kit/drivers.ts';
import { collectGarbage } from '../kit/garbage.ts';
import { clientContext, serverContext } from '../kit/tls.ts';

const seconds = Number(process.env.CURIO_SOAK ?? 3);
const folder = mkdtempSync(join(tmpdir(), 'curio-soak-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function echo(client: Socket): Promise<void> {
  const stream = client.asStream();
  for (let data = await stream.read(30_000); data.length > 0; data = await stream.read(30_000))
    await stream.write(data);
}

/** Where the servers are. */
interface Ports {
  plain: number;
  tls: number;
  channel: number;
}

/** What a client may do. `pick(n)` is a random whole number below n. */
type Client = (ports: Ports, pick: (n: number) => number) => Promise<void>;

/** Fails unless `program` fails with one of these codes. */
async function fails(program: () => Promise<unknown>, ...codes: string[]): Promise<void> {
  try {
    await program();
  } catch (error) {
    if (codes.includes((error as { code?: string }).code ?? '')) return;
    throw error;
  }
  throw new Error(`This should have been ${codes.join(' or ')}`);
}

/** Throws bytes that mean nothing at a port, and waits until it has had enough. */
async function babble(port: number, bytes: Buffer): Promise<void> {
  await using sock = await openConnection('127.0.0.1', port);
  try {
    await sock.sendall(bytes);
    await sock.shutdown(SHUT_WR);
    await drain(sock);
  } catch (error) {
    if (!['ECONNRESET', 'EPIPE', 'ENOTCONN'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}

const noise = (length: number): Buffer => randomFillSync(Buffer.allocUnsafe(length));
let fileCount = 0;

/** Bytes that tell where they belong. */
function pattern(length: number, start: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) data[i] = (start + i * 31) & 0xff;
  return data;
}

const clients: Client[] = [
  async function echoing({ plain: port }, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    for (let round = pick(5); round >= 0; round--) {
      const data = pattern(1 + pick(20_000), pick(256));
      await sock.sendall(data);
      const reply = await sock.asStream().readExactly(data.length);
      if (!reply.equals(data)) throw new Error('an echo was wrong');
    }
  },
  async function streaming({ plain: port }, pick) {
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
  async function silent({ plain: port }, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    await sleep(pick(30) / 1000);
    await ignoreAfter(0.001, () => sock.recv(1));
  },
  async function interrupted({ plain: port }, pick) {
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
  async function resetting({ plain: port }, pick) {
    const sock = nodeConnect(port, '127.0.0.1');
    sock.on('error', () => {});
    sock.write(Buffer.alloc(pick(100_000)));
    try {
      await sleep(pick(10) / 1000);
    } finally {
      sock.resetAndDestroy();
    }
  },
  async function dribbling({ plain: port }, pick) {
    await using sock = await openConnection('127.0.0.1', port);
    const data = pattern(1 + pick(100), pick(256));
    for (const byte of data) await sock.sendall(Buffer.from([byte]));
    if (!(await sock.asStream().readExactly(data.length)).equals(data)) throw new Error('a byte was wrong');
  },
  async function speakingTls({ tls: port }, pick) {
    const options = { ssl: clientContext(), serverHostname: 'localhost' };
    await using sock = await openConnection('127.0.0.1', port, options);
    const data = pattern(1 + pick(40_000), pick(256));
    const [, reply] = await gather([
      () => sock.sendall(data),
      () => sock.asStream().readExactly(data.length),
    ]);
    if (!reply.equals(data)) throw new Error('an echo over TLS was wrong');
  },
  async function babblingTls({ tls: port }, pick) {
    const hello = Buffer.from([0x16, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]);
    await babble(port, Buffer.concat([pick(2) === 0 ? hello : Buffer.alloc(0), noise(1 + pick(1000))]));
  },
  async function talking({ channel: port }, pick) {
    const channel = new Channel(['127.0.0.1', port]);
    // To show the key takes a second at most, and a busy machine may take longer: also when all that is left to do is for the
    // server to hear that its client is content.
    let heard = false;
    try {
      await using connection = await channel.connect({ authkey: 'soak' });
      for (let round = pick(5); round >= 0; round--) {
        const message = { round, data: [...pattern(pick(2000), round)] };
        await connection.send(message);
        const answer = JSON.stringify(await connection.recv());
        heard = true;
        if (answer !== JSON.stringify(message)) throw new Error('a message was wrong');
      }
    } catch (error) {
      const { code = '' } = error as { code?: string };
      if (heard || !/^(ETIMEDOUT|ECONNRESET|EPIPE|ERR_CURIO_EOF)/.test(code)) throw error;
    }
  },
  async function babblingChannel({ channel: port }, pick) {
    await babble(port, noise(1 + pick(1000)));
  },
  async function starting(_ports, pick) {
    const data = pattern(pick(100_000), pick(256));
    if (!(await checkOutput(['cat'], { input: data })).equals(data)) throw new Error('a process was wrong');
  },
  async function stubborn(_ports, pick) {
    // One that ignores SIGTERM, and is ended with its block whatever cuts that short.
    const p = new Popen(['/bin/sh', '-c', "trap '' TERM; echo ready; exec cat"], {
      stdin: PIPE,
      stdout: PIPE,
    });
    try {
      await p.stdout.readline();
      p.terminate();
      await ignoreAfter(pick(5) / 1000, () => p.communicate(Buffer.alloc(200_000)));
    } finally {
      p.kill();
      await p.stdin.close().catch((error) => {
        // What was still on its way has nobody to read it any more.
        if (!/^(EPIPE|ECONNRESET)$/.test(error.code ?? '')) throw error;
      });
      await p.stdout.close();
      await p.wait();
    }
  },
  async function vanishing(_ports, pick) {
    const path = join(folder, `file-${fileCount++}`);
    const text = 'a line\n'.repeat(1 + pick(2000));
    try {
      await using file = await aopen(path, 'w+');
      if (existsSync(path)) unlinkSync(path);
      await file.write(text);
      await file.seek(0);
      let back = '';
      for await (const line of file) back += line;
      if (back !== text) throw new Error('a file was wrong');
      await fails(() => aopen(path), 'ENOENT');
    } finally {
      // One that was cut short when it opened the file may be making it still: the folder goes at the end.
      rmSync(path, { force: true });
    }
  },
  async function fillingDisk() {
    const file = await aopen('/dev/full', 'w');
    await file.write('x');
    await fails(() => file.close(), 'ENOSPC');
  },
  async function colliding({ plain: port }) {
    await fails(async () => {
      await using sock = tcpServerSocket('127.0.0.1', port);
      await sock.ready();
    }, 'EADDRINUSE');
  },
  async function lost() {
    await fails(() => openConnection('no..such..host', 80), 'ENOTFOUND', 'EAI_AGAIN');
  },
];

/** What waiting needs once in a thread is open after this. */
async function firstWait(): Promise<void> {
  const [a, b] = await connectedPair();
  await gather([() => b.recv(1), () => a.sendall('x')]);
  await a.close();
  await b.close();
}

async function serveChannel(channel: Channel): Promise<void> {
  await using group = new TaskGroup();
  for (;;) {
    const connection = await channel.accept({ authkey: 'soak' });
    await group.spawn({ daemon: true }, answering, connection);
  }
}

async function answering(connection: Connection): Promise<void> {
  await using _closed = connection;
  try {
    for (;;) await connection.send(await connection.recv());
  } catch (error) {
    if (!/^(ERR_CURIO_EOF|ECONNRESET|EPIPE)/.test((error as { code?: string }).code ?? '')) throw error;
  }
}

/** What must not grow, counted. */
function census(): Map<string, number> {
  const counts = new Map([['descriptors', descriptors()]]);
  const count = (what: string, n = 1) => counts.set(what, (counts.get(what) ?? 0) + n);
  for (const name of process.eventNames()) count(`listener for ${String(name)}`, process.listenerCount(name));
  for (const name of process.getActiveResourcesInfo()) if (name.endsWith('Wrap')) count(name);
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  if (children !== '') count('children', children.split(' ').length);
  return counts;
}

/** What there is more of than before. Node lets go of things a little later than it is told, so this waits for a good while. */
async function grown(before: Map<string, number>): Promise<string[]> {
  const more = () => [...census()].filter(([what, n]) => n > (before.get(what) ?? 0)).map(([what]) => what);
  for (let i = 0; i < 400 && more().length > 0; i++) await new Promise((r) => setTimeout(r, 5));
  return more();
}

const news = [
  // Clients that reset, or were closed under way, are news of the network and no crashes.
  /^(Client 127\.0\.0\.1:\d+|A client) has gone: .*(ECONNRESET|EPIPE)/,
  /^(Client 127\.0\.0\.1:\d+|A client) was dropped\. TLS failed/,
  /^A channel has dropped a client/,
  /^Closing '\/dev\/full' after its task was cancelled: .*ENOSPC/,
  // On a busy machine a result may come a little after its time was up, and be welcome all the same.
  /Nothing in it blocked/,
];

/** Keeps what is no news, and counts the rest: what it kept would be heap that grows. */
function editor() {
  const kept: string[] = [];
  const note = (level: string) => (line: string) => {
    if (!news.some((pattern) => pattern.test(line))) kept.push(`${level}: ${line}`);
  };
  return { kept, logger: { debug() {}, info() {}, warn: note('warn'), error: note('error') } };
}

/** Is a client, and says which it was if it fails. */
async function named(client: Client, ...args: Parameters<Client>): Promise<void> {
  try {
    await client(...args);
  } catch (error) {
    if (error instanceof CancelledError) throw error;
    throw new Error(`'${client.name}' has failed`, { cause: error });
  }
}

/** Serves, and lets twenty tasks be clients again and again for so many seconds; gives how often they were. */
async function soak(seconds: number, pick: (n: number) => number): Promise<number> {
  let done = 0;
  const { kept, logger } = editor();
  const failures: unknown[] = [];
  await run({ logger }, async () => {
    const context = serverContext();
    context.handshakeTimeout = 20;
    const sockets: Socket[] = [];
    for (let i = 0; i < 2; i++) {
      const sock = tcpServerSocket('127.0.0.1', 0, { backlog: 500 });
      await sock.ready();
      sockets.push(sock);
    }
    const [plain, tls] = sockets as [Socket, Socket];
    const channel = new Channel(['127.0.0.1', 0]);
    await channel.bind();
    const port = (address: unknown) => (address as [string, number])[1];
    const servers = [
      await spawn(runServer, plain, echo),
      await spawn(() => runServer(tls, echo, { ssl: context })),
      await spawn(serveChannel, channel),
    ];
    await sleep(0);
    const ports = {
      plain: port(plain.getsockname()),
      tls: port(tls.getsockname()),
      channel: port(channel.address),
    };
    const until = performance.now() + seconds * 1000;
    const group = new TaskGroup();
    for (let i = 0; i < 20; i++) {
      await group.spawn(async () => {
        while (performance.now() < until) {
          const client = clients[pick(clients.length)] as Client;
          // Some are cut short, wherever they are.
          const limit = pick(5) === 0 ? pick(20) / 1000 : null;
          await ignoreAfter(limit, named, client, ports, pick);
          done++;
        }
      });
    }
    await group.join();
    // With the first that fails the others are cancelled.
    failures.push(
      ...group.exceptions.filter((error) => error !== null && !(error instanceof CancelledError)),
    );
    expect(servers.map((server) => server.terminated)).toEqual([false, false, false]);
    for (const server of servers) await server.cancel();
    await channel.close();
  });
  expect(failures).toEqual([]);
  expect(kept).toEqual([]);
  return done;
}

/** Bytes of heap, once garbage is gone. */
async function heap(): Promise<number> {
  await collectGarbage();
  return process.memoryUsage().heapUsed;
}

onEachDriver('soak', (driver) => {
  test(
    `everything at random for ${seconds} s leaves every byte right and nothing behind`,
    async () => {
      const seed = Number(process.env.CURIO_SOAK_SEED ?? Date.now() & 0x7fff_ffff);
      const next = randomNumbers(seed);
      const pick = (n: number) => Math.floor(next() * n);
      await run(firstWait);
      const idle = census();
      try {
        // What is made once, and code that is compiled, is there after the first part.
        const first = await soak(seconds / 3, pick);
        await grown(idle);
        const before = census();
        const heapBefore = await heap();
        const second = await soak((seconds * 2) / 3, pick);
        expect(await grown(before)).toEqual([]);
        // In a minute some ten thousand clients come; what each left behind would be 500 bytes at most.
        expect((await heap()) - heapBefore).toBeLessThan(3_000_000);
        // Each of the tasks has been a client once at least.
        expect(Math.min(first, second)).toBeGreaterThanOrEqual(20);
      } catch (error) {
        throw new Error(`with CURIO_SOAK_SEED=${seed} CURIO_DRIVER=${driver}`, { cause: error });
      }
    },
    seconds * 1000 + 60_000,
  );
});
