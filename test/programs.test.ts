// Little programs, each a process of its own: for what cannot be seen from inside one. They are in test/programs/.

import { describe, expect, test } from 'vitest';
import { program } from './kit/child.ts';

const TASK_TABLE = [
  'Nothing can wake any of these tasks any more:',
  'Task   State        Cycles     Timeout Name',
  '------ ------------ ---------- ------- ----------------------------------------',
  'N      EVENT_WAIT   1          None    main',
  '',
  'Who waits for whom:',
  "  1 'main' waits for Event#1: Event(unset, 1 waiting)   [Event.wait()]",
];

describe('where Node would exit in silence', () => {
  test('run() rejects with the task table, after clean-up, and the kernel is still usable', async () => {
    const { said, complaint, code } = await program('deadlock', { args: ['event'] });
    expect(said).toEqual(['cancelled by DeadlockError', 'cleaned up', ...TASK_TABLE, 'still usable', 'end']);
    expect(complaint).toBe('');
    expect(code).toBe(0);
  });

  test('because of a promise that nobody settles, run() rejects, again and again', async () => {
    const { said, code } = await program('deadlock', { args: ['promise'] });
    expect(said).toEqual(['DeadlockError', 'DeadlockError', 'end']);
    expect(code).toBe(0);
  });

  test('because two kernels wait for each other, both reject', async () => {
    const { said } = await program('deadlock', { args: ['kernels'] });
    expect(said).toEqual(['DeadlockError', 'DeadlockError', 'end']);
  });

  test('because a task swallows every cancellation, it is given up', async () => {
    const { said, code } = await program('deadlock', { args: ['stubborn'] });
    expect(said).toEqual(['DeadlockError', 'end']);
    expect(code).toBe(0);
  });

  test('an error that nobody catches ends the process, and names the tasks', async () => {
    const { said, complaint, code } = await program('deadlock', { args: ['uncaught'] });
    expect(said).toEqual([]);
    expect(complaint).toMatch(
      /DeadlockError: Nothing can wake any of these tasks[\s\S]*EVENT_WAIT[\s\S]*main/,
    );
    expect(code).toBe(1);
  });

  test('but a timer of the user’s own is somebody who may wake a task', async () => {
    const { said } = await program('deadlock', { args: ['timer'] });
    expect(said).toEqual(['woken', 'end']);
  });
});

describe('a process', () => {
  test('ends when run() has settled, whatever the run has left behind', async () => {
    const { said, complaint, code } = await program('alive');
    expect(complaint).toBe('');
    expect(said).toEqual(['nothing', 'at once']);
    expect(code).toBe(0);
  });

  test('does not take the caller of its first run() for a task', async () => {
    const { said, complaint } = await program('first-task');
    expect(complaint).toBe('');
    expect(said).toEqual([
      'outside, in a task: false',
      'second run, side by side',
      'sleep() was called outside a task. Start one with run(fn), and call it there.',
      'first run over',
      'outside, in a task: false',
    ]);
  });

  test('is not ended by operations that nobody awaits', async () => {
    const { said, complaint, code } = await program('unhandled');
    expect(complaint).toBe('');
    expect(said).toEqual(['still here']);
    expect(code).toBe(0);
  });

  test('gets its reports on standard error when no logger was given', async () => {
    const { said, complaint, code } = await program('reports');
    expect(said).toEqual(['TaskError']);
    expect(complaint).toMatch(/^curio error: Task Crash: Task\(id=\d+, name='crasher'\)\nError: it broke\n/m);
    expect(complaint).toMatch(/at (async )?crasher .*reports\.ts:\d+:\d+/);
    expect(complaint).toMatch(/^curio warn: Task\(id=\d+, name='careless'\) ended while its sleep\(\)/m);
    expect(complaint).toMatch(/^curio warn: Task never joined: Task\(id=\d+, name='forgotten'\)/m);
    expect(complaint.match(/^curio /gm)).toHaveLength(3);
    expect(code).toBe(0);
  });
});

describe('CURIO_STACKS=1', () => {
  test('lets every run capture stacks', async () => {
    const { said } = await program('stacks', { env: { CURIO_STACKS: '1' } });
    expect(said).toEqual([
      'stacks.ts:6',
      "Stack for Task(id=N, name='outer', state='EVENT_WAIT') (most recent call last):",
      expect.stringMatching(/^ {2}File ".*stacks\.ts", line 11, in outer$/),
      expect.stringMatching(/^ {2}File ".*stacks\.ts", line 6, in inner$/),
      'stacks.ts:17',
    ]);
  });

  test('and nothing else does', async () => {
    for (const value of ['0', '']) {
      const { said } = await program('stacks', { env: { CURIO_STACKS: value } });
      expect(said[0]).toBe('nowhere');
      expect(said[1]).toContain(
        'Turn stacks on with run({ stacks: true }, …) or the environment variable CURIO_STACKS=1.',
      );
      expect(said[2]).toBe('nowhere');
    }
  });
});

describe('signals', () => {
  test('Ctrl-C on a program that waits for it ends it cleanly', async () => {
    const { said, code, signal, complaint } = await program('signals', {
      args: ['goodbye'],
      onLine: (line, kill) => line === 'ready' && kill('SIGINT'),
    });
    expect(said).toEqual(['ready', 'interrupted', 'saved', 'goodbye']);
    expect([code, signal, complaint]).toEqual([0, null, '']);
  });

  test('are received in order, and the wait for them keeps the process alive', async () => {
    const next: Record<string, NodeJS.Signals> = {
      ready: 'SIGUSR2',
      'got SIGUSR2': 'SIGHUP',
      'got SIGHUP': 'SIGTERM',
    };
    const { said, code } = await program('signals', {
      args: ['queue'],
      onLine: (line, kill) => next[line] !== undefined && kill(next[line]),
    });
    expect(said).toEqual(['ready', 'got SIGUSR2', 'got SIGHUP', 'got SIGTERM', 'goodbye']);
    expect(code).toBe(0);
  });

  test('go their usual way again when nobody watches them any more', async () => {
    const { said, signal } = await program('signals', {
      args: ['freed'],
      onLine: (_line, kill) => kill('SIGINT'),
    });
    expect(said).toEqual(['watching', 'free']);
    expect(signal).toBe('SIGINT');
  });

  test('that nobody watches end the process as ever', async () => {
    const { said, signal } = await program('signals', {
      args: ['nobody'],
      onLine: (_line, kill) => kill('SIGINT'),
    });
    expect(said).toEqual(['ready']);
    expect(signal).toBe('SIGINT');
  });

  test('that are watched without anybody waiting keep nothing alive', async () => {
    const { said, code } = await program('signals', { args: ['idle'] });
    expect(said).toEqual(['nothing came', '0']);
    expect(code).toBe(0);
  });
});

test('hundreds of thousands of operations leave the heap flat', async () => {
  const { said, complaint } = await program('memory', { node: ['--expose-gc'] });
  expect(complaint).toBe('');
  const grown = Object.fromEntries(said.map((line) => line.split(/: (?=-?\d+$)/) as [string, string]));
  expect(Object.keys(grown).length).toBeGreaterThanOrEqual(11);
  // A thousand bytes an operation would be a hundred times that.
  for (const [what, bytes] of Object.entries(grown)) expect(Number(bytes), what).toBeLessThan(1_000_000);
}, 120_000);
