// The flight recorder: the last things that tasks did, written down when something goes wrong.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Event, Lock, type RunOptions, run, sleep, spawn } from 'curio';
import { flightRecorder } from 'curio/debug';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../kit/folder.ts';
import { type Recorder, recorder } from '../kit/recorder.ts';
import { thrownBy } from '../kit/virtual.ts';

interface Flight {
  otherData: { reason: string; entries: number; forgotten: number; tasks: string[]; waiting: string[] };
  traceEvents: {
    ph: string;
    name: string;
    tid: number;
    ts: number;
    dur: number;
    args: Record<string, unknown>;
  }[];
}

const flightsIn = (folder: string): Flight[] =>
  readdirSync(folder)
    .sort((a, b) => Number(a.match(/(\d+)\.json/)![1]) - Number(b.match(/(\d+)\.json/)![1]))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')));

interface Flown {
  folder: string;
  log: Recorder;
  options: RunOptions;
  box: ReturnType<typeof flightRecorder>;
}

function flying(options: Parameters<typeof flightRecorder>[0] = {}): Flown {
  const folder = temporaryFolder();
  const log = recorder();
  const box = flightRecorder({ directory: folder, signal: null, ...options });
  return { folder, log, box, options: { clock: new VirtualClock(), logger: log, debug: box } };
}

const unnumbered = (lines: string[]) => lines.map((line) => line.replace(/\b\d+ (?=\w+:)/, ''));

describe('a flight recorder', () => {
  test('writes what went before when a task crashes, and says where', async () => {
    const { folder, log, options } = flying();
    await run(options, async function main() {
      const task = await spawn(async function clumsy() {
        await sleep(1);
        throw new Error('spam');
      });
      await task.wait();
    });
    const [flight, ...more] = flightsIn(folder);
    expect(more).toEqual([]);
    expect(flight!.otherData.reason).toMatch(/name='clumsy'\) crashed: Error: spam$/);
    expect(unnumbered(flight!.otherData.tasks)).toEqual(['main: TASK_JOIN in Task.wait(), 1 turns']);
    const told = flight!.traceEvents.map(
      ({ ph, name, args }) => `${ph} ${name} ${args.until ?? args.detail ?? ''}`,
    );
    expect(told.filter((line) => !line.startsWith('M'))).toEqual([
      'i created ',
      'i created ',
      'X main Task.wait()',
      'X clumsy sleep()',
      'i woken from outside READY',
      'i ended Error: spam',
    ]);
    expect(log.of('warn')).toHaveLength(1);
    expect(log.of('warn')[0]).toMatch(
      /crashed: Error: spam\. The flight recorder has written .*curio-flight-\d+-\d+\.json/,
    );
  });

  test('writes the tree of the tasks and who waits for whom at a deadlock', async () => {
    const { folder, options } = flying();
    await thrownBy(
      run(options, async function main() {
        const lock = new Lock();
        await lock.acquire();
        await spawn(async function child() {
          await spawn(async function grandchild() {
            await new Event().wait();
          });
          await new Event().wait();
        });
        await lock.acquire();
      }),
    );
    const [flight] = flightsIn(folder);
    expect(flight!.otherData.reason).toBe('Deadlock');
    expect(unnumbered(flight!.otherData.tasks.map((line) => line.replace(/^( *)\d+ /, '$1')))).toEqual([
      'main: LOCK_ACQUIRE in Lock.acquire(), 1 turns',
      '  child: EVENT_WAIT in Event.wait(), 1 turns',
      '    grandchild: EVENT_WAIT in Event.wait(), 1 turns',
    ]);
    expect(flight!.otherData.waiting.at(-1)).toMatch(/^A circle: \d+ 'main' → Lock#\d+ → \d+ 'main'\.$/);
  });

  test('keeps the last entries only, in order', async () => {
    const { box, options } = flying({ size: 100 });
    let path = '';
    await run(options, async function main() {
      for (let n = 0; n < 250; n++) await sleep(0);
      path = box.dump('because');
    });
    const flight: Flight = JSON.parse(readFileSync(path, 'utf8'));
    expect(flight.otherData).toMatchObject({ reason: 'because', entries: 100, forgotten: 151 });
    const times = flight.traceEvents.filter(({ ph }) => ph !== 'M').map(({ ts, dur = 0 }) => ts + dur);
    expect(times).toHaveLength(100);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  test('writes when its signal comes, and lets go of the signal when the kernel shuts down', async () => {
    const { folder, options } = flying({ signal: 'SIGUSR2' });
    const before = process.listenerCount('SIGUSR2');
    await run({ ...options, clock: undefined }, async function main() {
      process.kill(process.pid, 'SIGUSR2');
      while (readdirSync(folder).length === 0) await sleep(0.01);
    });
    expect(flightsIn(folder)[0]!.otherData.reason).toBe('The signal SIGUSR2 came');
    expect(process.listenerCount('SIGUSR2')).toBe(before);
    expect(process.listenerCount('uncaughtExceptionMonitor')).toBe(0);
  });

  test('tells of cancellations: who asked, and where it was delivered', async () => {
    const { box, options } = flying();
    let path = '';
    await run(options, async function main() {
      const task = await spawn({ name: 'target' }, () => sleep(100));
      await sleep(1);
      await task.cancel();
      path = box.dump();
    });
    const flight: Flight = JSON.parse(readFileSync(path, 'utf8'));
    const details = flight.traceEvents
      .filter(({ ph }) => ph === 'i')
      .map(({ name, args }) => `${name}: ${args.detail}`);
    expect(details).toContainEqual(
      expect.stringMatching(/^cancellation asked for: .* by Task\(id=\d+, name='main'\)/),
    );
    expect(details).toContainEqual('delivered: TaskCancelled: TaskCancelled in sleep()');
  });

  test('does not fill the disk with crash after crash, and takes no cancellation for a crash', async () => {
    const { folder, options } = flying({ files: 2 });
    await run(options, async function main() {
      for (let n = 0; n < 5; n++) await (await spawn(() => Promise.reject(new Error('spam')))).wait();
      await (await spawn(() => sleep(1))).cancel();
    });
    expect(flightsIn(folder)).toHaveLength(2);
  });

  test('overwrites no file of another thread, which has the same process, nor of an earlier process', async () => {
    const { folder, options, box } = flying();
    const paths = await run(options, async function main() {
      const first = box.dump();
      const number = Number(/(\d+)\.json$/.exec(first)![1]);
      const next = join(folder, `curio-flight-${process.pid}-${number + 1}.json`);
      writeFileSync(next, 'of another');
      return [next, box.dump()];
    });
    expect(readFileSync(paths[0]!, 'utf8')).toBe('of another');
    expect(JSON.parse(readFileSync(paths[1]!, 'utf8')).otherData.reason).toBe('dump() was called');
  });

  test('that cannot write says so, and harms nobody', async () => {
    const { log, options } = flying({ directory: join(temporaryFolder(), 'gone') });
    await run(options, async function main() {
      await (await spawn(() => Promise.reject(new Error('spam')))).wait();
    });
    expect(log.of('error').join()).toMatch(/could not write its file: Error: ENOENT/);
  });

  test('wants a sensible size and a signal there is', () => {
    expect(() => flightRecorder({ size: 0 })).toThrow(RangeError);
    expect(() => flightRecorder({ size: 1.5 })).toThrow(RangeError);
    expect(() => flightRecorder({ signal: 'SIGSPAM' as NodeJS.Signals })).toThrow(/SIGSPAM/);
  });
});
