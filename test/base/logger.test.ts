// Loggers are the user's code: one that fails must take nobody with it, and what it was to log must not be lost.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Logger, logTo, stderrLogger } from '../../src/base/logger.ts';

let said: string[];
beforeEach(() => {
  said = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said.push(String(text));
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

const broken = (fn: () => unknown) => ({ debug: fn, info: fn, warn: fn, error: fn }) as Logger;

test('the default writes a line with its level to standard error', () => {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) logTo(stderrLogger, level, `a message`);
  expect(said).toEqual([
    'curio debug: a message\n',
    'curio info: a message\n',
    'curio warn: a message\n',
    'curio error: a message\n',
  ]);
});

test('a logger is called as a method', () => {
  class Own {
    readonly lines: string[] = [];
    debug(message: string) {
      this.lines.push(message);
    }
    info = this.debug;
    warn = this.debug;
    error = this.debug;
  }
  const own = new Own();
  logTo(own, 'debug', 'one');
  logTo(own, 'error', 'two');
  expect(own.lines).toEqual(['one', 'two']);
});

test('one that throws, whatever it throws, loses nothing', () => {
  for (const thrown of [new Error('why'), 'why', null, Object.create(null)]) {
    said = [];
    logTo(
      broken(() => {
        throw thrown;
      }),
      'warn',
      'the message',
    );
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^curio error: the logger failed \(.*\) on this message: the message\n$/);
  }
});

test('one that fails later loses nothing, and is no unhandled rejection', async () => {
  logTo(
    broken(async () => {
      throw new Error('why');
    }),
    'warn',
    'the message',
  );
  await new Promise((resolve) => setImmediate(resolve));
  expect(said).toEqual(['curio error: the logger failed (Error: why) on this message: the message\n']);
});

test('one without the method loses nothing', () => {
  logTo({} as Logger, 'info', 'the message');
  expect(said[0]).toContain('the message');
});
