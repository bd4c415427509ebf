// Files beside Python's own: the same operations on the same bytes give the same, on real files of sizes at which blocks and
// windows end.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from 'curio';
import { type AsyncFile, aopen } from 'curio/file';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasPython, type Job, type Operation, Python } from './python.ts';

const folder = mkdtempSync(join(tmpdir(), 'curio-file-'));
const theirs = join(folder, 'theirs');
const ours = join(folder, 'ours');
let python: Python;

afterAll(() => rmSync(folder, { recursive: true }));

async function perform(file: AsyncFile, [method, ...args]: Operation, results: unknown[]): Promise<unknown> {
  if (method === 'seekto') return file.seek(results[args[0] as number] as number);
  if (method === 'readinto' || method === 'readinto1') {
    const target = Buffer.alloc(args[0] as number);
    const n = await file[method](target);
    return [n, target.subarray(0, n)];
  }
  const result = await (file as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[method]!(
    ...args,
  );
  return result === undefined ? null : result;
}

/** Which of our errors stand for which of Python's. */
const errors: Record<string, string> = {
  UnsupportedOperation: 'NotSupportedError',
  ValueError: 'RangeError',
  OSError: 'RangeError',
  UnicodeDecodeError: 'TypeError',
  UnicodeEncodeError: 'RangeError',
};

async function performAll({ path, mode, newline, encoding, operations }: Job): Promise<unknown[]> {
  const results: unknown[] = [];
  await run(async () => {
    await using file = await aopen(path, mode, { newline: newline as '\n', encoding });
    for (const operation of operations) {
      try {
        results.push(await perform(file, operation, results));
      } catch (error) {
        results.push({ error: (error as Error).name });
      }
    }
  });
  results.push(readFileSync(path));
  return results;
}

/** Something short that is different for different results: what is long is not worth showing. */
function brief(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(brief);
  if (typeof result === 'string')
    return result.length < 60 ? result : `${result.length} characters, ${hash(result)}`;
  if (result instanceof Uint8Array)
    return result.length < 20
      ? Buffer.from(result).toString('hex')
      : `${result.length} bytes, ${hash(result)}`;
  return result;
}

const hash = (data: string | Uint8Array) => createHash('md5').update(data).digest('hex');

/** Does the same with both, and compares. */
async function same(content: Uint8Array, job: Omit<Job, 'path'>): Promise<void> {
  writeFileSync(theirs, content);
  writeFileSync(ours, content);
  const expected = await python.do({ ...job, path: theirs });
  const got = await performAll({ ...job, path: ours });
  const mapped = expected.map((it) => {
    const error = (it as { error?: string } | null)?.error;
    return error === undefined ? it : { error: errors[error] ?? error };
  });
  // Where Python must remember more than the byte it tells a number that only it understands.
  const told = (list: unknown[]) =>
    list.map((it, i) =>
      typeof expected[i] === 'number' && (expected[i] as number) >= 2 ** 53 ? 'a place' : brief(it),
    );
  expect(told(got)).toEqual(told(mapped));
}

const newline = fc.constantFrom(null, '', '\n', '\r', '\r\n');
/** Around the sizes of blocks and windows here, and of Python's chunks. */
const sizes = fc.constantFrom(0, 0, 8180, 8190, 32760, 65530);
const piece = fc.array(fc.constantFrom('\n', '\r', '\r\n', 'a', 'é', '€', '😀', 'some words'), {
  maxLength: 30,
});
/** A small piece of text, far enough into a file that a boundary goes through it. */
const content = fc
  .tuple(sizes, fc.constantFrom('x', 'line\n', 'é', 'line\r\n'), piece, piece)
  .map(([size, filler, before, after]) => {
    const filling = filler.repeat(Math.ceil(size / Buffer.byteLength(filler)));
    return before.join('') + filling + after.join('');
  });
const some = (operation: fc.Arbitrary<Operation>) => fc.array(operation, { maxLength: 12 });
const count = fc.oneof(fc.constantFrom(-1, 0, 1, 2, 5, 8192, 40000), fc.nat(70000));

// Many small programs each, and Python does not hurry on a busy machine.
describe.runIf(hasPython)('the same operations give the same as in Python', { timeout: 120_000 }, () => {
  beforeAll(() => {
    python = new Python();
  });
  afterAll(() => python.end());

  test('reading text: read, readline, tell and seek', async () => {
    const operation = fc.oneof(
      fc.tuple(fc.constantFrom('read', 'readline'), count),
      fc.constantFrom<Operation>(['readline'], ['tell']),
      fc.constantFrom<Operation>(
        ['seek', 0],
        ['seek', 0, 2],
        ['seek', 0, 1],
        ['seek', 1, 1],
        ['seek', -1, 2],
        ['seek', -1],
      ),
    ) as fc.Arbitrary<Operation>;
    await fc.assert(
      fc.asyncProperty(content, newline, some(operation), fc.nat(), async (text, newline, operations, n) => {
        const told = operations.flatMap(([method], i) => (method === 'tell' ? [i] : []));
        const back: Operation[] =
          told.length > 0 ? [['seekto', told[n % told.length]!], ['tell'], ['read', 10]] : [];
        await same(Buffer.from(text), {
          mode: 'r',
          newline,
          encoding: 'utf-8',
          operations: [...operations, ...back],
        });
      }),
      { numRuns: 120 },
    );
  });

  // Not together with the others: Python cannot tell then.
  test('reading text: readlines', async () => {
    const operation = fc.oneof(
      fc.tuple(fc.constantFrom('read', 'readline'), count),
      fc.tuple(fc.constant('readlines'), fc.constantFrom(0, 1, 20, 9000, -1)),
      fc.constantFrom<Operation>(['seek', 0], ['seek', 0, 2]),
    ) as fc.Arbitrary<Operation>;
    await fc.assert(
      fc.asyncProperty(content, newline, some(operation), async (text, newline, operations) => {
        await same(Buffer.from(text), { mode: 'r', newline, encoding: 'utf-8', operations });
      }),
      { numRuns: 120 },
    );
  });

  test('reading text in other encodings', async () => {
    const operation = fc.oneof(
      fc.tuple(fc.constantFrom('read', 'readline'), fc.constantFrom(-1, 1, 3, 8000)),
    ) as fc.Arbitrary<Operation>;
    const encoding = fc.constantFrom(
      'utf-16',
      'utf-16-le',
      'utf-16-be',
      'latin-1',
      'utf-8-sig',
      'ascii',
      'utf-8',
    );
    await fc.assert(
      fc.asyncProperty(
        content,
        newline,
        encoding,
        some(operation),
        fc.boolean(),
        async (text, newline, encoding, operations, marked) => {
          // Without a mark Python refuses UTF-16; here it is read as TextDecoder does.
          const wide = Buffer.from((marked || encoding === 'utf-16' ? '\ufeff' : '') + text, 'utf16le');
          const narrow = encoding === 'latin-1' || encoding === 'ascii';
          const bytes = encoding.startsWith('utf-16')
            ? encoding === 'utf-16-be' || (marked && text.length % 2 === 1 && encoding === 'utf-16')
              ? wide.swap16()
              : wide
            : narrow
              ? Buffer.from(text.replace(/[é€]|😀/g, encoding === 'ascii' ? 'e' : 'é'), 'latin1')
              : Buffer.from((marked ? '\ufeff' : '') + text);
          await same(bytes, { mode: 'r', newline, encoding, operations });
        },
      ),
      { numRuns: 120 },
    );
  });

  test('bytes: everything there is', async () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 20 }),
      fc.constantFrom(9000, 70000).map((n) => new Uint8Array(n).fill(7)),
    );
    const operation = fc.oneof(
      fc.tuple(fc.constant('read'), count),
      // Not 0: Python then forgets to look whether the file may be read.
      fc.tuple(fc.constant('readline'), fc.constantFrom(-1, 1, 2, 9000)),
      fc.tuple(fc.constant('readlines'), fc.constantFrom(0, 1, 20, -1)),
      fc.tuple(fc.constant('readinto'), fc.constantFrom(0, 1, 10, 9000, 70000)),
      fc.tuple(fc.constant('seek'), fc.nat(70000)),
      fc.tuple(fc.constant('seek'), fc.integer({ min: -5, max: 5 }), fc.constant(1)),
      fc.tuple(fc.constant('seek'), fc.integer({ min: -5, max: 5 }), fc.constant(2)),
      fc.tuple(fc.constant('truncate'), fc.nat(70000)),
      fc.constantFrom<Operation>(['tell'], ['flush'], ['truncate'], ['seek', -1]),
      fc.tuple(fc.constant('write'), data),
      fc.tuple(fc.constant('writelines'), fc.array(data, { maxLength: 3 })),
    ) as fc.Arbitrary<Operation>;
    const mode = fc.constantFrom('rb', 'wb', 'r+b', 'w+b', 'ab', 'a+b');
    await fc.assert(
      fc.asyncProperty(content, mode, some(operation), async (text, mode, operations) => {
        // After appending the file stands at its end; Python tells and gives what it knew before until it has flushed.
        const appended = (name: string) => mode.startsWith('a') && name.startsWith('write');
        const settled = operations.flatMap((it) =>
          appended(it[0]) ? [it, ['seek', 0, 2] as Operation] : [it],
        );
        await same(Buffer.from(text), { mode, operations: settled });
      }),
      { numRuns: 120 },
    );
  });

  test('writing text: newlines, counts, tell and truncate', async () => {
    const text = fc.oneof(
      // Python writes the mark even with nothing after it.
      piece.map((it) => `a${it.join('')}`),
      fc.constantFrom('é', 'word\n').map((it) => it.repeat(30000)),
    );
    const operation = fc.oneof(
      fc.tuple(fc.constant('write'), text),
      fc.tuple(fc.constant('writelines'), fc.array(text, { maxLength: 3 })),
      fc.constantFrom<Operation>(['tell'], ['flush'], ['seek', 0, 2], ['truncate']),
    ) as fc.Arbitrary<Operation>;
    const mode = fc.constantFrom('w', 'a', 'w+', 'a+');
    const encoding = fc.constantFrom('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'latin-1');
    await fc.assert(
      fc.asyncProperty(
        piece,
        mode,
        newline,
        encoding,
        some(operation),
        async (before, mode, newline, encoding, operations) => {
          await same(Buffer.from(before.join('')), { mode, newline, encoding, operations });
        },
      ),
      { numRuns: 120 },
    );
  });
});
