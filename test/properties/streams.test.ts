// Random reads of a stream under random timeouts: whatever a reader gave up on stays readable or is told, nothing comes twice, and each
// method keeps its own promise about what it gives.

import { PassThrough } from 'node:stream';
import { run, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';
import { FileStream } from 'curio/io';
import { VirtualClock } from 'curio/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RUNS } from './programs.ts';

/** One read: the method, how much it asks for, and after how many seconds the reader gives it up. */
interface Read {
  how: 'read' | 'readExactly' | 'readinto' | 'readline';
  size: number;
  patience: number;
}

const read: fc.Arbitrary<Read> = fc.record({
  how: fc.constantFrom('read', 'readExactly', 'readinto', 'readline'),
  size: fc.integer({ min: 1, max: 9 }),
  patience: fc.constantFrom(0, 0.5, 1, 2),
});

const piece = fc.record({
  text: fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 12 }),
  pause: fc.constantFrom(0, 0.5, 1),
});

/** What the read gave; of one that was given up, what its error says was read, and nothing where the bytes stay readable. */
async function attempt(stream: FileStream, { how, size, patience }: Read): Promise<Buffer | null> {
  try {
    return await timeoutAfter(patience, async () => {
      if (how === 'readline') return await stream.readline();
      if (how !== 'readinto') return await stream[how](size);
      const into = Buffer.alloc(size);
      return into.subarray(0, await stream.readinto(into));
    });
  } catch (error) {
    if (!(error instanceof TaskTimeout)) throw error;
    // Only readinto() has given them away: they are in the buffer it was handed.
    const { bytesRead } = error as { bytesRead?: Buffer };
    return how === 'readinto' && bytesRead !== undefined && bytesRead.length > 0 ? bytesRead : null;
  }
}

test('streams: a read that timed out leaves its bytes or tells them, and no byte is lost, doubled or out of order', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 8 }),
      fc.array(read, { maxLength: 12 }),
      async (pieces, reads) => {
        const sent = pieces.map(({ text }) => text).join('');
        await run({ clock: new VirtualClock() }, async () => {
          const pipe = new PassThrough();
          await using stream = new FileStream(pipe);
          const writer = await spawn(async () => {
            for (const { text, pause } of pieces) {
              if (pause > 0) await sleep(pause);
              pipe.write(text);
            }
          });
          let received = '';
          for (const one of reads) {
            // What is asked for exactly is asked for only while it can still come: too little before the end is an error.
            if (one.how === 'readExactly' && sent.length - received.length < one.size) continue;
            const got = await attempt(stream, one);
            if (got === null) continue;
            const text = got.toString();
            expect(text).not.toBe('');
            if (one.how === 'readline') expect(text.indexOf('\n')).toBe(text.length - 1);
            else if (one.how === 'readExactly') expect(text.length).toBe(one.size);
            else expect(text.length).toBeLessThanOrEqual(one.size);
            received += text;
          }
          await writer.join();
          pipe.end();
          received += (await stream.readall()).toString();
          expect(received).toBe(sent);
        });
      },
    ),
    { numRuns: RUNS },
  ));
