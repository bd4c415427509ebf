// AsyncFile.blocking(): the same file for synchronous code.

import { readFileSync } from 'node:fs';
import { ResourceBusy, RuntimeError, run, sleep, spawn } from 'curio';
import { type AsyncFile, aopen } from 'curio/file';
import { describe, expect, test } from 'vitest';
import { makeFolder } from './folder.ts';

const folder = makeFolder();

describe('the file itself', () => {
  test('has the methods of the AsyncFile, synchronous', async () => {
    await run(async () => {
      await using text = await aopen(folder.file('one\r\ntwo\nthree\nfour\nfive'));
      {
        using block = text.blocking();
        const { raw } = block;
        expect(raw.readline()).toBe('one\n');
        expect(raw.readline(2)).toBe('tw');
        expect(raw.tell()).toBe(7);
        expect(raw.read(3)).toBe('o\nt');
        expect(raw.readlines(1)).toEqual(['hree\n']);
        expect([...raw]).toEqual(['four\n', 'five']);
        expect(raw.seek(0)).toBe(0);
        expect(raw.readall()).toBe('one\ntwo\nthree\nfour\nfive');
        expect(raw.fileno()).toBe(text.fileno());
      }
      expect(await text.read()).toBe('');
    });
  });

  test('reads bytes into buffers, writes and truncates', async () => {
    const path = folder.file('0123456789');
    await run(async () => {
      await using file = await aopen(path, 'r+b');
      await file.blocking((raw) => {
        const target = Buffer.alloc(4);
        expect(raw.readinto(target)).toBe(4);
        expect(target.toString()).toBe('0123');
        expect(raw.readinto1(target)).toBe(4);
        expect(raw.read1(1)).toEqual(Buffer.from('8'));
        raw.seek(0, 2);
        expect(raw.write('ab')).toBe(2);
        raw.writelines(['c', Buffer.from('d')]);
        raw.flush();
        expect(readFileSync(path, 'latin1')).toBe('0123456789abcd');
        expect(raw.truncate(3)).toBe(3);
        expect(() => raw.write(3 as unknown as string)).toThrow(TypeError);
        raw.seek(0);
        expect(raw.read()).toEqual(Buffer.from('012'));
      });
    });
    expect(readFileSync(path, 'latin1')).toBe('012');
  });

  test('stands where the AsyncFile stood, and what that had collected is written first', async () => {
    const path = folder.file();
    await run(async () => {
      await using file = await aopen(path, 'w');
      await file.write('one ');
      await file.blocking(async (raw) => {
        expect(readFileSync(path, 'utf8')).toBe('one ');
        raw.write('two ');
        await sleep(0);
      });
      await file.write('three');
    });
    expect(readFileSync(path, 'utf8')).toBe('one two three');
  });

  test('throws what the operating system says', async () => {
    const file = await run(async () => {
      const file = await aopen('/dev/full', 'w');
      expect(() => file.blocking((raw) => raw.write('x')).catch(() => {})).not.toThrow();
      return file;
    });
    await run(async () => {
      await expect(file.blocking((raw) => raw.flush())).rejects.toMatchObject({ code: 'ENOSPC' });
      await expect(file.close()).rejects.toMatchObject({ code: 'ENOSPC' });
    });
  });
});

describe('the block', () => {
  test('gives what the function gives, and ends when it throws', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('text'));
      expect(await file.blocking((raw) => raw.read(2))).toBe('te');
      await file.seek(await file.tell());
      await expect(
        file.blocking(() => {
          throw new Error('mine');
        }),
      ).rejects.toThrow('mine');
      expect(await file.read()).toBe('xt');
    });
  });

  test('with unread data is an error of the operating system, until that is given up', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('one\ntwo\n'));
      await file.readline();
      expect(() => file.blocking()).toThrow(expect.objectContaining({ code: 'EIO' }));
      await expect(file.blocking((raw) => raw.read())).rejects.toMatchObject({ code: 'EIO' });
      expect(() => file.blocking()).toThrow('await file.seek(await file.tell())');
      await file.seek(await file.tell());
      expect(await file.blocking((raw) => raw.read())).toBe('two\n');
    });
  });

  test('keeps tasks out while it lasts', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('one\ntwo\n'), 'r+');
      {
        using block = file.blocking();
        block.raw.readline();
        await expect(file.readline()).rejects.toThrow(ResourceBusy);
        await expect(file[Symbol.asyncIterator]().next()).rejects.toThrow(ResourceBusy);
        await expect(file.write('x')).rejects.toThrow(
          'is in blocking mode until the block of blocking() ends',
        );
        await expect(file.close()).rejects.toThrow(ResourceBusy);
        expect(() => file.blocking()).toThrow(ResourceBusy);
        expect(file.closed).toBe(false);
      }
      expect(await file.readline()).toBe('two\n');
    });
  });

  test('is refused while a task uses the file', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x'.repeat(100_000)));
      const reader = await spawn(() => file.read());
      await sleep(0);
      expect(() => file.blocking()).toThrow(ResourceBusy);
      expect((await reader.join()).length).toBe(100_000);
      expect(await file.blocking((raw) => raw.read())).toBe('');
    });
  });

  test('ends once, and then the file itself is refused', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('text'));
      const block = file.blocking();
      block[Symbol.dispose]();
      const again = file.blocking();
      block[Symbol.dispose]();
      expect(() => block.raw.read()).toThrow(RuntimeError);
      expect(again.raw.read()).toBe('text');
      again[Symbol.dispose]();
      let kept!: { read(): string };
      await file.seek(0);
      await file.blocking((raw) => {
        kept = raw;
      });
      expect(() => kept.read()).toThrow('The block of blocking() is over');
    });
  });

  test('outside a task it is refused', async () => {
    let file!: AsyncFile<string>;
    await run(async () => {
      file = await aopen(folder.file('x'));
    });
    expect(() => file.blocking()).toThrow(RuntimeError);
    await expect(file.blocking((raw) => raw.read())).rejects.toThrow(RuntimeError);
    await run(() => file.close());
  });
});
