// What the methods of an AsyncFile do in tasks: each of them, the loops over its lines, its two forbidden forms, and that nobody
// has to wait for what has been read ahead.

import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import {
  AsyncOnlyError,
  gather,
  Kernel,
  RuntimeError,
  run,
  SyncIOError,
  sleep,
  spawn,
  TaskBusyError,
} from 'curio';
import { AsyncFile, aopen, SEEK_CUR, SEEK_END, SEEK_SET } from 'curio/file';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test, vi } from 'vitest';
import { recorder } from '../kit/recorder.ts';
import { makeFolder } from './folder.ts';

const folder = makeFolder();
const POEM = 'one\ntwo\r\nthrée\rfour 😀\nfive';

describe('reading', () => {
  test('read gives everything, and then nothing', async () => {
    await run(async () => {
      await using file = await aopen(folder.file(POEM));
      expect(file.closed).toBe(false);
      expect(await file.read()).toBe('one\ntwo\nthrée\nfour 😀\nfive');
      expect(await file.read()).toBe('');
      expect(await file.readline()).toBe('');
      expect(await file.readlines()).toEqual([]);
    });
  });

  test('characters are those of Python: a pair of surrogates is one', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('a😀b😀c'));
      expect(await file.read(2)).toBe('a😀');
      expect(await file.readline(2)).toBe('b😀');
      expect(await file.read(0)).toBe('');
      expect(await file.read(null)).toBe('c');
    });
  });

  test('readall joins text to text and bytes to bytes', async () => {
    const path = folder.file(POEM);
    await run(async () => {
      await using text = await aopen(path);
      await using bytes = await aopen(path, 'rb');
      await text.readline();
      expect(await text.readall()).toBe('two\nthrée\nfour 😀\nfive');
      expect(await bytes.readall()).toEqual(readFileSync(path));
      expect([await text.readall(), await bytes.readall()]).toEqual(['', Buffer.alloc(0)]);
    });
  });

  test('read1, readinto and readinto1 read bytes', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('0123456789'), 'rb');
      expect(await file.read1(3)).toEqual(Buffer.from('012'));
      const target = new Uint16Array(2);
      expect(await file.readinto(target)).toBe(4);
      expect(Buffer.from(target.buffer).toString()).toBe('3456');
      expect(await file.readinto1(target.buffer)).toBe(3);
      expect(Buffer.from(target.buffer).toString()).toBe('7896');
      expect([await file.read1(), await file.readinto(target), await file.readinto1(target)]).toEqual([
        Buffer.alloc(0),
        0,
        0,
      ]);
      await using text = await aopen(folder.file('x'));
      for (const operation of [text.read1(), text.readinto(target), text.readinto1(target)]) {
        await expect(operation).rejects.toThrow("was opened for text. Open it in mode 'rb'.");
      }
    });
  });

  test('what takes many steps to read is joined, from wherever it begins, and is no larger than it is', async () => {
    const bytes = Buffer.alloc(5_000_000);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 2_654_435_761) >>> 24;
    const path = folder.file('');
    writeFileSync(path, bytes);
    await run(async () => {
      await using file = await aopen(path, 'rb');
      for (const start of [0, 100, 4_000_000, 4_999_999]) {
        await file.seek(start);
        // So that something has been read ahead.
        const first = await file.read(1);
        const all = await file.read();
        expect(first.equals(bytes.subarray(start, start + 1))).toBe(true);
        expect(all.equals(bytes.subarray(start + 1)), `from ${start}`).toBe(true);
        expect(all.buffer.byteLength).toBeLessThanOrEqual(2 * all.length + 8192);
      }
      await file.seek(0);
      const all = await file.read();
      expect(all.equals(bytes)).toBe(true);
      appendFileSync(path, 'and more');
      expect(String(await file.read())).toBe('and more');
      expect(all.equals(bytes)).toBe(true);
    });
  });

  test('files whose length nobody knows are read to their ends', async () => {
    await run(async () => {
      for (const path of ['/proc/cpuinfo', '/proc/self/status', '/dev/null']) {
        if (!existsSync(path)) continue;
        await using file = await aopen(path);
        const first = (await file.read()).split('\n')[0];
        expect(first).toBe(readFileSync(path, 'utf8').split('\n')[0]);
        expect(await file.read()).toBe('');
      }
    });
  });

  test('readlines takes a hint of how much is enough', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('1\n22\n333\n4444'));
      expect(await file.readlines(4)).toEqual(['1\n', '22\n']);
      expect(await file.readlines()).toEqual(['333\n', '4444']);
    });
  });

  test('for await gives the lines', async () => {
    const path = folder.file(POEM);
    await run(async () => {
      const lines: string[] = [];
      await using text = await aopen(path);
      for await (const line of text) lines.push(line);
      expect(lines).toEqual(['one\n', 'two\n', 'thrée\n', 'four 😀\n', 'five']);

      await using bytes = await aopen(path, 'rb');
      const chunks: Buffer[] = [];
      for await (const line of bytes) chunks.push(line);
      expect(Buffer.concat(chunks)).toEqual(readFileSync(path));
      expect(chunks).toHaveLength(4);
    });
  });

  test('a loop that is left does not close the file, and another one goes on', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('1\n2\n3\n'));
      for await (const line of file) if (line === '1\n') break;
      expect(file.closed).toBe(false);
      const rest: string[] = [];
      for await (const line of file) rest.push(line, String(await file.tell()));
      expect(rest).toEqual(['2\n', '4', '3\n', '6']);
    });
  });

  test('a file that grows can be read on', async () => {
    const path = folder.file('one\ntw');
    await run(async () => {
      await using reader = await aopen(path);
      await using writer = await aopen(path, 'a');
      const lines = reader[Symbol.asyncIterator]();
      expect(await reader.readlines()).toEqual(['one\n', 'tw']);
      expect(await lines.next()).toEqual({ value: undefined, done: true });
      await writer.write('o\nthree\n');
      await writer.flush();
      expect(await reader.readline()).toBe('o\n');
      expect(await lines.next()).toEqual({ value: 'three\n', done: false });
    });
  });

  test('a line longer than anything that is read at a time is one line', async () => {
    const long = 'é'.repeat(2_000_000);
    await run(async () => {
      await using file = await aopen(folder.file(`short\n${long}\nend`));
      expect(await file.readlines()).toEqual(['short\n', `${long}\n`, 'end']);
      await file.seek(6);
      expect((await file.readline(1_500_000)).length).toBe(1_500_000);
      expect(await file.tell()).toBe(6 + 3_000_000);
      expect((await file.readline()).length).toBe(500_001);
    });
  });

  test('what has been read ahead is given without a switch', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('1\n2\n3\n'));
      const log: string[] = [];
      log.push(await file.readline());
      await spawn({ daemon: true }, () => log.push('other'));
      log.push(await file.readline(), String(await file.tell()), await file.read(1));
      for await (const line of file) {
        log.push(line);
        break;
      }
      expect(log).toEqual(['1\n', '2\n', '4', '3', '\n']);
      await sleep(0);
      expect(log).toContain('other');
    });
  });

  test('others have their turn now and then, though all has been read ahead', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x\n'.repeat(20_000)));
      let turns = 0;
      let over = false;
      const other = await spawn(async () => {
        while (!over) {
          turns++;
          await sleep(0);
        }
      });
      let lines = 0;
      for await (const _ of file) lines++;
      over = true;
      await other.join();
      expect(lines).toBe(20_000);
      expect(turns).toBeGreaterThan(15);
    });
  });
});

describe('writing', () => {
  test('write gives the number of characters, or bytes', async () => {
    const path = folder.file();
    await run(async () => {
      await using text = await aopen(path, 'w', { newline: '\r\n' });
      expect(await text.write('é😀\n')).toBe(3);
      expect(await text.write('')).toBe(0);
      expect(await text.write('more\n')).toBe(5);
      await using bytes = await aopen(folder.file(), 'wb');
      expect(await bytes.write('é😀\n')).toBe(7);
      expect(await bytes.write('é😀\n')).toBe(7);
      expect(await bytes.write(new Uint16Array(3))).toBe(6);
      expect(await bytes.write(new ArrayBuffer(4))).toBe(4);
    });
    expect(readFileSync(path, 'utf8')).toBe('é😀\r\nmore\r\n');
  });

  test('what was flushed can be read elsewhere; what was not, waits', async () => {
    const path = folder.file();
    await run(async () => {
      await using file = await aopen(path, 'w');
      await file.write('one\n');
      expect(readFileSync(path, 'utf8')).toBe('');
      await file.flush();
      expect(readFileSync(path, 'utf8')).toBe('one\n');
      await file.write('two\n');
    });
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\n');
  });

  test('much is written in order, whatever is in what', async () => {
    const path = folder.file();
    const parts = ['a', 'é'.repeat(40_000), 'b', '😀'.repeat(300_000), 'c\n', 'x'.repeat(65_535), 'd', ''];
    await run(async () => {
      await using file = await aopen(path, 'w');
      for (const part of parts) expect(await file.write(part)).toBe([...part].length);
      expect(await file.tell()).toBe(Buffer.byteLength(parts.join('')));
    });
    expect(readFileSync(path, 'utf8') === parts.join('')).toBe(true);
  });

  test('writelines writes the pieces of any iterable, unchanged and lazily', async () => {
    const path = folder.file();
    await run(async () => {
      await using file = await aopen(path, 'w');
      await file.writelines(['a\n', 'b']);
      await file.writelines(
        (function* () {
          for (let i = 0; i < 5; i++) yield String(i);
        })(),
      );
      await file.writelines(
        (async function* () {
          await sleep(0);
          yield '\n';
          yield 'end';
        })(),
      );
      await using source = await aopen(folder.file('from\na file\n'));
      await file.writelines(source);
      await file.writelines('chars');
    });
    expect(readFileSync(path, 'utf8')).toBe('a\nb01234\nendfrom\na file\nchars');
  });

  test('the buffer may be used again at once', async () => {
    const path = folder.file();
    const buffer = Buffer.alloc(1 << 20, 'x');
    await run(async () => {
      await using file = await aopen(path, 'wb');
      await file.write(buffer);
      buffer.fill('y');
      await file.write(buffer.subarray(0, 10));
      buffer.fill('z');
    });
    expect(readFileSync(path, 'latin1') === `${'x'.repeat(1 << 20)}${'y'.repeat(10)}`).toBe(true);
  });

  test('what cannot be encoded is refused, and nothing of it written', async () => {
    const path = folder.file();
    await run(async () => {
      await using latin = await aopen(path, 'w', { encoding: 'latin1' });
      await latin.write('é');
      for (let twice = 0; twice < 2; twice++) {
        const error = await latin.write('abc€').catch((it) => it);
        expect(error).toBeInstanceOf(RangeError);
        expect(error.message).toContain('iso-8859-1 has no bytes for U+20AC, which is at 3');
        expect(error.bytesWritten).toBe(0);
      }
      await latin.write('é');
      await using utf8 = await aopen(folder.file(), 'w');
      await expect(utf8.write('a\ud800')).rejects.toThrow('no bytes for U+D800, which is at 1');
      await utf8.write('a');
      await expect(utf8.write('\udc00')).rejects.toThrow(RangeError);
      await using ascii = await aopen(folder.file(), 'w', { encoding: 'ascii' });
      await expect(ascii.write('é')).rejects.toThrow(RangeError);
    });
    expect(readFileSync(path)).toEqual(Buffer.from([0xe9, 0xe9]));
  });

  test("with { errors: 'replace' } something else is written", async () => {
    const texts = { latin1: 'é?😀€', ascii: 'é?😀€', 'utf-8': 'a\ud800', 'utf-16le': 'a\ud800' };
    const written: Record<string, Buffer> = {};
    await run(async () => {
      for (const [encoding, text] of Object.entries(texts)) {
        const path = folder.file();
        await using file = await aopen(path, 'w', { encoding, errors: 'replace' });
        await file.write(text);
        await file.write(text);
        await file.flush();
        written[encoding] = readFileSync(path);
      }
    });
    expect(written.latin1!.toString('latin1')).toBe('é???é???');
    expect(written.ascii!.toString('latin1')).toBe('????????');
    expect(written['utf-8']!.toString()).toBe('a\ufffda\ufffd');
    expect(written['utf-16le']!.toString('utf16le')).toBe('a\ufffda\ufffd');
  });
});

describe('places', () => {
  test.each(['shift_jis', 'gb18030', 'euc-jp', 'iso-2022-jp'])(
    'to tell after each line decodes each line a few times, and not what was read ahead: %s',
    async (encoding) => {
      const line = Buffer.from(
        { shift_jis: '93fa0a', gb18030: 'c8d50a', 'euc-jp': 'c6fc0a', 'iso-2022-jp': '1b2442467c1b28420a' }[
          encoding
        ]!,
        'hex',
      );
      const many = 4000;
      const path = folder.file(Buffer.concat(new Array(many).fill(line)));
      const decode = vi.spyOn(TextDecoder.prototype, 'decode');
      try {
        await run(async () => {
          await using file = await aopen(path, 'r', { encoding });
          for (let i = 1; i <= many; i++) {
            expect(await file.readline()).toBe('日\n');
            expect((await file.tell()) % 2 ** 50).toBe(i * line.length);
          }
        });
        const decoded = decode.mock.calls.reduce((sum, [bytes]) => sum + (bytes?.byteLength ?? 0), 0);
        expect(decoded).toBeLessThan(100 * many * line.length);
      } finally {
        decode.mockRestore();
      }
    },
  );

  test('seek and tell, as the seeds do it', async () => {
    await run(async () => {
      const path = folder.file('line 1\nline 2\nline 3\n');
      await using file = await aopen(path);
      expect(await file.seek(10)).toBe(10);
      expect(await file.tell()).toBe(10);
      expect(await file.read()).toBe('e 2\nline 3\n');
    });
  });

  test('writing, telling, truncating and seeking, as the seeds do it', async () => {
    const path = folder.file();
    await run(async () => {
      await using file = await aopen(path, 'wb');
      await file.write('hello');
      expect(await file.tell()).toBe(5);
      expect(await file.truncate(2)).toBe(2);
      await file.seek(2);
      await file.write('abcd');
    });
    expect(readFileSync(path, 'latin1')).toBe('heabcd');
  });

  test('from the beginning, from here and from the end', async () => {
    await run(async () => {
      await using bytes = await aopen(folder.file('0123456789'), 'rb');
      await bytes.read(2);
      expect(await bytes.seek(3, SEEK_CUR)).toBe(5);
      expect(await bytes.read(1)).toEqual(Buffer.from('5'));
      expect(await bytes.seek(-2, SEEK_END)).toBe(8);
      expect(await bytes.read()).toEqual(Buffer.from('89'));
      expect(await bytes.seek(1, SEEK_SET)).toBe(1);
      expect(await bytes.seek(100)).toBe(100);
      expect(await bytes.read()).toEqual(Buffer.alloc(0));
      await expect(bytes.seek(-101, SEEK_CUR)).rejects.toThrow('-1 is before the beginning');
      expect(await bytes.tell()).toBe(100);

      await using text = await aopen(folder.file('0123456789'));
      await expect(text.seek(1, SEEK_CUR)).rejects.toThrow('knows no distances');
      await expect(text.seek(-1, SEEK_END)).rejects.toThrow('knows no distances');
      expect([await text.seek(0, SEEK_END), await text.seek(0, SEEK_CUR), await text.read()]).toEqual([
        10,
        10,
        '',
      ]);
      await expect(text.seek(0, 3)).rejects.toThrow('SEEK_SET, SEEK_CUR or SEEK_END, not from 3');
      await expect(text.seek(-1)).rejects.toThrow(RangeError);
    });
  });

  test('truncate cuts off or lengthens, and the file stays where it stands', async () => {
    const path = folder.file('0123456789');
    await run(async () => {
      await using file = await aopen(path, 'r+');
      await file.readline(4);
      expect(await file.truncate()).toBe(4);
      expect(await file.read()).toBe('');
      expect(await file.truncate(6)).toBe(6);
      expect(await file.tell()).toBe(4);
      expect(await file.read()).toBe('\0\0');
      await expect(file.truncate(-1)).rejects.toThrow(RangeError);
    });
    expect(readFileSync(path, 'latin1')).toBe('0123\0\0');
  });

  test('a pipe has none', async () => {
    const { path, fd } = folder.pipe();
    const { closeSync, writeSync } = await import('node:fs');
    await run(async () => {
      await using file = await aopen(path);
      expect(file.seekable()).toBe(false);
      writeSync(fd, 'é one\r\n');
      expect(await file.readline()).toBe('é one\n');
      await expect(file.tell()).rejects.toMatchObject({ code: 'ESPIPE', syscall: 'tell' });
      await expect(file.seek(0)).rejects.toMatchObject({ code: 'ESPIPE' });
      closeSync(fd);
      expect(await file.readline()).toBe('');
    });
  });
});

describe('misuse', () => {
  test('a synchronous loop is a SyncIOError, a synchronous block an AsyncOnlyError', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x'));
      const iterable = file as unknown as Iterable<string>;
      expect(() => [...iterable]).toThrow(SyncIOError);
      expect(() => iterable[Symbol.iterator]().next()).toThrow('for await (const line of file)');
      expect(() => (file as unknown as Iterator<string>).next()).toThrow(SyncIOError);
      expect(() => {
        using _ = file as unknown as Disposable;
      }).toThrow(AsyncOnlyError);
      expect(file.closed).toBe(false);
    });
  });

  test('arguments of the wrong type are thrown at the call', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x'), 'r+');
      const wrong = file as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      expect(() => wrong.read!('3')).toThrow(TypeError);
      expect(() => wrong.read!(Number.NaN)).toThrow(TypeError);
      expect(() => wrong.readline!({})).toThrow(TypeError);
      expect(() => wrong.readlines!('x')).toThrow(TypeError);
      expect(() => wrong.readinto!('x')).toThrow(TypeError);
      expect(() => wrong.write!(Buffer.from('x'))).toThrow('wants a string, for the file is open for text');
      expect(() => wrong.write!(undefined)).toThrow(TypeError);
      expect(() => wrong.writelines!(3)).toThrow(TypeError);
      expect(() => wrong.seek!(1.5)).toThrow(TypeError);
      expect(() => wrong.truncate!('2')).toThrow(TypeError);
      await expect(wrong.writelines!(['a', 3])).rejects.toThrow(TypeError);
      await using bytes = await aopen(folder.file('x'), 'wb');
      expect(() => bytes.write(3 as unknown as string)).toThrow(TypeError);
    });
  });

  test('outside a task every operation is refused', async () => {
    let file!: AsyncFile<string>;
    let bytes!: AsyncFile<Buffer>;
    const kernel = new Kernel();
    await kernel.run(async () => {
      file = await aopen(folder.file('one\ntwo\n'), 'r+');
      bytes = await aopen(folder.file('x'), 'rb');
      await file.readline();
    });
    const lines = file[Symbol.asyncIterator]();
    for (const operation of [
      () => file.read(),
      () => file.readall(),
      () => file.readline(),
      () => file.readlines(),
      () => lines.next(),
      () => bytes.read1(),
      () => bytes.readinto(Buffer.alloc(1)),
      () => file.write('x'),
      () => file.writelines(['x']),
      () => file.flush(),
      () => file.seek(0),
      () => file.tell(),
      () => file.truncate(0),
      () => file.close(),
    ]) {
      await expect(operation()).rejects.toThrow(RuntimeError);
    }
    expect(() => file.blocking()).toThrow(RuntimeError);
    await kernel.run(async () => {
      // Nothing has happened.
      expect(await file.read()).toBe('two\n');
      await file.close();
      await bytes.close();
    });
    await kernel.run({ shutdown: true });
  });

  test('two operations of one task at a time are a TaskBusyError', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x'.repeat(100_000)));
      const first = file.read();
      expect(() => file.read(1)).toThrow(TaskBusyError);
      expect(() => file.close()).toThrow('AsyncFile.read()');
      expect((await first).length).toBe(100_000);
    });
  });

  test('an operation that nobody awaits does not keep the file from others', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      await using file = await aopen(folder.file('one\ntwo\n'));
      const forgetful = await spawn(async () => {
        void file.readline();
      });
      await forgetful.join();
      // What it would have read is read by whoever comes next.
      expect(await gather([() => file.readline(), () => file.readline()])).toEqual(['one\n', 'two\n']);
    });
    expect(logger.of('warn').join()).toContain('AsyncFile.readline()');
  });

  test('an operation waits on a virtual clock as well', async () => {
    await run({ clock: new VirtualClock() }, async () => {
      await using file = await aopen(folder.file('text'));
      expect(await file.read()).toBe('text');
      expect(file).toBeInstanceOf(AsyncFile);
    });
  });
});
