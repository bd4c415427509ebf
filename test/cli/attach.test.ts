// `curio ps`, `tree`, `where` and `waiters` as programs, looking into others that were not prepared.

import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { attach } from '../../src/cli/attach/attached.ts';
import { listeningPorts } from '../../src/cli/attach/target.ts';
import { Curio, curio } from '../kit/curio.ts';
import { Program } from '../kit/terminals.ts';

const patient = { timeout: 120_000 };

async function lookAt<T>(mode: string, work: (pid: number) => Promise<T>): Promise<T> {
  await using program = new Program('unprepared', { args: [mode] });
  await program.says('up');
  return await work(program.child.pid!);
}

test.runIf(process.platform === 'linux')('shows tasks, and leaves nothing behind', patient, () =>
  lookAt('idle', async (pid) => {
    const ps = await curio(['ps', pid]);
    expect(ps).toMatchObject({ code: 0, err: '' });
    expect(ps.out).toMatch(/^Task .*\n.*\n1 .*TIME_SLEEP.* main\n2 .*napper\n3 .*LOCK_ACQUIRE.*waiter\n$/);
    expect(listeningPorts(pid)).toEqual(new Set());
    const where = await curio(['where', pid, 2]);
    expect(where.out).toMatch(
      /File "test\/programs\/unprepared.ts", line 8, in napper\n {4}await sleep\(1000\);/,
    );
    expect(await curio(['where', pid, 99])).toMatchObject({
      code: 1,
      err: `curio: No task 99 in process ${pid}\n`,
    });
    expect(listeningPorts(pid)).toEqual(new Set());
  }),
);

test.runIf(process.platform === 'linux')('looks into a loop that never blocks', patient, () =>
  lookAt('spin', async (pid) => {
    const where = await curio(['where', pid, 4]);
    expect(where).toMatchObject({ code: 0, err: '' });
    expect(where.out).toMatch(/The kernel has not moved for .*line 16, in spinner/s);
    expect(listeningPorts(pid)).toEqual(new Set());
    expect((await curio(['tree', pid])).out).toMatch(
      /1 main .*\n.*2 napper .*\n.*3 waiter .*on Lock#1\n.*4 spinner RUNNING/,
    );
    expect(listeningPorts(pid)).toEqual(new Set());
  }),
);

test.runIf(process.platform === 'linux')(
  'leaves nothing behind when a signal ends it in the middle',
  patient,
  () =>
    lookAt('spin', async (pid) => {
      const looking = new Curio(['where', pid, 4]);
      // It takes its time with a loop.
      while (listeningPorts(pid).size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      looking.child.kill('SIGINT');
      expect(await looking.over).toEqual({ code: 130, out: '', err: '' });
      expect(listeningPorts(pid)).toEqual(new Set());
    }),
);

test.runIf(process.platform === 'linux')('two processes are looked into at once', patient, () =>
  lookAt('idle', (one) =>
    lookAt('idle', async (other) => {
      const seen = await Promise.all([one, other].map((pid) => curio(['ps', '--json', pid])));
      expect(seen.map(({ out }) => JSON.parse(out).pid)).toEqual([one, other]);
    }),
  ),
);

test.runIf(process.platform === 'linux')('who leaves first cuts nobody off who still looks', patient, () =>
  lookAt('idle', async (pid) => {
    const first = await attach(pid);
    const second = await attach(pid);
    await first.close();
    expect((await second.ask('ps')).text).toContain('napper');
    await second.close();
    expect(listeningPorts(pid)).toEqual(new Set());
  }),
);

test.runIf(process.platform === 'linux')(
  'refuses what it must not or cannot look into',
  patient,
  async () => {
    const sleeper = spawn('sleep', ['1000']);
    const stranger = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)']);
    try {
      await new Promise((resolve) => stranger.stdout.once('data', resolve));
      expect(await curio(['ps', sleeper.pid!])).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^curio: Process \d+ is no Node program: it runs .*\n$/),
      });
      expect(sleeper.exitCode).toBeNull();
      expect(sleeper.signalCode).toBeNull();
      // Without Curio the inspector takes Node's own port, which another process may have.
      const without = await curio(['ps', stranger.pid!]);
      expect(without.code).toBe(1);
      expect(without.err).toMatch(
        /does not run Curio: its main thread has not loaded it|has not started its inspector/,
      );
      expect(listeningPorts(stranger.pid!)).toEqual(new Set());
      expect(await curio(['ps', 4_194_305])).toMatchObject({
        code: 1,
        err: 'curio: There is no process 4194305, or it has ended.\n',
      });
      expect((await curio(['ps', 'all'])).code).toBe(2);
    } finally {
      sleeper.kill();
      stranger.kill();
    }
  },
);
