// run({ record }): the file that Perfetto and Chrome open.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeadlockError, Event, Kernel, Lock, Queue, run, sleep, spawn, type Task, timeoutAfter } from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { Program } from '../kit/program.ts';
import { recorder } from '../kit/recorder.ts';
import { thrownBy } from '../kit/virtual.ts';

interface Entry {
  ph: string;
  name: string;
  cat?: string;
  pid: number;
  tid: number;
  ts: number;
  dur: number;
  id?: number;
  args?: Record<string, unknown>;
}

const eventsIn = (file: string): Entry[] => JSON.parse(readFileSync(file, 'utf8')).traceEvents;

async function recorded(main: () => unknown): Promise<{ events: Entry[]; of(task: Task): Entry[] }> {
  const file = join(temporaryFolder(), 'trace.json');
  await run({ clock: new VirtualClock(), logger: recorder(), record: file }, main);
  const events = eventsIn(file);
  return { events, of: (task) => events.filter(({ tid }) => tid === task.id) };
}

const shape = ({ ph, name, cat }: Entry) => `${ph} ${cat ?? ''} ${name}`;

describe('the recording of a run', () => {
  test('has a track for each task, with a slice for each turn and each wait', async () => {
    let task!: Task<unknown>;
    const { of } = await recorded(async function main() {
      task = await spawn(async function napper() {
        await sleep(1);
        await new Lock().acquire();
        await sleep(1);
      });
      await task.join();
    });
    const entries = of(task);
    expect(entries[0]).toMatchObject({ ph: 'M', name: 'thread_name', args: { name: `${task.id} napper` } });
    const slices = entries.filter(({ ph }) => ph === 'X');
    expect(slices.map(shape)).toEqual([
      'X run napper',
      'X wait TIME_SLEEP',
      'X run napper',
      'X wait TIME_SLEEP',
      'X run napper',
    ]);
    expect(slices.map(({ args }) => args)).toEqual([
      { turn: 1, until: 'sleep()' },
      { operation: 'sleep()' },
      { turn: 2, until: 'sleep()' },
      { operation: 'sleep()' },
      { turn: 3, until: 'TERMINATED' },
    ]);
    for (const [n, slice] of slices.entries()) {
      if (n > 0) expect(slice.ts).toBeCloseTo(slices[n - 1]!.ts + slices[n - 1]!.dur, 3);
    }
  });

  test('has an arrow from who woke a task to the turn that follows, inside the slices of both', async () => {
    let [getter, putter] = [] as Task<unknown>[];
    const { events, of } = await recorded(async function main() {
      const queue = new Queue<number>();
      getter = await spawn({ name: 'getter' }, () => queue.get());
      putter = await spawn({ name: 'putter' }, () => queue.put(1));
      await getter.join();
      await putter.join();
    });
    const wake = of(putter!).find(({ ph, name }) => ph === 's' && name === 'wake')!;
    const end = of(getter!).find(({ ph, id }) => ph === 'f' && id === wake.id)!;
    const within = (task: Task<unknown>, { ts }: Entry) =>
      of(task).some(
        ({ ph, cat, ts: from, dur }) => ph === 'X' && cat === 'run' && from <= ts && ts <= from + dur,
      );
    expect(within(putter!, wake)).toBe(true);
    expect(within(getter!, end)).toBe(true);
    // Each arrow has two ends, those of spawns and joins included.
    const ids = (ph: string) => events.filter((it) => it.ph === ph).map(({ id }) => id);
    expect(ids('f').sort()).toEqual(ids('s').sort());
    expect(of(getter!).filter(({ ph }) => ph === 's')).toHaveLength(1);
  });

  test('marks where a cancellation was asked for and where it was delivered, and timeouts', async () => {
    let [target, late] = [] as Task<unknown>[];
    const { of } = await recorded(async function main() {
      target = await spawn({ name: 'target' }, () => sleep(100));
      late = await spawn({ name: 'late' }, () => timeoutAfter(1, () => new Event().wait()));
      await sleep(2);
      await target.cancel();
      await late.wait();
    });
    const marks = (task: Task<unknown>) => of(task).filter(({ ph }) => ph === 'i');
    expect(marks(target!)).toMatchObject([
      {
        name: 'cancellation asked for',
        args: { with: 'TaskCancelled: TaskCancelled', by: expect.stringContaining("name='main'"), why: null },
      },
      { name: 'delivered', args: { what: 'TaskCancelled: TaskCancelled', operation: 'sleep()' } },
    ]);
    expect(marks(late!)).toMatchObject([
      {
        name: 'delivered',
        args: { what: expect.stringContaining('TaskTimeout'), operation: 'Event.wait()' },
      },
    ]);
  });

  test('has an ordinary promise as a wait like another, and a failure as a mark', async () => {
    let task!: Task<unknown>;
    const { of } = await recorded(async function main() {
      task = await spawn(async function fetcher() {
        await new Promise((resolve) => setImmediate(resolve));
        throw new Error('spam');
      });
      await task.wait();
    });
    const names = of(task).map(shape);
    expect(names).toContain('X wait PROMISE_WAIT');
    expect(of(task).find(({ name }) => name === 'failed')?.args).toEqual({ error: 'Error: spam' });
  });

  test('ends with the report of a deadlock', async () => {
    const file = join(temporaryFolder(), 'trace.json');
    const options = { clock: new VirtualClock(), logger: recorder(), record: file };
    const error = (await thrownBy(run(options, () => new Event().wait()))) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(eventsIn(file).find(({ name }) => name === 'deadlock')?.args).toEqual({ text: error.message });
  });

  test('goes on over the runs of a kernel, and hides nothing but the kernel’s own task', async () => {
    const file = join(temporaryFolder(), 'trace.json');
    const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder(), record: file });
    await kernel.run(async function first() {});
    await kernel.run(async function second() {});
    await kernel.run({ shutdown: true });
    const names = eventsIn(file).filter(({ ph, cat }) => ph === 'X' && cat === 'run');
    expect(names.map(({ name }) => name)).toEqual(['first', 'second']);
  });
});

describe('the file', () => {
  test('is whole when the process is killed in the middle', async () => {
    const file = join(temporaryFolder(), 'trace.json');
    const program = new Program('test/programs/recorded.ts', { args: [file], fast: false });
    await program.prints('recording');
    program.signal('SIGKILL');
    await program.ended;
    const busy = eventsIn(file).filter(({ ph, name }) => ph === 'X' && name === 'busy');
    expect(busy.length).toBeGreaterThan(2);
  });

  test('takes more events than are kept in memory', async () => {
    const { events } = await recorded(async function main() {
      for (let n = 0; n < 3000; n++) await sleep(0);
    });
    expect(events.filter(({ cat }) => cat === 'run')).toHaveLength(3001);
  });

  test('cannot be opened: that is logged, and the program runs unrecorded', async () => {
    const options = {
      clock: new VirtualClock(),
      logger: recorder(),
      record: join(temporaryFolder(), 'no/trace.json'),
    };
    const log = options.logger;
    expect(await run(options, async () => 7)).toBe(7);
    expect(log.lines.join()).toMatch(/TraceRecorder threw in activate\(\): Error: ENOENT/);
  });

  test('cannot be written: that is logged once, and the program goes on', async () => {
    const log = recorder();
    const result = await run({ clock: new VirtualClock(), logger: log, record: '/dev/full' }, async () => {
      for (let n = 0; n < 3000; n++) await sleep(0);
      return 7;
    }).catch((error) => error);
    expect(result).toBe(7);
    expect(log.lines.filter((line) => line.includes('ENOSPC'))).toHaveLength(1);
  });

  test('has a name that is a string', () => {
    expect(() => new Kernel({ record: true as unknown as string })).toThrow(TypeError);
    expect(() => new Kernel({ record: '' })).toThrow(/name of a file/);
  });
});
