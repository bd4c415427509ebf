// The prompt: a session fed through a pipe, and one with a terminal, where Ctrl-C is to be had.

import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { temporaryFolder } from '../kit/folder.ts';

class Session {
  readonly #child;
  out = '';
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
  readonly #watchers = new Set<() => void>();

  constructor(program: string, env: Record<string, string> = {}) {
    const { NODE_OPTIONS: _, FORCE_COLOR: __, ...inherited } = process.env;
    this.#child = spawn(process.execPath, ['--import', 'tsx', program], {
      cwd: root,
      env: { ...inherited, NO_COLOR: '1', TERM: 'dumb', ...env },
    });
    let err = '';
    this.#child.stderr.on('data', (data) => {
      err += data;
    });
    this.#child.stdout.on('data', (data) => {
      this.out += data;
      for (const watcher of [...this.#watchers]) watcher();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code) => resolve({ code, out: this.out, err }));
    });
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.ended;
    });
  }

  /** Types something, and waits until what follows has been printed. */
  async types(text: string, answer: string | RegExp): Promise<void> {
    const from = this.out.length;
    this.#child.stdin.write(text);
    await new Promise<void>((resolve) => {
      const look = () => {
        if (this.out.slice(from).search(answer) < 0) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }

  end(text = ''): typeof this.ended {
    this.#child.stdin.end(text);
    return this.ended;
  }
}

/** What a session through a pipe prints, prompts left out. */
async function fed(...lines: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const session = new Session('src/cli/main.ts');
  const { code, out, err } = await session.end(`${lines.join('\n')}\n`);
  return { code, out: out.replace(/^(?:curio> |\.\.\. |\| )+/gm, ''), err };
}

describe('a session through a pipe', () => {
  test('evaluates line after line inside a kernel, with all of Curio in scope', async () => {
    const { code, out, err } = await fed(
      'const queue = new Queue()',
      'const task = await spawn(async function getter() { return (await queue.get()) * 2 })',
      'await queue.put(21)',
      'await task.join()',
      'function later(n) {',
      '  return sleep(n).then(() => "later") }',
      'await later(0.05)',
      '({ name: "x" }) instanceof Object && new Lock() instanceof Lock',
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    expect(out.split('\n').slice(1)).toEqual([
      'undefined',
      'undefined',
      'undefined',
      '42',
      'undefined',
      "'later'",
      'true',
      '',
    ]);
  });

  test('shows tasks with ps(), tree() and where(), and cancels one with cancel()', async () => {
    const { out, err } = await fed(
      'const task = await spawn(async function parent() { await spawn({ name: "kid" }, sleep, 1000); await sleep(1000) })',
      'await sleep(0)',
      'ps()',
      'tree()',
      'await cancel(task.id)',
      'task.terminated',
      'where(task.id)',
    );
    expect(err).not.toMatch(/error/);
    expect(out).toMatch(
      /Task +State +Cycles +Timeout +Task\n(.*\n)+\d+ +TIME_SLEEP +1 +None +parent\n\d+ +TIME_SLEEP +1 +None +kid\n/,
    );
    expect(out).toMatch(/─ \d+ parent TIME_SLEEP\n.*└─ \d+ kid TIME_SLEEP\n/);
    expect(out).toMatch(/\ntrue\nUncaught RangeError: There is no task \d+\. ps\(\) lists those there are\./);
  });

  test('shows with where() which line of what was typed a task is blocked in', async () => {
    const { out } = await fed(
      'async function kid() { await sleep(1000) }',
      'const task = await spawn(kid)',
      'await sleep(0)',
      'where(task.id)',
    );
    expect(out).toMatch(/\(most recent call last\):\n {2}File "REPL\d+", line 1, in kid\n/);
  });

  test('goes on after errors, thrown and rejected', async () => {
    const { code, out } = await fed(
      'throw new Error("spam")',
      'await Promise.reject(new Error("eggs"))',
      '1 + 1',
    );
    expect(out).toMatch(/Uncaught Error: spam\n[\s\S]*Uncaught Error: eggs\n[\s\S]*\n2\n/);
    expect(code).toBe(0);
  });

  test('is not spoiled by a forgotten await', async () => {
    const { out, err } = await fed('void sleep(1000)', 'await sleep(0), "fine"');
    expect(out).toContain("'fine'");
    expect(err).toMatch(/its sleep\(\) was still waiting: the operation was never awaited/);
  });
});

describe('a session at a terminal', () => {
  test('cancels what runs at Ctrl-C, be it an operation, an ordinary promise or a loop, and goes on', async () => {
    const session = new Session('test/programs/repl.ts');
    await session.types('', /curio> $/);
    await session.types('await sleep(1000)\r', /sleep\(1000\)\r?\n/);
    await session.types('\x03', /TaskCancelled[\s\S]*curio> $/);
    await session.types('await new Promise(() => {})\r', /\{\}\)\r?\n/);
    await session.types('\x03', /cannot be cancelled, and goes on by itself[\s\S]*curio> $/);
    await session.types('await sleep(0), 6 * 7\r', /\n42\r?\n[\s\S]*curio> $/);
    const { code, out } = await session.end('\x04');
    expect(out).toMatch(/the session has ended\n$/);
    expect(code).toBe(0);
  });
});

test('what was typed at a terminal is remembered in a file', async () => {
  const history = join(temporaryFolder(), 'history');
  const session = new Session('test/programs/repl.ts', { CURIO_TEST_HISTORY: history });
  await session.types('', /curio> $/);
  await session.types('1 + 41\r', /\n42\r?\n[\s\S]*curio> $/);
  await session.end('\x04');
  expect(readFileSync(history, 'utf8')).toBe('1 + 41');
});
