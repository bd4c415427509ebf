// The command line itself, with commands made up for the purpose, and the real one as a program of its own.

import { CurioError } from 'curio';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { commandLine } from '../../src/cli/command-line.ts';
import { alone, type CommandEntry, commands } from '../../src/cli/commands.ts';
import { Program } from '../kit/program.ts';

let out = '';
let complaints = '';

beforeEach(() => {
  out = '';
  complaints = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    complaints += text;
    return true;
  });
});
afterEach(() => void vi.restoreAllMocks());

/** A command that does `action`, and remembers that it was loaded. */
function entry(
  name: string,
  action: (options: object) => void | Promise<void>,
  loaded: string[] = [],
): CommandEntry {
  return {
    name,
    summary: `does ${name}`,
    async load() {
      loaded.push(name);
      return { define: (command) => void command.option('-n <number>', 'how many').action(action) };
    },
  };
}

const nothing = () => {};

describe('a command', () => {
  test('is loaded only when it is given', async () => {
    const loaded: string[] = [];
    const seen: object[] = [];
    const table = [entry('one', nothing, loaded), entry('two', (options) => void seen.push(options), loaded)];
    expect(await commandLine(['two', '-n', '3'], table)).toBe(0);
    expect(loaded).toEqual(['two']);
    expect(seen).toEqual([{ n: '3' }]);
    expect(await commandLine(['--help'], table)).toBe(0);
    expect(loaded).toEqual(['two']);
  });

  test('is waited for', async () => {
    let done = false;
    const slow = async () => {
      await new Promise(setImmediate);
      done = true;
    };
    expect(await commandLine(['slow'], [entry('slow', slow)])).toBe(0);
    expect(done).toBe(true);
  });

  test('that fails with an error of Curio or of the system is 1 and its message', async () => {
    const refuse = () => Promise.reject(new CurioError('the monitor does not answer'));
    expect(await commandLine(['x'], [entry('x', refuse)])).toBe(1);
    expect(complaints).toBe('curio: the monitor does not answer\n');
    complaints = '';
    const system = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { syscall: 'connect' });
    expect(await commandLine(['x'], [entry('x', () => Promise.reject(system))])).toBe(1);
    expect(complaints).toBe('curio: connect ECONNREFUSED 127.0.0.1:1\n');
  });

  test('that fails otherwise shows its stack, and what is no error as it is', async () => {
    const broken = () => {
      throw new TypeError('x is not a function');
    };
    expect(await commandLine(['x'], [entry('x', broken)])).toBe(1);
    expect(complaints).toMatch(/^curio: TypeError: x is not a function\n {4}at .*broken /);
    complaints = '';
    expect(await commandLine(['x'], [entry('x', () => Promise.reject('no'))])).toBe(1);
    expect(complaints).toBe('curio: no\n');
  });
});

describe('help', () => {
  const table = [entry('info', nothing), entry('where', nothing)];

  test('lists every command with its line', async () => {
    expect(await commandLine(['--help'], table)).toBe(0);
    expect(out).toMatch(/^Usage: curio \[options\] \[command\]\n/);
    expect(out).toMatch(/\n {2}info +does info\n {2}where +does where\n/);
    expect(complaints).toBe('');
    const whole = out;
    for (const args of [['help'], ['-h']]) {
      out = '';
      expect(await commandLine(args, table)).toBe(0);
      expect(out).toBe(whole);
    }
  });

  test('of one command shows its options, however it is asked for', async () => {
    for (const args of [
      ['where', '--help'],
      ['help', 'where'],
      ['where', '-h'],
    ]) {
      out = '';
      expect(await commandLine(args, table)).toBe(0);
      expect(out).toMatch(/^Usage: curio where \[options\]\n\ndoes where\n/);
      expect(out).toMatch(/-n <number> +how many\n/);
    }
  });

  test('about a command that is not there is a complaint', async () => {
    expect(await commandLine(['help', 'nothing'], table)).toBe(2);
    expect(complaints).toContain("unknown command 'nothing'");
  });

  test('fits a terminal of 80 columns', async () => {
    for (const args of [['--help'], ...commands.map(({ name }) => [name, '--help'])]) {
      out = '';
      expect(await commandLine(args)).toBe(0);
      expect(out.split('\n').filter((line) => line.length > 80)).toEqual([]);
    }
  });

  test('says of a command what it does without a look at the others', () => {
    expect(commands.map(({ summary }) => summary).filter((summary) => /\bthe same\b/.test(summary))).toEqual(
      [],
    );
  });
});

describe('what is wrong on the command line is 2, and said together with what to do', () => {
  const table = [entry('info', nothing), entry('where', nothing)];

  test.each([
    [['inf'], "curio: unknown command 'inf'\n(Did you mean info?)\n'curio --help' lists the commands.\n"],
    [['nothing'], "curio: unknown command 'nothing'\n'curio --help' lists the commands.\n"],
    [['--nothing'], "curio: unknown option '--nothing'\n'curio --help' lists the commands.\n"],
    [['info', '--x'], "curio: unknown option '--x'\n'curio info --help' shows how it is called.\n"],
    [
      ['info', 'x'],
      "curio: too many arguments for 'info'. Expected 0 arguments but got 1.\n'curio info --help' shows how it is called.\n",
    ],
    [
      ['where', '-n'],
      "curio: option '-n <number>' argument missing\n'curio where --help' shows how it is called.\n",
    ],
  ])('%j', async (args, expected) => {
    expect(await commandLine(args, table)).toBe(2);
    expect(complaints).toBe(expected);
    expect(out).toBe('');
  });
});

describe('the program', () => {
  const start = (...args: string[]) => new Program('src/cli/main.ts', { args, fast: false }).ended;

  test('tells its version, which is the package’s', async () => {
    const { version } = await import(`${root}package.json`, { with: { type: 'json' } }).then(
      (it) => it.default,
    );
    expect(await start('--version')).toEqual({ code: 0, signal: null, stdout: `${version}\n`, stderr: '' });
  });

  test('means a command that there is when no arguments follow; repl.test.ts starts it so', () => {
    expect(commands.map(({ name }) => name)).toContain(alone[0]);
  });

  test('ends with the exit code', async () => {
    const { code, stdout, stderr } = await start('inf');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain('Did you mean info?');
  });

  test('ends in silence when nobody reads', async () => {
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'info'], { cwd: root });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });
});
