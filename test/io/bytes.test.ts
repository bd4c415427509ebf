// The queue of received bytes against a plain string, however the bytes are cut into chunks.

import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { ByteQueue } from '../../src/io/bytes.ts';

type Step = ['push' | 'drip', string] | ['take' | 'into' | 'short', number] | ['line'] | ['all'] | ['peek'];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(fc.constant('push' as const), fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 8 })),
  // As many large and small ones as make long lists of chunks.
  fc.tuple(
    fc.constant('drip' as const),
    fc.string({ unit: fc.constantFrom('a', 'b', '\n', 'c'.repeat(300)), maxLength: 40, size: 'max' }),
  ),
  fc.tuple(fc.constant('take' as const), fc.nat(20)),
  fc.tuple(fc.constant('take' as const), fc.nat(5000)),
  fc.tuple(fc.constant('short' as const), fc.nat(400)),
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
        if (kind === 'drip') {
          for (let round = 0; round < 60; round++) {
            for (const part of argument.match(/c+|./gs) ?? []) {
              queue.push(Buffer.from(part));
              model += part;
            }
          }
        } else if (kind === 'push') {
          queue.push(Buffer.from(argument));
          model += argument;
        } else if (kind === 'take') expect(String(queue.take(argument))).toBe(took(argument));
        else if (kind === 'into') {
          const target = Buffer.alloc(argument);
          const n = queue.takeInto(target);
          expect(target.toString('latin1', 0, n)).toBe(took(argument));
        } else if (kind === 'short') {
          const end = model.slice(0, argument).indexOf('\n') + 1 || (model.length < argument ? 0 : argument);
          const line = queue.takeLine(argument);
          expect(line === null ? '' : String(line)).toBe(took(end));
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

test('what has been taken stays as it is, whatever comes', () => {
  const queue = new ByteQueue();
  const taken: Buffer[] = [];
  for (let i = 0; i < 1000; i++) {
    queue.push(Buffer.from(`${i % 10}`));
    queue.push(Buffer.from(`${i % 10}`));
    taken.push(i % 3 === 0 ? queue.takeAll() : i % 3 === 1 ? queue.take(2) : queue.peekAll());
    if (i % 3 === 2) queue.takeAll();
  }
  expect(taken.map(String)).toEqual(Array.from({ length: 1000 }, (_, i) => `${i % 10}${i % 10}`));
});

test('hundreds of thousands of chunks that nobody has read can be read, by line and by number', () => {
  const many = 200_000;
  for (const chunk of ['x\n', `${'x'.repeat(299)}\n`]) {
    const queue = new ByteQueue();
    for (let i = 0; i < many; i++) queue.push(Buffer.from(chunk));
    for (let i = 0; i < many / 2; i++) {
      const [line, more] = [queue.takeLine(), queue.take(chunk.length)];
      if (line!.length !== chunk.length || more.length !== chunk.length) throw new Error(`${line}, ${more}`);
    }
    expect(queue.length).toBe(0);
  }
});

test('what comes in drops is gathered: a Buffer for each would take a hundred times the memory', () => {
  const queue = new ByteQueue();
  const concat = vi.spyOn(Buffer, 'concat');
  try {
    for (let i = 0; i < 1_000_000; i++) queue.push(Buffer.from('x'));
    expect(queue.takeAll()).toHaveLength(1_000_000);
    expect(concat.mock.calls[0]![0].length).toBeLessThan(1000);
  } finally {
    concat.mockRestore();
  }
});

test('of a line without end no more is searched than is asked for', () => {
  const queue = new ByteQueue();
  queue.push(Buffer.alloc(100_000_000, 'x'));
  for (let i = 0; i < 100_000; i++) {
    if (queue.takeLine(16)!.length !== 16) throw new Error('not what was asked for');
  }
  expect(queue.length).toBe(100_000_000 - 1_600_000);
});
