// What a line typed into the monitor means, for all lines there are; and a client that takes nothing, without waiting for it.

import { constants } from 'node:os';
import { Duplex } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { BadCommand, type Commands, parseLine } from '../../src/monitor/commands.ts';
import { Session } from '../../src/monitor/session.ts';

// Each with the first letters that mean it.
const PLAIN = { ps: 1, exit: 1, quit: 1, help: 1, tree: 1, top: 2 };
const OF_TASKS = { where: 2, cancel: 1, parents: 2, kill: 1 };

const space = fc.constantFrom(' ', '  ', '\t', ' \t ');
const prefixOf = (words: Record<string, number>) =>
  fc.constantFrom(...Object.keys(words)).chain((name) =>
    fc.record({
      name: fc.constant(name),
      word: fc
        .integer({ min: words[name]!, max: name.length })
        .chain((length) => fc.constantFrom(name.slice(0, length), name.slice(0, length).toUpperCase())),
    }),
  );

describe('a line', () => {
  test('means the command of which it has the first letters, whatever stands around them', () => {
    fc.assert(
      fc.property(prefixOf(PLAIN), space, space, ({ name, word }, before, after) => {
        expect(parseLine(before + word + after)?.name).toBe(name);
      }),
    );
    const id = fc.integer({ min: 1, max: 9_999_999_999 });
    fc.assert(
      fc.property(prefixOf(OF_TASKS), space, id, ({ name, word }, between, task) => {
        expect(parseLine(word + between + task)).toMatchObject({ name, task });
      }),
    );
    const signal = fc.constantFrom(...(Object.keys(constants.signals) as NodeJS.Signals[]));
    fc.assert(
      fc.property(signal, fc.boolean(), fc.boolean(), (name, short, lower) => {
        const said = short ? name.slice(3) : name;
        expect(parseLine(`s ${lower ? said.toLowerCase() : said}`)?.signal).toBe(name);
      }),
    );
  });

  test('means nothing else: a complaint that can be shown, and never a command that was not meant', () => {
    const words = fc.array(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom(
          'ps',
          'where',
          'cancel',
          'kill',
          'signal',
          'SIGHUP',
          '1',
          '-1',
          '0',
          '1e3',
          '0x1',
          '1.0',
          '٣',
          '',
        ),
      ),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(words, space, (parts, between) => {
        const line = parts.join(between);
        const understood = line.trim().split(/\s+/);
        try {
          const parsed = parseLine(line);
          if (parsed === null) {
            expect(line.trim()).toBe('');
            return;
          }
          expect(parsed.name.startsWith(understood[0]!.toLowerCase())).toBe(true);
          const takes = Object.hasOwn(OF_TASKS, parsed.name) || parsed.name === 'signal' ? 2 : 1;
          expect(understood).toHaveLength(takes);
          if (Object.hasOwn(OF_TASKS, parsed.name)) expect(parsed.task).toBe(Number(understood[1]));
        } catch (error) {
          if (!(error instanceof BadCommand)) throw error;
          expect(error.message.length).toBeLessThan(120);
          expect(error.message).not.toMatch(/\p{Cc}/u);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The far end of a client's connection, which takes what is written only when it is told to. */
class Far extends Duplex {
  written = '';
  accept: (() => void) | null = null;
  constructor() {
    super({ writableHighWaterMark: 1 });
  }
  override _read(): void {}
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.written += String(chunk);
    this.accept = done;
  }
  destroySoon(): void {
    this.end(() => this.destroy());
  }
}

const commands = {
  count: async () => 3,
  run: async (line: string) => ({ text: `did ${line}`, data: null }),
} as unknown as Commands;

const settled = () => new Promise((resolve) => setImmediate(resolve));

afterEach(() => void vi.useRealTimers());

describe('a client that does not say the token', () => {
  test('loses its connection after a minute, and one that has said it does not', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const [silent, known, gone] = [new Far(), new Far(), new Far()];
    for (const far of [silent, known, gone]) {
      new Session(far as never, commands, 'sesame');
      await settled();
      far.accept?.();
      await settled();
    }
    gone.destroy();
    await settled();
    known.push('sesame\n');
    await settled();
    known.accept?.();
    await settled();
    vi.advanceTimersByTime(59_000);
    expect(silent.written).toBe('Token: ');
    vi.advanceTimersByTime(2_000);
    await settled();
    expect(silent.written).toBe('Token: That took too long.\n');
    silent.accept?.();
    await settled();
    expect(silent.destroyed).toBe(true);
    expect(known.destroyed).toBe(false);
    expect(known.written).toContain('Curio Monitor: 3 tasks running');
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a client that takes nothing', () => {
  test('loses its connection after half a minute, and one that takes its time does not', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const [idle, slow] = [new Far(), new Far()];
    for (const far of [idle, slow]) new Session(far as never, commands, null);
    await settled();
    expect(slow.written).toContain('Curio Monitor: 3 tasks running');
    for (let n = 0; n < 4; n++) {
      slow.push(`ps ${n}\n`);
      vi.advanceTimersByTime(29_000);
      expect(slow.destroyed).toBe(false);
      slow.accept?.();
      await settled();
    }
    expect(slow.written).toContain('did ps 2');
    expect(idle.destroyed).toBe(true);
  });

  test('does not make the monitor read on', async () => {
    const far = new Far();
    new Session(far as never, commands, null);
    await settled();
    far.push('ps\n'.repeat(100));
    await settled();
    expect(far.isPaused()).toBe(true);
    for (let n = 0; n < 300 && far.isPaused(); n++) {
      far.accept?.();
      await settled();
    }
    expect(far.isPaused()).toBe(false);
    expect(far.written.match(/did ps/g)).toHaveLength(100);
  });
});
