// Debuggers: schedtrace, traptrace, logcrash and longblock, and the ways of asking for them.

import {
  Activation,
  Event,
  Queue,
  type RunOptions,
  run,
  sleep,
  spawn,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { logcrash, longblock, schedtrace, traptrace } from 'curio/debug';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

class Oops extends Error {
  override name = 'Oops';
}

/** What is logged while `main` runs with these debuggers. */
async function logged(debug: RunOptions['debug'], main: () => unknown): Promise<string[]> {
  const logger = recorder();
  await run({ clock: new VirtualClock(), logger, debug }, main).catch(() => {});
  return logger.lines;
}

/** What `longblock` says when a task has blocked at last; while it runs a thread may have said where, or not been quick enough. */
const afterwards = (lines: string[]) => lines.filter((line) => line.includes(' ran for '));

/** The events of a trace, with the names of the tasks. */
const events = (lines: string[]) =>
  lines.map((line) => {
    const match =
      /^\w+: (\w+):\d+\.\d{6}:(?:(\w+)\(.*\):)?Task\(id=\d+, name='([^']*)', state='(\w+)'\)$/.exec(line);
    if (match === null) throw new Error(`an odd line: ${line}`);
    const [, event, trap, name] = match;
    return trap === undefined ? `${event} ${name}` : `${event} ${trap} ${name}`;
  });

async function child() {
  await sleep(0);
}

async function main() {
  const task = await spawn(child);
  await task.join();
}

function busy(seconds: number): void {
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until);
}

describe('schedtrace', () => {
  test('logs create, run, suspend and terminated, with a time stamp and the task', async () => {
    expect(events(await logged(schedtrace, child))).toEqual([
      'CREATE child',
      'RUN child',
      'SUSPEND child',
      'RUN child',
      'SUSPEND child',
      'TERMINATED child',
    ]);
  });

  test('logs every task, in the order of what happens', async () => {
    expect(events(await logged(schedtrace, main))).toEqual([
      'CREATE main',
      'RUN main',
      'CREATE child',
      'SUSPEND main',
      'RUN child',
      'SUSPEND child',
      'RUN child',
      'SUSPEND child',
      'TERMINATED child',
      'RUN main',
      'SUSPEND main',
      'TERMINATED main',
    ]);
  });

  test('logs with level info unless told otherwise', async () => {
    const lines = await logged(schedtrace, child);
    expect(lines.every((line) => line.startsWith('info: '))).toBe(true);
    const louder = await logged(schedtrace({ level: 'warn' }), child);
    expect(louder.every((line) => line.startsWith('warn: '))).toBe(true);
    expect(louder).toHaveLength(6);
  });
});

describe('traptrace', () => {
  test('logs the trap and its arguments before each suspension that has one', async () => {
    const lines = await logged(traptrace, main);
    expect(events(lines)).toEqual([
      'CREATE main',
      'RUN main',
      'CREATE child',
      'TRAP schedulerWait main',
      'SUSPEND main',
      'RUN child',
      'TRAP sleep child',
      'SUSPEND child',
      'RUN child',
      'SUSPEND child',
      'TERMINATED child',
      'RUN main',
      'SUSPEND main',
      'TERMINATED main',
    ]);
    expect(lines.find((line) => line.includes('TRAP') && line.includes('child'))).toContain('sleep(0)');
    expect(lines.find((line) => line.includes('TRAP') && line.includes('main'))).toContain('"TASK_JOIN"');
  });

  test('shows any argument, briefly', async () => {
    const lines = await logged(traptrace, async () => {
      const task = await spawn({ name: 'victim' }, () => sleep(1000));
      await sleep(0);
      await task.cancel({ blocking: false });
    });
    const traps = lines.filter((line) => line.includes('TRAP')).join('\n');
    expect(traps).toContain('cancelTask(Task(id=');
    expect(traps).toContain('TaskCancelled');
    for (const line of lines) expect(line.length).toBeLessThan(300);
  });
});

describe('logcrash', () => {
  test('reports tasks that end with an error, the main task too, as an error', async () => {
    const lines = await logged(logcrash, async function main() {
      const task = await spawn({ name: 'crasher' }, () => {
        throw new Oops('in child');
      });
      await task.wait();
      throw new Oops('in main');
    });
    const reports = lines.filter((line) => line.includes('crashed'));
    expect(reports).toHaveLength(2);
    expect(reports[0]).toMatch(/^error: .*name='crasher'.*crashed: .*in child[\s\S]*at /);
    expect(reports[1]).toMatch(/name='main'.*in main/);
  });

  test('reports timeouts, but no plain cancellation and no success', async () => {
    const lines = await logged(logcrash, async () => {
      const cancelled = await spawn(() => sleep(1000));
      const timedOut = await spawn({ name: 'late' }, () => timeoutAfter(1, sleep, 5));
      const fine = await spawn(() => 5);
      await sleep(2);
      await cancelled.cancel();
      await timedOut.join().catch(() => {});
      expect(timedOut.exception).toBeInstanceOf(TaskTimeout);
      await fine.join();
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^error: .*'late'.*TaskTimeout/);
  });
});

describe('longblock', () => {
  test('warns of a task that runs for longer than its limit without blocking', async () => {
    const lines = await logged(longblock({ maxTime: 0.1 }), async function main() {
      const task = await spawn(async function hog() {
        await sleep(0);
        busy(0.12);
        await sleep(0);
      });
      await task.join();
    });
    expect(afterwards(lines)).toHaveLength(1);
    expect(afterwards(lines)[0]).toMatch(/^warn: .*name='hog'.* ran for 0\.\d{3} s without blocking/);
  });

  test('measures each step, not their sum, and not the time a task waits', async () => {
    const lines = await logged(longblock({ maxTime: 5 }), async () => {
      for (let i = 0; i < 3; i++) {
        busy(0.002);
        await sleep(100);
      }
    });
    expect(lines).toEqual([]);
  });

  test('without options has a limit of 50 ms', async () => {
    const lines = await logged(longblock, async () => {
      busy(0.06);
      await sleep(0);
    });
    expect(afterwards(lines)).toHaveLength(1);
  });

  test('sees the last step of a task, and the one before an ordinary promise', async () => {
    const lines = await logged(longblock({ maxTime: 0.1 }), async () => {
      busy(0.12);
      await new Promise((resolve) => setImmediate(resolve));
      // What the kernel knows of a task that comes back from an ordinary promise begins with its next operation.
      await sleep(0);
      busy(0.12);
    });
    expect(afterwards(lines)).toHaveLength(2);
  });
});

describe('options', () => {
  test('filter: tasks of other names are left out', async () => {
    const filter = new Set(['child']);
    for (const debug of [schedtrace({ filter }), traptrace({ filter })]) {
      const names = (await logged(debug, main)).map((line) => /name='(\w+)'/.exec(line)?.[1]);
      expect(new Set(names)).toEqual(new Set(['child']));
    }
    const crash = async () => {
      for (const name of ['child', 'other']) {
        await spawn({ name }, () => {
          throw new Oops();
        });
      }
      await sleep(0);
    };
    expect(
      (await logged(logcrash({ filter }), crash)).filter((line) => line.includes('crashed')),
    ).toHaveLength(1);
    const hogs = async () => {
      for (const name of ['child', 'other']) await spawn({ name, daemon: true }, () => busy(0.12));
      await sleep(0);
    };
    expect(afterwards(await logged(longblock({ filter, maxTime: 0.1 }), hogs))).toHaveLength(1);
  });

  test('filter: one that matches nothing silences everything', async () => {
    const filter = new Set<string>();
    expect(
      await logged([schedtrace({ filter }), traptrace({ filter }), longblock({ filter })], main),
    ).toEqual([]);
  });

  test('level: any of the logger’s methods', async () => {
    for (const level of ['debug', 'info', 'warn', 'error'] as const) {
      const lines = await logged(traptrace({ level }), child);
      expect(lines.every((line) => line.startsWith(`${level}: `))).toBe(true);
    }
    const lines = await logged(longblock({ level: 'error', maxTime: 0.1 }), () => busy(0.12));
    expect(lines[0]).toMatch(/^error: /);
  });

  test('log: goes there instead of to the run’s logger', async () => {
    const [own, log] = [recorder(), recorder()];
    await run({ logger: own, debug: schedtrace({ log }) }, async function main() {
      await spawn(() => {
        throw new Oops();
      });
      await sleep(0);
    });
    expect(log.lines.length).toBeGreaterThan(5);
    expect(own.lines).toHaveLength(1);
    expect(own.lines[0]).toContain('Task Crash');
  });

  test('that make no sense are refused at once, with what to write instead', () => {
    for (const debug of [schedtrace, traptrace, logcrash, longblock]) {
      expect(() => debug({ filter: ['spam'] as never })).toThrow(/new Set\(\['spam'\]\)/);
      expect(() => debug({ filter: 'spam' as never })).toThrow(TypeError);
      expect(() => debug({ log: {} as never })).toThrow(TypeError);
      expect(() => debug({ log: recorder(), level: 'loud' as never })).toThrow(/loud\(\) is missing/);
      expect(() => debug({ level: 'loud' as never })).toThrow(/'warn' or 'error', not "loud"/);
    }
    expect(() => longblock({ maxTime: Number.NaN })).toThrow(/longblock\(\) wants a number of seconds/);
    expect(() => longblock({ maxTime: '1' as never })).toThrow(TypeError);
  });
});

describe('run({ debug })', () => {
  test('takes one debugger, with or without options, a list of them, or true for the scheduler trace', async () => {
    const six = await logged(schedtrace, child);
    expect(six).toHaveLength(6);
    expect(await logged(schedtrace(), child)).toHaveLength(6);
    expect(await logged([schedtrace], child)).toHaveLength(6);
    expect(await logged(true, child)).toHaveLength(6);
    expect(await logged([schedtrace(), traptrace], child)).toHaveLength(13);
    expect(await logged([schedtrace, logcrash, longblock({ maxTime: 5 })], child)).toHaveLength(6);
    expect(await logged([], child)).toEqual([]);
    expect(await logged(false, child)).toEqual([]);
    expect(await logged(undefined, child)).toEqual([]);
  });

  test('takes activations of the user’s own, instances and classes', async () => {
    let calls = 0;
    class Own extends Activation {
      override running(): void {
        calls++;
      }
    }
    await logged(Own, child);
    await logged([new Own(), () => new Own()], child);
    expect(calls).toBe(6);
  });

  test('refuses what is no debugger', () => {
    for (const bad of ['schedtrace', 5, {}, () => 5, [schedtrace, 'logcrash']]) {
      const call = () => void run({ debug: bad as never }, child).catch(() => {});
      expect(call, String(bad)).toThrow(TypeError);
      expect(call, String(bad)).toThrow(/^A debugger is one of curio\/debug/);
    }
  });

  test('does not change what a program does', async () => {
    const program = async () => {
      const log: string[] = [];
      const queue = new Queue<number>(2);
      const event = new Event();
      const producer = await spawn(async () => {
        for (let i = 0; i < 5; i++) {
          await queue.put(i);
          log.push(`put ${i}`);
        }
        await event.set();
      });
      const consumer = await spawn(async () => {
        for (let i = 0; i < 5; i++) log.push(`got ${await queue.get()}`);
        await event.wait();
        return 'consumed';
      });
      await producer.join();
      log.push(await consumer.join());
      return log;
    };
    const plain = await run(program);
    const debug = [schedtrace, traptrace, logcrash, longblock];
    expect(await run({ debug, logger: recorder() }, program)).toEqual(plain);
  });
});
