// Waiting for bare descriptors and for objects that have one, on the posix driver; what the portable one says to it.

import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CancelledError,
  NotSupportedError,
  ReadResourceBusy,
  run,
  sleep,
  spawn,
  TaskTimeout,
  timeoutAfter,
  WriteResourceBusy,
} from 'curio';
import { FileStream } from 'curio/io';
import { socketpair } from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { ioWaiting, readWait, writeWait } from 'curio/traps';
import { expect, test } from 'vitest';
import { on } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import { posix } from '../native/addon.ts';

const pipe = () => posix.pipe() as [number, number];

/** A pipe as the file system makes them, for machines without the addon. */
function namedPipe(): [number, number] {
  const folder = mkdtempSync(join(tmpdir(), 'curio-pipe-'));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  // The first of a pipe's two ends opens only if it does not wait for the other.
  const input = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const output = openSync(path, constants.O_WRONLY);
  rmSync(folder, { recursive: true });
  return [input, output];
}

on('posix', 'bare descriptors', () => {
  test('readWait returns when there is something, and leaves it there', () =>
    run(async () => {
      const [input, output] = pipe();
      const waiter = await spawn(() => readWait(input));
      await sleep(0);
      expect(await ioWaiting(input)).toEqual([waiter, null]);
      writeSync(output, 'x');
      await waiter.join();
      expect(await ioWaiting(input)).toEqual([null, null]);
      await readWait(input);
      expect(readSync(input, Buffer.alloc(10))).toBe(1);
      closeSync(input);
      closeSync(output);
    }));

  test('an object with fileno() will do, and nothing else', () =>
    run(async () => {
      const [input, output] = pipe();
      await writeWait({ fileno: () => output });
      for (const wrong of [-1, 1.5, 'stdin', {}, null]) {
        await expect(readWait(wrong as never)).rejects.toBeInstanceOf(TypeError);
      }
      await expect(readWait(999_999)).rejects.toMatchObject({ code: 'EBADF' });
      closeSync(input);
      closeSync(output);
    }));

  test('writeWait waits until there is room', () =>
    run(async () => {
      const [input, output] = pipe();
      let written = 0;
      try {
        for (;;) written += writeSync(output, Buffer.alloc(4096));
      } catch (error) {
        expect(error).toMatchObject({ code: 'EAGAIN' });
      }
      const waiter = await spawn(() => writeWait(output));
      await sleep(0);
      expect(waiter.state).toBe('WRITE_WAIT');
      for (let read = 0; read < written; ) read += readSync(input, Buffer.alloc(65_536));
      await waiter.join();
      closeSync(input);
      closeSync(output);
    }));

  test('a timeout and a cancellation leave the descriptor as it was', () =>
    run({ clock: new VirtualClock({ patience: 0.01 }) }, async () => {
      const [input, output] = pipe();
      await expect(timeoutAfter(1, () => readWait(input))).rejects.toBeInstanceOf(TaskTimeout);
      const waiter = await spawn(() => readWait(input));
      await sleep(0);
      await waiter.cancel();
      expect(waiter.exception).toBeInstanceOf(CancelledError);
      writeSync(output, 'x');
      await readWait(input);
      closeSync(input);
      closeSync(output);
    }));

  test('a second waiter is refused, in each direction', () =>
    run({ logger: recorder() }, async () => {
      const [a] = socketpair();
      const [input, output] = pipe();
      const reader = await spawn(() => readWait(input));
      await sleep(0);
      await expect(readWait(input)).rejects.toBeInstanceOf(ReadResourceBusy);
      await reader.cancel();
      const sending = await spawn(() => a.sendall(Buffer.alloc(10_000_000)));
      await sleep(0);
      // The number of a socket's own descriptor is the socket's own waiting place.
      await expect(writeWait(a.fileno())).rejects.toBeInstanceOf(WriteResourceBusy);
      await sending.cancel();
      await a.close();
      closeSync(input);
      closeSync(output);
    }));

  test('a descriptor that was closed and given to something else starts afresh', () =>
    run(async () => {
      for (let i = 0; i < 20; i++) {
        const [input, output] = pipe();
        const waiter = await spawn(() => readWait(input));
        await sleep(0);
        writeSync(output, 'x');
        await waiter.join();
        closeSync(input);
        closeSync(output);
      }
    }));

  test('one that is closed under the task that waits for it fails that task', () =>
    run({ logger: recorder() }, async () => {
      const [input, output] = pipe();
      const [source, full] = pipe();
      expect(() => {
        for (;;) writeSync(full, Buffer.alloc(4096));
      }).toThrow(/EAGAIN/);
      const reader = await spawn(() => readWait(input));
      const writer = await spawn(() => writeWait(full));
      await sleep(0);
      closeSync(input);
      closeSync(full);
      await expect(reader.join()).rejects.toMatchObject({ cause: { code: 'EBADF', syscall: 'read' } });
      await expect(writer.join()).rejects.toMatchObject({ cause: { code: 'EBADF', syscall: 'write' } });
      expect(await ioWaiting(input)).toEqual([null, null]);
      closeSync(output);
      closeSync(source);
    }));

  test('what now has the number of one that was closed under its waiter is another one', () =>
    run({ logger: recorder() }, async () => {
      const [input, output] = pipe();
      const before = await spawn(() => readWait(input));
      await sleep(0);
      closeSync(input);
      const [again, end] = pipe();
      expect(again).toBe(input);
      const after = await spawn(() => readWait(again));
      await sleep(0);
      expect(await ioWaiting(again)).toEqual([after, null]);
      writeSync(end, 'x');
      await after.join();
      await expect(before.join()).rejects.toMatchObject({ cause: { code: 'EBADF' } });
      for (const fd of [again, end, output]) closeSync(fd);
    }));

  test('the events of a copy are not those of the one that was closed', () =>
    run({ logger: recorder() }, async () => {
      const [input, output] = pipe();
      const copy = posix.dup(input);
      const waiter = await spawn(() => readWait(input));
      await sleep(0);
      closeSync(input);
      writeSync(output, 'x');
      await expect(waiter.join()).rejects.toMatchObject({ cause: { code: 'EBADF' } });
      await readWait(copy);
      closeSync(copy);
      closeSync(output);
    }));

  test('a regular file is always ready', () =>
    run(async () => {
      const folder = mkdtempSync(join(tmpdir(), 'curio-ready-'));
      const fd = openSync(join(folder, 'file'), 'w+');
      await readWait(fd);
      await writeWait(fd);
      closeSync(fd);
      rmSync(folder, { recursive: true });
    }));

  test('pipes and devices are streams', () =>
    run({ logger: recorder() }, async () => {
      const [input, output] = pipe();
      const reading = new FileStream(input);
      const writing = new FileStream(output);
      const reader = await spawn(() => reading.readlines());
      await sleep(0);
      expect(reader.state).toBe('READ_WAIT');
      const data = Buffer.alloc(500_000, 'a line\n');
      await writing.write(data);
      await writing.close();
      expect(Buffer.concat(await reader.join()).equals(data)).toBe(true);
      await reading.close();
      const zero = new FileStream(openSync('/dev/zero', 'r'));
      expect((await zero.readExactly(1_000_000)).equals(Buffer.alloc(1_000_000))).toBe(true);
      await zero.close();
    }));

  test('a pipe whose reader has gone is EPIPE', () =>
    run(async () => {
      const [input, output] = pipe();
      closeSync(input);
      const writing = new FileStream(output);
      await expect(writing.write('x')).rejects.toMatchObject({ code: 'EPIPE' });
      await writing.close();
    }));
});

on('posix', 'blocking()', () => {
  test('shows the raw socket in blocking mode, and ends it', () =>
    run(async () => {
      const [a, b] = socketpair();
      {
        using block = a.blocking();
        expect(posix.getFlags(a.fileno()) & posix.constants.O_NONBLOCK!).toBe(0);
        block.raw.sendall('hello ');
        expect(block.raw.send(Buffer.from('world'))).toBe(5);
        expect(block.raw.fileno()).toBe(a.fileno());
        await expect(a.recv(10)).rejects.toBeInstanceOf(ReadResourceBusy);
        await expect(a.sendall('x')).rejects.toBeInstanceOf(WriteResourceBusy);
      }
      expect(posix.getFlags(a.fileno()) & posix.constants.O_NONBLOCK!).not.toBe(0);
      expect(String(await b.recv(100))).toBe('hello world');
      await b.sendall('back');
      const text = await a.blocking(async (raw) => String(raw.recv(100)));
      expect(text).toBe('back');
      await b.sendall('again');
      expect(String(await a.recv(100))).toBe('again');
      await a.close();
      await b.close();
    }));

  test('has ended when a synchronous function returns, also for who does not await it', () =>
    run(async () => {
      const [a, b] = socketpair();
      for (const word of ['one', 'two']) {
        void a.blocking((raw) => raw.sendall(word));
        await a.sendall('!');
        expect(String(await b.recv(100))).toBe(`${word}!`);
      }
      await a.close();
      // It is closed: nobody hears of it, and the process does not end either.
      void a.blocking(() => {});
      await expect(a.blocking(() => {})).rejects.toMatchObject({ code: 'EBADF' });
      await b.close();
    }));

  test('of a socket that has been closed is nothing, also when another has its number', () =>
    run(async () => {
      const [a, b] = socketpair();
      const fd = a.fileno();
      const { raw } = a.blocking();
      await a.close();
      const [c, d] = socketpair();
      expect([c.fileno(), d.fileno()]).toContain(fd);
      await c.sendall('not yours');
      await d.sendall('not yours');
      expect(raw.fileno()).toBe(-1);
      expect(() => raw.recv(100)).toThrow(expect.objectContaining({ code: 'EBADF' }));
      expect(() => raw.sendall('x')).toThrow(expect.objectContaining({ code: 'EBADF' }));
      for (const sock of [b, c, d]) await sock.close();
    }));

  test('is refused while a task waits', () =>
    run(async () => {
      const [a, b] = socketpair();
      const reader = await spawn(() => a.recv(10));
      await sleep(0);
      expect(() => a.blocking()).toThrow(ReadResourceBusy);
      await reader.cancel();
      await a.close();
      await b.close();
    }));

  test('is what refuses the task’s own operations, and says so', () =>
    run(async () => {
      const [a, b] = socketpair();
      {
        using _ = a.blocking();
        const message = /has this in blocking mode, which has to end first/;
        await expect(a.recv(1)).rejects.toThrow(message);
        await expect(a.sendall('x')).rejects.toThrow(message);
      }
      await a.sendall('x');
      expect(String(await b.recv(1))).toBe('x');
      await a.close();
      await b.close();
    }));

  test('of a stream shows a raw file, unless something in it is unread', () =>
    run(async () => {
      const [a, b] = socketpair();
      const stream = a.asStream();
      await b.sendall('one\ntwo\n');
      expect(String(await stream.readline())).toBe('one\n');
      expect(() => stream.blocking()).toThrow(/unread data/);
      expect(String(await stream.readline())).toBe('two\n');
      await b.sendall('three');
      await stream.blocking((raw) => {
        expect(String(raw.read(100))).toBe('three');
        expect(raw.write('four')).toBe(4);
      });
      expect(String(await b.recv(100))).toBe('four');
      await stream.close();
      await b.close();
    }));
});

on('portable', 'bare descriptors', () => {
  test('are refused', () =>
    run(async () => {
      await expect(readWait(0)).rejects.toBeInstanceOf(NotSupportedError);
      expect(await ioWaiting(0)).toEqual([null, null]);
    }));

  test('of pipes are streams all the same', () =>
    run(async () => {
      const [input, output] = namedPipe();
      const reading = new FileStream(input);
      const writing = new FileStream(output);
      const reader = await spawn(() => reading.readlines());
      await writing.write('one\ntwo');
      await writing.close();
      expect((await reader.join()).map(String)).toEqual(['one\n', 'two']);
      await reading.close();
      const zero = new FileStream(openSync('/dev/zero', 'r'));
      expect((await zero.readExactly(200_000)).equals(Buffer.alloc(200_000))).toBe(true);
      await zero.close();
    }));
});
