// Files against the simplest thing that could be one: the whole text, or all bytes, and a place in it. The device gives and takes
// a few bytes at a time, so that newlines, characters and what is read ahead are cut in two wherever that is possible.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryFile } from './memory.ts';

type Newline = null | '' | '\n' | '\r' | '\r\n';

const newlines = fc.constantFrom<Newline>(null, '', '\n', '\r', '\r\n');
/** Small numbers, for what is read or written at a time. */
const portions = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 12 });
const limits = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 0, max: 9 }));

function cycle(numbers: number[]): () => number {
  let i = 0;
  return () => numbers[i++ % numbers.length]!;
}

const texts = (...characters: string[]) =>
  fc
    .array(fc.constantFrom('\n', '\r', '\r\n', 'a', 'bc', ...characters), { maxLength: 40 })
    .map((it) => it.join(''));

/** The text of a file as Python's `open(newline=…)` reads it: a list of characters and a place in it. */
class TextModel {
  readonly #characters: string[];
  readonly #lineEnd: RegExp;
  at = 0;

  constructor(text: string, newline: Newline) {
    this.#characters = [...(newline === null ? text.replace(/\r\n?/g, '\n') : text)];
    this.#lineEnd = newline === null ? /\n/ : newline === '' ? /\r\n|\r|\n/ : new RegExp(newline);
  }

  read(n: number): string {
    const part = this.#characters.slice(this.at, this.at + n);
    this.at += part.length;
    return part.join('');
  }

  line(limit: number): string {
    const rest = this.#characters.slice(this.at).join('');
    const end = this.#lineEnd.exec(rest);
    const line = end === null ? rest : rest.slice(0, end.index + end[0].length);
    return this.read(Math.min(limit, [...line].length));
  }
}

const encodings: Record<string, [fc.Arbitrary<string>, (text: string) => Buffer]> = {
  'utf-8': [texts('é', '€', '😀', '\u2028'), (text) => Buffer.from(text)],
  'utf-8-sig': [texts('é', '😀'), (text) => Buffer.from(`\ufeff${text}`)],
  'utf-16': [texts('é', '😀'), (text) => Buffer.from(`\ufeff${text}`, 'utf16le')],
  'utf-16 with its high bytes first': [
    texts('é', '😀'),
    (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
  ],
  'utf-16le': [texts('é', '😀', '\u0d0a', '\u0a0d'), (text) => Buffer.from(text, 'utf16le')],
  'utf-16be': [texts('é', '😀', '\u0d0a', '\u0a0d'), (text) => Buffer.from(text, 'utf16le').swap16()],
  latin1: [texts('é', '\x85', '\xff'), (text) => Buffer.from(text, 'latin1')],
  ascii: [texts('x'), (text) => Buffer.from(text, 'latin1')],
  'windows-1251': [texts('Ж', 'я'), table('windows-1251', ['Ж', [0xc6]], ['я', [0xff]])],
  shift_jis: [
    texts('日', 'ソ', 'ﾊ'),
    table('shift_jis', ['日', [0x93, 0xfa]], ['ソ', [0x83, 0x5c]], ['ﾊ', [0xca]]),
  ],
  gb18030: [texts('中', '😀'), table('gb18030', ['中', [0xd6, 0xd0]], ['😀', [0x94, 0x39, 0xfc, 0x36]])],
  'euc-jp': [texts('日', '丂'), table('euc-jp', ['日', [0xc6, 0xfc]], ['丂', [0x8f, 0xb0, 0xa1]])],
  'iso-2022-jp': [
    texts('日', '¥'),
    table(
      'iso-2022-jp',
      ['日', [0x1b, 0x24, 0x42, 0x46, 0x7c, 0x1b, 0x28, 0x42]],
      ['¥', [0x1b, 0x28, 0x4a, 0x5c, 0x1b, 0x28, 0x42]],
    ),
  ],
};

/** Encodes ASCII and a few characters whose bytes are given. */
function table(encoding: string, ...entries: [string, number[]][]): (text: string) => Buffer {
  for (const [character, bytes] of entries) {
    if (new TextDecoder(encoding).decode(Uint8Array.from(bytes)) !== character)
      throw new Error(`${encoding}: ${character}`);
  }
  const map = new Map(entries);
  return (text) => Buffer.from([...text].flatMap((it) => map.get(it) ?? it.charCodeAt(0)));
}

type Reading = ['read' | 'line', number] | ['tell'] | ['back', number] | ['quick'] | ['all'];

const readings = fc.array(
  fc.oneof(
    fc.tuple(fc.constantFrom('read' as const, 'line' as const), limits),
    fc.constant<Reading>(['tell']),
    fc.constant<Reading>(['quick']),
    fc.tuple(fc.constant('back' as const), fc.nat(20)),
  ) as fc.Arbitrary<Reading>,
  { maxLength: 25 },
);

describe('reading text gives what a string and a place in it would', () => {
  for (const [title, [contents, encode]] of Object.entries(encodings)) {
    const encoding = title.split(' ')[0]!;

    test(`in ${title}: read, readline, tell and seek, however the bytes come`, () => {
      fc.assert(
        fc.property(contents, newlines, portions, readings, (text, newline, numbers, operations) => {
          const model = new TextModel(text, newline);
          const { contents, do: now } = memoryFile<string>(
            'r',
            encode(text),
            { encoding, newline },
            cycle(numbers),
          );
          const places: [told: number, at: number][] = [[0, 0]];
          for (const [operation, n = 0] of operations) {
            if (operation === 'read') expect(now(contents.read(n))).toBe(model.read(n));
            else if (operation === 'line') expect(now(contents.line(n))).toBe(model.line(n));
            else if (operation === 'tell') places.push([now(contents.tell()), model.at]);
            else if (operation === 'quick') {
              // It may know nothing, but what it knows is right.
              const line = contents.input.quickLine();
              if (line !== null) expect(line).toBe(model.line(Number.POSITIVE_INFINITY));
            } else {
              const [told, at] = places[n % places.length]!;
              expect(now(contents.seek(told, 0))).toBe(told);
              expect(now(contents.tell())).toBe(told);
              model.at = at;
            }
          }
          expect(now(contents.all())).toBe(model.read(Number.POSITIVE_INFINITY));
          expect(now(contents.read(1))).toBe('');
        }),
        { numRuns: 400 },
      );
    });
  }

  test('tell gives the byte wherever the encoding needs nothing else', () => {
    fc.assert(
      fc.property(encodings['utf-8']![0], portions, fc.nat(40), (text, numbers, n) => {
        const { contents, do: now } = memoryFile<string>(
          'r',
          Buffer.from(text),
          { newline: '' },
          cycle(numbers),
        );
        const read = now(contents.read(n));
        expect(now(contents.tell())).toBe(Buffer.byteLength(read));
      }),
    );
  });

  test('bytes that mean nothing become U+FFFD if that was asked for, and places stay right', () => {
    const bytes = fc.array(
      fc.constantFrom(0x61, 0x0a, 0x0d, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xff),
      { maxLength: 30 },
    );
    for (const encoding of ['utf-8', 'shift_jis', 'gb18030', 'utf-16le']) {
      fc.assert(
        fc.property(bytes, portions, fc.nat(12), fc.nat(12), (raw, numbers, first, second) => {
          const data = Buffer.from(raw);
          const text = new TextDecoder(encoding, { ignoreBOM: true }).decode(data);
          const options = { encoding, errors: 'replace', newline: '\n' } as const;
          const { contents, do: now } = memoryFile<string>('r', data, options, cycle(numbers));
          const model = new TextModel(text, '\n');
          expect(now(contents.read(first))).toBe(model.read(first));
          const [told, at] = [now(contents.tell()), model.at];
          expect(now(contents.read(second))).toBe(model.read(second));
          now(contents.seek(told, 0));
          model.at = at;
          expect(now(contents.all())).toBe(model.read(Number.POSITIVE_INFINITY));
        }),
        { numRuns: 400 },
      );
    }
  });

  test('what is valid before bytes that mean nothing can be read, and the error says where they are', () => {
    fc.assert(
      fc.property(texts('é', '😀'), texts('é'), portions, fc.nat(50), (before, after, numbers, n) => {
        const data = Buffer.concat([Buffer.from(before), Buffer.from([0xff]), Buffer.from(after)]);
        const { contents, do: now } = memoryFile<string>('r', data, { newline: '' }, cycle(numbers));
        const length = [...before].length;
        if (n <= length) {
          expect(now(contents.read(n))).toBe([...before].slice(0, n).join(''));
        } else {
          for (let twice = 0; twice < 2; twice++) {
            const error = {
              name: 'TypeError',
              byte: Buffer.byteLength(before),
              code: 'ERR_ENCODING_INVALID_ENCODED_DATA',
            };
            expect(() => now(contents.read(n))).toThrowError(expect.objectContaining(error));
          }
          // Nothing has been read; and one can go past it.
          expect(now(contents.tell())).toBe(0);
          now(contents.seek(Buffer.byteLength(before) + 1, 0));
          expect(now(contents.all())).toBe(after);
        }
      }),
      { numRuns: 400 },
    );
  });
});

describe('bytes', () => {
  type Operation =
    | ['read' | 'line' | 'once' | 'into' | 'seek' | 'truncate' | 'forward' | 'end', number]
    | ['write', number[]]
    | ['tell' | 'flush'];
  const operations = fc.array(
    fc.oneof(
      fc.tuple(
        fc.constantFrom('read', 'line', 'once', 'into', 'seek', 'truncate', 'forward', 'end'),
        fc.nat(12),
      ),
      fc.tuple(fc.constant('write'), fc.array(fc.constantFrom(10, 13, 97, 98), { maxLength: 9 })),
      fc.tuple(fc.constantFrom('tell', 'flush')),
    ) as fc.Arbitrary<Operation>,
    { maxLength: 30 },
  );

  for (const mode of ['r+b', 'w+b', 'a+b']) {
    test(`in mode ${mode}: reading, writing, seeking and truncating give what an array and a place in it would`, () => {
      fc.assert(
        fc.property(
          fc.uint8Array({ maxLength: 30, max: 20 }),
          portions,
          operations,
          (initial, numbers, todo) => {
            const { device, contents, do: now } = memoryFile<Buffer>(mode, initial, {}, cycle(numbers));
            let bytes = Buffer.from(device.bytes);
            let at = mode === 'a+b' ? bytes.length : 0;
            const take = (n: number) => {
              const part = bytes.subarray(at, at + n);
              at += part.length;
              return part;
            };
            for (const [operation, argument] of todo) {
              const n = argument as number;
              if (operation === 'read') expect(now(contents.read(n))).toEqual(take(n));
              else if (operation === 'line') {
                const end = bytes.indexOf(10, at) + 1;
                expect(now(contents.line(n))).toEqual(take(Math.min(n, end > 0 ? end - at : bytes.length)));
              } else if (operation === 'once') {
                const got = now(contents.readOnce(n, 'read1()'));
                if (got.length === 0) expect(n === 0 || at >= bytes.length).toBe(true);
                expect(got).toEqual(take(got.length));
              } else if (operation === 'into') {
                const target = new Uint8Array(n);
                const length = now(contents.readInto(target, false, 'readinto()'));
                const expected = take(n);
                expect(Buffer.from(target.subarray(0, length))).toEqual(expected);
              } else if (operation === 'seek') {
                expect(now(contents.seek(n, 0))).toBe(n);
                at = n;
              } else if (operation === 'forward') {
                at += n;
                expect(now(contents.seek(n, 1))).toBe(at);
              } else if (operation === 'end') {
                at = Math.max(0, bytes.length - n);
                expect(now(contents.seek(at - bytes.length, 2))).toBe(at);
              } else if (operation === 'truncate') {
                expect(now(contents.truncate(n))).toBe(n);
                bytes = Buffer.concat([bytes, Buffer.alloc(Math.max(0, n - bytes.length))]).subarray(0, n);
              } else if (operation === 'write') {
                const data = Buffer.from(argument as number[]);
                const quick = contents.quickWrite(data);
                expect(quick < 0 ? now(contents.write(data)) : quick).toBe(data.length);
                if (data.length > 0) {
                  if (mode === 'a+b') at = bytes.length;
                  const gap = Buffer.alloc(Math.max(0, at - bytes.length));
                  bytes = Buffer.concat([bytes.subarray(0, at), gap, data, bytes.subarray(at + data.length)]);
                  at += data.length;
                }
              } else if (operation === 'tell') expect(now(contents.tell())).toBe(at);
              else now(contents.flush());
            }
            expect(now(contents.tell())).toBe(at);
            now(contents.flush());
            expect(device.bytes).toEqual(bytes);
          },
        ),
        { numRuns: 1000 },
      );
    });
  }
});

describe('writing text', () => {
  test('gives the bytes of the text with its newlines translated, counted in characters', () => {
    fc.assert(
      fc.property(
        fc.array(texts('é', '€', '😀'), { maxLength: 8 }),
        newlines,
        portions,
        fc.constantFrom('utf-8', 'utf-8-sig', 'utf-16', 'utf-16le', 'utf-16be'),
        (pieces, newline, numbers, encoding) => {
          const {
            device,
            contents,
            do: now,
          } = memoryFile<string>('w', Buffer.alloc(0), { encoding, newline }, cycle(numbers));
          for (const piece of pieces) {
            const quick = contents.quickWrite(piece);
            expect(quick < 0 ? now(contents.write(piece)) : quick).toBe([...piece].length);
          }
          now(contents.flush());
          const written = newline ? pieces.join('').replaceAll('\n', newline) : pieces.join('');
          const label = encoding === 'utf-8-sig' ? 'utf-8' : encoding;
          const read = new TextDecoder(label, {
            ignoreBOM: !['utf-8-sig', 'utf-16'].includes(encoding),
          }).decode(device.bytes);
          expect(read).toBe(written);
          if (encoding.endsWith('sig') && written !== '')
            expect(device.bytes.subarray(0, 3)).toEqual(Buffer.from([0xef, 0xbb, 0xbf]));
          if (encoding === 'utf-16' && written !== '')
            expect(device.bytes.subarray(0, 2)).toEqual(Buffer.from([0xff, 0xfe]));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('goes on where reading has come to, whatever has been read ahead', () => {
    fc.assert(
      fc.property(texts('é', '😀'), texts('€'), portions, fc.nat(20), (text, inserted, numbers, n) => {
        const {
          device,
          contents,
          do: now,
        } = memoryFile<string>('r+', Buffer.from(text), { newline: '' }, cycle(numbers));
        const read = Buffer.from(now(contents.read(n)));
        now(contents.write(inserted));
        const data = Buffer.from(inserted);
        expect(now(contents.tell())).toBe(read.length + data.length);
        now(contents.flush());
        const rest = Buffer.from(text).subarray(read.length + data.length);
        expect(device.bytes).toEqual(Buffer.concat([read, data, rest]));
      }),
      { numRuns: 500 },
    );
  });
});
