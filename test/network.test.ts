// Servers and connections on each driver: handlers as tasks of the server, and what ends a client, a server, and neither.

import {
  Event,
  openConnection,
  run,
  runServer,
  sleep,
  spawn,
  type Task,
  tcpServer,
  tcpServerSocket,
} from 'curio';
import type { Socket } from 'curio/io';
import { expect, test } from 'vitest';
import { drain, onEachDriver } from './kit/drivers.ts';
import { recorder } from './kit/recorder.ts';

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

onEachDriver('servers', () => {
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

  test('a port in use is an error of tcpServer', () =>
    run(async () => {
      const sock = tcpServerSocket('127.0.0.1', 0);
      await sock.ready();
      const [, port] = sock.getsockname() as [string, number];
      await expect(tcpServer('127.0.0.1', port, echo)).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await sock.close();
    }));
});
