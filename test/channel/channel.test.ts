// Where two programs meet: binding, accepting, connecting, keys, and clients that mean no good.

import { createServer } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import {
  AuthenticationError,
  CancelledError,
  EOFError,
  gather,
  ReadResourceBusy,
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  TimeoutCancellationError,
  timeoutAfter,
} from 'curio';
import { Channel, type Connection, type MeetingOptions } from 'curio/channel';
import { type Address, AF_INET, AF_INET6, AF_UNIX, SOCK_STREAM, socket } from 'curio/socket';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { onEachDriver } from '../kit/drivers.ts';
import { descriptors, folder, HandClock, until } from '../kit/processes.ts';
import { recorder } from '../kit/recorder.ts';

type Failure = Error & { code: string; cause: unknown };

const failure = (operation: Promise<unknown>) =>
  operation.then(
    () => null as never,
    (error) => error as Failure,
  );

const patient = () => ({ clock: new VirtualClock({ patience: 0.02 }) });

/** A channel on a free port of this machine. Called in a task. */
async function place(options = {}): Promise<Channel> {
  const channel = new Channel(['localhost', 0], AF_INET, options);
  await channel.bind();
  return channel;
}

/** Another program's idea of the same channel. */
const copy = (channel: Channel) => new Channel(channel.address, channel.family);

/** Both ends of a meeting. */
async function meet(channel: Channel, options?: MeetingOptions): Promise<[Connection, Connection]> {
  return gather([() => channel.accept(options), () => copy(channel).connect(options)]) as Promise<
    [Connection, Connection]
  >;
}

/** A socket that connects and leaves the rest to the test. */
async function stranger(channel: Channel) {
  const sock = socket(channel.family, SOCK_STREAM);
  await sock.connect(channel.address);
  return sock;
}

onEachDriver('a channel', (driver) => {
  test('brings together who accepts and who connects', () =>
    run(async () => {
      await using channel = await place();
      const [host, port] = channel.address as [string, number];
      expect(host).toBe('127.0.0.1');
      expect(port).toBeGreaterThan(0);
      await using producer = await spawnProducer(channel, {});
      expect(await collect(copy(channel), {})).toEqual([0, 1, 2, 3, 4, null]);
      await producer.join();
    }));

  test('does so for those who have the same key', () =>
    run(async () => {
      for (const authkey of ['peekaboo', Buffer.from('peekaboo')]) {
        await using channel = await place();
        await using producer = await spawnProducer(channel, { authkey });
        expect(await collect(copy(channel), { authkey: Buffer.from('peekaboo') })).toEqual([
          0,
          1,
          2,
          3,
          4,
          null,
        ]);
        await producer.join();
      }
    }));

  async function spawnProducer(channel: Channel, options: MeetingOptions) {
    const task = await spawn(async () => {
      await using connection = await channel.accept(options);
      for (let i = 0; i < 5; i++) await connection.send(i);
      await connection.send(null);
    });
    return { join: () => task.join(), [Symbol.asyncDispose]: () => task.cancel() };
  }

  async function collect(channel: Channel, options: MeetingOptions): Promise<unknown[]> {
    await using connection = await channel.connect(options);
    const messages: unknown[] = [];
    do messages.push(await connection.recv());
    while (messages.at(-1) !== null);
    return messages;
  }

  test('binds when it is told to, or when it first accepts', () =>
    run(async () => {
      const channel = new Channel(['127.0.0.1', 0]);
      expect(channel.address).toEqual(['127.0.0.1', 0]);
      const accepting = await spawn(() => channel.accept());
      while ((channel.address as [string, number])[1] === 0) await sleep(0);
      await channel.bind();
      const client = await copy(channel).connect();
      const server = await accepting.join();
      await channel.close();
      await server.send('the channel is closed, the connection is not');
      expect(await client.recv()).toBe('the channel is closed, the connection is not');
      await server.close();
      await client.close();
    }));

  if (driver === 'posix') {
    test('has its address as soon as bind() has been called, also outside of any task', async () => {
      const channel = new Channel(['', 0]);
      void channel.bind();
      expect(channel.address).toEqual(['0.0.0.0', expect.any(Number)]);
      const taken = new Channel(channel.address);
      expect(() => taken.bind()).toThrow('EADDRINUSE');
      await run(() => channel.close());
    });
  }

  test('says so if the address is taken, and can be bound once it is free', () =>
    run(async () => {
      const first = await place();
      const second = copy(first);
      expect(await failure((async () => second.bind())())).toMatchObject({ code: 'EADDRINUSE' });
      expect(await failure(second.accept())).toMatchObject({ code: 'EADDRINUSE' });
      await first.close();
      await second.bind();
      const [a, b] = await meet(second);
      await a.close();
      await b.close();
      await second.close();
    }));

  test('meets on Unix sockets and over IPv6, too, and sees from the address which it is', async () => {
    const path = join(folder(), 'channel');
    await run(async () => {
      for (const [address, family] of [
        [path, AF_UNIX],
        [['::1', 0], AF_INET6],
        [['127.0.0.1', 0], AF_INET],
      ] as [Address, number][]) {
        await using channel = new Channel(address);
        expect(channel.family).toBe(family);
        await channel.bind();
        const [a, b] = await meet(channel, { authkey: 'key' });
        await a.send('hello');
        expect(await b.recv()).toBe('hello');
        await a.close();
        await b.close();
      }
    });
  });

  test('looks names up', () =>
    run(async () => {
      await using channel = new Channel([hostname(), 0]);
      const accepting = await spawn(() => channel.accept());
      while ((channel.address as [string, number])[1] === 0) await sleep(0.001);
      const client = await copy(channel).connect();
      await client.close();
      await (await accepting.join()).close();
    }));

  test('gives its options to its connections, which may have their own', () =>
    run(async () => {
      await using channel = await place({ codec: 'json', maxMessageSize: 20 });
      const [a, b] = await gather([
        () => channel.accept({ maxMessageSize: 10 }),
        () => new Channel(channel.address, { codec: 'json' }).connect(),
      ]);
      await b.send('12345');
      expect((await a.recvBytes()).toString()).toBe('"12345"');
      await a.send('12345');
      expect(await b.recv()).toBe('12345');
      await b.sendBytes('12345678901');
      expect(await failure(a.recv())).toMatchObject({ code: 'EMSGSIZE' });
      await a.close();
      await b.close();
    }));

  test('does not try again if nobody is there', () =>
    run(async () => {
      const gone = await place();
      await gone.close();
      expect(await failure(copy(gone).connect())).toMatchObject({ code: 'ECONNREFUSED' });
      expect(await failure(new Channel(join(folder(), 'nobody')).connect())).toMatchObject({
        code: 'ENOENT',
      });
    }));

  test('closes once and for all who wait, and twice is harmless', () =>
    run(async () => {
      for (const authkey of [null, 'key']) {
        const channel = await place();
        const waiter = await spawn(() => failure(channel.accept({ authkey })));
        await sleep(0);
        await channel.close();
        expect(await waiter.join()).toMatchObject({ code: 'EBADF' });
        await channel.close();
        expect(await failure(channel.accept({ authkey }))).toMatchObject({ code: 'EBADF' });
        expect(() => channel.bind()).toThrow('EBADF');
      }
    }));

  test('lets one task accept at a time', () =>
    run(async () => {
      for (const authkey of [null, 'key']) {
        await using channel = await place();
        const first = await spawn(() => channel.accept({ authkey }));
        while (first.state === 'READY' || first.state === 'RUNNING') await sleep(0);
        expect(await failure(channel.accept({ authkey }))).toBeInstanceOf(ReadResourceBusy);
        const client = await copy(channel).connect({ authkey });
        await (await first.join()).close();
        await client.close();
      }
    }));

  test('may turn clients away by their address', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      await using channel = await place();
      const asked: Address[] = [];
      channel.checkAddress = async (address) => {
        asked.push(address);
        return asked.length > 1;
      };
      const accepting = await spawn(() => channel.accept());
      const refused = await copy(channel).connect();
      expect(await failure(refused.recv())).toBeInstanceOf(EOFError);
      const welcome = await copy(channel).connect();
      const connection = await accepting.join();
      await welcome.send('hello');
      expect(await connection.recv()).toBe('hello');
      for (const each of [refused, welcome, connection]) await each.close();
      expect(asked.map(([host]) => host)).toEqual(['127.0.0.1', '127.0.0.1']);
      // One that fails is the caller's own affair.
      channel.checkAddress = () => {
        throw new RangeError('of the user');
      };
      const failing = await spawn(() => failure(channel.accept()));
      const dropped = await copy(channel).connect();
      expect((await failing.join()).message).toBe('of the user');
      expect(await failure(dropped.recv())).toBeInstanceOf(EOFError);
      await dropped.close();
    });
    expect(logger.lines).toEqual([
      expect.stringMatching(/^warn: A channel has turned away a client from 127\.0\.0\.1:\d+\.$/),
    ]);
  });

  describe('with a key', () => {
    test('does not let in who has another, warns, and waits for the next; the client is told', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        await using channel = await place();
        const accepting = await spawn(() => channel.accept({ authkey: 'right' }));
        const error = await failure(copy(channel).connect({ authkey: 'wrong' }));
        expect(error).toBeInstanceOf(AuthenticationError);
        const client = await copy(channel).connect({ authkey: 'right' });
        await client.send('it is me');
        const server = await accepting.join();
        expect(await server.recv()).toBe('it is me');
        await client.close();
        await server.close();
      });
      expect(logger.lines).toEqual([
        expect.stringMatching(
          /^warn: A channel has dropped a client from 127\.0\.0\.1:\d+: The peer has another key: the digest received/,
        ),
      ]);
    });

    test('does not let in who says nothing, within a second, or what makes no sense, or who leaves', async () => {
      const logger = recorder();
      await run({ ...patient(), logger }, async () => {
        await using channel = await place();
        const accepting = await spawn(() => channel.accept({ authkey: 'key' }));
        const silent = await stranger(channel);
        const babbling = await stranger(channel);
        await babbling.sendall(Buffer.alloc(1000, 0x7f));
        const negative = await stranger(channel);
        await negative.sendall(Buffer.alloc(4, 0x80));
        const leaving = await stranger(channel);
        await leaving.close();
        await sleep(2);
        const client = await copy(channel).connect({ authkey: 'key' });
        const server = await accepting.join();
        await client.send('hello');
        expect(await server.recv()).toBe('hello');
        // They have been dropped: after the challenge comes the end.
        for (const sock of [silent, babbling, negative]) {
          let last = await failureOrData(sock.recv(1000));
          while (typeof last === 'number' && last > 0) last = await failureOrData(sock.recv(1000));
          expect(last).toBeOneOf([0, 'ECONNRESET']);
        }
        for (const each of [silent, babbling, negative, client, server]) await each.close();
      });
      const reasons = logger.lines.map((line) => line.replace(/^warn: .*?:\d+: /, '')).sort();
      expect(reasons).toEqual([
        expect.stringContaining('The peer has closed the connection'),
        expect.stringContaining('it has not shown its key within 1 s'),
        expect.stringMatching(/recv EBADMSG: a length of -\d+ bytes has been announced/),
        expect.stringContaining(
          'recv EMSGSIZE: the peer sends a message of 2139062143 bytes, and 256 are allowed',
        ),
      ]);
    });

    const failureOrData = (receiving: Promise<Buffer>) =>
      receiving.then(
        (data) => data.length,
        (error) => error.code as string,
      );

    test('lets in at once who has it, however many say nothing', async () => {
      await run(patient(), async () => {
        await using channel = await place();
        const accepting = await spawn(() => channel.accept({ authkey: 'key' }));
        const silent = await gather(Array.from({ length: 50 }, () => () => stranger(channel)));
        // No clock is needed for that: nobody's second has passed.
        const client = await copy(channel).connect({ authkey: 'key' });
        await (await accepting.join()).close();
        await client.close();
        for (const sock of silent) await sock.close();
      });
    });

    test('lets in one after the other, also those who came at the same time', () =>
      run(async () => {
        await using channel = await place();
        const clients = await spawn(() =>
          gather(
            Array.from({ length: 20 }, (_, i) => async () => {
              await using connection = await copy(channel).connect({ authkey: 'key' });
              await connection.send(i);
              return await connection.recv();
            }),
          ),
        );
        const seen = new Set<unknown>();
        for (let i = 0; i < 20; i++) {
          await using connection = await channel.accept({ authkey: 'key' });
          const n = await connection.recv<number>();
          seen.add(n);
          await connection.send(n * n);
        }
        expect(seen.size).toBe(20);
        expect(await clients.join()).toEqual(Array.from({ length: 20 }, (_, i) => i * i));
      }));

    test('keeps who has shown it for a later call, but not for one with another key', () =>
      run(patient(), async () => {
        await using channel = await place();
        const accepting = await spawn({ daemon: true }, () => channel.accept({ authkey: 'key' }));
        const [one, two] = await Promise.all([1, 2].map(() => copy(channel).connect.bind(copy(channel))));
        const clients = await gather([() => one!({ authkey: 'key' }), () => two!({ authkey: 'key' })]);
        await (await accepting.join()).close();
        await expect(timeoutAfter(1, () => channel.accept({ authkey: 'other' }))).rejects.toThrow(
          TaskTimeout,
        );
        const kept = await channel.accept({ authkey: 'key' });
        await kept.send('welcome');
        const heard = await gather(clients.map((client) => () => failureOrValue(client.recv())));
        expect(heard.sort()).toEqual(['ERR_CURIO_EOF', 'welcome']);
        for (const each of [kept, ...clients]) await each.close();
      }));

    const failureOrValue = (receiving: Promise<unknown>) => receiving.catch((error) => error.code);

    test('closes those it has kept when it is closed', () =>
      run(async () => {
        const channel = await place();
        const accepting = await spawn(() => channel.accept({ authkey: 'key' }));
        const clients = await gather([1, 2, 3].map(() => () => copy(channel).connect({ authkey: 'key' })));
        const accepted = await accepting.join();
        await channel.close();
        await accepted.close();
        for (const client of clients) {
          expect(await failure(client.recv())).toBeInstanceOf(EOFError);
          await client.close();
        }
      }));

    test('connects to nobody who has another', async () => {
      await run({ logger: recorder() }, async () => {
        await using channel = await place();
        const accepting = await spawn({ daemon: true }, () => channel.accept({ authkey: 'one' }));
        for (let i = 0; i < 3; i++)
          await expect(copy(channel).connect({ authkey: 'two' })).rejects.toThrow(AuthenticationError);
        await accepting.cancel();
      });
    });

    test('gives up on who says nothing for a second, with an error of the system’s kind', () =>
      run(patient(), async () => {
        await using silent = await place();
        const error = await failure(copy(silent).connect({ authkey: 'key' }));
        expect(error).not.toBeInstanceOf(CancelledError);
        expect(error).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect', errno: expect.any(Number) });
        expect(error.message).toContain('the other end has not shown its key within 1 s');
        expect(error.cause).toBeInstanceOf(TaskTimeout);
      }));

    test('has one digest or another', () =>
      run(async () => {
        await using channel = await place();
        for (const digest of ['md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384'] as const) {
          const [a, b] = await meet(channel, { authkey: 'key', digest });
          await a.close();
          await b.close();
        }
      }));

    test('that is missing on one side shows there', async () => {
      const logger = recorder();
      await run({ ...patient(), logger }, async () => {
        await using channel = await place();
        const accepting = await spawn({ daemon: true }, () => channel.accept({ authkey: 'key' }));
        const client = await copy(channel).connect();
        expect((await failure(client.recv())).message).toContain('connect({ authkey })');
        await client.close();
        await accepting.cancel();
      });
    });
  });

  describe('out of time or cancelled', () => {
    test('while it accepts has lost nobody', () =>
      run(patient(), async () => {
        for (const authkey of [null, 'key']) {
          await using channel = await place();
          await expect(timeoutAfter(1, () => channel.accept({ authkey }))).rejects.toThrow(TaskTimeout);
          const cancelled = await spawn({ daemon: true }, () => channel.accept({ authkey }));
          await sleep(1);
          await cancelled.cancel();
          expect(cancelled.exception).toBeInstanceOf(TaskCancelled);
          const [a, b] = await meet(channel, { authkey });
          await a.close();
          await b.close();
        }
      }));

    test('while it connects has left nothing behind, and an outer timeout is not the server’s fault', async () => {
      const logger = recorder();
      await run({ ...patient(), logger }, async () => {
        await using silent = await place();
        const before = descriptors();
        const connect = () => copy(silent).connect({ authkey: 'key' });
        const inner = spawn({ daemon: true }, () => timeoutAfter(5, connect));
        await sleep(0.5);
        const task = await inner;
        await task.cancel();
        expect(task.exception).toBeInstanceOf(TaskCancelled);
        const error = await failure(timeoutAfter(0.5, () => timeoutAfter(5, connect).catch(rethrow)));
        expect(error).toBeInstanceOf(TaskTimeout);
        await until(() => descriptors() <= before);
      });
      expect(logger.lines).toEqual([]);
    });

    test('while the connection is not yet made tells the timeout, not the server', async () => {
      const clock = new HandClock();
      await run({ clock }, async () => {
        await using channel = await place();
        const error = await failure(
          timeoutAfter(1, () => {
            clock.advance(2);
            return copy(channel).connect({ authkey: 'key' });
          }),
        );
        expect(error).toBeInstanceOf(TaskTimeout);
      });
    });

    const rethrow = (error: unknown) => {
      expect(error).toBeInstanceOf(TimeoutCancellationError);
      throw error;
    };

    test('wherever that is leaves no descriptor, and whoever gets in can be talked to', async () => {
      const before = descriptors();
      await cancelEverywhere(
        async () => {
          await using channel = new Channel(['127.0.0.1', 0]);
          await channel.bind();
          const server = await spawn({ daemon: true }, async () => {
            for (let tries = 0; tries < 3; tries++) {
              try {
                await using connection = await channel.accept({ authkey: 'key' });
                await connection.send(`hello ${await connection.recv()}`);
                return 'served';
              } catch (error) {
                if (!(error instanceof CancelledError)) return error;
              }
            }
            return 'gave up';
          });
          let answer: unknown;
          try {
            await using connection = await copy(channel).connect({ authkey: 'key' });
            await connection.send('you');
            answer = await connection.recv();
          } catch (error) {
            answer = error;
          }
          await channel.close();
          await server.cancel();
          return answer;
        },
        ({ kind, result, error }) => {
          if (kind === 'none') expect(result).toBe('hello you');
          if (error !== null) expect(error).toBeInstanceOf(CancelledError);
          else if (result !== 'hello you') expect(result).toBeInstanceOf(Error);
        },
      );
      await until(() => descriptors() <= before);
    });
  });
});

describe('arguments', () => {
  test('that make no sense are refused', () =>
    run(async () => {
      for (const make of [
        () => new Channel(5 as never),
        () => new Channel(['localhost'] as never),
        () => new Channel('127.0.0.1', 80),
        () => new Channel('/tmp/x', AF_INET),
        () => new Channel(['localhost', 1], AF_UNIX),
        () => new Channel(['localhost', 1], AF_INET, { codec: 'xml' as never }),
        () => new Channel(['localhost', 1], { maxMessageSize: 'big' as never }),
        () => new Channel(['localhost', 1]).accept({ authkey: 5 as never }),
        () => new Channel(['localhost', 1]).connect({ authkey: '' }),
        () => new Channel(['localhost', 1]).connect({ authkey: 'x', digest: 'sha1' as never }),
        () => new Channel(['localhost', 1]).accept({ codec: 'xml' as never }),
      ])
        expect(make, String(make)).toThrow(TypeError);
      const channel = new Channel(['localhost', 1]);
      expect(() => channel.accept('secret' as never)).toThrow(/options, such as \{ authkey: 'secret' \}/);
      expect(() => channel.connect({ authKey: 'secret' } as never)).toThrow(/no option 'authKey'/);
      expect(() => new Channel(['localhost', 70000])).toThrow(RangeError);
    }));

  test('outside a task accept, connect and close are refused, and in a task that waits', async () => {
    const channel = new Channel(['localhost', 0]);
    await expect(channel.accept()).rejects.toThrow(RuntimeError);
    await expect(channel.connect()).rejects.toThrow(RuntimeError);
    await expect(channel.close()).rejects.toThrow(RuntimeError);
    await run(async () => {
      const first = sleep(0.01);
      expect(() => channel.accept()).toThrow(TaskBusyError);
      expect(() => channel.connect()).toThrow(TaskBusyError);
      await first;
    });
  });

  test('a peer that resets is an error like any other', async () => {
    const server = createServer((sock) => sock.resetAndDestroy());
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await run(async () => {
      const error = await failure(new Channel(['127.0.0.1', port]).connect({ authkey: 'key' }));
      expect(error instanceof EOFError || error.code === 'ECONNRESET').toBe(true);
    });
  });
});
