// Commands that are run to their end: run() and checkOutput(), and that nothing is left of them, whatever happens.

import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  CancelledError,
  CurioError,
  gather,
  RuntimeError,
  run as runTask,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  TimeoutCancellationError,
  timeoutAfter,
} from 'curio';
import {
  CalledProcessError,
  CompletedProcess,
  checkOutput,
  DEVNULL,
  PIPE,
  run,
  STDOUT,
} from 'curio/subprocess';
import { cancelEverywhere } from 'curio/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { onEachDriver } from '../kit/drivers.ts';
import { children, descriptors, folder, HandClock, note, stateOf, until } from '../kit/processes.ts';
import { Program } from '../kit/program.ts';
import { recorder } from '../kit/recorder.ts';

const sh = (script: string) => ['/bin/sh', '-c', script];
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const EMPTY = Buffer.alloc(0);

type Cut = CancelledError & { stdout: Buffer; stderr: Buffer };

/** Ends a process that nobody else would. */
function kill(pid: number): void {
  if (stateOf(pid) !== null) process.kill(pid, 'SIGKILL');
}

/** A shell's lines that leave the number of its process under a path. */
const sign = (path: string) => `echo $$ > ${path}.tmp; mv ${path}.tmp ${path}`;

onEachDriver('run()', () => {
  test('gives what the command wrote and what it ended with', () =>
    runTask(async () => {
      const done = await run(sh('for i in 1 2 3 4; do echo $i; done'), { stdout: PIPE });
      expect(done).toBeInstanceOf(CompletedProcess);
      expect(done).toEqual({
        args: sh('for i in 1 2 3 4; do echo $i; done'),
        returncode: 0,
        stdout: Buffer.from('1\n2\n3\n4\n'),
        stderr: EMPTY,
      });
    }));

  test('reports what a command that fails ended with, and throws only if asked to check', () =>
    runTask(async () => {
      const done = await run(sh('exit 3'));
      expect(done.returncode).toBe(3);
      expect(() => done.checkReturncode()).toThrow(CalledProcessError);
      await expect(run(sh('exit 3'), { check: true })).rejects.toThrow(CalledProcessError);
      const fine = await run(['true'], { check: true });
      fine.checkReturncode();
    }));

  test('takes a command of the shell', () =>
    runTask(async () => {
      const { stdout } = await run('echo one && echo two | tr a-z A-Z', { shell: true, stdout: PIPE });
      expect(text(stdout)).toBe('one\nTWO\n');
    }));

  test('captures both outputs with one option', () =>
    runTask(async () => {
      const { stdout, stderr } = await run(sh('echo out; echo err >&2'), { captureOutput: true });
      expect([stdout, stderr].map(text)).toEqual(['out\n', 'err\n']);
    }));

  test('gives the command its input, which may be empty', () =>
    runTask(async () => {
      for (const input of ['some input', Buffer.from('bytes'), '']) {
        const { stdout } = await run(['cat'], { input, stdout: PIPE });
        expect(text(stdout)).toBe(text(Buffer.from(input)));
      }
      // Without input, a pipe for it is closed at once.
      expect((await run(['cat'], { stdin: PIPE })).returncode).toBe(0);
    }));

  test('runs many at once', () =>
    runTask(async () => {
      const outputs = await gather(
        Array.from({ length: 20 }, (_, i) => () => checkOutput(['echo', `number ${i}`])),
      );
      expect(outputs.map(text)).toEqual(outputs.map((_, i) => `number ${i}\n`));
    }));

  test('rejects if there is no such program, also with input', () =>
    runTask(async () => {
      await expect(run(['/no/such/program'])).rejects.toMatchObject({
        code: 'ENOENT',
        path: '/no/such/program',
      });
      await expect(run(['/no/such/program'], { input: 'x', captureOutput: true })).rejects.toMatchObject({
        code: 'ENOENT',
      });
      await expect(checkOutput(['/no/such/program'])).rejects.toMatchObject({ code: 'ENOENT' });
    }));

  test('fails with EPIPE if the command closes its input early, and leaves nothing of it', async () => {
    const path = join(folder(), 'pid');
    await runTask(async () => {
      const script = `${sign(path)}; echo out; echo err >&2; exec <&-; exec sleep 1000`;
      const error = await checkOutput(sh(script), { input: Buffer.alloc(1_000_000), stderr: PIPE }).catch(
        (error) => error,
      );
      expect(error).toMatchObject({ code: 'EPIPE' });
      expect([error.stdout, error.stderr].map(text)).toEqual(['out\n', 'err\n']);
    });
    expect(stateOf(Number(await note(path)))).toBe(null);
  });

  test('out of time has killed the command, and tells what it had written', async () => {
    const path = join(folder(), 'pid');
    const clock = new HandClock();
    void note(path).then(() => clock.advance(2));
    await runTask({ clock }, async () => {
      const script = `echo first; ${sign(path)}; exec sleep 1000`;
      const error = await timeoutAfter(1, () => run(sh(script), { captureOutput: true })).catch(
        (error) => error,
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect([error.stdout, error.stderr].map(text)).toEqual(['first\n', '']);
      // Before the exception came out.
      expect(stateOf(Number(await note(path)))).toBe(null);
    });
  });

  test('inside two timeouts tells the outer one, too', async () => {
    const path = join(folder(), 'pid');
    const clock = new HandClock();
    void note(path).then(() => clock.advance(2));
    await runTask({ clock }, async () => {
      const script = `echo first; ${sign(path)}; exec sleep 1000`;
      let inner: unknown;
      const error = await timeoutAfter(1, async () => {
        try {
          await timeoutAfter(5, () => run(sh(script), { captureOutput: true }));
        } catch (error) {
          inner = error;
          throw error;
        }
      }).catch((error) => error);
      expect(inner).toBeInstanceOf(TimeoutCancellationError);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(text(error.stdout)).toBe('first\n');
    });
  });

  test('cancelled has killed the command, even one that ignores SIGTERM, before the task ends', async () => {
    const path = join(folder(), 'pid');
    await runTask(async () => {
      let seen: Cut | null = null;
      const task = await spawn(async () => {
        try {
          await checkOutput(sh(`trap '' TERM; echo some; ${sign(path)}; while :; do sleep 0.01; done`));
        } catch (error) {
          seen = error as Cut;
          throw error;
        }
      });
      while (!existsSync(path)) await sleep(0.005);
      await task.cancel();
      expect(stateOf(Number(await note(path)))).toBe(null);
      expect(task.exception).toBe(seen);
      expect(seen).toBeInstanceOf(TaskCancelled);
      expect(text((seen as unknown as Cut).stdout)).toBe('some\n');
      expect((seen as unknown as Cut).stderr).toEqual(EMPTY);
    });
  });

  test('cancelled gives all that the command had written, also what nobody had read', async () => {
    const path = join(folder(), 'ready');
    await runTask(async () => {
      const task = await spawn({ daemon: true }, () =>
        checkOutput(sh(`seq 5000; touch ${path}; exec sleep 1000`)),
      );
      await sleep(0);
      // The kernel stands still meanwhile: nobody reads.
      spawnSync('/bin/sh', ['-c', `while ! [ -e ${path} ]; do sleep 0.01; done`]);
      await task.cancel();
      const { stdout } = task.exception as Cut;
      expect(text(stdout).split('\n').length).toBe(5001);
    });
  });

  test('cancelled does not wait for what the command has left behind, unless that is of its group', async () => {
    const path = join(folder(), 'child');
    const script = `sleep 1000 & echo parent; echo $! > ${path}.tmp; mv ${path}.tmp ${path}; wait`;
    for (const processGroup of [false, true]) {
      rmSync(path, { force: true });
      await runTask(async () => {
        const task = await spawn({ daemon: true }, () => checkOutput(sh(script), { processGroup }));
        while (!existsSync(path)) await sleep(0.005);
        await task.cancel();
        expect(text((task.exception as Cut).stdout)).toBe('parent\n');
      });
      const child = Number(await note(path));
      onTestFinished(() => void kill(child));
      if (processGroup) await until(() => stateOf(child) === null || stateOf(child) === 'Z');
      else {
        expect(stateOf(child)).toMatch(/[RS]/);
        kill(child);
      }
    }
  });

  test('starts nothing in a task that is to stop', async () => {
    const path = join(folder(), 'note');
    await runTask(async () => {
      const task = await spawn({ daemon: true }, () => run(['touch', path]));
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    });
    expect(existsSync(path)).toBe(false);
    expect(children()).toEqual([]);
  });

  test('leaves nothing behind, wherever it is cancelled', async () => {
    const before = descriptors();
    const count = await cancelEverywhere(
      () => run(sh('cat; echo err >&2; exit 2'), { input: 'input', captureOutput: true }),
      ({ result, error }) => {
        expect(children()).toEqual([]);
        if (error === null) expect([result!.stdout, result!.stderr].map(text)).toEqual(['input', 'err\n']);
        else {
          expect(error).toBeInstanceOf(CancelledError);
          expect(['', 'input']).toContain(text((error as Cut).stdout ?? EMPTY));
        }
      },
    );
    // On a busy machine much happens in one turn.
    expect(count).toBeGreaterThan(1);
    await until(() => descriptors() <= before);
  });

  test('logs nothing when it is cut short', async () => {
    const logger = recorder();
    await runTask({ logger }, async () => {
      const task = await spawn({ daemon: true }, () => run(['cat'], { stdin: PIPE, captureOutput: true }));
      await sleep(0);
      await task.cancel();
    });
    expect(logger.lines).toEqual([]);
  });
});

onEachDriver('checkOutput()', () => {
  test('gives the bytes that the command wrote to standard output', () =>
    runTask(async () => {
      expect(await checkOutput(['printf', '\\377\\000'])).toEqual(Buffer.from([255, 0]));
      expect(text(await checkOutput('echo hello', { shell: true }))).toBe('hello\n');
      expect(text(await checkOutput(['true'], { stdout: PIPE }))).toBe('');
    }));

  test('feeds its input to the command, and closes that', () =>
    runTask(async () => {
      const input = Buffer.alloc(1_000_000, 'abc');
      expect((await checkOutput(['cat'], { input })).equals(input)).toBe(true);
    }));

  test('throws if the command fails, and shows all about it', () =>
    runTask(async () => {
      const script = 'echo out; echo "what went wrong" >&2; exit 4';
      const error = await checkOutput(sh(script), { stderr: PIPE }).catch((error) => error);
      expect(error).toBeInstanceOf(CalledProcessError);
      expect(error).toBeInstanceOf(CurioError);
      expect(error).toMatchObject({
        name: 'CalledProcessError',
        code: 'ERR_CURIO_CALLED_PROCESS',
        returncode: 4,
        cmd: sh(script),
      });
      expect([error.stdout, error.output, error.stderr].map(text)).toEqual([
        'out\n',
        'out\n',
        'what went wrong\n',
      ]);
      expect(error.message).toBe(
        `The command '/bin/sh -c '${script}'' returned non-zero exit status 4.\nwhat went wrong`,
      );
    }));

  test('throws if the command fails, also with its errors among its output', () =>
    runTask(async () => {
      const error = await checkOutput(sh('echo out; echo err >&2; exit 1'), { stderr: STDOUT }).catch(
        (e) => e,
      );
      expect(error).toBeInstanceOf(CalledProcessError);
      expect(text(error.output)).toBe('out\nerr\n');
      expect(error.stderr).toEqual(EMPTY);
    }));

  test('throws if the command was killed, and says by what', () =>
    runTask(async () => {
      const error = await checkOutput(sh('kill -KILL $$'), { stderr: DEVNULL }).catch((error) => error);
      expect(error.returncode).toBe(-9);
      expect(error.message).toContain('died of SIGKILL.');
    }));

  test.each([
    ['shell', true],
    ['executable', '/bin/false'],
    ['cwd', '/'],
    ['env', { PATH: '/nowhere' }],
    ['input', 'not meant'],
    ['stdin', DEVNULL],
    ['stderr', STDOUT],
    ['processGroup', true],
  ])('takes no %s from what somebody has put into Object.prototype', (name, value) =>
    runTask(async () => {
      const command = ['env', 'sh', '-c', 'pwd; echo "$PATH"; ls -l /proc/self/fd/0; echo error >&2', 'a b'];
      const plain = String(await checkOutput(command));
      Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
      try {
        expect(String(await checkOutput(command))).toBe(plain);
      } finally {
        Reflect.deleteProperty(Object.prototype, name);
      }
    }),
  );

  test('has no other place for the output', () =>
    runTask(async () => {
      expect(() => checkOutput(['true'], { stdout: DEVNULL as never })).toThrow(TypeError);
      expect(() => checkOutput(['true'], { check: false } as never)).toThrow("has no option 'check'");
    }));
});

describe('the message of a failed command', () => {
  test('shows the end of a long complaint', () => {
    const stderr = Buffer.from(`${'x'.repeat(5000)} the end\n`);
    const { message } = new CalledProcessError(2, ['prog', 'an arg'], EMPTY, stderr);
    expect(message).toMatch(/^The command 'prog 'an arg'' returned non-zero exit status 2\.\n…x+ the end$/);
    expect(message.length).toBeLessThan(1200);
  });

  test('shows the command as one would type it', () => {
    expect(new CalledProcessError(1, ["it's", '-v', '']).message).toContain(`'it'\\''s' -v ''`);
    expect(new CalledProcessError(1, 'echo hello').message).toContain("'echo hello'");
    expect(new CalledProcessError(-200, 'x').message).toContain('died of signal 200');
  });
});

describe('arguments of run()', () => {
  test('are checked at the call', () =>
    runTask(async () => {
      const refuse = (args: unknown, options: unknown, message: string) => {
        const call = () => run(args as string[], options as object);
        expect(call).toThrow(TypeError);
        expect(call).toThrow(message);
      };
      refuse([], {}, 'run() was given an empty command.');
      refuse(['ls'], { text: true }, "run() has no option 'text': bytes in, bytes out");
      refuse(['ls'], { timeout: 1 }, 'write timeoutAfter(seconds, () => run(args))');
      refuse(['ls'], { input: 5 }, 'run() wants bytes');
      refuse(['ls'], { input: 'x', stdin: DEVNULL }, 'both input and stdin');
      refuse(['ls'], { captureOutput: true, stdout: PIPE }, 'captureOutput stands for');
      refuse(['ls'], { nonsense: true }, "run() has no option 'nonsense'");
    }));

  test('of the wrong kind for a stream reject, and leave nothing', () =>
    runTask(async () => {
      const before = descriptors();
      await expect(run(['ls'], { stdout: PIPE, stderr: 'x' as never })).rejects.toThrow(TypeError);
      expect(descriptors()).toBe(before);
    }));

  test('outside a task it is refused, and in a task that waits', async () => {
    await expect(run(['true'])).rejects.toThrow(RuntimeError);
    await expect(checkOutput(['true'])).rejects.toThrow('subprocess.checkOutput() was called outside a task');
    await runTask(async () => {
      const first = sleep(0.01);
      expect(() => run(['true'])).toThrow(TaskBusyError);
      await first;
    });
    expect(children()).toEqual([]);
  });

  test('takes Node’s streams that have a descriptor', async () => {
    const file = createReadStream('/etc/hostname');
    onTestFinished(() => void file.destroy());
    await once(file, 'open');
    await runTask(async () => {
      const { stdout } = await run(['wc', '-c'], { stdin: file, stdout: PIPE });
      expect(Number(text(stdout))).toBeGreaterThan(0);
    });
  });
});

describe('seen from outside', () => {
  const play = (name: string) => new Program('test/programs/processes.ts', { args: [name], fast: false });

  test('a task that waits for a process, or reads from one, keeps this process alive', async () => {
    const endings = await Promise.all(['wait', 'read', 'communicate', 'run'].map((name) => play(name).ended));
    for (const ending of endings)
      expect(ending).toEqual({ stdout: 'done\n', stderr: '', code: 0, signal: null });
  });

  test('a process nobody waits for does not keep this one alive', async () => {
    const program = play('leave');
    const { stdout, stderr, code } = await program.ended;
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    const pid = Number(stdout);
    expect(stateOf(pid)).toMatch(/[RS]/);
    kill(pid);
  });

  test('out of descriptors, starting one fails, and later it succeeds', async () => {
    const { stdout, stderr, code } = await play('descriptors').ended;
    expect({ stdout, stderr, code }).toEqual({
      stdout: 'EMFILE\nEMFILE\nEMFILE\nhello\n\n',
      stderr: '',
      code: 0,
    });
  });
});
