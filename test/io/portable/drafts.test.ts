// Copies of what is sent: none changes while somebody still needs it.

import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { discard, draft } from '../../../src/io/portable/drafts.ts';

const bytes = (length: number, value: number) => Buffer.alloc(length, value);
const copyOf = (data: Buffer) => draft(data, 0, data.length);

describe('a draft', () => {
  test.each([1, 1024, 1025, 16_384, 65_536])('is a copy, of %i bytes', (length) => {
    const data = bytes(length, 1);
    const copy = copyOf(data);
    data.fill(2);
    expect(copy.equals(bytes(length, 1))).toBe(true);
  });

  test('is of a part', () => {
    const data = Buffer.from('a'.repeat(2000) + 'b'.repeat(2000) + 'c'.repeat(2000));
    expect(draft(data, 2000, 2000).toString()).toBe('b'.repeat(2000));
  });

  test('that is discarded leaves its place to the next', () => {
    const first = copyOf(bytes(2000, 1));
    discard(first);
    const second = copyOf(bytes(3000, 2));
    expect(second.buffer).toBe(first.buffer);
    expect(second.byteOffset).toBe(first.byteOffset);
  });

  test('that is not discarded keeps its place, however many come after it', () => {
    const kept = [];
    for (let i = 0; i < 100; i++) {
      kept.push(copyOf(bytes(5000, i)));
      discard(copyOf(bytes(60_000, 255)));
    }
    for (const [i, draft] of kept.entries()) expect(draft.equals(bytes(5000, i))).toBe(true);
  });

  test('keeps its place if another was made before it was discarded', () => {
    const outer = copyOf(bytes(2000, 1));
    const inner = copyOf(bytes(2000, 2));
    discard(outer);
    const next = copyOf(bytes(2000, 3));
    expect(inner.equals(bytes(2000, 2))).toBe(true);
    discard(next);
    discard(next);
    const after = copyOf(bytes(2000, 4));
    discard(inner);
    expect(copyOf(bytes(2000, 5)).equals(after)).toBe(false);
    expect(after.equals(bytes(2000, 4))).toBe(true);
    expect(inner.equals(bytes(2000, 2))).toBe(true);
  });

  test('that is small is of nobody else', () => {
    const small = copyOf(bytes(100, 1));
    discard(small);
    copyOf(bytes(100, 2));
    expect(small.equals(bytes(100, 1))).toBe(true);
  });
});
