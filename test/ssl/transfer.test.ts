// Bytes over TLS connections: all of them and in order, with a peer that is slow, takes nothing, or has said its last word, and
// across cancellation.

import {
  Event,
  gather,
  NotSupportedError,
  openConnection,
  ReadResourceBusy,
  run,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  WriteResourceBusy,
} from 'curio';
import { MSG_PEEK, SHUT_RDWR, SHUT_WR } from 'curio/socket';
import type { SSLSocket } from 'curio/ssl';
import { expect, test } from 'vitest';
import { drain, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import { clientContext, echo, nodeTls, tlsServer } from '../kit/tls.ts';

/** More than what stands between two sockets can hold. */
const MUCH = 30_000_000;

const dial = (port: number): Promise<SSLSocket> =>
  openConnection('127.0.0.1', port, { ssl: clientContext(), serverHostname: 'localhost' });

/** A server with this handler, and a client; both have ended when `use` has. */
async function between(
  handler: (client: SSLSocket) => unknown,
  use: (client: SSLSocket) => unknown,
): Promise<void> {
  const [server, port] = await tlsServer(handler);
  const client = await dial(port);
  try {
    await use(client);
  } finally {
    await client.close();
    await server.cancel();
  }
}

/** Until a task that writes has had to wait for a good while. */
async function stuck(task: Task): Promise<void> {
  for (let quiet = 0; quiet < 10; quiet++) {
    const { cycles } = task;
    await sleep(0.01);
    if (task.cycles !== cycles || task.state !== 'WRITE_WAIT') quiet = 0;
  }
}

onEachDriver('TLS transfer', () => {
  test('messages of all sizes come back as they were', () =>
    run(() =>
      between(echo, async (client) => {
        const stream = client.asStream();
        for (const length of [1, 2, 1023, 1024, 16_383, 16_384, 16_385, 65_536, 65_537, 1_000_000]) {
          const data = Buffer.alloc(length, `${length}|`);
          const [, reply] = await gather([() => client.sendall(data), () => stream.readExactly(length)]);
          expect(reply.equals(data)).toBe(true);
        }
      }),
    ));

  test('what the caller does with its memory afterwards does not matter', () =>
    run(() =>
      between(echo, async (client) => {
        const data = Buffer.alloc(50_000);
        const pieces: Buffer[] = [];
        const receiving = await spawn(() => client.asStream().readExactly(20 * data.length));
        for (let i = 0; i < 20; i++) {
          data.fill(i);
          pieces.push(Buffer.from(data));
          await client.sendall(data);
          data.fill(255);
        }
        expect((await receiving.join()).equals(Buffer.concat(pieces))).toBe(true);
      }),
    ));

  test('recvInto, lines and single bytes: nothing is lost between kinds of reading', () =>
    run(() =>
      between(echo, async (client) => {
        await client.sendall('one\ntwo\nthree\n0123456789');
        const stream = client.asStream();
        expect(String(await stream.readline())).toBe('one\n');
        expect(String(await stream.readExactly(2))).toBe('tw');
        expect(String(await stream.readline())).toBe('o\n');
        expect(String(await stream.readline())).toBe('three\n');
        const target = Buffer.alloc(4);
        expect(await stream.readinto(target)).toBe(4);
        expect(String(target)).toBe('0123');
        expect(String(await stream.readExactly(6))).toBe('456789');
        await client.sendall('abcdef');
        expect(await client.recvInto(target, 3)).toBe(3);
        expect(String(target)).toBe('abc3');
        expect(String(await client.recv(1))).toBe('d');
        expect(String(await client.recv(100))).toBe('ef');
      }),
    ));

  test('flags are a RangeError: what is read has been decrypted', () =>
    run(() =>
      between(echo, async (client) => {
        await expect(client.recv(1, 2)).rejects.toThrow(RangeError);
        await expect(client.send('x', 2)).rejects.toThrow(RangeError);
      }),
    ));

  test('recvmsg and flags are refused at once, also when there has just been nothing to read', () =>
    run(() =>
      between(echo, async (client) => {
        const reader = await spawn(() => client.recv(1));
        await sleep(0);
        await reader.cancel();
        await expect(client.recvmsg(1)).rejects.toThrow(NotSupportedError);
        await expect(client.recvmsgInto([Buffer.alloc(1)])).rejects.toThrow(NotSupportedError);
        await expect(client.recv(1, MSG_PEEK)).rejects.toThrow(RangeError);
        await expect(client.recvInto(Buffer.alloc(1), 1, MSG_PEEK)).rejects.toThrow(RangeError);
      }),
    ));

  test('a second reader, and a second writer, are refused; the first go on', () =>
    run(() =>
      between(
        async (client) => {
          await client.recv(1);
          await client.sendall('!');
          await drain(client);
        },
        async (client) => {
          const reader = await spawn(() => client.recv(10));
          await sleep(0);
          await expect(client.recv(1)).rejects.toThrow(ReadResourceBusy);
          const writer = await spawn(() => client.sendall(Buffer.alloc(MUCH)));
          await sleep(0);
          expect(writer.state).toBe('WRITE_WAIT');
          await expect(client.send('x')).rejects.toThrow(WriteResourceBusy);
          expect(String(await reader.join())).toBe('!');
          await writer.join();
        },
      ),
    ));

  test('a reader that does not read stops the sender: little is put aside', () =>
    run(async () => {
      const go = new Event();
      let sent = 0;
      await between(
        async (client) => {
          await client.recv(1);
          await go.wait();
        },
        async (client) => {
          const sender = await spawn(async () => {
            for (const piece = Buffer.alloc(100_000); ; sent += piece.length) await client.sendall(piece);
          });
          await stuck(sender);
          // What the two systems hold between them, and not a growing heap.
          expect(sent).toBeLessThan(MUCH);
          const before = sent;
          await sleep(0.05);
          expect(sent).toBe(before);
          await sender.cancel();
          await sender.wait();
          await go.set();
        },
      );
    }));

  test('nobody who does not read makes this side read ahead more than a little', () =>
    run(async () => {
      let given = 0;
      await between(
        async (client) => {
          const sender = await spawn({ daemon: true }, async () => {
            for (const piece = Buffer.alloc(100_000); ; given += piece.length) await client.sendall(piece);
          });
          try {
            await drain(client);
          } finally {
            await sender.cancel();
          }
        },
        async (client) => {
          expect(await client.recv(1)).toHaveLength(1);
          let before = -1;
          for (; before !== given; await sleep(0.1)) before = given;
          expect(given).toBeLessThan(MUCH);
          await client.shutdown(SHUT_WR);
        },
      );
    }));

  test('sendall cut short: the peer receives what the error says', () =>
    run(async () => {
      const go = new Event();
      let received = -1;
      await between(
        async (client) => {
          await go.wait();
          received = (await drain(client)).length;
        },
        async (client) => {
          const sender = await spawn(() => client.sendall(Buffer.alloc(MUCH)));
          await stuck(sender);
          await sender.cancel();
          const { bytesSent } = sender.exception as TaskCancelled;
          expect(bytesSent).toBeGreaterThan(0);
          expect(bytesSent).toBeLessThan(MUCH);
          await go.set();
          await client.shutdown(SHUT_WR);
          expect(await client.recv(1)).toHaveLength(0);
          expect(received).toBe(bytesSent);
        },
      );
    }));

  test('a recv that times out takes nothing: the next one gets what comes', () =>
    run(() =>
      between(echo, async (client) => {
        await expect(timeoutAfter(0.01, () => client.recv(10))).rejects.toThrow(TaskTimeout);
        const reader = await spawn(() => client.recv(10));
        await sleep(0);
        await reader.cancel();
        expect(reader.exception).toBeInstanceOf(TaskCancelled);
        await client.sendall('later');
        expect(String(await client.recv(10))).toBe('later');
      }),
    ));

  test('half a connection can be shut: the other half goes on, and writing is EPIPE', () =>
    run(() =>
      between(
        async (client) => {
          const data = await drain(client);
          await client.sendall(`got ${data.length}`);
        },
        async (client) => {
          // So much that Node has had to wait for room before.
          await client.sendall(Buffer.alloc(1_000_000));
          await client.shutdown(SHUT_WR);
          await expect(client.sendall('more')).rejects.toMatchObject({ code: 'EPIPE' });
          expect(String(await drain(client))).toBe('got 1000000');
          await expect(client.send('more')).rejects.toMatchObject({ code: 'EPIPE' });
        },
      ),
    ));

  test('shutting down wakes who waits for room, with EPIPE, and who reads, with the end', () =>
    run({ logger: recorder() }, () =>
      between(
        async (client) => {
          await client.recv(1);
          await sleep(1000);
        },
        async (client) => {
          const reader = await spawn(() => client.recv(1));
          const sender = await spawn(() => client.sendall(Buffer.alloc(MUCH)));
          await stuck(sender);
          await client.shutdown(SHUT_RDWR);
          await sender.wait();
          expect(sender.exception).toMatchObject({ code: 'EPIPE', bytesSent: expect.any(Number) });
          expect(await reader.join()).toHaveLength(0);
        },
      ),
    ));

  test('a shutdown that makes no sense is EINVAL', () =>
    run(() =>
      between(echo, async (client) => {
        await expect(client.shutdown(99)).rejects.toMatchObject({ code: 'EINVAL' });
      }),
    ));

  test('closing wakes who waits, with EBADF', () =>
    run({ logger: recorder() }, () =>
      between(
        async (client) => {
          await client.recv(1);
          await sleep(1000);
        },
        async (client) => {
          const reader = await spawn(() => client.recv(1));
          const sender = await spawn(() => client.sendall(Buffer.alloc(MUCH)));
          await stuck(sender);
          await client.close();
          for (const task of [reader, sender]) {
            await task.wait();
            expect(task.exception).toMatchObject({ code: 'EBADF' });
          }
          await expect(client.recv(1)).rejects.toMatchObject({ code: 'EBADF' });
          await expect(client.sendall('x')).rejects.toMatchObject({ code: 'EBADF' });
        },
      ),
    ));

  for (const how of ['close', 'shutdown and close'] as const) {
    test(`${how}: a peer that reads late still gets everything, and the end`, () =>
      run(async () => {
        const go = new Event();
        const done = new Event();
        let received = -1;
        const [server, port] = await tlsServer(async (client) => {
          await go.wait();
          received = (await drain(client)).length;
          await done.set();
        });
        const client = await dial(port);
        const stream = client.asStream();
        await stream.write(Buffer.alloc(1_500_000));
        if (how === 'shutdown and close') await client.shutdown(SHUT_WR);
        const closing = await spawn(() => stream.close());
        await sleep(0.02);
        await go.set();
        await closing.join();
        await done.wait();
        expect(received).toBe(1_500_000);
        await server.cancel();
      }));
  }

  test('a handler that is cancelled can still say goodbye', () =>
    run(async () => {
      const [server, port] = await tlsServer(async (client) => {
        try {
          await client.recv(1);
        } catch (error) {
          await client.sendall('goodbye');
          throw error;
        }
      });
      const client = await dial(port);
      await sleep(0.02);
      await server.cancel();
      expect(String(await drain(client))).toBe('goodbye');
      await client.close();
    }));

  test('a peer that goes without a goodbye is the end of input', () =>
    run(async () => {
      const end = new Event();
      const [server, port] = await tlsServer(async (client) => {
        expect(String(await client.recv(100))).toBe('last words');
        expect(await client.recv(100)).toHaveLength(0);
        await end.set();
      });
      const peer = await nodeTls(port);
      peer.write('last words', () => peer.destroy());
      await end.wait();
      await server.cancel();
    }));
});
