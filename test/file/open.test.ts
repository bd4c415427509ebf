// aopen(): modes, options, what the file then says of itself, and everything that can be wrong.

import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  NotSupportedError,
  RuntimeError,
  run,
  setCancellation,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { AsyncFile, aopen } from 'curio/file';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { allClosed, makeFolder, openFiles } from './folder.ts';

const folder = makeFolder();

describe('a mode', () => {
  const tried = async (
    mode: string,
    contents: string | undefined,
    action: (file: AsyncFile) => Promise<unknown>,
  ) => {
    const path = folder.file(contents);
    await run(async () => {
      await using file = await aopen(path, mode);
      await action(file);
    });
    return readFileSync(path, 'utf8');
  };

  test('w makes the file, and empties one that is there', async () => {
    expect(await tried('w', undefined, (file) => file.write('new'))).toBe('new');
    expect(await tried('w', 'something longer', (file) => file.write('new'))).toBe('new');
  });

  test('x makes the file, and refuses one that is there', async () => {
    expect(await tried('x', undefined, (file) => file.write('new'))).toBe('new');
    await expect(tried('x', 'old', (file) => file.write('new'))).rejects.toMatchObject({ code: 'EEXIST' });
  });

  test('a writes at the end, wherever the file stands', async () => {
    expect(
      await tried('a', 'old ', async (file) => {
        expect(await file.tell()).toBe(4);
        await file.write('and ');
        await file.seek(0);
        await file.write('new');
        expect(await file.tell()).toBe(11);
      }),
    ).toBe('old and new');
  });

  test('a makes a file that is not there', async () => {
    expect(await tried('a', undefined, (file) => file.write('new'))).toBe('new');
  });

  test('+ opens for both directions: r+ keeps what is there, w+ does not', async () => {
    expect(await tried('r+', 'abcdef', (file) => file.write('XY'))).toBe('XYcdef');
    expect(
      await tried('w+', 'abcdef', async (file) => {
        await file.write('XY');
        await file.seek(0);
        expect(await file.read()).toBe('XY');
      }),
    ).toBe('XY');
    expect(
      await tried('a+', 'abc', async (file) => {
        expect(await file.read()).toBe('');
        await file.seek(1);
        expect(await file.read(1)).toBe('b');
        await file.write('d');
        expect(await file.read()).toBe('');
      }),
    ).toBe('abcd');
  });

  test('letters may come in any order, and t says what is so anyway', async () => {
    for (const mode of ['rt', 'tr', 'r+t', '+rt', 'br', 'b+r', 'rb+', 'r+b']) {
      await run(async () => {
        await using file = await aopen(folder.file('x'), mode);
        expect(file.mode).toBe(mode);
        expect(await file.read()).toEqual(mode.includes('b') ? Buffer.from('x') : 'x');
      });
    }
  });

  test('reading what was opened for writing only, and the other way round, is refused', async () => {
    await run(async () => {
      await using reader = await aopen(folder.file('x'));
      await using writer = await aopen(folder.file(), 'w');
      expect([reader.readable(), reader.writable(), writer.readable(), writer.writable()]).toEqual([
        true,
        false,
        false,
        true,
      ]);
      await expect(reader.write('y')).rejects.toThrow(NotSupportedError);
      await expect(reader.write('y')).rejects.toThrow("Open it in mode 'r+'");
      await expect(reader.truncate(0)).rejects.toThrow(NotSupportedError);
      await expect(writer.read()).rejects.toThrow(
        "was opened in mode 'w' and cannot be read. Open it in mode 'r'.",
      );
      await expect(writer.readline()).rejects.toThrow(NotSupportedError);
      await expect(writer.readlines()).rejects.toThrow(NotSupportedError);
      await expect(writer.readall()).rejects.toThrow(NotSupportedError);
      await expect(writer[Symbol.asyncIterator]().next()).rejects.toThrow(NotSupportedError);
      // Flushing what cannot have been written is harmless.
      await reader.flush();
    });
  });

  test.each(['', 'z', 'rw', 'wa', 'rbt', 'rr', 'r++', 'b', '+', 'R', 'rU', 'r '])(
    '%j is none',
    async (mode) => {
      await run(async () => {
        await expect(aopen(folder.file('x'), mode)).rejects.toThrow(RangeError);
        await expect(aopen(folder.file('x'), mode)).rejects.toThrow(`'${mode}' is no file mode.`);
      });
    },
  );
});

describe('a file says of itself', () => {
  test('its name, mode and encoding, whether it is closed, and its descriptor', async () => {
    const path = folder.file('text');
    await run(async () => {
      const text = await aopen(path);
      const bytes = await aopen(path, 'rb');
      expect([text.name, text.mode, text.encoding, text.closed]).toEqual([path, 'r', 'utf-8', false]);
      expect([bytes.mode, bytes.encoding, bytes.seekable()]).toEqual(['rb', null, true]);
      expect(openFiles(path)).toHaveLength(2);
      expect(text.fileno()).toBeGreaterThan(2);
      expect(String(text)).toBe(`AsyncFile(name='${path}', mode='r')`);
      await text.close();
      await bytes.close();
      expect([text.closed, text.fileno()]).toEqual([true, -1]);
      expect(String(text)).toBe(`AsyncFile(name='${path}', mode='r', closed)`);
    });
    expect(openFiles(path)).toEqual([]);
  });

  test('the name of its encoding, whatever it was called', async () => {
    const names = {
      UTF8: 'utf-8',
      utf_8_sig: 'utf-8-sig',
      latin1: 'iso-8859-1',
      'iso-8859-1': 'iso-8859-1',
      'US-ASCII': 'ascii',
      utf16le: 'utf-16le',
      'UTF-16': 'utf-16',
      cp1252: 'windows-1252',
      sjis: 'shift_jis',
      euc_kr: 'euc-kr',
    };
    await run(async () => {
      for (const [given, name] of Object.entries(names)) {
        await using file = await aopen(folder.file('x'), 'r', { encoding: given });
        expect(file.encoding).toBe(name);
      }
    });
  });
});

describe('paths', () => {
  test('a Buffer or a file URL will do', async () => {
    const path = folder.file('text');
    await run(async () => {
      await using one = await aopen(Buffer.from(path));
      await using two = await aopen(pathToFileURL(path));
      expect([await one.read(), await two.read()]).toEqual(['text', 'text']);
    });
  });

  test('errors of the operating system come as Node gives them', async () => {
    const gone = join(dirname(folder.file()), 'gone');
    mkdirSync(gone);
    rmSync(gone, { recursive: true });
    await run(async () => {
      const missing = { code: 'ENOENT', syscall: 'open', errno: -2 };
      await expect(aopen(folder.file())).rejects.toMatchObject(missing);
      await expect(aopen(join(gone, 'x'), 'w')).rejects.toMatchObject({ ...missing, path: join(gone, 'x') });
      await expect(aopen(join(folder.file('x'), 'y'))).rejects.toMatchObject({ code: 'ENOTDIR' });
      for (const mode of ['r', 'w', 'rb', 'a', 'r+']) {
        const path = dirname(gone);
        await expect(aopen(path, mode)).rejects.toMatchObject({
          code: 'EISDIR',
          syscall: 'open',
          errno: -21,
        });
        expect(openFiles(path)).toEqual([]);
      }
    });
  });

  test('a file that may not be read is EACCES', async () => {
    // Root may do anything, and so is somebody else meanwhile.
    const root = process.geteuid?.() === 0;
    if (root) process.seteuid?.('nobody');
    try {
      await run(() => expect(aopen('/etc/shadow')).rejects.toMatchObject({ code: 'EACCES' }));
    } finally {
      if (root) process.seteuid?.('root');
    }
  });

  test('a pipe cannot be opened for both directions', async () => {
    const { path, fd } = folder.pipe();
    await run(() => expect(aopen(path, 'r+')).rejects.toMatchObject({ code: 'ESPIPE' }));
    closeSync(fd);
    expect(openFiles(path)).toEqual([]);
  });
});

describe('bad arguments', () => {
  test('of the wrong type are thrown at the call', async () => {
    const wrong = aopen as unknown as (...args: unknown[]) => Promise<unknown>;
    await run(() => {
      expect(() => wrong()).toThrow(TypeError);
      expect(() => wrong(3)).toThrow('For the descriptor 3 write new FileStream(3).');
      expect(() => wrong({}, 'r')).toThrow(TypeError);
      expect(() => wrong('x', 4)).toThrow("aopen() wants a mode such as 'r', not 4.");
      expect(() => wrong('x', 'r', null)).toThrow(TypeError);
      expect(() => wrong('x', 'r', { encoding: 8 })).toThrow(TypeError);
      expect(() => wrong('x', 'r', { newline: 10 })).toThrow(TypeError);
      expect(() => wrong('x', 'r', { errors: true })).toThrow(TypeError);
      expect(() => wrong('x', 'w', { mode: 0o600 })).toThrow(
        "aopen() has no option 'mode'. It knows encoding, newline, errors.",
      );
    });
  });

  test('of no meaning reject', async () => {
    const path = folder.file('x');
    const newline = 'x' as '\n';
    await run(async () => {
      await expect(aopen(path, 'r', { newline })).rejects.toThrow(RangeError);
      await expect(aopen(path, 'r', { encoding: 'klingon' })).rejects.toThrow(
        "There is no encoding 'klingon'.",
      );
      await expect(aopen(path, 'r', { errors: 'ignore' as 'strict' })).rejects.toThrow(RangeError);
      await expect(aopen(path, 'rb', { encoding: 'utf-8' })).rejects.toThrow('a binary file has no encoding');
      await expect(aopen(path, 'rb', { newline: '' })).rejects.toThrow('a binary file has no newline');
      await expect(aopen(path, 'wb', { errors: 'strict' })).rejects.toThrow("or open in mode 'w'");
    });
    expect(readFileSync(path, 'utf8')).toBe('x');
  });

  test('null stands for what is left out', async () => {
    await run(async () => {
      await using file = await aopen(folder.file('x\r\n'), 'rb', {
        encoding: null,
        newline: null,
        errors: null,
      });
      expect(await file.read()).toEqual(Buffer.from('x\r\n'));
    });
  });

  test.each(['shift_jis', 'euc-jp', 'iso-2022-jp', 'gb18030', 'big5', 'euc-kr', 'windows-1251', 'koi8-r'])(
    '%s can be read and not written, and the file is left alone',
    async (encoding) => {
      const path = folder.file('x');
      await run(async () => {
        for (const mode of ['w', 'a', 'r+', 'x']) {
          await expect(aopen(path, mode, { encoding })).rejects.toThrow(NotSupportedError);
        }
        await using file = await aopen(path, 'r', { encoding });
        expect(await file.read()).toBe('x');
      });
    },
  );

  test('windows-1252 has its quotation marks and its euro on every Node', async () => {
    const path = folder.file(Buffer.from([0x93, 0x80, 0x9f, 0x81, 0x94, 0xe4]));
    await run(async () => {
      await using file = await aopen(path, 'r', { encoding: 'cp1252' });
      expect(await file.read(1)).toBe('\u201c');
      expect(await file.tell()).toBe(1);
      expect(await file.read()).toBe('\u20ac\u0178\x81\u201d\xe4');
    });
  });

  test('outside a task it is refused', async () => {
    await expect(aopen(folder.file('x'))).rejects.toThrow(RuntimeError);
  });
});

describe('a cancelled or timed out aopen', () => {
  test('leaves no file open', async () => {
    const path = folder.file('x');
    const count = await cancelEverywhere(
      async () => {
        await using file = await aopen(path);
        return file.mode;
      },
      async ({ kind, error }) => {
        if (kind === 'cancel' || kind === 'timeout') expect(error).not.toBe(null);
        await allClosed(path);
      },
    );
    // Opening, and closing.
    expect(count).toBe(2);
  });

  test('is released at once, though nobody ever opens the other end of a pipe', async () => {
    const { path, fd } = folder.pipe();
    closeSync(fd);
    await run({ clock: new VirtualClock() }, async () => {
      await expect(timeoutAfter(1, aopen, path, 'r')).rejects.toThrow(TaskTimeout);
    });
    // Now somebody does, and then it is closed again.
    const writer = openSync(path, 'w');
    while (openFiles(path).length > 1) await new Promise((resolve) => setImmediate(resolve));
    closeSync(writer);
  });

  test('has begun nothing if the cancellation was there before', async () => {
    const path = folder.file();
    await run(async () => {
      await setCancellation(new TaskCancelled());
      await expect(aopen(path, 'w')).rejects.toThrow(TaskCancelled);
      await expect(aopen(path)).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });
});

describe('new AsyncFile', () => {
  test('wraps a FileHandle, which it closes', async () => {
    const path = folder.file('one\r\ntwo\n');
    const handle = await open(path, 'r');
    await run(async () => {
      await using file = new AsyncFile<string>(handle, 'r', { newline: '\r\n' });
      expect(file.name).toBe(`fd ${handle.fd}`);
      expect(await file.readline()).toBe('one\r\n');
    });
    expect(handle.fd).toBe(-1);
  });

  test('wants to know how it was opened, and says what is wrong with that', async () => {
    const handle = await open(folder.file('x'), 'r');
    expect(() => new AsyncFile(handle, 'rw')).toThrow(RangeError);
    expect(() => new AsyncFile(handle, 'rb', { encoding: 'utf-8' })).toThrow(RangeError);
    await handle.close();
    for (const wrong of [3, 'x', null, {}])
      expect(() => new AsyncFile(wrong as never)).toThrow(/AsyncFile.*node:fs\/promises/);
  });
});
