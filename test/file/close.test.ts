// close(): what it flushes, whom it wakes, and that it goes on to its end when nobody waits for it any more.

import { closeSync, mkdtempSync, readFileSync, readSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CancelledError, gather, run, sleep, spawn, TaskError, TaskTimeout, timeoutAfter } from 'curio';
import { type AsyncFile, aopen } from 'curio/file';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { program } from '../kit/child.ts';
import { recorder } from '../kit/recorder.ts';
import { allClosed, makeFolder, openFiles } from './folder.ts';

const folder = makeFolder();
const clock = () => new VirtualClock({ patience: 0.05 });
const CLOSED = { code: 'EBADF' };

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('closing', () => {
  test('writes what was collected', async () => {
    const path = folder.file();
    await run(async () => {
      const file = await aopen(path, 'w');
      await file.write('text');
      await file.close();
      expect(readFileSync(path, 'utf8')).toBe('text');
      expect(file.closed).toBe(true);
    });
    expect(openFiles(path)).toEqual([]);
  });

  test('twice, or in the block that does so anyway, is harmless', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x'));
      await file.close();
      await file.close();
      await gather([() => file.close(), () => file.close()]);
      const other = await aopen(folder.file('x'));
      await gather([() => other.close(), () => other.close()]);
    });
  });

  test('the end of a block closes, also when an error leaves it', async () => {
    const path = folder.file();
    let file!: AsyncFile<string>;
    await expect(
      run(async () => {
        await using inner = await aopen(path, 'w');
        file = inner;
        await inner.write('written');
        throw new Error('mine');
      }),
    ).rejects.toThrow('mine');
    expect(file.closed).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('written');
  });

  test('afterwards every operation is EBADF, whatever had been read ahead', async () => {
    await run(async () => {
      const file = await aopen(folder.file('one\ntwo\n'), 'r+');
      const bytes = await aopen(folder.file('one\ntwo\n'), 'rb');
      const lines = file[Symbol.asyncIterator]();
      await lines.next();
      await bytes.readline();
      await file.close();
      await bytes.close();
      for (const operation of [
        () => lines.next(),
        () => file.read(),
        () => file.read(0),
        () => file.readall(),
        () => file.readline(),
        () => file.readline(3),
        () => file.readlines(),
        () => bytes.read1(),
        () => bytes.readinto(Buffer.alloc(1)),
        () => bytes[Symbol.asyncIterator]().next(),
        () => file.write('x'),
        () => file.write(''),
        () => file.writelines(['x']),
        () => file.flush(),
        () => file.seek(0),
        () => file.tell(),
        () => file.truncate(),
      ]) {
        await expect(operation()).rejects.toMatchObject(CLOSED);
      }
      expect(() => file.blocking()).toThrow('it has been closed');
      expect(await file.write('x').catch((error) => error.bytesWritten)).toBe(0);
    });
  });
});

describe('closing under others', () => {
  test('wakes the task that reads, and those that wait for their turn', async () => {
    const { path, fd } = folder.pipe();
    // The tasks crash, which is logged.
    await run({ clock: clock(), logger: recorder() }, async () => {
      const file = await aopen(path);
      const tasks = [
        await spawn(() => file.readline()),
        await spawn(() => file.read()),
        await spawn(() => file.readlines()),
      ];
      await sleep(1);
      const closing = await spawn(() => file.close());
      for (const task of tasks) {
        const error = await task.join().catch((it: TaskError) => it);
        expect(error).toBeInstanceOf(TaskError);
        expect((error as TaskError).cause).toMatchObject(CLOSED);
      }
      // The operating system cannot be made to stop reading; until it does, the file is not closed.
      expect(closing.terminated).toBe(false);
      writeSync(fd, 'x');
      await closing.join();
      expect(openFiles(path)).toHaveLength(1);
    });
    closeSync(fd);
  });

  test('a task that writes is told how much of it is written all the same', async () => {
    const { path, fd } = folder.pipe();
    const data = Buffer.alloc(2_000_000, '0123456789');
    await run({ clock: clock() }, async () => {
      await using from = await aopen(path, 'rb');
      const file = await aopen(path, 'wb');
      const writer = await spawn(() => file.write(data).catch((error) => error));
      await sleep(1);
      const closing = await spawn(() => file.close());
      const error = (await writer.join()) as Error & { bytesWritten: number };
      expect(error).toMatchObject(CLOSED);
      expect(error.bytesWritten).toBeGreaterThan(0);
      expect(error.bytesWritten).toBeLessThan(data.length);
      expect((await from.read(error.bytesWritten)).equals(data.subarray(0, error.bytesWritten))).toBe(true);
      await closing.join();
      // And nothing more.
      closeSync(fd);
      expect(await from.read()).toEqual(Buffer.alloc(0));
    });
  });

  test('an operation that had ended just before has ended well', async () => {
    const path = folder.file('line\n');
    await run(async () => {
      const file = await aopen(path);
      const reader = await spawn(() => file.readline());
      await sleep(0);
      // The event loop turns, the read comes back, and the reader has not run yet.
      while (reader.state !== 'READY' && !reader.terminated) await turn();
      await file.close();
      expect(await reader.join().catch((error: TaskError) => error.cause)).toSatisfy(
        (it) => it === 'line\n' || (it as { code?: string }).code === 'EBADF',
      );
    });
    expect(openFiles(path)).toEqual([]);
  });
});

describe('closing that is cut short', () => {
  test('goes on to its end: what was collected is written, and nothing stays open', async () => {
    let path = '';
    const text = 'é'.repeat(30_000);
    await cancelEverywhere(
      async () => {
        path = folder.file();
        const file = await aopen(path, 'w');
        try {
          await file.write(text);
        } finally {
          await file.close();
        }
      },
      async ({ operation, at, error }) => {
        await allClosed(path);
        if (error === null || at > 1) expect(readFileSync(path, 'utf8') === text).toBe(true);
        else expect(operation).toBe('FUTURE_WAIT');
      },
    );
  });

  test('releases the task at once', async () => {
    const { path, fd } = folder.pipe();
    await run({ clock: clock() }, async () => {
      const file = await aopen(path, 'wb');
      await file.write(Buffer.alloc(60_000));
      await file.flush();
      await file.write(Buffer.alloc(60_000));
      const error = await timeoutAfter(1, () => file.close()).catch((it) => it);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.message).toContain('AsyncFile.close()');
      expect(file.closed).toBe(true);
      // Closing again is waiting for the same.
      await expect(timeoutAfter(1, () => file.close())).rejects.toThrow(TaskTimeout);
      const all = Buffer.alloc(120_000);
      const closing = await spawn(() => file.close());
      for (let n = 0; n < all.length; ) {
        n += readSync(fd, all, n, Math.min(60_000, all.length - n), null);
        await sleep(1);
      }
      await closing.join();
      expect(openFiles(path)).toHaveLength(1);
    });
    closeSync(fd);
  });

  test('an error that nobody waits for any more is logged', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      const file = await aopen('/dev/full', 'w');
      await file.write('x');
      await expect(timeoutAfter(0, () => file.close())).rejects.toThrow(CancelledError);
      while (logger.lines.length === 0) await turn();
    });
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toMatch(/^error: Closing '\/dev\/full' after its task was cancelled: .*ENOSPC/);
  });
});

describe('a full disk', () => {
  test('is ENOSPC for whoever flushes, fills the buffer, seeks or closes, and nothing that waits is lost', async () => {
    const full = { code: 'ENOSPC', syscall: 'write' };
    await run(async () => {
      const file = await aopen('/dev/full', 'w');
      expect(await file.write('a')).toBe(1);
      await expect(file.flush()).rejects.toMatchObject(full);
      await expect(file.flush()).rejects.toMatchObject(full);
      expect(await file.write('b')).toBe(1);
      await expect(file.seek(0)).rejects.toMatchObject(full);
      expect(await file.tell()).toBe(2);
      await expect(file.write('c'.repeat(100_000))).rejects.toMatchObject({ ...full, bytesWritten: 0 });
      await expect(file.writelines(['d', 'e'.repeat(100_000)])).rejects.toMatchObject({
        ...full,
        bytesWritten: 1,
      });
      await expect(file.close()).rejects.toMatchObject(full);
      // It is closed all the same.
      expect(file.closed).toBe(true);
      await file.close();
    });
    expect(openFiles('/dev/full')).toEqual([]);
  });

  test('at the end of a block comes out of the block', async () => {
    await expect(
      run(async () => {
        await using file = await aopen('/dev/full', 'wb');
        await file.write('x');
      }),
    ).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(openFiles('/dev/full')).toEqual([]);
  });
});

test('a file whose directory is gone is read and written to its end', async () => {
  const { mkdirSync, rmSync } = await import('node:fs');
  const inner = folder.file();
  mkdirSync(inner);
  await run(async () => {
    await using file = await aopen(`${inner}/x`, 'w+');
    await file.write('text');
    rmSync(inner, { recursive: true });
    await file.seek(0);
    expect(await file.read()).toBe('text');
    await expect(aopen(`${inner}/x`, 'w')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a file that nobody closes', () => {
  test.each([
    ['end', 0],
    ['exit', 3],
    ['error', 1],
  ])('is written when the process ends: %s', async (end, status) => {
    const path = folder.file('old');
    const { code } = await program('unclosed', { args: [path, end] });
    expect(code).toBe(status);
    expect(readFileSync(path, 'utf8')).toBe('first\nsecond\n');
  });

  test('and cannot be written then, is logged', async () => {
    const folderOfTheFull = mkdtempSync(join(tmpdir(), 'curio-test-'));
    onTestFinished(() => rmSync(folderOfTheFull, { recursive: true }));
    const path = join(folderOfTheFull, 'full');
    symlinkSync('/dev/full', path);
    const { complaint } = await program('unclosed', { args: [path, 'late'] });
    expect(complaint).toContain(
      'curio error: A file that nobody closed could not be written at the end: Error: ENOSPC',
    );
  });
});
