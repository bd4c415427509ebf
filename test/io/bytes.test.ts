// The queue of received bytes against a plain string, however the bytes are cut into chunks.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteQueue } from '../../src/io/bytes.ts';

type Step = ['push', string] | ['take', number] | ['into', number] | ['line'] | ['all'] | ['peek'];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constant('push' as const), fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 8 })),
  fc.tuple(fc.constant('take' as const), fc.nat(20)),
  fc.tuple(fc.constant('into' as const), fc.nat(20)),
  fc.constant<Step>(['line']),
  fc.constant<Step>(['all']),
  fc.constant<Step>(['peek']),
);

test('whatever is taken in whatever way is what was pushed, in order, once', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new ByteQueue();
      let model = '';
      const took = (length: number) => {
        const part = model.slice(0, length);
        model = model.slice(length);
        return part;
      };
      for (const [kind, argument] of steps) {
        if (kind === 'push') {
          queue.push(Buffer.from(argument));
          model += argument;
        } else if (kind === 'take') expect(String(queue.take(argument))).toBe(took(argument));
        else if (kind === 'into') {
          const target = Buffer.alloc(argument);
          const n = queue.takeInto(target);
          expect(target.toString('latin1', 0, n)).toBe(took(argument));
        } else if (kind === 'line') {
          const end = model.indexOf('\n') + 1;
          const line = queue.takeLine();
          expect(line === null ? '' : String(line)).toBe(end === 0 ? '' : took(end));
        } else if (kind === 'all') expect(String(queue.takeAll())).toBe(took(model.length));
        else expect(String(queue.peekAll())).toBe(model);
        expect(queue.length).toBe(model.length);
      }
    }),
    { numRuns: 500 },
  );
});

test('a line of many chunks is searched once', () => {
  const queue = new ByteQueue();
  let searched = 0;
  const chunk = () => {
    const buffer = Buffer.alloc(1000, 'x');
    const plain = buffer.indexOf.bind(buffer) as (...args: unknown[]) => number;
    buffer.indexOf = ((...args: unknown[]) => {
      searched++;
      return plain(...args);
    }) as typeof buffer.indexOf;
    return buffer;
  };
  for (let i = 0; i < 1000; i++) {
    queue.push(chunk());
    expect(queue.takeLine()).toBeNull();
  }
  queue.push(Buffer.from('\n'));
  expect(queue.takeLine()).toHaveLength(1_000_001);
  expect(searched).toBe(1000);
});
