// What goes wrong on networks, and cancellation at every blocking operation: the others go on, nothing is lost, nothing is
// left open.

import { type AddressInfo, createServer, type Socket as NetSocket, connect as nodeConnect } from 'node:net';
import {
  CancelledError,
  Event,
  gather,
  openConnection,
  Queue,
  run,
  runServer,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskGroup,
  tcpServerSocket,
  timeoutAfter,
} from 'curio';
import type { Socket } from 'curio/io';
import { AF_INET, SHUT_RD, SHUT_RDWR, SHUT_WR, SOCK_DGRAM, SOCK_STREAM, socket } from 'curio/socket';
import { cancelEverywhere } from 'curio/testing';
import { expect, test } from 'vitest';
import { leavesNothingOpen } from '../kit/descriptors.ts';
import { connectedPair, drain, listener, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';

async function echo(client: Socket): Promise<void> {
  for (;;) {
    const data = await client.recv(10_000);
    if (data.length === 0) return;
    await client.sendall(data);
  }
}

async function echoServer(): Promise<[Task, number]> {
  const sock = tcpServerSocket('127.0.0.1', 0, { backlog: 1000 });
  try {
    await sock.ready();
    const [, port] = sock.getsockname() as [string, number];
    return [await spawn(runServer, sock, echo), port];
  } catch (error) {
    await sock.close();
    throw error;
  }
}

/** A plain client of Node's, connected. */
const plainClient = (port: number) =>
  new Promise<NetSocket>((resolve) => {
    const sock = nodeConnect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => resolve(sock));
    sock.on('error', () => {});
  });

/** What clients do that is not nice, each as one client. */
const faults: Record<string, (port: number) => Promise<void>> = {
  'connects and leaves': async (port) => (await openConnection('127.0.0.1', port)).close(),
  'resets in mid-message': async (port) => {
    const sock = await plainClient(port);
    await new Promise((resolve) => sock.write('half a mess', resolve));
    sock.resetAndDestroy();
  },
  'leaves without having read what it was sent': async (port) => {
    await using sock = await openConnection('127.0.0.1', port);
    await sock.sendall(Buffer.alloc(100_000));
    await sock.recv(1);
  },
  'says nothing more, and waits for the end': async (port) => {
    await using sock = await openConnection('127.0.0.1', port);
    await sock.sendall('question');
    await sock.shutdown(SHUT_WR);
    expect(String(await drain(sock))).toBe('question');
  },
  'sends one byte at a time': async (port) => {
    await using sock = await openConnection('127.0.0.1', port);
    const stream = sock.asStream();
    for (const byte of Buffer.from('byte by byte')) {
      await sock.sendall(Buffer.from([byte]));
      expect(await stream.readExactly(1)).toEqual(Buffer.from([byte]));
    }
  },
};

onEachDriver('faults', () => {
  test('a client that resets in mid-message ends its handler only', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      const [server, port] = await echoServer();
      const good = await openConnection('127.0.0.1', port);
      const bad = await new Promise<NetSocket>((resolve) => {
        const sock = nodeConnect(port, '127.0.0.1', () => resolve(sock));
      });
      bad.write('half a mess');
      await sleep(0.02);
      bad.resetAndDestroy();
      await sleep(0.02);
      await good.sendall('still there');
      expect(String(await good.recv(100))).toBe('still there');
      await good.close();
      await server.cancel();
    });
    // The handler had no answer to it; that is no crash, but a line with the client's name.
    expect(logger.lines).toHaveLength(1);
    expect(logger.of('warn')[0]).toMatch(/^Client 127\.0\.0\.1:\d+ has gone: .*ECONNRESET/);
  });

  test('so does one that is written to after it has gone, by stream or socket', async () => {
    for (const asStream of [false, true]) {
      const logger = recorder();
      await run({ logger }, async () => {
        const gone = new Event();
        const sock = tcpServerSocket('127.0.0.1', 0);
        await sock.ready();
        const [, port] = sock.getsockname() as [string, number];
        const server = await spawn(runServer, sock, async (client: Socket) => {
          await gone.wait();
          const stream = client.asStream();
          for (;;) {
            if (asStream) await stream.write('are you there?');
            else await client.sendall('are you there?');
            await sleep(0.001);
          }
        });
        const client = await openConnection('127.0.0.1', port);
        await client.close();
        await gone.set();
        while (logger.lines.length === 0) await sleep(0.001);
        await server.cancel();
      });
      expect(logger.lines).toHaveLength(1);
      expect(logger.of('warn')[0]).toMatch(/^Client 127\.0\.0\.1:\d+ has gone: .*(EPIPE|ECONNRESET)/);
    }
  });

  test('a reset of another connection than the client’s is a crash of the handler, and so is any other error', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      let connections = 0;
      const backend = createServer((behind) => {
        if (connections++ === 0) behind.resetAndDestroy();
        else behind.end();
      });
      await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
      const where = (backend.address() as AddressInfo).port;
      const sock = tcpServerSocket('127.0.0.1', 0);
      await sock.ready();
      const [, port] = sock.getsockname() as [string, number];
      const server = await spawn(runServer, sock, async function forwarding(client: Socket) {
        await client.recv(100);
        await using behind = await openConnection('127.0.0.1', where);
        await behind.asStream().readExactly(10);
      });
      for (let i = 0; i < 2; i++) {
        const client = await openConnection('127.0.0.1', port);
        await client.sendall('x');
        expect(await client.recv(100)).toHaveLength(0);
        await client.close();
      }
      backend.close();
      await server.cancel();
    });
    expect(logger.lines).toHaveLength(2);
    expect(logger.of('error')[0]).toMatch(/^Task Crash.*name='forwarding'[\s\S]*ECONNRESET/);
    expect(logger.of('error')[1]).toMatch(/^Task Crash.*name='forwarding'[\s\S]*EOFError/);
  });

  test('a reset reaches a waiting reader and a waiting writer', () =>
    run({ logger: recorder() }, async () => {
      const [server, [, port]] = (await listener()) as [Socket, [string, number]];
      const client = nodeConnect(port, '127.0.0.1');
      const [sock] = await server.accept();
      const reader = await spawn(() => sock.recv(100));
      const writer = await spawn(() => sock.sendall(Buffer.alloc(50_000_000)));
      await sleep(0.02);
      expect([reader.state, writer.state]).toEqual(['READ_WAIT', 'WRITE_WAIT']);
      client.resetAndDestroy();
      await reader.wait();
      await writer.wait();
      const codes = [reader, writer].map((task) => (task.exception as { code?: string } | null)?.code);
      expect(codes).toContain('ECONNRESET');
      expect(['ECONNRESET', 'EPIPE']).toContain(codes[1]);
      await sock.close();
      await server.close();
    }));

  test('half a connection can be shut: the other half goes on', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('question');
      await a.shutdown(SHUT_WR);
      expect(String(await drain(b))).toBe('question');
      expect(await b.recv(10)).toHaveLength(0);
      await b.sendall('answer');
      expect(String(await a.recv(100))).toBe('answer');
      await expect(a.sendall('more')).rejects.toMatchObject({ code: 'EPIPE' });
      await b.shutdown(SHUT_RDWR);
      expect(await a.recv(10)).toHaveLength(0);
      await a.close();
      await b.close();
    }));

  test('shutting the reading half wakes the reader with the end of input', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const reader = await spawn(() => a.recv(10));
      await sleep(0);
      await a.shutdown(SHUT_RD);
      expect(await reader.join()).toHaveLength(0);
      await a.sendall('writing works');
      expect(String(await b.recv(100))).toBe('writing works');
      await a.close();
      await b.close();
    }));

  test('shutting the writing half wakes who waits for room', () =>
    run({ logger: recorder() }, async () => {
      const [a, b] = await connectedPair();
      const writer = await spawn(() => a.sendall(Buffer.alloc(50_000_000)));
      await sleep(0.02);
      expect(writer.state).toBe('WRITE_WAIT');
      await a.shutdown(SHUT_WR);
      await writer.wait();
      const { code, bytesSent } = writer.exception as { code?: string; bytesSent?: number };
      expect(code).toBe('EPIPE');
      expect((await drain(b)).length).toBe(bytesSent);
      await a.close();
      await b.close();
    }));

  test('a shutdown that makes no sense is EINVAL', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await expect(a.shutdown(99)).rejects.toMatchObject({ code: 'EINVAL', syscall: 'shutdown' });
      await a.close();
      await b.close();
      expect(a.fileno()).toBe(-1);
    }));

  test('one byte at a time arrives as it was sent', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const text = 'byte by byte\nand line by line\n'.repeat(20);
      const [, lines] = await gather([
        async () => {
          for (const byte of Buffer.from(text)) await a.sendall(Buffer.from([byte]));
          await a.close();
        },
        async () => (await b.asStream().readlines()).map(String),
      ]);
      expect(lines.join('')).toBe(text);
      await b.close();
    }));

  test('a thousand clients that say nothing cost nothing but themselves', async () => {
    await leavesNothingOpen(() =>
      run(async () => {
        const [server, port] = await echoServer();
        const idle: Socket[] = [];
        for (let i = 0; i < 1000; i++) idle.push(await openConnection('127.0.0.1', port));
        const active = await openConnection('127.0.0.1', port);
        for (let i = 0; i < 10; i++) {
          await active.sendall(`message ${i}`);
          expect(String(await active.recv(100))).toBe(`message ${i}`);
        }
        for (const sock of [...idle, active]) await sock.close();
        await server.cancel();
      }),
    );
  });

  test('clients that come and go leave nothing open and nothing behind', async () => {
    await leavesNothingOpen(() =>
      run(async () => {
        const [server, port] = await echoServer();
        for (let round = 0; round < 20; round++) {
          await using group = new TaskGroup();
          for (let i = 0; i < 10; i++) {
            await group.spawn(async () => {
              await using sock = await openConnection('127.0.0.1', port);
              const stream = sock.asStream();
              await stream.write(`${i}\n`);
              expect(String(await stream.readline())).toBe(`${i}\n`);
            });
          }
          await group.join();
        }
        await server.cancel();
      }),
    );
  });

  test.each(Object.entries(faults))(
    'a client that %s: the others go on, and nothing is left open',
    async (_title, fault) => {
      const logger = recorder();
      await leavesNothingOpen(() =>
        run({ logger }, async () => {
          const [server, port] = await echoServer();
          const good = await openConnection('127.0.0.1', port);
          for (let i = 0; i < 20; i++) {
            await fault(port);
            await good.sendall(`message ${i}`);
            expect(String(await good.recv(100))).toBe(`message ${i}`);
          }
          expect(server.terminated).toBe(false);
          await good.close();
          await server.cancel();
        }),
      );
      expect(logger.of('error')).toEqual([]);
      for (const line of logger.lines) expect(line).toMatch(/has gone: .*(ECONNRESET|EPIPE)$/);
    },
  );

  test('bytes of many connections stay apart, whatever their sizes', () =>
    run(async () => {
      const [server, port] = await echoServer();
      await using group = new TaskGroup();
      for (let i = 0; i < 30; i++) {
        await group.spawn(async () => {
          const sock = await openConnection('127.0.0.1', port);
          const data = Buffer.alloc(1 + i * 7001, String.fromCharCode(65 + i));
          const [, received] = await gather([
            async () => {
              await sock.sendall(data);
              await sock.shutdown(SHUT_WR);
            },
            () => drain(sock),
          ]);
          expect(received.equals(data)).toBe(true);
          await sock.close();
        });
      }
      await group.join();
      for (const task of group.tasks) expect(task.exception).toBeNull();
      await server.cancel();
    }));

  test('a reader that does not read stops the sender: memory stays flat', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const piece = Buffer.alloc(1_000_000);
      let sent = 0;
      const sender = await spawn({ daemon: true }, async () => {
        for (;;) {
          await a.sendall(piece);
          sent += piece.length;
        }
      });
      await spawn({ daemon: true }, () => b.recv(1));
      await sleep(0.1);
      const then = sent;
      await sleep(0.1);
      expect(sent).toBe(then);
      expect(sender.state).toBe('WRITE_WAIT');
      await sender.cancel();
      await a.close();
      await b.close();
    }));
});

/** Remembers the sockets of a run, to close what an interrupted program has left open. */
function keeper() {
  const kept = new Set<Socket>();
  return {
    keep(sock: Socket): Socket {
      kept.add(sock);
      return sock;
    },
    closeAll(): void {
      for (const sock of kept) sock.closeNow();
      kept.clear();
    },
  };
}

/** Lets an interruption pass, and nothing else. */
function forgive(error: unknown): void {
  if (!(error instanceof CancelledError)) throw error;
}

onEachDriver('cancellation at every blocking operation', (driver) => {
  test('of a server and its clients leaves nothing open', async () => {
    await leavesNothingOpen(() =>
      cancelEverywhere(
        async () => {
          const [server, port] = await echoServer();
          try {
            await gather(
              [1, 2].map((n) => async () => {
                await using sock = await openConnection('127.0.0.1', port);
                await sock.sendall(`hello ${n}`);
                expect(String(await sock.recv(100))).toBe(`hello ${n}`);
              }),
            );
          } finally {
            await server.cancel();
          }
        },
        () => {},
      ),
    );
  });

  test('of sendall: the peer receives what the error says', async () => {
    const { keep, closeAll } = keeper();
    // More than the buffers hold. Node is given it in small pieces, each of which may have to wait.
    const data = Buffer.alloc(driver === 'posix' ? 8_000_000 : 2_000_000, 'x');
    await cancelEverywhere(
      async () => {
        const [a, b] = await connectedPair();
        keep(a);
        keep(b);
        const receiver = await spawn(async () => {
          try {
            return await drain(b);
          } finally {
            await b.close();
          }
        });
        let sent = data.length;
        try {
          await a.sendall(data);
        } catch (error) {
          sent = (error as { bytesSent: number }).bytesSent;
          expect(sent).toBeLessThan(data.length);
        }
        await a.close();
        const received = await receiver.join();
        return [sent, received.length];
      },
      ({ result, task }) => {
        closeAll();
        // Where the receiver itself was hit there is no result.
        if (result !== undefined) expect(result[0], task).toBe(result[1]);
      },
    );
  });

  test('of reading: what one call did not give, the next one does', async () => {
    const { keep, closeAll } = keeper();
    const text = 'first line\nsecond line\n0123456789tail without end';
    await cancelEverywhere(
      async () => {
        const [a, b] = await connectedPair();
        keep(a);
        keep(b);
        await spawn({ daemon: true }, async () => {
          for (let at = 0; at < text.length; at += 7) {
            await a.sendall(text.slice(at, at + 7));
            await new Promise((resolve) => setImmediate(resolve));
          }
          await a.close();
        });
        const stream = b.asStream();
        const got: Buffer[] = [];
        const take = async (operation: () => Promise<Buffer>) => {
          for (;;) {
            try {
              got.push(await operation());
              return;
            } catch (error) {
              forgive(error);
              if (operation === readall) got.push((error as { bytesRead: Buffer }).bytesRead);
            }
          }
        };
        const readall = () => stream.readall();
        await take(() => stream.readline());
        await take(() => stream.readline());
        await take(() => stream.readExactly(10));
        await take(() => stream.read(3));
        await take(readall);
        return String(Buffer.concat(got));
      },
      ({ result, task }) => {
        closeAll();
        if (task !== 'anonymous') expect(result).toBe(text);
      },
    );
  });

  test('of accept: a client that was not accepted stands in line', async () => {
    const { keep, closeAll } = keeper();
    await cancelEverywhere(
      async () => {
        const [server, address] = await listener();
        keep(server);
        const accepted: Socket[] = [];
        await spawn({ daemon: true }, async function connecting() {
          for (let i = 0; i < 2; i++) {
            const sock = keep(socket(AF_INET, SOCK_STREAM));
            await sock.connect(address);
          }
        });
        while (accepted.length < 2) {
          try {
            const [sock] = await timeoutAfter(5, () => server.accept());
            accepted.push(keep(sock));
          } catch (error) {
            if (!(error instanceof TaskCancelled)) throw error;
          }
        }
        return accepted.length;
      },
      ({ result, kind, task, operation }) => {
        closeAll();
        if (kind === 'cancel' && operation === 'READ_WAIT' && task !== 'connecting') expect(result).toBe(2);
      },
    );
  });

  test('of connect: the socket can be closed, another one connects, and nothing is left open', async () => {
    const { keep, closeAll } = keeper();
    await leavesNothingOpen(() =>
      cancelEverywhere(
        async () => {
          const [server, address] = await listener();
          keep(server);
          for (let tries = 1; ; tries++) {
            const sock = keep(socket(AF_INET, SOCK_STREAM));
            try {
              await sock.connect(address);
              return [tries, sock.getpeername()];
            } catch (error) {
              forgive(error);
              await sock.close();
            }
          }
        },
        ({ result, operation, kind }) => {
          closeAll();
          if (operation !== 'WRITE_WAIT') return;
          // One interruption, one more try; one that came too late changed nothing.
          expect(result).toEqual([
            kind === 'cancel after wake-up' ? 1 : 2,
            ['127.0.0.1', expect.any(Number)],
          ]);
        },
      ),
    );
  });

  test('of UDP: a datagram is received once or stays', async () => {
    const { keep, closeAll } = keeper();
    await cancelEverywhere(
      async () => {
        const server = keep(socket(AF_INET, SOCK_DGRAM));
        server.bind(['127.0.0.1', 0]);
        await server.ready();
        const client = keep(socket(AF_INET, SOCK_DGRAM));
        const got = new Queue<string>();
        const receiver = await spawn(async () => {
          while (got.size() < 3) {
            try {
              await got.put(String((await server.recvfrom(100))[0]));
            } catch (error) {
              forgive(error);
            }
          }
        });
        for (const text of ['a', 'b', 'c']) await client.sendto(text, server.getsockname());
        await receiver.join();
        return [await got.get(), await got.get(), await got.get()].join('');
      },
      ({ result, error }) => {
        closeAll();
        if (error === null) expect(result).toBe('abc');
      },
    );
  });
});
