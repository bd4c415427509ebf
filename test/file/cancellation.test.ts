// Cancellation and timeouts of file operations: the task is released at once, and no byte is lost, neither of what the operating
// system was reading for it nor of what it was writing.

import { closeSync, readFileSync, writeSync } from 'node:fs';
import {
  CancelledError,
  gather,
  ignoreAfter,
  run,
  setCancellation,
  sleep,
  spawn,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { type AsyncFile, aopen } from 'curio/file';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { allClosed, makeFolder } from './folder.ts';

const folder = makeFolder();

/** What a promise is rejected with. */
const failure = (promise: Promise<unknown>): Promise<CancelledError> =>
  promise.then(
    () => expect.unreachable('it was not cancelled'),
    (error) => error as CancelledError,
  );

/** Runs with a pipe: its file, opened for reading or writing, and the descriptor of the test's own end. */
async function withPipe<D extends string | Buffer>(
  mode: string,
  action: (file: AsyncFile<D>, fd: number) => Promise<void>,
): Promise<void> {
  const { path, fd } = folder.pipe();
  await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
    await using file = (await aopen(path, mode)) as AsyncFile<D>;
    await action(file, fd);
  });
  closeSync(fd);
}

describe('reading that is cut short', () => {
  test('read: the task is released at once, and what comes later is there for the next read', async () => {
    await withPipe<Buffer>('rb', async (file, fd) => {
      const reader = await spawn(() => file.read(3));
      await sleep(0);
      expect(reader.state).toBe('FUTURE_WAIT');
      await reader.cancel();
      expect(reader.exception).toBeInstanceOf(TaskCancelled);
      // The operating system still reads for nobody in particular.
      writeSync(fd, 'abcdef');
      expect(await file.read(4)).toEqual(Buffer.from('abcd'));
      expect(await file.read(2)).toEqual(Buffer.from('ef'));
    });
  });

  test('read: what had come stays, however often it is cut short', async () => {
    await withPipe<string>('r', async (file, fd) => {
      for (const part of ['a', 'b€'.slice(0, 2), 'c']) {
        writeSync(fd, part);
        expect(await failure(timeoutAfter(1, () => file.read(5)))).toBeInstanceOf(TaskTimeout);
      }
      writeSync(fd, 'd');
      expect(await file.read(5)).toBe('ab€cd');
    });
  });

  test('readline: the part of the line that had come stays', async () => {
    await withPipe<string>('r', async (file, fd) => {
      writeSync(fd, 'hel');
      const error = await failure(timeoutAfter(1, () => file.readline()));
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.message).toContain('AsyncFile.readline()');
      expect(error).not.toHaveProperty('bytesRead');
      writeSync(fd, 'lo\nnext\n');
      expect([await file.readline(), await file.readline()]).toEqual(['hello\n', 'next\n']);
    });
  });

  test('a loop over lines can be gone on with', async () => {
    await withPipe<string>('r', async (file, fd) => {
      const lines: string[] = [];
      const loop = async () => {
        for await (const line of file) lines.push(line);
      };
      writeSync(fd, 'one\ntw');
      await ignoreAfter(1, loop);
      writeSync(fd, 'o\nthree\n');
      await ignoreAfter(1, loop);
      expect(lines).toEqual(['one\n', 'two\n', 'three\n']);
      // The read that is under way needs something to come back with.
      writeSync(fd, '\n');
    });
  });

  test('readlines: the complete lines are in linesRead, the rest stays', async () => {
    await withPipe<string>('r', async (file, fd) => {
      writeSync(fd, '1\n2\r\n3');
      const error = await failure(timeoutAfter(1, () => file.readlines()));
      expect(error.linesRead).toEqual(['1\n', '2\n']);
      writeSync(fd, '!\n');
      expect(await file.readline()).toBe('3!\n');
    });
  });

  test('readall: what had come is in bytesRead, as text or as bytes, and has been read', async () => {
    await withPipe<string>('r', async (file, fd) => {
      writeSync(fd, 'é\r\nab');
      expect((await failure(timeoutAfter(1, () => file.readall()))).bytesRead).toBe('é\nab');
      writeSync(fd, 'c\n');
      expect(await file.readline()).toBe('c\n');
    });
    await withPipe<Buffer>('rb', async (file, fd) => {
      writeSync(fd, 'ab');
      expect((await failure(timeoutAfter(1, () => file.readall()))).bytesRead).toEqual(Buffer.from('ab'));
      expect((await failure(timeoutAfter(1, () => file.readall()))).bytesRead).toEqual(Buffer.alloc(0));
      writeSync(fd, 'c\n');
      expect(await file.readline()).toEqual(Buffer.from('c\n'));
    });
  });

  test('readinto: the buffer is as it was, also when the bytes come later', async () => {
    await withPipe<Buffer>('rb', async (file, fd) => {
      const target = Buffer.alloc(4);
      writeSync(fd, 'ab');
      for (const operation of [() => file.readinto(target), () => file.readinto(target)]) {
        expect(await failure(timeoutAfter(1, operation))).toBeInstanceOf(TaskTimeout);
        expect(target).toEqual(Buffer.alloc(4));
      }
      writeSync(fd, 'cdef');
      expect(await file.readinto(target)).toBe(4);
      expect(target.toString()).toBe('abcd');
      expect(await file.readinto1(target)).toBe(2);
    });
  });

  test('a task that only waits for its turn is released, too, and has done nothing', async () => {
    await withPipe<string>('r', async (file, fd) => {
      const first = await spawn(() => file.readline());
      const second = await spawn(() => failure(timeoutAfter(1, () => file.readall())));
      const third = await spawn(() => file.readline());
      const error = await second.join();
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.bytesRead).toBe('');
      writeSync(fd, '1\n3\n');
      expect([await first.join(), await third.join()]).toEqual(['1\n', '3\n']);
    });
  });

  test('places of a regular file stay right', async () => {
    const path = folder.file(Array.from({ length: 3000 }, (_, i) => `line ${i} é\n`).join(''));
    await cancelEverywhere(
      async () => {
        await using file = await aopen(path, 'r+');
        const seen: string[] = [];
        const attempt = async () => {
          for await (const line of file) {
            seen.push(line);
            if (seen.length % 500 === 0) expect(await file.tell()).toBe(Buffer.byteLength(seen.join('')));
          }
        };
        try {
          await attempt();
        } catch (error) {
          if (!(error instanceof CancelledError)) throw error;
          await attempt();
        }
        return seen.join('');
      },
      async ({ result, error }) => {
        if (error === null) expect(result === readFileSync(path, 'utf8')).toBe(true);
        await allClosed(path);
      },
    );
  });
});

describe('writing that is cut short', () => {
  test('write: bytesWritten is what the other side will read, and whoever goes on from there has written everything', async () => {
    const data = Buffer.alloc(3_000_000, '0123456789');
    const sent = Buffer.from(data);
    const { path, fd } = folder.pipe();
    await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
      await using to = await aopen(path, 'wb');
      await using from = await aopen(path, 'rb');
      const error = await failure(timeoutAfter(1, () => to.write(data)));
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(error.message).toContain('AsyncFile.write()');
      const written = error.bytesWritten!;
      expect(written).toBeGreaterThan(0);
      expect(written).toBeLessThan(data.length);
      // The operating system is still writing, but not from here.
      data.fill('x', 0, written);
      const reader = await spawn(() => from.read(sent.length));
      expect(await to.write(data.subarray(written))).toBe(sent.length - written);
      await to.flush();
      expect((await reader.join()).equals(sent)).toBe(true);
    });
    closeSync(fd);
  });

  test('write: text is counted in characters, and never cut within one', async () => {
    const text = 'é😀\n'.repeat(600_000);
    const { path, fd } = folder.pipe();
    await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
      await using to = await aopen(path, 'w', { newline: '\r\n' });
      await using from = await aopen(path, 'r', { newline: '\r\n' });
      const { bytesWritten } = await failure(timeoutAfter(1, () => to.write(text)));
      const reader = await spawn(() => from.read(bytesWritten! + Math.floor(bytesWritten! / 3)));
      await to.flush();
      const got = (await reader.join()).replaceAll('\r\n', '\n');
      expect([...text].slice(0, bytesWritten).join('') === got).toBe(true);
      expect(bytesWritten).toBeGreaterThan(0);
    });
    closeSync(fd);
  });

  test('writelines: bytesWritten counts all pieces, and of an endless source no more are taken', async () => {
    const { path, fd } = folder.pipe();
    let made = 0;
    function* endless() {
      for (;;) yield `${made++}\n`;
    }
    await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
      await using to = await aopen(path, 'wb');
      await using from = await aopen(path, 'rb');
      const { bytesWritten } = await failure(timeoutAfter(1, () => to.writelines(endless())));
      const reader = await spawn(() => from.read(bytesWritten));
      await to.flush();
      // The last one had been asked for, and found no room.
      const taken = Array.from({ length: made - 1 }, (_, i) => `${i}\n`).join('');
      expect((await reader.join()).toString() === taken).toBe(true);
    });
    closeSync(fd);
  });

  test('a write that only waited for its turn has written nothing', async () => {
    const { path, fd } = folder.pipe();
    await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
      await using to = await aopen(path, 'wb');
      await using from = await aopen(path, 'rb');
      const first = await spawn(() => to.write(Buffer.alloc(200_000, 'a')));
      await sleep(0);
      const second = await failure(timeoutAfter(1, () => to.write('b')));
      expect(second.bytesWritten).toBe(0);
      expect((await from.read(200_000)).equals(Buffer.alloc(200_000, 'a'))).toBe(true);
      await first.join();
      await to.write('c');
      await to.flush();
      expect(await from.read(1)).toEqual(Buffer.from('c'));
    });
    closeSync(fd);
  });

  test('flush: what was not handed over yet waits for the next', async () => {
    const { path, fd } = folder.pipe();
    await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
      await using to = await aopen(path, 'wb');
      await using from = await aopen(path, 'rb');
      await to.write(Buffer.alloc(60_000, 'a'));
      await to.flush();
      await to.write(Buffer.alloc(60_000, 'b'));
      await failure(timeoutAfter(1, () => to.flush()));
      const reader = await spawn(() => from.read(120_001));
      await to.write('c');
      await to.flush();
      const expected = `${'a'.repeat(60_000)}${'b'.repeat(60_000)}c`;
      expect((await reader.join()).toString() === expected).toBe(true);
    });
    closeSync(fd);
  });

  test('a cancellation that is there already keeps it from beginning', async () => {
    const path = folder.file();
    await run(async () => {
      await using file = await aopen(path, 'w');
      await setCancellation(new TaskCancelled());
      // What need not wait is no cancellation point.
      await file.write('a');
      const error = await failure(file.write('b'.repeat(100_000)));
      expect(error).toBeInstanceOf(TaskCancelled);
      await file.write('c');
      expect(await file.tell()).toBe(2 + error.bytesWritten!);
    });
  });
});

test('a file is copied line by line, whatever is interrupted: what was taken arrives, in order, once', async () => {
  const lines = Array.from({ length: 4000 }, (_, i) => `${i}: ${'é€😀 '.repeat(i % 13)}\n`);
  const source = folder.file(lines.join(''));
  const text = lines.join('');
  let copied = 0;
  let copy = '';
  const program = async () => {
    copy = folder.file();
    copied = 0;
    await using from = await aopen(source);
    await using to = await aopen(copy, 'w');
    for await (const line of from) {
      try {
        copied += await to.write(line);
      } catch (error) {
        if (error instanceof CancelledError) copied += error.bytesWritten!;
        throw error;
      }
    }
  };
  const count = await cancelEverywhere(program, async ({ kind, error }) => {
    await allClosed(source);
    await allClosed(copy);
    const characters = [...text].slice(0, copied).join('');
    if (copied > 0) expect(readFileSync(copy, 'utf8') === characters).toBe(true);
    if (kind === 'none') expect(copied).toBe([...text].length);
    if (error !== null) expect(error).toBeInstanceOf(CancelledError);
  });
  // Two files opened and closed, and a few blocks read and written.
  expect(count).toBeGreaterThan(8);
});

test('tasks that share a file and are interrupted at any point lose no line', async () => {
  const lines = Array.from({ length: 60 }, (_, i) => `line ${i} ${'x'.repeat(500)}\n`);
  const path = folder.file(lines.join(''));
  let seen: string[] = [];
  await cancelEverywhere(
    async () => {
      seen = [];
      await using file = await aopen(path);
      // After this less is read at a time.
      await file.seek(1);
      await file.seek(0);
      const reader = async () => {
        for await (const line of file) {
          seen.push(line);
          if (seen.length % 7 === 0) await sleep(0);
        }
      };
      const tasks = [await spawn(reader), await spawn(reader), await spawn(reader)];
      for (const task of tasks) await task.wait();
    },
    async ({ task, error }) => {
      // The first of them is always there; the others read what it would have read.
      if (error === null || task === 'reader') expect(seen.join('') === lines.join('')).toBe(true);
      await allClosed(path);
    },
  );
});

test('gather over one file: each reads what is left by the others', async () => {
  const path = folder.file('1\n2\n3\n4\n');
  await run(async () => {
    await using file = await aopen(path);
    expect(await gather([() => file.readline(), () => file.readlines(3), () => file.read()])).toEqual([
      '1\n',
      ['2\n', '3\n'],
      '4\n',
    ]);
  });
});
