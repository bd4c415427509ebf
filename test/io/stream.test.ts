// Streams on each driver, over sockets, pipes, files, Node's streams and the web's: reading, writing, and what
// cancellation leaves behind.

import { fstatSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable, Writable } from 'node:stream';
import {
  AsyncOnlyError,
  CancelledError,
  EOFError,
  gather,
  ReadResourceBusy,
  RuntimeError,
  run,
  SyncIOError,
  sleep,
  spawn,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { FileStream, type Socket, type SocketStream } from 'curio/io';
import { IPPROTO_TCP, TCP_NODELAY } from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { afterAll, expect, test } from 'vitest';
import { connectedPair, drain, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';

const patient = () => ({ clock: new VirtualClock({ patience: 0.02 }), logger: recorder() });

const folder = mkdtempSync(join(tmpdir(), 'curio-stream-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A stream, and the socket at the other end. */
async function streamPair(): Promise<[SocketStream, Socket]> {
  const [a, b] = await connectedPair();
  return [a.asStream(), b];
}

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'EBADF' });
    return false;
  }
}

onEachDriver('streams', (driver) => {
  test('the stream echo server of the tutorial, in its order', async () => {
    const log: string[] = [];
    await run(async () => {
      const [client, server] = await connectedPair();
      const handler = await spawn(async () => {
        log.push('handler start');
        const stream = server.asStream();
        for await (const line of stream) {
          log.push(`line ${line.toString().trim()}`);
          await stream.write(line);
        }
        await stream.close();
        log.push('handler done');
      });
      const stream = client.asStream();
      for (const n of [1, 2]) {
        await stream.write(`${n}\n`);
        log.push(`echo ${(await stream.read(100)).toString().trim()}`);
      }
      await stream.close();
      log.push('client closed');
      await handler.join();
    });
    expect(log).toEqual([
      'handler start',
      'line 1',
      'echo 1',
      'line 2',
      'echo 2',
      'client closed',
      'handler done',
    ]);
  });

  test('read gives what the buffer holds, at most as much as asked for, and then what comes', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('line one\nline two\n');
      expect(String(await stream.readline())).toBe('line one\n');
      expect(String(await stream.read(2))).toBe('li');
      expect(String(await stream.read(1000))).toBe('ne two\n');
      await peer.sendall('more');
      expect(String(await stream.read(1))).toBe('m');
      expect(String(await stream.read())).toBe('ore');
      expect(await stream.read(0)).toHaveLength(0);
      await peer.close();
      expect(await stream.read()).toHaveLength(0);
      await stream.close();
    }));

  test('readall collects across pauses, with what was buffered', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      const sender = await spawn(async () => {
        for (const line of ['first\n', 'second\n', 'third\n', 'rest']) {
          await peer.sendall(line);
          await sleep(0.1);
        }
        await peer.close();
      });
      expect(String(await stream.readline())).toBe('first\n');
      expect(String(await stream.readall())).toBe('second\nthird\nrest');
      expect(await stream.readall()).toHaveLength(0);
      await sender.join();
      await stream.close();
    }));

  test('a timed out readall tells what had come, and has read it', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      const empty = await timeoutAfter(1, () => stream.readall()).catch((e) => e);
      expect(empty).toBeInstanceOf(TaskTimeout);
      expect(empty.bytesRead).toHaveLength(0);
      await peer.sendall('one\ntwo');
      expect(String(await stream.readline())).toBe('one\n');
      const error = await timeoutAfter(1, () => stream.readall()).catch((e) => e);
      expect(String(error.bytesRead)).toBe('two');
      await peer.sendall('three');
      expect(String(await stream.read())).toBe('three');
      await stream.close();
      await peer.close();
    }));

  test('readExactly gives exactly as many bytes, from one burst or several', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('0123456789');
      expect(await stream.readExactly(0)).toHaveLength(0);
      expect(String(await stream.readExactly(4))).toBe('0123');
      expect(String(await stream.readExactly(4))).toBe('4567');
      const reader = await spawn(() => stream.readExactly(4));
      await sleep(0);
      await peer.sendall('ab');
      expect(String(await reader.join())).toBe('89ab');
      await stream.close();
      await peer.close();
    }));

  test('readExactly at a premature end is an EOFError with what came', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('abc');
      await peer.close();
      const error = await stream.readExactly(5).catch((e) => e);
      expect(error).toBeInstanceOf(EOFError);
      expect(String(error.bytesRead)).toBe('abc');
      await stream.close();
    }));

  test('a timed out readExactly shows what had come, and leaves it readable', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('abc');
      const error = await timeoutAfter(1, () => stream.readExactly(5)).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(String(error.bytesRead)).toBe('abc');
      await peer.sendall('de');
      expect(String(await stream.readExactly(5))).toBe('abcde');
      await stream.close();
      await peer.close();
    }));

  test('a cancelled readline keeps what it had of the line', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('half a ');
      const error = await timeoutAfter(1, () => stream.readline()).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error).not.toHaveProperty('bytesRead');
      await peer.sendall('line\n');
      expect(String(await stream.readline())).toBe('half a line\n');
      await stream.close();
      await peer.close();
    }));

  test('lines end with the input, the last one with or without a newline', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('a\n\nb');
      await peer.close();
      const lines: string[] = [];
      for await (const line of stream) lines.push(String(line));
      expect(lines).toEqual(['a\n', '\n', 'b']);
      expect(await stream.readline()).toHaveLength(0);
      await stream.close();
    }));

  test('of a line that is too long comes the first part, before its end is there', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('four\nno newline yet');
      expect(String(await stream.readline(5))).toBe('four\n');
      expect(String(await stream.readline(0))).toBe('');
      expect(String(await stream.readline(2))).toBe('no');
      await expect(timeoutAfter(1, () => stream.readline(100))).rejects.toBeInstanceOf(TaskTimeout);
      await peer.sendall(', now there is\nlast');
      expect(String(await stream.readline(10))).toBe(' newline y');
      expect(String(await stream.readline(100))).toBe('et, now there is\n');
      await peer.close();
      expect(String(await stream.readline(3))).toBe('las');
      expect(String(await stream.readline(3))).toBe('t');
      expect(String(await stream.readline(3))).toBe('');
      expect(() => stream.readline(1.5)).toThrow(/maxbytes/);
      await stream.close();
    }));

  test('a line without end is read in pieces, and no more of it is put aside', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      const sender = await spawn(() => peer.sendall(Buffer.alloc(20_000_000, 'x')));
      for (let i = 0; i < 20; i++) expect(await stream.readline(1000)).toHaveLength(1000);
      await sleep(0.02);
      expect(sender.terminated).toBe(false);
      await sender.cancel();
      await stream.close();
      await peer.close();
    }));

  test('readlines gives all lines; timed out, its error has the complete ones', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('one\ntwo\nthr');
      const error = await timeoutAfter(1, () => stream.readlines()).catch((e) => e);
      expect(error.linesRead.map(String)).toEqual(['one\n', 'two\n']);
      await peer.sendall('ee\nfour');
      await peer.close();
      expect((await stream.readlines()).map(String)).toEqual(['three\n', 'four']);
      await stream.close();
    }));

  test('readinto takes the buffer first, then goes on until it is full or the input ends', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      const sent = Int32Array.from({ length: 1_000_000 }, (_, i) => i);
      const received = new Int32Array(sent.length);
      await gather([
        async () => {
          await peer.sendall('header\n');
          await peer.sendall(sent);
          await peer.sendall('tail');
          await peer.close();
        },
        async () => {
          expect(String(await stream.readline())).toBe('header\n');
          expect(await stream.readinto(received)).toBe(4_000_000);
          const rest = Buffer.alloc(10);
          expect(await stream.readinto(rest)).toBe(4);
          expect(rest.toString('latin1', 0, 4)).toBe('tail');
          expect(await stream.readinto(rest)).toBe(0);
        },
      ]);
      expect(Buffer.from(received.buffer).equals(Buffer.from(sent.buffer))).toBe(true);
      await stream.close();
    }));

  test('readinto cut short says how much of the buffer was filled, and the rest comes next', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('line\nsome');
      expect(String(await stream.readline())).toBe('line\n');
      const room = Buffer.alloc(8);
      const error = await timeoutAfter(1, () => stream.readinto(room)).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(String(error.bytesRead)).toBe('some');
      expect(room.toString('latin1', 0, 4)).toBe('some');
      await peer.sendall('more');
      expect(await stream.readinto(room.subarray(4))).toBe(4);
      expect(String(room)).toBe('somemore');
      await stream.close();
      await peer.close();
    }));

  test('write gives the number of bytes; timed out, its error has what the other side will read', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      expect(await stream.write('grüße')).toBe(7);
      expect(String(await peer.recv(100))).toBe('grüße');
      const error = await timeoutAfter(1, () => stream.write(Buffer.alloc(30_000_000))).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      const [received] = await gather([() => drain(peer), () => stream.close()]);
      expect(received.length).toBe(error.bytesWritten);
      await peer.close();
    }));

  test('writelines writes an endless source piece by piece, and its error counts all of them', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      let made = 0;
      function* endless() {
        for (;;) {
          made++;
          yield Buffer.alloc(100_000);
        }
      }
      const error = await timeoutAfter(1, () => stream.writelines(endless())).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.bytesWritten).toBeGreaterThan((made - 2) * 100_000);
      const [received] = await gather([() => drain(peer), () => stream.close()]);
      expect(received.length).toBe(error.bytesWritten);
      await peer.close();
    }));

  test('writelines takes lists and asynchronous sources', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      await stream.writelines(['a', Buffer.from('b')]);
      expect(() => stream.writelines(5 as never)).toThrow(/wants something to iterate over, not 5/);
      await stream.writelines(
        (async function* () {
          yield 'c';
          await sleep(0);
          yield 'd';
        })(),
      );
      expect(await stream.flush()).toBeUndefined();
      await stream.close();
      expect(String(await drain(peer))).toBe('abcd');
      await peer.close();
    }));

  test('a second reader is refused, even if there is something in the buffer', () =>
    run(patient(), async () => {
      const [stream, peer] = await streamPair();
      await peer.sendall('abc');
      const reader = await spawn(() => stream.readExactly(5));
      await sleep(0.1);
      await expect(stream.read(1)).rejects.toBeInstanceOf(ReadResourceBusy);
      await expect(stream.readline()).rejects.toBeInstanceOf(ReadResourceBusy);
      await peer.sendall('de');
      expect(String(await reader.join())).toBe('abcde');
      await stream.close();
      await peer.close();
    }));

  test('closing wakes who waits, and a block closes at its end', () =>
    run({ logger: recorder() }, async () => {
      const [stream, peer] = await streamPair();
      const reader = await spawn(() => stream.readline());
      await sleep(0);
      {
        await using inside = stream;
        await inside.write('bye');
      }
      await stream.close();
      await reader.wait();
      expect(reader.exception).toMatchObject({ code: 'EBADF' });
      expect(String(await drain(peer))).toBe('bye');
      await peer.close();
    }));

  test('a synchronous block is refused, and a synchronous loop', () =>
    run(async () => {
      const [stream, peer] = await streamPair();
      expect(() => (stream as unknown as Disposable)[Symbol.dispose]).toThrow(AsyncOnlyError);
      expect(() => [...(stream as unknown as Iterable<Buffer>)]).toThrow(SyncIOError);
      await stream.close();
      await peer.close();
    }));

  test('a stream over a socket has its names and options', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      const stream = a.asStream();
      expect(stream.getsockname()).toEqual(a.getsockname());
      expect(stream.getpeername()).toEqual(b.getsockname());
      stream.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
      expect(a.getsockopt(IPPROTO_TCP, TCP_NODELAY)).not.toBe(0);
      expect(stream.getsockopt(IPPROTO_TCP, TCP_NODELAY)).not.toBe(0);
      expect(() => stream.setsockopt(IPPROTO_TCP, TCP_NODELAY, 'on' as never)).toThrow(
        'SocketStream.setsockopt()',
      );
      await stream.close();
      expect(() => stream.getpeername()).toThrow('EBADF');
      await b.close();
    }));

  test('a socket has one stream: asked for again, it still has what was read ahead', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      await a.sendall('header\n\nbody');
      for await (const line of b.asStream()) if (String(line) === '\n') break;
      expect(String(await b.asStream().readExactly(4))).toBe('body');
      await a.close();
      await b.close();
    }));

  test('makefile gives a binary stream whose closing leaves the socket open', () =>
    run(async () => {
      const [a, b] = await connectedPair();
      expect(() => a.makefile('r')).toThrow(RuntimeError);
      const file = a.makefile('rwb');
      await file.write('one');
      await file.close();
      await a.sendall('two');
      await a.close();
      expect(String(await drain(b))).toBe('onetwo');
      await b.close();
    }));

  test('a regular file is read and written through its descriptor', () =>
    run(async () => {
      const path = join(folder, `regular-${driver}`);
      const out = new FileStream(openSync(path, 'w'));
      const data = Buffer.alloc(300_000, 'line\n');
      expect(await out.write(data)).toBe(300_000);
      await out.close();
      expect(readFileSync(path).equals(data)).toBe(true);
      const input = new FileStream(openSync(path, 'r'));
      const lines = new Map<string, number>();
      for await (const line of input) lines.set(String(line), (lines.get(String(line)) ?? 0) + 1);
      expect([...lines]).toEqual([['line\n', 60_000]]);
      const fd = input.fileno();
      await input.close();
      // Node's own streams close their files behind the scenes.
      while (isOpen(fd)) await sleep(0.001);
    }));

  test('a file that is read while it grows can be read on after its end', () =>
    run(async () => {
      const path = join(folder, `growing-${driver}`);
      writeFileSync(path, 'one');
      const input = new FileStream(openSync(path, 'r'));
      expect(String(await input.readall())).toBe('one');
      writeFileSync(path, 'two', { flag: 'a' });
      expect(String(await input.readall())).toBe('two');
      await input.close();
    }));

  test('Node’s streams are read and written, with backpressure', () =>
    run(patient(), async () => {
      const through = new PassThrough({ highWaterMark: 1000 });
      const stream = new FileStream(through);
      const error = await timeoutAfter(1, () => stream.write(Buffer.alloc(1_000_000))).catch((e) => e);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.bytesWritten).toBeLessThan(200_000);
      expect(await stream.readExactly(error.bytesWritten)).toHaveLength(error.bytesWritten);
      await stream.close();
      expect(through.destroyed).toBe(true);
    }));

  test('a readable stream’s error and end reach the reader', () =>
    run(async () => {
      const failing = new FileStream(
        new Readable({
          read() {
            this.push('some');
            this.destroy(new Error('broken source'));
          },
        }),
      );
      await expect(failing.readall()).rejects.toThrow('broken source');
      const ending = new FileStream(
        Readable.from([Buffer.from('a\n'), Buffer.from('b')], { objectMode: false }),
      );
      expect((await ending.readlines()).map(String)).toEqual(['a\n', 'b']);
      await ending.close();
      await failing.close();
    }));

  test('closing a stream over a slow writable waits until everything has been written', () =>
    run(async () => {
      const written: string[] = [];
      const slow = new Writable({
        write(chunk, _encoding, done) {
          setTimeout(() => {
            written.push(String(chunk));
            done();
          }, 10);
        },
      });
      const stream = new FileStream(slow);
      await stream.write('one');
      await stream.write('two');
      await stream.close();
      expect(written).toEqual(['one', 'two']);
    }));

  test('a writable stream’s error reaches the writer', () =>
    run(async () => {
      const full = new Writable({
        write: (_chunk, _encoding, done) => done(Object.assign(new Error('disk full'), { code: 'ENOSPC' })),
      });
      const stream = new FileStream(full);
      const write = async () => {
        await stream.write('x');
        await stream.flush();
      };
      await expect(write()).rejects.toMatchObject({ code: 'ENOSPC' });
      await stream.close();
    }));

  test('web streams are read and written', () =>
    run(async () => {
      const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
      const out = new FileStream(writable);
      const input = new FileStream(readable);
      const [, text] = await gather([
        async () => {
          await out.write('over the web\n');
          await out.close();
        },
        async () => String(await input.readall()),
      ]);
      expect(text).toBe('over the web\n');
      await input.close();
    }));

  test('what is no stream is refused with what would be one', () => {
    expect(() => new FileStream({} as never)).toThrow(/descriptor, or of a readable or writable stream/);
    expect(() => new FileStream(Readable.from([1, 2]))).toThrow(/stream of objects.*objectMode: false/);
  });

  test('a cancelled reader of a Node stream loses nothing', () =>
    run(async () => {
      const through = new PassThrough();
      const stream = new FileStream(through);
      const reader = await spawn(() => stream.readline());
      await sleep(0);
      await reader.cancel();
      expect(reader.exception).toBeInstanceOf(CancelledError);
      through.write('a line\n');
      expect(String(await stream.readline())).toBe('a line\n');
      await stream.close();
    }));
});
