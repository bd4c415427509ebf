// What comes to a TLS port, and what TLS connections come to: noise, silence, resets, handshakes that break off or are cancelled. The
// server and its other clients go on, and nothing is left open.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  CancelledError,
  gather,
  openConnection,
  run,
  sleep,
  spawn,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import type { Socket } from 'curio/io';
import { SSLError, type SSLSocket } from 'curio/ssl';
import { cancelEverywhere } from 'curio/testing';
import { expect, test } from 'vitest';
import { leavesNothingOpen } from '../kit/descriptors.ts';
import { connectedPair, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import {
  answers,
  clientContext,
  echo,
  nodePlain,
  nodeServer,
  nodeTls,
  serverContext,
  tlsServer,
} from '../kit/tls.ts';

const dial = (port: number): Promise<SSLSocket> =>
  openConnection('127.0.0.1', port, { ssl: clientContext(), serverHostname: 'localhost' });

/** The beginning of a hello, so that what follows is taken for one. */
const HELLO = Buffer.from([0x16, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3]);

onEachDriver('TLS faults', () => {
  test('noise is dropped in a line each, and others are served meanwhile', async () => {
    const logger = recorder();
    await leavesNothingOpen(() =>
      run({ logger }, async () => {
        const [server, port] = await tlsServer(echo);
        const good = await dial(port);
        for (let i = 0; i < 30; i++) {
          const noise = await nodePlain(port);
          noise.on('error', () => {});
          const bytes = randomBytes(1 + i * 50);
          noise.end(i % 2 === 0 ? bytes : Buffer.concat([HELLO, bytes]));
          noise.resume();
          await answers(good, `message ${i}`);
          if (!noise.closed) await once(noise, 'close');
        }
        await good.close();
        await server.cancel();
      }),
    );
    expect(logger.of('error')).toEqual([]);
    for (const line of logger.of('warn'))
      expect(line).toMatch(/^Client 127\.0\.0\.1:\d+ was dropped\. TLS failed/);
    // Twice thirty, all of which the server has noticed before it was cancelled but perhaps the last.
    expect(logger.lines.length).toBeGreaterThan(50);
  });

  test('a handshake that never comes has its limit; a thousand of them hold up nobody', async () => {
    const logger = recorder();
    await leavesNothingOpen(() =>
      run({ logger }, async () => {
        const context = serverContext();
        context.handshakeTimeout = 0.5;
        const [server, port] = await tlsServer(echo, context);
        const good = await dial(port);
        const silent: Socket[] = [];
        // One by one: more than stand in line at a time.
        while (silent.length < 1000) silent.push(await openConnection('127.0.0.1', port));
        await answers(good);
        for (const sock of silent) {
          expect(await sock.recv(1)).toHaveLength(0);
          await sock.close();
        }
        await answers(good);
        await good.close();
        await server.cancel();
      }),
    );
    expect(logger.of('error')).toEqual([]);
    expect(logger.of('warn')).toHaveLength(2000);
    for (const line of logger.of('warn'))
      expect(line).toMatch(/^Client 127\.0\.0\.1:\d+ was dropped\. TLS failed/);
  });

  test('a thousand clients that say nothing cost nothing but themselves', async () => {
    const logger = recorder();
    await leavesNothingOpen(() =>
      run({ logger }, async () => {
        const context = serverContext();
        context.handshakeTimeout = null;
        const [server, port] = await tlsServer(echo, context);
        const silent: Socket[] = [];
        while (silent.length < 1000) silent.push(await openConnection('127.0.0.1', port));
        const active = await dial(port);
        for (let i = 0; i < 10; i++) await answers(active, `message ${i}`);
        for (const sock of [...silent, active]) await sock.close();
        await server.cancel();
      }),
    );
    expect(logger.of('error')).toEqual([]);
  });

  test('the limit is for the handshake only: afterwards a client may be silent', () =>
    run(async () => {
      const context = serverContext();
      context.handshakeTimeout = 0.5;
      const [server, port] = await tlsServer(echo, context);
      const client = await dial(port);
      await sleep(0.6);
      await answers(client);
      await client.close();
      await server.cancel();
    }));

  test('cancelling a server in the middle of handshakes leaves nothing open', () =>
    leavesNothingOpen(() =>
      run(async () => {
        const [server, port] = await tlsServer(echo);
        const silent = await gather(
          Array.from({ length: 20 }, () => () => openConnection('127.0.0.1', port)),
        );
        for (const sock of silent.slice(10)) await sock.sendall(HELLO);
        const good = await dial(port);
        await answers(good);
        await server.cancel();
        for (const sock of [...silent, good]) await sock.close();
      }),
    ));

  test('a server that says nothing is waited for as long as it is let', async () => {
    const port = await nodeServer((sock) => sock.on('end', () => sock.destroy()).resume());
    await leavesNothingOpen(() =>
      run(() => expect(timeoutAfter(0.05, dial, port)).rejects.toThrow(TaskTimeout)),
    );
  });

  test('a server that resets in the handshake is an SSLError', async () => {
    const port = await nodeServer((sock) => sock.once('data', () => sock.resetAndDestroy()));
    await leavesNothingOpen(() => run(() => expect(dial(port)).rejects.toThrow(SSLError)));
  });

  test('a client that resets in mid-message is a line in the log, and no crash', async () => {
    const logger = recorder();
    await leavesNothingOpen(() =>
      run({ logger }, async () => {
        const [server, port] = await tlsServer(echo);
        const good = await dial(port);
        const raw = await nodePlain(port);
        const bad = await nodeTls(port, { socket: raw });
        bad.on('error', () => {});
        bad.write('half a mess');
        await once(bad, 'data');
        const before = logger.lines.length;
        raw.resetAndDestroy();
        await answers(good);
        while (logger.lines.length === before) await sleep(0.005);
        await answers(good);
        await good.close();
        await server.cancel();
      }),
    );
    expect(logger.lines).toHaveLength(2);
    for (const line of logger.of('warn'))
      expect(line).toMatch(/^Client 127\.0\.0\.1:\d+ has gone: .*ECONNRESET/);
  });

  test('doHandshake cancelled: the handshake goes on, and may be waited for again', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const context = clientContext();
      const client = await context.wrapSocket(a, {
        serverHostname: 'localhost',
        doHandshakeOnConnect: false,
      });
      const shaking = await spawn(() => client.doHandshake());
      await sleep(0.01);
      expect(shaking.state).toBe('WRITE_WAIT');
      await shaking.cancel();
      expect(shaking.exception).toBeInstanceOf(TaskCancelled);
      await expect(timeoutAfter(0.01, () => client.recv(1))).rejects.toThrow(TaskTimeout);
      const other = await spawn(() => serverContext().wrapSocket(b, { serverSide: true }));
      await client.doHandshake();
      const server = await other.join();
      await server.sendall('at last');
      expect(String(await client.recv(100))).toBe('at last');
      await client.close();
      await server.close();
    }));

  test('doHandshake cancelled anywhere may be called again, and the connection is a good one', async () => {
    const hit = new Set<string>();
    await leavesNothingOpen(() =>
      cancelEverywhere(
        async () => {
          const [a, b] = await connectedPair();
          const kept: Socket[] = [a, b];
          let again = 0;
          const shakeHands = async (sock: SSLSocket) => {
            for (;;) {
              try {
                return await sock.doHandshake();
              } catch (error) {
                if (!(error instanceof CancelledError)) throw error;
                again++;
              }
            }
          };
          try {
            const later = { doHandshakeOnConnect: false };
            const client = await clientContext().wrapSocket(a, { ...later, serverHostname: 'localhost' });
            const server = await serverContext().wrapSocket(b, { ...later, serverSide: true });
            kept.push(client, server);
            const one = await spawn({ name: 'client' }, async () => {
              await using _closed = client;
              await shakeHands(client);
              await answers(client);
            });
            const other = await spawn({ name: 'server' }, async () => {
              // One that ends early lets the other go on, too.
              await using _closed = server;
              await shakeHands(server);
              await server.sendall(await server.recv(100));
              await server.recv(1);
            });
            await one.join();
            await other.join();
            return again;
          } finally {
            for (const sock of kept) sock.closeNow();
          }
        },
        ({ result, operation, kind, task, error }) => {
          // In these two tasks nothing but the handshake waits to write. A cancellation that came after it hits what follows.
          if (task === 'anonymous' || operation !== 'WRITE_WAIT' || kind === 'cancel after wake-up') return;
          expect(error).toBeNull();
          expect(result).toBe(1);
          hit.add(`${task}: ${kind}`);
        },
      ),
    );
    expect([...hit].sort()).toEqual([
      'client: cancel',
      'client: timeout',
      'server: cancel',
      'server: timeout',
    ]);
  });

  test('cancelled anywhere, connection and server leave nothing open', () =>
    leavesNothingOpen(() =>
      cancelEverywhere(
        async () => {
          const [server, port] = await tlsServer(echo);
          try {
            await using client = await dial(port);
            await answers(client);
          } finally {
            await server.cancel();
          }
        },
        () => {},
        { logger: recorder() },
      ),
    ));

  test('cancelled anywhere, an upgrade from plain text leaves nothing open', () =>
    leavesNothingOpen(() =>
      cancelEverywhere(
        async () => {
          const [a, b] = await connectedPair();
          const kept: Socket[] = [a, b];
          try {
            await gather([
              async () => {
                await a.sendall('STARTTLS\n');
                await a.recv(100);
                const safe = await clientContext().wrapSocket(a, { serverHostname: 'localhost' });
                kept.push(safe);
                await answers(safe);
              },
              async () => {
                await b.recv(100);
                await b.sendall('OK\n');
                const safe = await serverContext().wrapSocket(b, { serverSide: true });
                kept.push(safe);
                await safe.sendall(await safe.recv(100));
              },
            ]);
          } finally {
            for (const sock of kept) sock.closeNow();
          }
        },
        () => {},
      ),
    ));
});
