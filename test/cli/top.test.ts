// `curio top`: what it draws and what keys do, from answers made up for the purpose; and the program itself, on a terminal and without.

import { spawn } from 'node:child_process';
import { describe, expect, onTestFinished, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { listeningPorts } from '../../src/cli/attach/target.ts';
import { type Paint, textOf } from '../../src/cli/top/frame.ts';
import { Seen, type TopData, type WaitersData } from '../../src/cli/top/seen.ts';
import { TopView } from '../../src/cli/top/view.ts';
import { sized } from '../../src/cli/top/width.ts';
import type { TaskSnapshot } from '../../src/monitor/snapshot.ts';
import { curio } from '../kit/curio.ts';
import { Program } from '../kit/terminals.ts';

const plainly: Paint = (_, text) => text;
/** Shows which line is chosen, and nothing else. */
const pointing: Paint = (style, text) => (style === 'inverse' && /^ +\d/.test(text) ? `>${text}` : text);

function task(id: number, name: string, state: string, more: Partial<TaskSnapshot> = {}): TaskSnapshot {
  return {
    id,
    parentId: id === 1 ? null : 1,
    name,
    state,
    cycles: 10 * id,
    timeout: null,
    sleep: null,
    operation: '',
    where: null,
    waitingOn: null,
    group: null,
    daemon: false,
    cancelled: false,
    ...more,
  };
}

const TASKS = [
  task(1, 'main', 'TASK_JOIN', { operation: 'Task.join()' }),
  task(2, 'getter', 'QUEUE_GET', { operation: 'Queue.get()', timeout: 4.5 }),
  task(3, 'wanter', 'LOCK_ACQUIRE', { operation: 'Lock.acquire()', cancelled: true }),
  task(4, 'client', 'TIME_SLEEP', { operation: 'sleep()', sleep: 1.25, group: 1, parentId: 2 }),
  task(5, 'worker', 'RUNNING'),
];
const WAITS: WaitersData = {
  waits: [
    {
      id: 1,
      name: 'main',
      state: 'TASK_JOIN',
      operation: 'Task.join()',
      place: null,
      on: 'Task#5',
      about: null,
      holders: [{ id: 5, name: 'worker', ended: false }],
      holding: 1,
    },
    {
      id: 2,
      name: 'getter',
      state: 'QUEUE_GET',
      operation: 'Queue.get()',
      place: null,
      on: 'Queue#1',
      about: 'Queue(0 of 3 items, 1 getting, 0 putting)',
      holders: [],
      holding: 0,
    },
    {
      id: 3,
      name: 'wanter',
      state: 'LOCK_ACQUIRE',
      operation: 'Lock.acquire()',
      place: null,
      on: 'Lock#1',
      about: 'Lock(locked, 1 waiting)',
      holders: [{ id: 5, name: 'worker', ended: false }],
      holding: 1,
    },
  ],
  circles: [],
};

function seen(top: TopData = {}, waiters: WaitersData = WAITS, before: Seen | null = null): Seen {
  return new Seen({ pid: 77, time: 100, tasks: TASKS, samples: { 0: 750, 5: 250 }, ...top }, waiters, before);
}

function text(it: Seen, order: 'tree' | 'cpu' = 'tree'): string[] {
  const view = { whom: 'process 77', order, chosen: null, first: 0, stack: null, question: null, said: '' };
  return textOf(it, it.lines(order), { ...view, lost: null }).split('\n');
}

function viewOf(it: Seen, size = { columns: 90, rows: 12 }): TopView {
  const view = new TopView('process 77', size);
  view.take(it);
  return view;
}

const chosen = (view: TopView) =>
  view
    .draw(pointing)
    .filter((line) => line.startsWith('>'))
    .map((line) => Number(line.slice(1, 7)));

describe('a frame', () => {
  test('shows the tree with states, CPU, queue lengths and who holds what', () => {
    expect(text(seen()).map((line) => line.replace(/ {2,}/g, '  '))).toEqual([
      'Curio  process 77  5 tasks  CPU 25 %  TASK_JOIN 1  QUEUE_GET 1  LOCK_ACQUIRE 1  TIME_SLEEP 1  RUNNING 1',
      '  Task  CPU %  Turns/s  State  Name  Waits for',
      '  1  TASK_JOIN  └─ main  the end of 5 worker',
      '  2  QUEUE_GET  ├─ getter  Queue#1 (0 of 3 items, 1 getting, 0 putting), timeout in 4.5 s',
      '  │  └─ TaskGroup (1 task)',
      '  4  TIME_SLEEP  │  └─ client  sleep(), for 1.3 s',
      '  3  LOCK_ACQUIRE*  ├─ wanter  Lock#1 held by 5 worker',
      '  5  25.0  RUNNING  └─ worker',
    ]);
  });

  test('counts turns since the one before, and puts the busiest first when asked to', () => {
    const before = seen();
    const later = TASKS.map((it) => ({ ...it, cycles: it.cycles + (it.id === 4 ? 30 : 0) }));
    const after = seen({ time: 102, tasks: [...later, task(6, 'new', 'READY')] }, WAITS, before);
    const ids = text(after, 'cpu').slice(2);
    expect(ids.map((line) => Number(line.slice(0, 6)))).toEqual([5, 4, 1, 2, 3, 6]);
    expect(ids[1]).toMatch(/^ +4 +15 +TIME_SLEEP/);
    expect(ids[5]).toMatch(/^ +6 +READY +new/);
  });

  test('says that the kernel is stuck, and names the circle of a deadlock', () => {
    const circle = { ...WAITS, circles: [[3, 1]] };
    const lines = text(seen({ stuck: { task: 5, seconds: 3.21 } }, circle));
    expect(lines[1]).toBe(
      "The kernel has not moved for 3.2 s: task 5 'worker' is running, and does not block.",
    );
    expect(lines[2]).toBe("Deadlock: 3 'wanter' → Lock#1 → 1 'main' → Task#5 → 3 'wanter'");
  });

  test('does not show a wait that was over when the states were asked for', () => {
    const running = TASKS.map((it) => (it.id === 2 ? { ...it, state: 'RUNNING', operation: '' } : it));
    expect(text(seen({ tasks: running })).join('\n')).not.toContain('Queue#1');
  });

  test('fills its screen exactly, whatever it is called and however small it is', () => {
    const strange = [...TASKS, task(6, '\u001b[2J日本語の長い名前のタスク👩‍👩‍👧', 'MY_STATE')];
    for (const size of [
      { columns: 90, rows: 12 },
      { columns: 43, rows: 5 },
      { columns: 20, rows: 2 },
      { columns: 200, rows: 60 },
    ]) {
      const lines = viewOf(seen({ tasks: strange }), size).draw(plainly);
      expect(lines).toHaveLength(size.rows);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none
      expect(lines.join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
      for (const line of lines) expect(sized(line, size.columns).trimEnd()).toBe(line.trimEnd());
    }
  });

  test('of ten thousand tasks draws those that are to be seen', () => {
    const tasks = Array.from({ length: 10_000 }, (_, n) => task(n + 1, `t${n + 1}`, 'TIME_SLEEP'));
    const view = viewOf(seen({ tasks }, {}));
    view.key('end');
    expect(chosen(view)).toEqual([10_000]);
    expect(view.draw(plainly)).toHaveLength(12);
  });
});

describe('text for a terminal', () => {
  test('takes the places it is given', () => {
    expect(sized('abc', 5)).toBe('abc  ');
    expect(sized('abcdef', 5)).toBe('abcd…');
    expect(sized('日本語', 6)).toBe('日本語');
    expect(sized('日本語', 7)).toBe('日本語 ');
    expect(sized('日本語', 5)).toBe('日本…');
    expect(sized('日本語', 4)).toBe('日… ');
    expect(sized('e\u0301e\u0301', 2)).toBe('e\u0301e\u0301');
    expect(sized('👩‍👩‍👧x', 3)).toBe('👩‍👩‍👧x');
    expect(sized('├─ a', 4)).toBe('├─ a');
    expect(sized('x', 0)).toBe('');
  });
});

describe('keys', () => {
  test('choose a task, and pass over what is none', () => {
    const view = viewOf(seen());
    expect(chosen(view)).toEqual([1]);
    for (const id of [2, 4, 3, 5, 5]) {
      view.key('down');
      expect(chosen(view)).toEqual([id]);
    }
    for (const id of [3, 4, 2]) {
      view.key('up');
      expect(chosen(view)).toEqual([id]);
    }
    view.key('end');
    expect(chosen(view)).toEqual([5]);
    view.key('home');
    expect(chosen(view)).toEqual([1]);
    view.key('pagedown');
    expect(chosen(view)).toEqual([5]);
  });

  test('keep the chosen task on a small screen, and so does a new size', () => {
    const tasks = Array.from({ length: 50 }, (_, n) => task(n + 1, `t${n + 1}`, 'TIME_SLEEP'));
    const view = viewOf(seen({ tasks }, {}), { columns: 80, rows: 8 });
    for (let n = 0; n < 20; n++) view.key('down');
    expect(chosen(view)).toEqual([21]);
    view.resize({ columns: 80, rows: 4 });
    expect(chosen(view)).toEqual([21]);
    view.key('pageup');
    expect(chosen(view)).toEqual([20]);
  });

  test('show where a task is, and again wherever one goes', () => {
    const view = viewOf(seen());
    expect(view.key('return')).toEqual({ do: 'ask', command: 'where 1' });
    view.answer('where 1', 'Stack of main\n  File "x.ts", line 3');
    expect(
      view
        .draw(plainly)
        .slice(-3, -1)
        .map((line) => line.trimEnd()),
    ).toEqual(['Stack of main', '  File "x.ts", line 3']);
    expect(view.key('down')).toEqual({ do: 'ask', command: 'where 2' });
    // An answer that came too late.
    view.answer('where 1', 'late');
    expect(view.draw(plainly).join('\n')).not.toContain('late');
    view.key('escape');
    expect(view.stackCommand).toBeNull();
    expect(view.key('down')).toBeNull();
  });

  test('cancel and kill after a yes, and nothing otherwise', () => {
    const view = viewOf(seen());
    view.key('down');
    expect(view.key('c')).toBeNull();
    expect(view.draw(plainly).at(-1)).toMatch(/^Cancel task 2 'getter'\? y\/n/);
    expect(view.key('n')).toBeNull();
    expect(view.key('y')).toBeNull();
    view.key('k');
    expect(view.draw(plainly).at(-1)).toMatch(/^End by force task 2 'getter'\? y\/n/);
    expect(view.key('y')).toEqual({ do: 'ask', command: 'kill 2' });
    view.answer('kill 2', 'The kernel has not moved.\nKilled task 2');
    expect(view.draw(plainly).at(-1)).toMatch(/ {3}Killed task 2 *$/);
    expect(view.key('q')).toEqual({ do: 'quit' });
  });

  test('act on the task that was chosen, also when others come and go', () => {
    const view = viewOf(seen());
    for (let n = 0; n < 3; n++) view.key('down');
    expect(chosen(view)).toEqual([3]);
    view.take(seen({ tasks: TASKS.filter(({ id }) => id !== 2) }));
    expect(chosen(view)).toEqual([3]);
    // The one that stands in its place now.
    view.take(seen({ tasks: TASKS.filter(({ id }) => id !== 2 && id !== 3) }));
    expect(chosen(view)).toEqual([5]);
    view.take(seen({ tasks: [] }, {}));
    expect(chosen(view)).toEqual([]);
    expect(view.key('c')).toBeNull();
    expect(view.key('return')).toBeNull();
  });

  test('do no harm before there is anything to see, or when there is nothing any more', () => {
    const view = new TopView('process 77', { columns: 80, rows: 10 });
    for (const key of ['up', 'down', 'return', 'c', 'k', 'y', 'o', 'end', 'escape', 'x']) view.key(key);
    expect(view.draw(plainly)).toEqual(['Looking at process 77 …']);
    view.take(seen());
    view.lose('Process 77 has ended.');
    expect(view.draw(plainly)[1]).toMatch(/^Process 77 has ended\./);
  });
});

const patient = { timeout: 120_000 };

describe('the program', () => {
  test('prints one frame where there is no terminal', patient, async () => {
    await using program = new Program('kid');
    const port = await program.monitorPort();
    await program.says("We're leaving!");
    const { out, err, code } = await curio(['top', `127.0.0.1:${port}`]);
    expect({ err, code }).toEqual({ err: '', code: 0 });
    expect(out).toMatch(/^Curio {2}127\.0\.0\.1:\d+, process \d+ {2}3 tasks {2}CPU 0 %.*\n {2}Task .*\n/);
    expect(out).toMatch(
      /TASK_JOIN +└─ parent +the end of 3 kid\n.*TIME_SLEEP +└─ kid +sleep\(\), for \d+\.\d s\n$/,
    );
  });

  test('says how to get a monitor where there is none', patient, async () => {
    expect(await curio(['top', '127.0.0.1:1'])).toEqual({
      out: '',
      err: expect.stringMatching(/^curio: No monitor answers at 127\.0\.0\.1:1 .* CURIOMONITOR=1\.\n$/),
      code: 1,
    });
    expect((await curio(['top', 'nonsense'])).code).toBe(2);
  });

  test.runIf(process.platform === 'linux')('looks into a process that nobody prepared', patient, async () => {
    await using program = new Program('unprepared', { args: ['spin'] });
    await program.says('up');
    const { pid } = program.child;
    const { out, code } = await curio(['top', pid!]);
    expect(code).toBe(0);
    expect(out).toMatch(/The kernel has not moved for .* task 4 'spinner' is running/);
    expect(out).toMatch(/4 +\d+\.\d +RUNNING +└─ spinner/);
    expect(listeningPorts(pid!)).toEqual(new Set());
  });

  test.runIf(process.platform === 'linux')(
    'is alive on a terminal, and leaves it as it was',
    patient,
    async () => {
      await using program = new Program('kid');
      const port = await program.monitorPort();
      await program.says("We're leaving!");
      const terminal = new Pty(`${process.execPath} --import tsx src/cli/main.ts top 127.0.0.1:${port}`);
      await terminal.shows(/parent +the end of 3 kid/);
      expect(terminal.out.startsWith('\u001b[?1049h\u001b[?25l')).toBe(true);
      terminal.type('\u001b[B\u001b[B\r');
      await terminal.shows(/Stack for Task\(id=3, name='kid'/);
      terminal.type('c');
      await terminal.shows(/Cancel task 3 'kid'\? y\/n/);
      terminal.type('y');
      expect(await program.over).toMatchObject({ code: 1 });
      await terminal.shows(/The monitor has closed the connection\./);
      terminal.type('q');
      expect(await terminal.over).toBe(0);
      expect(terminal.out.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true);
    },
  );
});

/** A command on a terminal of its own, 100 columns by 20. */
class Pty {
  readonly #child;
  out = '';
  readonly over: Promise<number | null>;
  readonly #readers = new Set<() => void>();

  constructor(command: string) {
    const { NODE_OPTIONS: _, FORCE_COLOR: __, ...inherited } = process.env;
    this.#child = spawn('script', ['-qfec', `stty cols 100 rows 20; exec ${command}`, '/dev/null'], {
      cwd: root,
      env: { ...inherited, TERM: 'xterm' },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (more: string) => {
      this.out += more;
      for (const read of [...this.#readers]) read();
    });
    this.over = new Promise((resolve) => this.#child.once('close', resolve));
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.over;
    });
  }

  type(keys: string): void {
    this.#child.stdin.write(keys);
  }

  /** Waits until something stands there that did not before. */
  async shows(what: RegExp): Promise<void> {
    const from = this.#from;
    await new Promise<void>((resolve, reject) => {
      const read = () => {
        const found = this.out.slice(from).search(what);
        if (found < 0) return;
        this.#readers.delete(read);
        resolve();
      };
      this.#readers.add(read);
      read();
      void this.over.then(() => reject(new Error(`It ended without ${what}:\n${this.out}`)));
    });
    this.#from = this.out.length;
  }
  #from = 0;
}
