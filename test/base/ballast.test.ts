import { Buffer } from 'node:buffer';
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { largeBuffer, weigh } from '../../src/base/ballast.ts';

const MB = 2 ** 20;

/** How often V8 collects everything, and how often only the young generation, while `use` runs. */
async function collections(use: () => Promise<void>): Promise<{ major: number; minor: number }> {
  const kinds: unknown[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      kinds.push((entry as PerformanceEntry & { detail: { kind: number } }).detail.kind);
  });
  observer.observe({ entryTypes: ['gc'] });
  await use();
  // What was observed is told in a turn of its own.
  await setImmediate();
  await setImmediate();
  observer.disconnect();
  const count = (kind: number): number => kinds.filter((one) => one === kind).length;
  return {
    major: count(constants.NODE_PERFORMANCE_GC_MAJOR),
    minor: count(constants.NODE_PERFORMANCE_GC_MINOR),
  };
}

/** Makes a gigabyte of pieces of 64 KB, which nobody keeps, with turns of the event loop in between. */
async function pass(make: (size: number) => unknown): Promise<void> {
  for (let i = 0; i < 1024; i++) {
    for (let j = 0; j < 16; j++) make(65536);
    await setImmediate();
  }
}

/** Without ballast there are none of the one kind on Node 24, and a dozen of the other. */
function seldomMajor({ major, minor }: { major: number; minor: number }): void {
  expect(minor).toBeGreaterThan(1024 / 32);
  expect(major).toBeLessThan(minor / 4);
}

describe('large Buffers that nobody keeps', () => {
  test('are collected with the young generation, and seldom with everything else', async () => {
    seldomMajor(await collections(() => pass(largeBuffer)));
  });

  test('the same if somebody else makes them, and says so', async () => {
    const made = (size: number): void => {
      Buffer.allocUnsafeSlow(size);
      weigh(size);
    };
    seldomMajor(await collections(() => pass(made)));
  });
});

test('ballast is gone as soon as it has done its work', async () => {
  await pass(largeBuffer);
  const before = process.memoryUsage().heapUsed;
  await pass(largeBuffer);
  // What the young generation holds at most, and not what has gone through it.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(64 * MB);
});

test('a program that makes garbage enough gets none', async () => {
  let garbage: unknown[] = [];
  const make = (size: number): void => {
    Buffer.allocUnsafeSlow(size);
    garbage = garbage.concat(new Array(size / 8)).slice(0, 1);
  };
  const { minor: alone } = await collections(() => pass(make));
  const { minor } = await collections(() =>
    pass((size) => {
      make(size);
      weigh(size);
    }),
  );
  expect(minor).toBeLessThan(1.5 * alone);
});
