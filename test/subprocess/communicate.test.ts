// All the input in, all the output out: communicate(), and what is left of it when it is cut short.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CancelledError, run, sleep, spawn, TaskCancelled, TaskTimeout, timeoutAfter } from 'curio';
import { DEVNULL, PIPE, Popen, type PopenOptions } from 'curio/subprocess';
import { cancelEverywhere } from 'curio/testing';
import { afterEach, expect, test } from 'vitest';
import { onEachDriver } from '../kit/drivers.ts';
import { children, descriptors, folder, HandClock, note, until } from '../kit/processes.ts';
import { recorder } from '../kit/recorder.ts';

const sh = (script: string) => ['/bin/sh', '-c', script];
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const EMPTY = Buffer.alloc(0);

type Cut = CancelledError & { stdout: Buffer; stderr: Buffer; bytesWritten?: number };

const started = new Set<Popen>();

/** A process that is gone when the test ends, come what may. */
function popen<const O extends PopenOptions>(args: string[], options: O): Popen<O> {
  const p = new Popen(args, options);
  started.add(p as unknown as Popen);
  return p;
}

afterEach(() => {
  for (const p of started) p.kill();
  started.clear();
});

onEachDriver('communicate()', (driver) => {
  test('gives standard output and standard error, and the process has ended then', () =>
    run(async () => {
      const p = popen(sh('cat; echo err >&2; exit 5'), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      expect((await p.communicate('input')).map(text)).toEqual(['input', 'err\n']);
      expect(p.returncode).toBe(5);
    }));

  test('gives nothing for what is no pipe', () =>
    run(async () => {
      expect(await popen(['true'], {}).communicate()).toEqual([EMPTY, EMPTY]);
      const p = popen(sh('echo out; echo err >&2'), { stdout: DEVNULL, stderr: PIPE });
      expect((await p.communicate()).map(text)).toEqual(['', 'err\n']);
    }));

  test('takes input as a string, as bytes, as an option, or not at all', () =>
    run(async () => {
      const echo = async (...input: Parameters<Popen['communicate']>) =>
        text((await popen(['cat'], { stdin: PIPE, stdout: PIPE }).communicate(...input))[0]);
      expect(await echo('Grüße')).toBe('Grüße');
      expect(await echo(Buffer.from('bytes'))).toBe('bytes');
      expect(await echo(new Uint16Array([0x4142]))).toBe('BA');
      expect(await echo({ input: 'option' })).toBe('option');
      expect(await echo({ input: null })).toBe('');
      expect(await echo('')).toBe('');
      expect(await echo(null)).toBe('');
      expect(await echo()).toBe('');
    }));

  test('does not come to a standstill over much input and much output on both pipes', () =>
    run(async () => {
      const input = Buffer.alloc(3_000_000, '0123456789\n');
      const p = popen(sh('tee /dev/fd/3 3>&2'), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      const script = popen(['/bin/sh', '-c', 'cat >&2; seq 300000'], {
        stdin: PIPE,
        stdout: PIPE,
        stderr: PIPE,
      });
      const [out, err] = await script.communicate(input);
      expect(err.equals(input)).toBe(true);
      expect(out.length).toBe(1_988_895);
      // /dev/fd cannot be opened where a pipe of Node's is a socket.
      if (driver === 'portable') return;
      const both = await p.communicate(input);
      expect(both.map((bytes) => bytes.equals(input))).toEqual([true, true]);
    }));

  test('is woken by nothing but the end of a process that writes nothing', () =>
    run(async () => {
      const p = popen(['cat'], { stdin: PIPE });
      const other = await spawn(() => p.communicate());
      expect(await other.join()).toEqual([EMPTY, EMPTY]);
    }));

  test('waits for everybody who holds the pipe, not only for the process itself', () =>
    run(async () => {
      const p = popen(sh('(sleep 0.05; echo late) & echo early'), { stdout: PIPE });
      expect(text((await p.communicate())[0])).toBe('early\nlate\n');
    }));

  test('fails with EPIPE if the process does not read its input, and tells what it wrote', () =>
    run(async () => {
      const p = popen(sh('echo first; exec <&-; echo closed; exec sleep 1000'), {
        stdin: PIPE,
        stdout: PIPE,
      });
      expect(text(await p.stdout.readline())).toBe('first\n');
      expect(text(await p.stdout.readline())).toBe('closed\n');
      const error = await p.communicate(Buffer.alloc(1_000_000)).catch((error) => error);
      expect(error).toMatchObject({ code: 'EPIPE', stdout: EMPTY, stderr: EMPTY });
      expect((error as Error).stack).toMatch(/communicate\.test\.ts/);
      expect(error.bytesWritten).toBeLessThan(1_000_000);
      expect(p.poll()).toBe(null);
      p.kill();
      await p.wait();
    }));

  test('fails with EBADF for input to a pipe that has been closed', () =>
    run(async () => {
      const p = popen(['cat'], { stdin: PIPE, stdout: PIPE });
      await p.stdin.close();
      await expect(p.communicate('input')).rejects.toMatchObject({ code: 'EBADF' });
      expect((await p.communicate()).map(text)).toEqual(['', '']);
    }));

  test('cancelled while the process does not read: nothing piped counts as empty, and the task ends as cancelled', () =>
    run(async () => {
      const p = popen(['sleep', '1000'], { stdin: PIPE });
      let seen: Cut | null = null;
      const task = await spawn(async () => {
        try {
          await p.communicate({ input: Buffer.alloc(10_000_000) });
        } catch (error) {
          seen = error as Cut;
          throw error;
        }
      });
      await sleep(0.01);
      await task.cancel();
      expect(seen).toMatchObject({ stdout: EMPTY, stderr: EMPTY });
      expect(task.exception).toBe(seen);
      expect(seen).toBeInstanceOf(TaskCancelled);
      expect(p.poll()).toBe(null);
      p.kill();
      expect(await p.wait()).toBe(-9);
      await p.stdin.close();
    }));

  test('cancelled does not end the process: the error has what had come, reading on gives the rest', async () => {
    const path = join(folder(), 'go');
    const said = join(folder(), 'said');
    await run(async () => {
      const p = popen(
        sh(
          `echo one; echo two >&2; : >${said}; while ! [ -e ${path} ]; do sleep 0.01; done; echo three; exit 6`,
        ),
        {
          stdout: PIPE,
          stderr: PIPE,
        },
      );
      let seen: Cut | null = null;
      const task = await spawn(async () => {
        try {
          await p.communicate();
        } catch (error) {
          seen = error as Cut;
        }
      });
      // As much as can be known from here: both lines are in the pipes or read, and the task waits.
      await note(said);
      await task.cancel();
      const { stdout, stderr } = seen as unknown as Cut;
      expect(p.poll()).toBe(null);
      await new Popen(['touch', path]).wait();
      expect(text(stdout) + text(await p.stdout.readall())).toBe('one\nthree\n');
      expect(text(stderr) + text(await p.stderr.readall())).toBe('two\n');
      expect(await p.wait()).toBe(6);
    });
  });

  test('out of time does not end the process either, and communicate() again gives the rest', async () => {
    const [ready, go] = ['ready', 'go'].map((name) => join(folder(), name));
    const clock = new HandClock();
    await run({ clock }, async () => {
      const script = `echo one; touch ${ready}; while ! [ -e ${go} ]; do sleep 0.01; done; echo two; exit 6`;
      const p = popen(sh(script), { stdin: PIPE, stdout: PIPE });
      const error = await timeoutAfter(1, () => {
        void note(ready!).then(() => clock.advance(2));
        return p.communicate();
      }).catch((error) => error as Cut);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(p.poll()).toBe(null);
      writeFileSync(go!, '');
      const [rest] = await p.communicate();
      expect(text((error as Cut).stdout) + text(rest)).toBe('one\ntwo\n');
      expect(p.returncode).toBe(6);
    });
  });

  test('cut short tells how much of the input had gone, and the rest can follow', () =>
    run(async () => {
      const p = popen(sh('read line; exec sha256sum'), { stdin: PIPE, stdout: PIPE });
      const input = Buffer.alloc(2_000_000);
      for (let i = 0; i < input.length; i++) input[i] = 65 + (i % 26);
      let seen: Cut | null = null;
      const task = await spawn(async () => {
        try {
          await p.communicate(input);
        } catch (error) {
          seen = error as Cut;
        }
      });
      await sleep(0);
      await task.cancel();
      const { bytesWritten } = seen as unknown as { bytesWritten: number };
      expect(bytesWritten).toBeGreaterThan(0);
      expect(bytesWritten).toBeLessThan(input.length);
      const tail = Buffer.concat([input.subarray(bytesWritten), Buffer.from('\n'), input]);
      const [sum] = await p.communicate(tail);
      const [expected] = await popen(['sha256sum'], { stdin: PIPE, stdout: PIPE }).communicate(input);
      expect(text(sum)).toBe(text(expected));
    }));

  test('loses no byte, wherever it is cancelled', async () => {
    const before = descriptors();
    const output = Array.from({ length: 30 }, (_, i) => `line ${i + 1}\n`).join('');
    const script = 'cat >/dev/null; for i in $(seq 30); do echo line $i; done; echo err >&2; exit 3';
    const count = await cancelEverywhere(
      async () => {
        const p = popen(sh(script), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
        const got = ['', ''];
        const keep = ([out, err]: readonly Buffer[]) => {
          got[0] += text(out!);
          got[1] += text(err!);
        };
        try {
          keep(await p.communicate(Buffer.alloc(100_000)));
        } catch (error) {
          if (!(error instanceof CancelledError)) throw error;
          const { stdout, stderr } = error as Cut;
          keep([stdout, stderr]);
          keep(await p.communicate());
        }
        return [...got, await p.wait()];
      },
      ({ result, error, task }) => {
        // Where a reader within is hit the whole fails with what hit it; the caller sees nothing else.
        if (error !== null) expect(error).toBeInstanceOf(CancelledError);
        else expect(result, task).toEqual([output, 'err\n', 3]);
      },
    );
    expect(count).toBeGreaterThan(1);
    for (const p of started) p.kill();
    await until(() => children().length === 0);
    await until(() => descriptors() <= before);
  });

  test('logs no crash for what it does inside', async () => {
    const logger = recorder();
    await run({ logger }, async () => {
      const p = popen(sh('exec <&-; exec sleep 1000'), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      await expect(p.communicate(Buffer.alloc(1_000_000))).rejects.toMatchObject({ code: 'EPIPE' });
      p.kill();
      await p.communicate();
      const q = popen(['cat'], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      const task = await spawn(() => q.communicate(Buffer.alloc(10)));
      await sleep(0);
      await task.cancel();
      await q.communicate();
    });
    expect(logger.lines).toEqual([]);
  });
});
