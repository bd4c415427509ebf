// Messages over streams: how they are framed, what comes of bad ones, who gets which, and what a cancelled one leaves behind.

import { constants } from 'node:buffer';
import { serialize } from 'node:v8';
import {
  CancelledError,
  EOFError,
  Event,
  gather,
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { Connection, ConnectionError, type ConnectionOptions } from 'curio/channel';
import { FileStream } from 'curio/io';
import { type Socket, socketpair } from 'curio/socket';
import { PIPE, Popen } from 'curio/subprocess';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { connectedPair, on, onEachDriver } from '../kit/drivers.ts';

type Failure = Error & { bytesRead: Buffer; cause: Error };

/** What an operation fails with. */
const failure = (operation: Promise<unknown>): Promise<Failure> =>
  operation.then(
    () => null as never,
    (error) => error as Failure,
  );

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const patient = () => ({ clock: new VirtualClock({ patience: 0.02 }) });

/** Two connections to each other. */
async function pair(options?: ConnectionOptions): Promise<[Connection, Connection]> {
  const [a, b] = (await connectedPair()).map((sock) => sock.asStream());
  return [new Connection(a!, a!, options), new Connection(b!, b!, options)];
}

/** A connection, and the socket of somebody who speaks to it in bytes. */
async function half(options?: ConnectionOptions): Promise<[Connection, Socket]> {
  const [sock, peer] = await connectedPair();
  const stream = sock.asStream();
  return [new Connection(stream, stream, options), peer];
}

/** A message as it is on the wire. */
function frame(message: Uint8Array | string, length = message.length): Buffer {
  const header = Buffer.alloc(4);
  header.writeInt32BE(length);
  return Buffer.concat([header, Buffer.from(message)]);
}

/** The same in the form for very long ones. */
function longFrame(message: Uint8Array | string, length = BigInt(message.length)): Buffer {
  const header = Buffer.alloc(12);
  header.writeInt32BE(-1);
  header.writeBigUInt64BE(length, 4);
  return Buffer.concat([header, Buffer.from(message)]);
}

/** Remembers what is written, and reads what it is given. */
class Memory {
  readonly written: Buffer[] = [];
  input: Buffer;
  closed = 0;

  constructor(input: Uint8Array = Buffer.alloc(0)) {
    this.input = Buffer.from(input);
  }

  async readExactly(n: number): Promise<Buffer> {
    if (this.input.length < n) throw new EOFError('the end', { bytesRead: this.input });
    const bytes = this.input.subarray(0, n);
    this.input = this.input.subarray(n);
    return bytes;
  }

  async write(data: Uint8Array): Promise<number> {
    this.written.push(Buffer.from(data));
    return data.length;
  }

  async close(): Promise<void> {
    this.closed++;
  }
}

/** What is written comes out again, a piece at a time; between pieces other tasks have their turn. */
class Pipe {
  #bytes = Buffer.alloc(0);
  #ended = false;
  readonly #news = new Event();

  async write(data: Uint8Array): Promise<number> {
    const piece = Math.max(2, Math.ceil(data.length / 5));
    let bytesWritten = 0;
    try {
      for (; bytesWritten < data.length; bytesWritten += piece) {
        await sleep(0);
        this.#bytes = Buffer.concat([this.#bytes, data.subarray(bytesWritten, bytesWritten + piece)]);
        await this.#news.set();
      }
    } catch (error) {
      throw Object.assign(error as Error, { bytesWritten });
    }
    return data.length;
  }

  async readExactly(n: number): Promise<Buffer> {
    while (this.#bytes.length < n) {
      if (this.#ended) throw new EOFError('the end', { bytesRead: this.#bytes });
      this.#news.clear();
      await this.#news.wait();
    }
    const bytes = this.#bytes.subarray(0, n);
    this.#bytes = this.#bytes.subarray(n);
    return bytes;
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#news.set();
  }
}

const over = (memory: Memory, options?: ConnectionOptions) => new Connection(memory, memory, options);

onEachDriver('a connection', (driver) => {
  test('carries objects there and back', () =>
    run(async () => {
      const [a, b] = await pair();
      const object = { map: new Map([[1, new Set(['x'])]]), date: new Date(0), big: 10n, nothing: undefined };
      const cyclic: unknown[] = [1];
      cyclic.push(cyclic);
      for (const value of [null, 'text', 0, object, cyclic, Buffer.from('bytes'), new Float64Array([1.5])]) {
        await a.send(value);
        const received = await b.recv();
        expect(received).toEqual(value);
        await b.send(received);
        expect(await a.recv()).toEqual(value);
      }
      await a.close();
      await b.close();
    }));

  test('carries a list of a million numbers, and the answer to it', () =>
    run(async () => {
      const [a, b] = await pair();
      const answerer = await spawn(async () => b.send((await b.recv<number[]>()).length));
      await a.send(Array.from({ length: 1_000_000 }, (_, i) => i));
      expect(await a.recv()).toBe(1_000_000);
      await answerer.join();
      await a.close();
      await b.close();
    }));

  test('carries bytes and objects in turn', () =>
    run(async () => {
      const [a, b] = await pair();
      const other = await spawn(async () => {
        for (let i = 0; i < 10; i++) {
          await b.sendBytes(await b.recvBytes());
          await b.send(await b.recv());
        }
      });
      for (let i = 0; i < 10; i++) {
        expect(await a.sendBytes(`bytes ${i}`)).toBe(7);
        expect(text(await a.recvBytes())).toBe(`bytes ${i}`);
        await a.send({ i });
        expect(await a.recv()).toEqual({ i });
      }
      await other.join();
      await a.close();
      await b.close();
    }));

  test('fills an array with a hundred thousand numbers', () =>
    run(async () => {
      const [a, b] = await pair();
      const sent = Uint32Array.from({ length: 100_000 }, (_, i) => i * 7);
      const received = new Uint32Array(100_000);
      const [n, m] = await gather([() => a.sendBytes(sent), () => b.recvBytesInto(received)]);
      expect([n, m]).toEqual([400_000, 400_000]);
      expect(received).toEqual(sent);
      await a.close();
      await b.close();
    }));

  test('carries empty messages', () =>
    run(async () => {
      const [a, b] = await pair();
      await a.sendBytes('');
      await a.sendBytes(new Uint8Array(0));
      await a.sendBytes('after');
      expect((await b.recvBytes()).length).toBe(0);
      expect(await b.recvBytesInto(new Uint8Array(0))).toBe(0);
      expect(text(await b.recvBytes())).toBe('after');
      await a.close();
      await b.close();
    }));

  test('keeps the messages of several tasks whole, and serves them in the order they came', () =>
    run(async () => {
      const [a, b] = await pair();
      const senders = await Promise.resolve(['a', 'b', 'c', 'd']);
      const sending = await spawn(() =>
        gather(senders.map((letter) => () => a.sendBytes(Buffer.alloc(300_000, letter)))),
      );
      const received: string[] = [];
      for (const _ of senders) {
        const message = await b.recvBytes();
        expect(new Set(message).size).toBe(1);
        expect(message.length).toBe(300_000);
        received.push(String.fromCharCode(message[0]!));
      }
      expect(received).toEqual(senders);
      await sending.join();
      // The same with receivers.
      const receivers = await spawn(() =>
        gather([0, 1, 2].map((n) => async () => `${n}: ${await b.recv()}`)),
      );
      await sleep(0);
      for (const word of ['one', 'two', 'three']) await a.send(word);
      expect(await receivers.join()).toEqual(['0: one', '1: two', '2: three']);
      await a.close();
      await b.close();
    }));

  test('lets one task receive while another sends', () =>
    run(async () => {
      const [a, b] = await pair();
      const big = Buffer.alloc(5_000_000, 'x');
      const sender = await spawn(() => a.sendBytes(big));
      const receiver = await spawn(() => a.recv());
      await sleep(0);
      await b.send('meanwhile');
      expect(await receiver.join()).toBe('meanwhile');
      expect((await b.recvBytes()).equals(big)).toBe(true);
      expect(await sender.join()).toBe(big.length);
      await a.close();
      await b.close();
    }));

  describe('at the end of input', () => {
    test('throws EOFError, again and again', () =>
      run(async () => {
        const [a, peer] = await half();
        await peer.close();
        for (let i = 0; i < 2; i++) {
          const error = await failure(a.recv());
          expect(error).toBeInstanceOf(EOFError);
          expect(error.message).toBe('The peer has closed the connection.');
          expect(error.bytesRead).toEqual(Buffer.alloc(0));
        }
        await a.close();
      }));

    test('throws EOFError with what had come of a message', () =>
      run(async () => {
        for (const [sent, bytesRead] of [
          [frame('').subarray(0, 3), '\0\0\0'],
          [frame('some', 100), 'some'],
          [longFrame('').subarray(0, 9), '\0\0\0\0\0'],
          [longFrame('some', 100n), 'some'],
        ] as const) {
          const [a, peer] = await half();
          await peer.sendall(sent);
          await peer.close();
          const error = await failure(a.recvBytes());
          expect(error).toBeInstanceOf(EOFError);
          expect(text(error.bytesRead)).toBe(bytesRead);
          await a.close();
        }
      }));

    test('gives what was sent before', () =>
      run(async () => {
        const [a, b] = await pair();
        await b.send('last words');
        await b.close();
        expect(await a.recv()).toBe('last words');
        await expect(a.recv()).rejects.toThrow(EOFError);
        await a.close();
      }));
  });

  describe('out of time or cancelled', () => {
    test('while it waits for a message has received nothing, and the next call gets it', () =>
      run(patient(), async () => {
        const [a, peer] = await half();
        await expect(timeoutAfter(1, () => a.recv())).rejects.toThrow(TaskTimeout);
        const task = await spawn({ daemon: true }, () => a.recvBytes());
        await sleep(1);
        await task.cancel();
        expect(task.exception).toBeInstanceOf(TaskCancelled);
        await peer.sendall(frame('now'));
        expect(text(await a.recvBytes())).toBe('now');
        await a.close();
        await peer.close();
      }));

    test(
      'anywhere in a message has received nothing of it either',
      () =>
        run(patient(), async () => {
          for (const message of [frame('one message'), longFrame('one message')]) {
            for (let at = 0; at < message.length; at++) {
              const [a, peer] = await half();
              await peer.sendall(message.subarray(0, at));
              const error = await failure(timeoutAfter(1, () => a.recvBytes()));
              expect(error, String(at)).toBeInstanceOf(TaskTimeout);
              await peer.sendall(message.subarray(at));
              await peer.sendall(frame('another'));
              expect(text(await a.recvBytes())).toBe('one message');
              expect(text(await a.recvBytes())).toBe('another');
              await a.close();
              await peer.close();
            }
          }
        }),
      60_000,
    );

    test('while another task sends has sent nothing', () =>
      run(patient(), async () => {
        const [a, b] = await pair();
        const first = await spawn(() => a.sendBytes(Buffer.alloc(20_000_000)));
        await sleep(1);
        await expect(timeoutAfter(1, () => a.send('second'))).rejects.toThrow(TaskTimeout);
        const third = await spawn(() => a.sendBytes('third'));
        await sleep(0);
        expect(third.state).toBe('LOCK_ACQUIRE');
        expect((await b.recvBytes()).length).toBe(20_000_000);
        expect(text(await b.recvBytes())).toBe('third');
        await first.join();
        await third.join();
        await a.close();
        await b.close();
      }));

    test('in the middle of sending breaks the connection, which says so; receiving goes on', () =>
      run(patient(), async () => {
        const [a, b] = await pair();
        const error = await failure(timeoutAfter(1, () => a.send(Buffer.alloc(30_000_000))));
        expect(error).toBeInstanceOf(TaskTimeout);
        for (let i = 0; i < 2; i++) {
          const broken = await failure(a.send('more'));
          expect(broken).toBeInstanceOf(ConnectionError);
          expect(broken.message).toMatch(
            /^Nothing more can be sent on this connection: a message was cut off after \d+ of its \d+ bytes/,
          );
          expect(broken.cause.cause).toBe(error);
        }
        await b.send('still heard');
        expect(await a.recv()).toBe('still heard');
        await a.close();
        // The peer learns that it will not get all of it.
        const end = await failure(b.recv());
        expect(end.bytesRead.length).toBeGreaterThan(0);
        await b.close();
      }));
  });

  describe('that is closed', () => {
    test('wakes who waits in it, and refuses who comes later', () =>
      run(async () => {
        const [a, b] = await pair();
        const waiter = await spawn(() => a.recv().catch((error) => error));
        const next = await spawn(() => a.recv().catch((error) => error));
        await sleep(0);
        await a.close();
        expect(await waiter.join()).toMatchObject({ code: 'EBADF' });
        expect(await next.join()).toMatchObject({ code: 'EBADF' });
        await expect(a.recv()).rejects.toMatchObject({ code: 'EBADF' });
        await expect(a.send(1)).rejects.toMatchObject({ code: 'EBADF' });
        await a.close();
        await expect(b.recv()).rejects.toThrow(EOFError);
        await b.close();
      }));

    test('was so at the end of its block', () =>
      run(async () => {
        const [a, b] = await pair();
        {
          await using block = a;
          await block.send('in the block');
        }
        expect(await b.recv()).toBe('in the block');
        await expect(b.recv()).rejects.toThrow(EOFError);
        await b.close();
      }));
  });

  test('over the pipes of a process talks to what runs there', () =>
    run(async () => {
      const p = new Popen(['cat'], { stdin: PIPE, stdout: PIPE });
      await using echo = new Connection(p.stdout, p.stdin);
      await echo.send({ hello: 'cat' });
      expect(await echo.recv()).toEqual({ hello: 'cat' });
      expect(p.poll()).toBe(null);
      await echo.close();
      expect(await p.wait()).toBe(0);
    }));

  if (driver === 'posix') {
    test('goes over a pair of sockets and over pipes', () =>
      run(async () => {
        const [left, right] = socketpair();
        const a = new Connection(left.asStream(), left.asStream());
        const stream = new FileStream(right.detach());
        const b = new Connection(stream, stream);
        await a.send('over a pair');
        expect(await b.recv()).toBe('over a pair');
        await a.close();
        await b.close();
      }));
  }
});

describe('on the wire', () => {
  test('a message is its length in four bytes, and then the message, in one write if it is short', () =>
    run(async () => {
      const memory = new Memory();
      const connection = over(memory);
      expect(await connection.sendBytes('hello')).toBe(5);
      expect(memory.written).toEqual([Buffer.from('\0\0\0\x05hello')]);
      memory.written.length = 0;
      const short = Buffer.alloc(16383, 's');
      await connection.sendBytes(short);
      expect(memory.written).toEqual([frame(short)]);
      memory.written.length = 0;
      const long = Buffer.alloc(16384, 'l');
      await connection.sendBytes(long);
      expect(memory.written).toEqual([Buffer.from([0, 0, 0x40, 0]), long]);
    }));

  test('a message of two gigabytes has its length in eight bytes after a -1', () =>
    run(async () => {
      const sizes: number[] = [];
      const headers: string[] = [];
      const writer = {
        write: async (data: Uint8Array) => {
          sizes.push(data.length);
          if (data.length < 100) headers.push(Buffer.from(data).toString('hex'));
        },
        close() {},
      };
      const connection = new Connection(new Memory(), writer);
      // The system gives memory only where it is touched.
      await connection.sendBytes(Buffer.alloc(2 ** 31));
      await connection.sendBytes(new Uint8Array(2 ** 31 - 1));
      expect(sizes).toEqual([12, 2 ** 31, 4, 2 ** 31 - 1]);
      expect(headers).toEqual(['ffffffff0000000080000000', '7fffffff']);
    }));

  test('the long form is understood for short messages, too', () =>
    run(async () => {
      const connection = over(new Memory(Buffer.concat([longFrame('long form'), frame('short form')])));
      expect(text(await connection.recvBytes())).toBe('long form');
      expect(text(await connection.recvBytes())).toBe('short form');
    }));

  test('structured clone is what Node’s v8.serialize makes, JSON is UTF-8', () =>
    run(async () => {
      const memory = new Memory();
      await over(memory).send({ a: [1] });
      expect(memory.written).toEqual([frame(serialize({ a: [1] }))]);
      memory.written.length = 0;
      await over(memory, { codec: 'json' }).send({ ä: [1] });
      expect(memory.written).toEqual([frame(Buffer.from('{"ä":[1]}'))]);
      const reader = over(new Memory(frame(Buffer.from(' {"ü": null} '))), { codec: 'json' });
      expect(await reader.recv()).toEqual({ ü: null });
    }));

  test('an object is what it was at the call, whatever becomes of it while it waits', () =>
    run(async () => {
      const memory = new Memory();
      const connection = over(memory, { codec: 'json' });
      const object = { value: 'before' };
      const sending = connection.send(object);
      object.value = 'after';
      await sending;
      expect(memory.written).toEqual([frame('{"value":"before"}')]);
    }));
});

describe('a bad message', () => {
  test('that does not decode is an error that says so, and the next one is intact', () =>
    run(async () => {
      const good = frame(serialize('good'));
      for (const bad of ['', 'garbage', '\xff', '\xff\x0f', '\xff\x0fo', Buffer.alloc(1000, 0xff)]) {
        const connection = over(new Memory(Buffer.concat([frame(Buffer.from(bad as string)), good])));
        const error = await failure(connection.recv());
        expect(error, JSON.stringify(bad)).toMatchObject({ code: 'EBADMSG', cause: expect.any(Error) });
        expect(error.message).toContain('that is not a structured clone');
        expect(await connection.recv()).toBe('good');
      }
      for (const bad of ['', '{', '"\xff"', 'undefined', '[1,]']) {
        const input = Buffer.concat([frame(Buffer.from(bad, 'latin1')), frame('"good"')]);
        const connection = over(new Memory(input), { codec: 'json' });
        await expect(connection.recv(), bad).rejects.toMatchObject({ code: 'EBADMSG' });
        expect(await connection.recv()).toBe('good');
      }
    }));

  test('that is a challenge, or a pickle, is recognised', () =>
    run(async () => {
      const challenge = over(new Memory(frame(`#CHALLENGE#${'x'.repeat(20)}`)));
      await expect(challenge.recv()).rejects.toThrow('the peer wants to see a key: connect({ authkey })');
      const pickle = over(new Memory(frame(Buffer.from('80049503000000000000004b012e', 'hex'))));
      await expect(pickle.recv()).rejects.toThrow('it looks like a Python pickle');
    }));

  test('longer than allowed is an error before any of it is read, and is still there for who allows more', () =>
    run(async () => {
      const memory = new Memory(Buffer.concat([frame('0123456789'), frame('next')]));
      const connection = over(memory);
      for (const limit of [9, { maxLength: 5 }, 0]) {
        const error = await failure(connection.recvBytes(limit));
        expect(error).toMatchObject({ code: 'EMSGSIZE' });
        expect(error.message).toContain('the peer sends a message of 10 bytes');
      }
      expect(text(await connection.recvBytes({ maxLength: 10 }))).toBe('0123456789');
      expect(text(await connection.recvBytes(null))).toBe('next');
    }));

  test('longer than maxMessageSize is never received, and costs no memory', () =>
    run(async () => {
      for (const [input, options] of [
        [frame('0123456789'), { maxMessageSize: 9 }],
        [frame('', 0x7fff_ffff), {}],
        [frame('', 2 ** 30 + 1), {}],
        [longFrame('', 2n ** 40n), {}],
        [longFrame('', 2n ** 64n - 1n), { maxMessageSize: Number.POSITIVE_INFINITY }],
        [longFrame('', BigInt(constants.MAX_LENGTH) + 1n), { maxMessageSize: Number.POSITIVE_INFINITY }],
      ] as const) {
        const before = process.memoryUsage().arrayBuffers;
        const connection = over(new Memory(input), options);
        for (const receive of [
          () => connection.recv(),
          () => connection.recvBytes(Number.POSITIVE_INFINITY),
          () => connection.recvBytesInto(new Uint8Array(10)),
        ])
          await expect(receive()).rejects.toMatchObject({ code: 'EMSGSIZE' });
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000);
      }
    }));

  test('of as many bytes as allowed is received', () =>
    run(async () => {
      const connection = over(new Memory(frame('0123456789')), { maxMessageSize: 10 });
      expect((await connection.recvBytes()).length).toBe(10);
    }));

  test('of a negative length ends receiving for good', () =>
    run(async () => {
      for (const length of [-2, -2147483648]) {
        const connection = over(new Memory(Buffer.concat([frame('', length), frame('next')])));
        const error = await failure(connection.recvBytes());
        expect(error).toMatchObject({ code: 'EBADMSG' });
        expect(error.message).toContain(`a length of ${length} bytes has been announced`);
        const again = await failure(connection.recv());
        expect(again).toBeInstanceOf(ConnectionError);
        expect(again.cause).toBe(error);
        // Sending is another matter.
        await connection.send('still sent');
      }
    }));

  test('too long for its buffer has been received, and is in the error; the next one is intact', () =>
    run(async () => {
      const connection = over(new Memory(Buffer.concat([frame('too long'), frame('fits'), frame('in')])));
      const target = Buffer.alloc(6, '.');
      const error = await failure(connection.recvBytesInto(target));
      expect(error).toMatchObject({ code: 'EMSGSIZE' });
      expect(text(error.bytesRead)).toBe('too long');
      expect(text(target)).toBe('......');
      expect(await connection.recvBytesInto(target, 1)).toBe(4);
      expect(text(target)).toBe('.fits.');
      expect(await connection.recvBytesInto(target.buffer as ArrayBuffer, target.byteOffset)).toBe(2);
      expect(text(target)).toBe('inits.');
    }));

  test('random bytes end in an error, and never in anything else', () =>
    run(() =>
      fc.assert(
        fc.asyncProperty(
          fc.uint8Array({ maxLength: 200 }),
          fc.constantFrom<ConnectionOptions['codec']>('structured', 'json'),
          async (input, codec) => {
            const connection = over(new Memory(input), { codec, maxMessageSize: 1000 });
            for (let i = 0; i < 60; i++) {
              const error = await connection.recv().then(
                () => null,
                (error) => error,
              );
              if (error === null) continue;
              if (!(error instanceof EOFError || error instanceof ConnectionError))
                expect(error.code).toMatch(/^(EBADMSG|EMSGSIZE)$/);
            }
          },
        ),
        { numRuns: 300 },
      ),
    ));

  test('an object with any byte changed is an object or an error', () =>
    run(() =>
      fc.assert(
        fc.asyncProperty(
          fc.anything({
            withDate: true,
            withMap: true,
            withSet: true,
            withBigInt: true,
            withTypedArray: true,
          }),
          fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
          async (value, changes) => {
            const bytes = serialize(value);
            for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
            await over(new Memory(frame(bytes)))
              .recv()
              .catch((error) => expect(error.code).toBe('EBADMSG'));
          },
        ),
        { numRuns: 1000 },
      ),
    ));
});

describe('what cannot be sent', () => {
  test('rejects, and nothing has been sent', () =>
    run(async () => {
      const memory = new Memory();
      const structured = over(memory);
      await expect(structured.send(() => {})).rejects.toThrow('could not be cloned');
      await expect(structured.send({ deep: [Symbol('s')] })).rejects.toThrow('could not be cloned');
      const json = over(memory, { codec: 'json' });
      await expect(json.send(undefined)).rejects.toThrow('undefined cannot be sent as JSON');
      await expect(json.send(10n)).rejects.toThrow(TypeError);
      const cyclic: unknown[] = [];
      cyclic.push(cyclic);
      await expect(json.send(cyclic)).rejects.toThrow(TypeError);
      expect(memory.written).toEqual([]);
    }));

  test('parts of a buffer that there are not reject with messages of their own', () =>
    run(async () => {
      const memory = new Memory();
      const connection = over(memory);
      const cases = [
        [[11], 'sendBytes(): the offset 11 is beyond the buffer of 10 bytes.'],
        [[3, 8], 'sendBytes(): offset plus size, 3 + 8, is beyond the buffer of 10 bytes.'],
        [[-1], 'sendBytes(): the offset is negative: -1.'],
        [[1, -2], 'sendBytes(): the size is negative: -2.'],
      ] as const;
      for (const [[offset, size], message] of cases) {
        const error = await failure(connection.sendBytes(Buffer.alloc(10), offset, size));
        expect(error).toBeInstanceOf(RangeError);
        expect(error.message).toBe(message);
      }
      expect(memory.written).toEqual([]);
      for (const args of [[], [0], [10], [4, 6], [0, 0], [2, null]] as const)
        await connection.sendBytes('0123456789', ...(args as [number, number]));
      expect(memory.written.map((bytes) => text(bytes.subarray(4)))).toEqual([
        '0123456789',
        '0123456789',
        '',
        '456789',
        '',
        '23456789',
      ]);
    }));

  test('arguments of the wrong kind are refused at the call', () =>
    run(async () => {
      const connection = over(new Memory());
      for (const call of [
        () => connection.sendBytes(5 as never),
        () => connection.sendBytes('x', 0.5),
        () => connection.sendBytes('x', '1' as never),
        () => connection.sendBytes('x', 0, Number.NaN),
        () => connection.recvBytes(-1),
        () => connection.recvBytes({ maxLength: 0.5 }),
        () => connection.recvBytesInto('x' as never),
        () => connection.recvBytesInto(new Uint8Array(1), 0.5),
        () => connection.authenticateServer(''),
        () => connection.authenticateClient(5 as never),
        () => connection.authenticateClient('key', { digest: 'sha1' as never }),
        () => new Connection({} as never, new Memory()),
        () => new Connection(new Memory(), null as never),
        () => new Connection(new Memory(), new Memory(), { codec: 'pickle' as never }),
        () => new Connection(new Memory(), new Memory(), { maxMessageSize: -1 }),
      ])
        expect(call, String(call)).toThrow(TypeError);
      await expect(connection.recvBytesInto(new Uint8Array(1), 2)).rejects.toThrow(RangeError);
      await expect(connection.recvBytesInto(new Uint8Array(1), -1)).rejects.toThrow(RangeError);
    }));

  test('outside a task every operation is refused, and a second one in a task that waits', async () => {
    const connection = over(new Memory());
    for (const call of [
      () => connection.send(1),
      () => connection.recv(),
      () => connection.sendBytes('x'),
      () => connection.recvBytes(),
      () => connection.recvBytesInto(new Uint8Array(1)),
      () => connection.authenticateClient('key'),
      () => connection.close(),
    ])
      await expect(call(), String(call)).rejects.toThrow(RuntimeError);
    await run(async () => {
      const first = sleep(0.01);
      expect(() => connection.send(1)).toThrow(TaskBusyError);
      await first;
    });
  });
});

describe('cancelled anywhere', () => {
  test('a message has been sent or not, or the connection is broken, and none that was received is lost', async () => {
    const big = 'b'.repeat(20_000);
    const count = await cancelEverywhere(
      async () => {
        const pipe = new Pipe();
        const a = new Connection(pipe, pipe);
        const b = new Connection(pipe, pipe);
        const received: string[] = [];
        const reader = await spawn({ daemon: true }, async () => {
          for (;;) {
            try {
              received.push(text(await b.recvBytes()));
            } catch (error) {
              if (error instanceof CancelledError) continue;
              return (error as EOFError).bytesRead.length;
            }
          }
        });
        const sent: string[] = [];
        let broken = false;
        for (const message of ['one', 'two', big, '', 'three', 'after all']) {
          try {
            await a.sendBytes(message);
            sent.push(message);
          } catch (error) {
            if (error instanceof ConnectionError) broken = true;
            else if (!(error instanceof CancelledError)) throw error;
          }
        }
        await a.close();
        return { sent, received, rest: await reader.join(), broken };
      },
      ({ result, error, task }) => {
        if (error !== null) return expect(error).toBeInstanceOf(CancelledError);
        const { sent, received, rest, broken } = result!;
        expect(received, task).toEqual(sent);
        // The peer has had a part of a message at the end: the sender had been told.
        if (rest > 0 && sent.length < 5) expect(broken, task).toBe(true);
      },
    );
    expect(count).toBeGreaterThan(20);
  });
});

describe('streams of the user’s own', () => {
  test('are both closed, even if closing one fails, and one for both is closed once', () =>
    run(async () => {
      const one = new Memory();
      await over(one).close();
      expect(one.closed).toBe(1);
      const [reader, writer] = [new Memory(), new Memory()];
      reader.close = async () => {
        throw new Error('cannot close');
      };
      await expect(new Connection(reader, writer).close()).rejects.toThrow('cannot close');
      expect(writer.closed).toBe(1);
    }));

  test('that give too few or too many bytes break the connection', () =>
    run(async () => {
      const reader = new Memory();
      reader.readExactly = async (n) => Buffer.alloc(n + 1);
      const connection = new Connection(reader, new Memory());
      await expect(connection.recv()).rejects.toThrow('readExactly(4) of the reader has given 5 bytes');
      await expect(connection.recv()).rejects.toThrow(ConnectionError);
    }));

  test('may give plain arrays of bytes', () =>
    run(async () => {
      const memory = new Memory(frame(serialize(['plain'])));
      const reader = {
        readExactly: async (n: number) => new Uint8Array(await memory.readExactly(n)),
        close() {},
      };
      expect(await new Connection(reader, memory).recv()).toEqual(['plain']);
    }));

  test('that fail without saying how far they came break the connection', () =>
    run(async () => {
      const memory = new Memory();
      memory.write = async () => {
        throw new Error('who knows');
      };
      const connection = over(memory);
      await expect(connection.send(1)).rejects.toThrow('who knows');
      await expect(connection.send(1)).rejects.toThrow(
        'Nothing more can be sent on this connection: a message was cut off in its middle',
      );
    }));
});

on('posix', 'a stream that is also used directly (posix driver)', () => {
  test('refuses a message while another task writes, and that breaks nothing', () =>
    run(patient(), async () => {
      const [sock, peer] = await connectedPair();
      const stream = sock.asStream();
      const connection = new Connection(stream, stream);
      const writer = await spawn({ daemon: true }, () => stream.write(Buffer.alloc(30_000_000)));
      await sleep(1);
      await expect(connection.send('x')).rejects.toMatchObject({ code: 'ERR_CURIO_WRITE_BUSY' });
      await writer.cancel();
      const rest = await spawn({ daemon: true }, () => peer.asStream().readall());
      await connection.send('not broken');
      await connection.close();
      await rest.join();
      await peer.close();
    }));
});
