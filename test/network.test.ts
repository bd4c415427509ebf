// Servers and connections on each driver: handlers as tasks of the server, and what ends a client, a server, and neither.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type CancelledError,
  currentTask,
  Event,
  openConnection,
  openUnixConnection,
  run,
  runServer,
  sleep,
  spawn,
  type Task,
  tcpServer,
  tcpServerSocket,
  unixServer,
  wait,
} from 'curio';
import type { Socket } from 'curio/io';
import { AF_INET, AF_INET6, AF_UNIX, createConnection, getaddrinfo, socket } from 'curio/socket';
import { describe, expect, test } from 'vitest';
import { root } from '../scripts/entries.mjs';
import { drain, onEachDriver, onPosix } from './kit/drivers.ts';
import { type LinkLocal, linkLocal } from './kit/link-local.ts';
import { recorder } from './kit/recorder.ts';
import { thrownBy } from './kit/virtual.ts';

async function echo(client: Socket): Promise<void> {
  for (;;) {
    const data = await client.recv(1000);
    if (data.length === 0) return;
    await client.sendall(data);
  }
}

/** A server on a free port, in a task of its own. */
async function serving(
  handler: (client: Socket, address: unknown) => unknown,
): Promise<[server: Task, port: number]> {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  const [, port] = sock.getsockname() as [string, number];
  return [await spawn(runServer, sock, handler), port];
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
}

onEachDriver('servers', () => {
  test('share a port with reusePort, or say that they cannot', () =>
    run(async () => {
      const warnings: Error[] = [];
      const listen = (warning: Error) => warnings.push(warning);
      process.on('warning', listen);
      await using first = tcpServerSocket('127.0.0.1', 0, { reusePort: true });
      await first.ready();
      const [, port] = first.getsockname() as [string, number];
      await using second = tcpServerSocket('127.0.0.1', port, { reusePort: true });
      const shared = await second.ready().then(
        () => true,
        (error) => error.code,
      );
      await new Promise((resolve) => setImmediate(resolve));
      process.off('warning', listen);
      if (shared === true) expect(warnings).toEqual([]);
      else {
        expect(shared).toBe('EADDRINUSE');
        expect(warnings.map(String)).toEqual([
          expect.stringContaining('reusePort is ignored'),
          expect.stringContaining('The posix driver can'),
        ]);
      }
    }));

  test('serve several clients at once, and close each socket when its handler returns', () =>
    run(async () => {
      const [server, port] = await serving(echo);
      const clients = [await openConnection('localhost', port), await openConnection('127.0.0.1', port)];
      for (const [i, client] of clients.entries()) await client.sendall(`hello ${i}`);
      for (const [i, client] of clients.entries()) expect(String(await client.recv(100))).toBe(`hello ${i}`);
      for (const client of clients) {
        await client.shutdown(1);
        expect(await client.recv(100)).toHaveLength(0);
        await client.close();
      }
      await server.cancel();
    }));

  test('a handler that crashes is logged and ends its client only', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      const [server, port] = await serving(async function handler(client: Socket) {
        const [byte] = await client.recv(1);
        if (byte === 0x21) throw new Error('handler broke');
        await client.sendall('fine');
      });
      const bad = await openConnection('127.0.0.1', port);
      const good = await openConnection('127.0.0.1', port);
      await bad.sendall('!');
      expect(await bad.recv(100)).toHaveLength(0);
      await good.sendall('?');
      expect(String(await drain(good))).toBe('fine');
      await bad.close();
      await good.close();
      expect(server.terminated).toBe(false);
      await server.cancel();
    });
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toMatch(/^error: Task Crash: Task\(id=\d+, name='handler'.*[\s\S]*handler broke/);
  });

  test('cancelling stops accepting at once, and lets handlers say farewell', () =>
    run(async () => {
      const started = new Event();
      const [server, port] = await serving(async (client: Socket) => {
        await started.set();
        try {
          await client.recv(100);
        } finally {
          await sleep(0);
          await client.sendall('going down');
        }
      });
      const client = await openConnection('127.0.0.1', port);
      await started.wait();
      await server.cancel();
      expect(String(await drain(client))).toBe('going down');
      await expect(openConnection('127.0.0.1', port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await client.close();
    }));

  test('handlers are told that the server cancels them, and what has ended it', () =>
    run(async () => {
      const started = new Event();
      let reason!: CancelledError;
      const [server, port] = await serving(async (client: Socket) => {
        await started.set();
        try {
          await client.recv(100);
        } catch (error) {
          reason = error as CancelledError;
          throw error;
        }
      });
      const client = await openConnection('127.0.0.1', port);
      await started.wait();
      await server.cancel();
      expect(reason.requestedBy).toBe(server);
      expect(reason.cause).toBe(server.exception);
      expect((reason.cause as CancelledError).requestedBy).toBe(await currentTask());
      await client.close();
    }));

  test('a server keeps nothing of clients it has served', () =>
    run(async () => {
      const seen: WeakRef<Socket>[] = [];
      const [server, port] = await serving(async (client: Socket) => {
        seen.push(new WeakRef(client));
        await client.recv(1);
      });
      for (let i = 0; i < 20; i++) await (await openConnection('127.0.0.1', port)).close();
      while (seen.length < 20) await sleep(0.001);
      await sleep(0.02);
      await collectGarbage();
      expect(seen.filter((ref) => ref.deref() !== undefined).length).toBeLessThan(5);
      await server.cancel();
    }));

  test('a plain function that begins a server is a task like another', () =>
    run(async () => {
      const task = await spawn(() => tcpServer('127.0.0.1', 0, echo));
      await sleep(0.01);
      expect(task.terminated).toBe(false);
      await task.cancel();
    }));

  test('cancelling a server while a handler’s clean-up takes its time waits for it', () =>
    run(async () => {
      const log: string[] = [];
      const started = new Event();
      const [server, port] = await serving(async (client: Socket) => {
        await started.set();
        try {
          await client.recv(1);
        } finally {
          await sleep(0.02);
          log.push('cleaned up');
        }
      });
      const client = await openConnection('127.0.0.1', port);
      await started.wait();
      await server.cancel();
      log.push('server gone');
      expect(log).toEqual(['cleaned up', 'server gone']);
      await client.close();
    }));

  test('closing the listening socket ends the server with EBADF', () =>
    run({ logger: recorder() }, async () => {
      const sock = tcpServerSocket('127.0.0.1', 0);
      await sock.ready();
      const server = await spawn(runServer, sock, echo);
      await sleep(0.01);
      await sock.close();
      await server.wait();
      expect(server.exception).toMatchObject({ code: 'EBADF' });
    }));

  test('mistakes are told at the call', () =>
    run(async () => {
      expect(() => tcpServer('', 0, sleep(0) as never)).toThrow(/was given a promise/);
      expect(() => tcpServer('', 0, echo, { ssl: true } as never)).toThrow(TypeError);
      expect(() => runServer({} as never, echo)).toThrow(TypeError);
      expect(() => tcpServer(5 as never, 0, echo)).toThrow(/tcpServer\(\) wants an address/);
      expect(() => tcpServerSocket('', '80' as never)).toThrow(
        /tcpServerSocket\(\) wants a number as port, not "80"/,
      );
      expect(() => openConnection('localhost', 1, { serverHostname: 'localhost' })).toThrow(RangeError);
      expect(() => openUnixConnection('/tmp/x', { serverHostname: 'localhost' })).toThrow(RangeError);
    }));

  test.skipIf(linkLocal === undefined)(
    'an address of the local link is served and reached through its interface',
    () =>
      run(async () => {
        const { address, scopeid } = linkLocal as LinkLocal;
        const [server, client] = [socket(AF_INET6), socket(AF_INET6)];
        server.bind([address, 0, 0, scopeid]);
        server.listen(1);
        await server.ready();
        const at = server.getsockname();
        expect(at).toEqual([address, at[1], 0, scopeid]);
        await client.connect(at);
        const [peer, from] = await server.accept();
        expect(client.getpeername()).toEqual(at);
        expect(from).toEqual([address, from[1], 0, scopeid]);
        for (const sock of [client, peer, server]) await sock.close();
      }),
  );

  test('IPv6 is served where the host says so', () =>
    run(async () => {
      const sock = tcpServerSocket('::1', 0);
      await sock.ready();
      const [host, port] = sock.getsockname() as [string, number];
      expect([host, sock.family]).toEqual(['::1', AF_INET6]);
      const server = await spawn(runServer, sock, echo);
      const client = await openConnection('::1', port);
      await client.sendall('six');
      expect(String(await client.recv(10))).toBe('six');
      expect(client.getpeername()).toEqual(['::1', port, 0, 0]);
      await client.close();
      const other = await createConnection(['::1', port, 0, 0]);
      await other.sendall('scope');
      expect(String(await other.recv(10))).toBe('scope');
      await other.close();
      await expect(tcpServer('::1', port, echo)).rejects.toMatchObject({
        code: 'EADDRINUSE',
        address: '::1',
      });
      await server.cancel();
    }));

  test('openConnection connects from where it is told', () =>
    run(async () => {
      const [server, port] = await serving(async (client: Socket, address) => {
        await client.sendall(JSON.stringify(address));
      });
      const probe = tcpServerSocket('127.0.0.1', 0);
      await probe.ready();
      const free = probe.getsockname();
      await probe.close();
      const client = await openConnection('127.0.0.1', port, { sourceAddr: free });
      expect(JSON.parse(String(await drain(client)))).toEqual(free);
      await client.close();
      await server.cancel();
    }));

  test('a family is one of TCP’s, and that of the address', () =>
    run(async () => {
      const wrong: [host: string, family: unknown, message: RegExp][] = [
        [
          '127.0.0.1',
          'v6',
          /^tcpServer.*\(\) wants AF_INET or AF_INET6 of curio\/socket as family, not "v6"\.$/,
        ],
        ['', AF_UNIX, /wants AF_INET or AF_INET6/],
        ['::1', AF_INET, /"::1" is an address of IPv6\. Give family: AF_INET6, or leave it out\.$/],
        [
          '127.0.0.1',
          AF_INET6,
          /"127\.0\.0\.1" is an address of IPv4\. Give family: AF_INET, or leave it out\.$/,
        ],
      ];
      for (const [host, family, message] of wrong) {
        const options = { family: family as number };
        expect(() => tcpServer(host, 0, echo, options)).toThrow(message);
        expect(() => tcpServerSocket(host, 0, options)).toThrow(message);
      }
      for (const options of [{}, { family: AF_INET6 }]) {
        const sock = tcpServerSocket('::1', 0, options);
        await sock.ready();
        expect(sock.getsockname()[0]).toBe('::1');
        await sock.close();
      }
    }));

  test('what is no address is refused at the call, by the name of what was called', () =>
    run(async () => {
      const wrong = undefined as never;
      expect(() => openConnection('127.0.0.1', wrong)).toThrow(
        /^openConnection\(\) wants an address such as/,
      );
      expect(() => openConnection('127.0.0.1', 65536)).toThrow(/^openConnection\(\) wants a port from 0/);
      expect(() => openUnixConnection(wrong)).toThrow(/^openUnixConnection\(\) wants a path/);
      expect(() => tcpServer(wrong, 1, echo)).toThrow(/^tcpServer\(\) wants an address such as/);
      expect(() => unixServer(wrong, echo)).toThrow(/^unixServer\(\) wants a path/);
    }));

  test('outside a task what was called is refused by its name', async () => {
    await expect(openConnection('127.0.0.1', 1)).rejects.toThrow(
      /^openConnection\(\) was called outside a task/,
    );
    await expect(openUnixConnection('/x')).rejects.toThrow(
      /^openUnixConnection\(\) was called outside a task/,
    );
    await expect(tcpServer('', 0, echo)).rejects.toThrow(/^tcpServer\(\) was called outside a task/);
  });

  test('with stacks on, a connection that breaks under a reader shows where it read', () =>
    run({ stacks: true }, async () => {
      async function readsHere(sock: Socket): Promise<void> {
        await sock.recv(1);
      }
      const server = createServer((peer) => peer.once('data', () => peer.resetAndDestroy()));
      server.listen(0, '127.0.0.1');
      await wait(once(server, 'listening'));
      const client = await openConnection('127.0.0.1', (server.address() as AddressInfo).port);
      await client.sendall('x');
      const error = await thrownBy(readsHere(client));
      expect(error).toMatchObject({
        code: 'ECONNRESET',
        stack: expect.stringMatching(/readsHere.*network\.test\.ts/),
      });
      await client.close();
      server.close();
    }));

  test('a port in use is an error of tcpServer', () =>
    run(async () => {
      const sock = tcpServerSocket('127.0.0.1', 0);
      await sock.ready();
      const [, port] = sock.getsockname() as [string, number];
      await expect(tcpServer('127.0.0.1', port, echo)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await sock.close();
    }));

  test('an error shows the line that asked, also one that was made in a callback of Node’s', () =>
    run(async () => {
      async function whoAsked(operation: () => Promise<unknown>): Promise<void> {
        await operation();
      }
      const sock = tcpServerSocket('127.0.0.1', 0);
      await sock.ready();
      const [, port] = sock.getsockname() as [string, number];
      const operations: [code: string, operation: () => Promise<unknown>][] = [
        ['EADDRINUSE', () => tcpServer('127.0.0.1', port, echo)],
        ['ECONNREFUSED', () => openConnection('127.0.0.1', 1)],
        ['ENOENT', () => openUnixConnection('/no/such/socket')],
        ['ENOTFOUND', () => openConnection('no-such-host.invalid', 80)],
        ['ENOTFOUND', () => getaddrinfo('no-such-host.invalid', 80)],
      ];
      for (const [code, operation] of operations) {
        const error = await thrownBy(whoAsked(operation));
        expect(error).toMatchObject({ code, stack: expect.stringMatching(/whoAsked.*network\.test\.ts/) });
      }
      await sock.close();
    }));
});

const outOfDescriptors = (driver: string) =>
  promisify(execFile)(
    '/bin/sh',
    ['-c', `ulimit -n 400; exec "$0" --import tsx test/programs/io-emfile.ts`, process.execPath],
    { cwd: root, env: { ...process.env, NODE_OPTIONS: '', CURIO_DRIVER: driver } },
  );

describe('out of descriptors', () => {
  test('a server on the portable driver goes on; Node has hung up on who came meanwhile', async () => {
    const { stdout, stderr } = await outOfDescriptors('portable');
    expect(stdout.split('\n').filter((line) => line !== 'hung up')).toEqual([
      'EMFILE',
      'served at last',
      'the server goes on',
      '',
    ]);
    expect(stderr).toBe('');
  });
});

onPosix('out of descriptors', () => {
  test('a server waits, says so once, and goes on', async () => {
    const { stdout, stderr } = await outOfDescriptors('posix');
    expect(stdout.split('\n')).toEqual(['EMFILE', 'served at last', 'the server goes on', '']);
    expect(stderr.trim()).toMatch(
      /^curio warn: A server cannot accept clients for the moment: accept EMFILE$/,
    );
  });
});
