// Processes one by one: how they are started, what they read and write, how they end, and what waiting for them means.

import { createReadStream, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  aopen,
  currentTask,
  gather,
  ReadResourceBusy,
  RuntimeError,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { socketpair } from 'curio/socket';
import { checkOutput, DEVNULL, PIPE, Popen, run as runCommand, STDOUT } from 'curio/subprocess';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Exit } from '../../src/subprocess/exit.ts';
import { on, onEachDriver } from '../kit/drivers.ts';
import {
  children,
  descriptors,
  folder,
  HandClock,
  note,
  stateOf,
  until,
  writtenBy,
} from '../kit/processes.ts';

/** A shell's program, in a list. */
const sh = (script: string) => ['/bin/sh', '-c', script];
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

onEachDriver('a process', (driver) => {
  // Node's own pipes are sockets, where it may also be ECONNRESET.
  const lostReader = driver === 'posix' ? [-13] : [-13, 1];

  test('starts at once, also outside of any task, and is waited for in one', async () => {
    const path = join(folder(), 'note');
    const p = new Popen(sh(`echo $$ > ${path}.tmp; mv ${path}.tmp ${path}; exit 3`));
    expect(Number(await note(path))).toBe(p.pid);
    await run(async () => {
      expect(await p.wait()).toBe(3);
      expect(p.returncode).toBe(3);
      // Further calls give the same.
      expect(await p.wait()).toBe(3);
      expect(p.poll()).toBe(3);
    });
    expect(stateOf(p.pid as number)).toBe(null);
  });

  test('that is given a file finds there what was written before it, and what follows after it', () =>
    run(async () => {
      const path = join(folder(), 'log');
      await using log = await aopen(path, 'w');
      await log.write('before\n');
      await runCommand(['echo', 'meanwhile'], { stdout: log });
      await log.write('after\n');
      await log.flush();
      expect(readFileSync(path, 'utf8')).toBe('before\nmeanwhile\nafter\n');
    }));

  test('is not given a file of which it would not find what follows', () =>
    run(async () => {
      const path = join(folder(), 'lines');
      writeFileSync(path, '1\n2\n3\n');
      await using lines = await aopen(path, 'r+');
      expect(await lines.readline()).toBe('1\n');
      const elsewhere = `Popen(), stdin: '${path}' has been read ahead or moved with seek(), and the process`;
      expect(() => new Popen(['cat'], { stdin: lines })).toThrow(elsewhere);
      await lines.seek(await lines.tell());
      expect(() => new Popen(['cat'], { stdin: lines })).toThrow(elsewhere);
      expect(await lines.read()).toBe('2\n3\n');
      await using once = await aopen(path);
      expect(text(await checkOutput(['cat'], { stdin: once }))).toBe('1\n2\n3\n');
      await lines.close();
      await expect(new Popen(['cat'], { stdin: lines }).wait()).rejects.toThrow('EBADF: it has been closed');
    }));

  test('is not given a stream of Node’s before that is open', () => {
    const stream = createReadStream('/etc/passwd');
    onTestFinished(() => void stream.destroy());
    expect(() => new Popen(['cat'], { stdin: stream })).toThrow("not open yet: wait for its 'open' event");
  });

  test('that could not be started says so as text', () =>
    run(async () => {
      const p = new Popen(['/nowhere/to/be/found']);
      expect(String(p)).toBe('Popen(/nowhere/to/be/found, pid null, not started)');
      await expect(p.wait()).rejects.toMatchObject({ code: 'ENOENT' });
    }));

  test('is watched without waiting with poll(), which gives null while it runs', () =>
    run(async () => {
      const p = new Popen(['cat'], { stdin: PIPE, stdout: DEVNULL });
      expect(p.poll()).toBe(null);
      expect(p.returncode).toBe(null);
      await p.stdin.close();
      while (p.poll() === null) await sleep(0);
      expect(p.poll()).toBe(0);
    }));

  test('is read line by line while it runs, as ping is in the tutorial', () =>
    run(async () => {
      const p = new Popen(sh('for i in 1 2 3; do echo line $i; done'), { stdout: PIPE });
      const lines: string[] = [];
      for await (const line of p.stdout) lines.push(text(line));
      expect(lines).toEqual(['line 1\n', 'line 2\n', 'line 3\n']);
      expect(await p.wait()).toBe(0);
    }));

  test('is talked to in both directions', () =>
    run(async () => {
      const p = new Popen(['cat'], { stdin: PIPE, stdout: PIPE });
      for (const word of ['one\n', 'two\n']) {
        await p.stdin.write(word);
        expect(text(await p.stdout.readline())).toBe(word);
      }
      await p.stdin.close();
      expect(await p.stdout.read()).toEqual(Buffer.alloc(0));
      expect(await p.wait()).toBe(0);
    }));

  test('has null for what is no pipe', () =>
    run(async () => {
      const p = new Popen(['true'], { stdout: DEVNULL, stderr: 2 });
      expect([p.stdin, p.stdout, p.stderr]).toEqual([null, null, null]);
      await p.wait();
      const q = new Popen(['true'], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
      for (const stream of [q.stdin, q.stdout, q.stderr]) expect(stream.constructor.name).toBe('FileStream');
      await q.communicate();
    }));

  test('ends with what it exits with, or with the negative number of the signal that ended it', () =>
    run(async () => {
      expect(await new Popen(sh('exit 255')).wait()).toBe(255);
      const killed = new Popen(['sleep', '1000']);
      killed.kill();
      expect(await killed.wait()).toBe(-9);
      const terminated = new Popen(['sleep', '1000']);
      terminated.terminate();
      expect(await terminated.wait()).toBe(-15);
      const hungUp = new Popen(['sleep', '1000']);
      hungUp.sendSignal('SIGHUP');
      expect(await hungUp.wait()).toBe(-1);
      const numbered = new Popen(['sleep', '1000']);
      numbered.sendSignal(2);
      expect(await numbered.wait()).toBe(-2);
    }));

  test('may ignore SIGTERM, but not SIGKILL', () =>
    run(async () => {
      const p = new Popen(sh("trap '' TERM; echo ready; while :; do sleep 0.01; done"), { stdout: PIPE });
      await p.stdout.readline();
      p.terminate();
      expect(await timeoutAfter(0.1, () => p.wait()).catch((error) => error)).toBeInstanceOf(TaskTimeout);
      expect(p.poll()).toBe(null);
      p.kill();
      expect(await p.wait()).toBe(-9);
    }));

  test('that has ended gets no signal, and what is no signal is refused', () =>
    run(async () => {
      const p = new Popen(['true']);
      await p.wait();
      p.kill();
      p.terminate();
      p.sendSignal('SIGUSR1');
      expect(p.returncode).toBe(0);
      const q = new Popen(['cat'], { stdin: PIPE });
      expect(() => q.sendSignal('SIGNONSENSE' as 'SIGHUP')).toThrow(TypeError);
      await q.communicate();
    }));

  test('starts in another directory', async () => {
    const cwd = realpathSync(folder());
    await run(async () => {
      for (const where of [cwd, pathToFileURL(cwd)]) {
        const [out] = await new Popen(['pwd'], { cwd: where, stdout: PIPE }).communicate();
        expect(text(out)).toBe(`${cwd}\n`);
      }
    });
  });

  test('has the environment it is given and no other, or else this one', () =>
    run(async () => {
      const show = sh('echo "$CURIO_TEST_A,$CURIO_TEST_B"');
      process.env.CURIO_TEST_A = 'a';
      const output = async (options: object) =>
        text((await new Popen(show, { ...options, stdout: PIPE }).communicate())[0]);
      expect(await output({})).toBe('a,\n');
      expect(await output({ env: null })).toBe('a,\n');
      expect(await output({ env: { CURIO_TEST_B: 'b' } })).toBe(',b\n');
      expect(await output({ env: { ...process.env, CURIO_TEST_B: 'b' } })).toBe('a,b\n');
      delete process.env.CURIO_TEST_A;
    }));

  test('may be a command of the shell, with further arguments as its parameters', () =>
    run(async () => {
      const output = async (args: string | string[], shell: boolean | string) =>
        text((await new Popen(args, { shell, stdout: PIPE }).communicate())[0]);
      expect(await output('echo one; echo two | tr a-z A-Z', true)).toBe('one\nTWO\n');
      expect(await output(['echo "$0 $1"', 'first', 'second'], true)).toBe('first second\n');
      expect(await output('echo "$0"', '/bin/sh')).toBe('/bin/sh\n');
    }));

  test('may be told another name than its program’s', () =>
    run(async () => {
      const p = new Popen(['another name', '-c', 'echo "$0"'], { executable: '/bin/sh', stdout: PIPE });
      expect(text((await p.communicate())[0])).toBe('another name\n');
    }));

  test('takes a string for a program without arguments', () =>
    run(async () => {
      expect(await new Popen('true').wait()).toBe(0);
    }));

  test('writes to a descriptor or an open file, or nowhere', async () => {
    const path = join(folder(), 'output');
    await run(async () => {
      const file = await open(path, 'w');
      await new Popen(['echo', 'one'], { stdout: file.fd }).wait();
      await new Popen(['echo', 'two'], { stdout: file }).wait();
      await new Popen(sh('echo three >&2'), { stdout: file, stderr: STDOUT }).wait();
      await new Popen(['echo', 'four'], { stdout: DEVNULL }).wait();
      await file.close();
    });
    expect(readFileSync(path, 'utf8')).toBe('one\ntwo\nthree\n');
  });

  test('writes errors where its output goes, in order', () =>
    run(async () => {
      const p = new Popen(sh('echo 1; echo 2 >&2; echo 3; echo 4 >&2'), { stdout: PIPE, stderr: STDOUT });
      expect(p.stderr).toBe(null);
      expect(text((await p.communicate())[0])).toBe('1\n2\n3\n4\n');
      const nowhere = new Popen(sh('echo 1; echo 2 >&2'), { stdout: DEVNULL, stderr: STDOUT });
      expect(await nowhere.communicate()).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
    }));

  test('whose output nobody reads stops writing', async () => {
    await run(async () => {
      const p = new Popen(['yes'], { stdout: PIPE });
      const pid = p.pid as number;
      let before = -1;
      // Two looks in a row that find the same.
      while (before <= 0 || writtenBy(pid) > before) {
        before = writtenBy(pid);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(before).toBeLessThan(1_000_000);
      // Reading lets it go on.
      await p.stdout.readExactly(2_000_000);
      expect(writtenBy(pid)).toBeGreaterThan(1_900_000);
      p.kill();
      await p.stdout.close();
      await p.wait();
    });
  });

  test('gets EPIPE or SIGPIPE when the reader of its output closes, and its writer gets EPIPE when it closes', () =>
    run(async () => {
      const p = new Popen(['yes'], { stdout: PIPE, stderr: DEVNULL });
      await p.stdout.readline();
      await p.stdout.close();
      expect(await p.wait()).toBeOneOf(lostReader);
      const q = new Popen(sh('exec <&-; echo closed; exec sleep 1000'), { stdin: PIPE, stdout: PIPE });
      await q.stdout.readline();
      const error = await q.stdin.write(Buffer.alloc(1_000_000)).then(
        () => null,
        (error) => error,
      );
      expect(error).toMatchObject({ code: 'EPIPE' });
      q.kill();
      await q.wait();
      await q.stdin.close();
      await q.stdout.close();
    }));

  test('leaves neither zombie nor descriptor', async () => {
    const program = () =>
      run(async () => {
        await gather(
          [1, 2, 3].map((n) => async () => {
            const p = new Popen(sh(`cat; exit ${n}`), { stdin: PIPE, stdout: PIPE, stderr: PIPE });
            await p.communicate('input');
            expect(p.returncode).toBe(n);
          }),
        );
        const missing = new Popen(['/no/such/program'], { stdin: PIPE, stdout: PIPE, stderr: PIPE });
        await expect(missing.wait()).rejects.toMatchObject({ code: 'ENOENT' });
        await using unread = new Popen(['echo', 'unread'], { stdout: PIPE });
        await unread.wait();
      });
    await program();
    const before = descriptors();
    await program();
    await until(() => descriptors() <= before);
    expect(children()).toEqual([]);
  });

  test('keeps for its reader what it wrote before it ended', () =>
    run(async () => {
      const p = new Popen(sh('echo out; echo err >&2'), { stdout: PIPE, stderr: PIPE });
      await p.wait();
      // Node would have thrown it away by now.
      for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
      expect(text(await p.stdout.readall())).toBe('out\n');
      expect(text(await p.stderr.readall())).toBe('err\n');
      expect(await p.communicate()).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
    }));

  describe('as a block', () => {
    test('has its pipes closed and has ended afterwards', () =>
      run(async () => {
        let p: Popen<{ readonly stdin: -1; readonly stdout: -1 }>;
        {
          await using block = new Popen(['cat'], { stdin: PIPE, stdout: PIPE });
          p = block;
          await block.stdin.write('never read');
        }
        expect(p.returncode).not.toBe(null);
        await expect(p.stdout.read()).rejects.toMatchObject({ code: 'EBADF' });
        await expect(p.stdin.write('x')).rejects.toMatchObject({ code: 'EBADF' });
      }));

    test('throws what its body throws, once the process has ended', () =>
      run(async () => {
        let pid = 0;
        const body = async () => {
          await using p = new Popen(['cat'], { stdin: PIPE });
          pid = p.pid as number;
          throw new RangeError('of the body');
        };
        await expect(body()).rejects.toThrow('of the body');
        expect(stateOf(pid)).toBe(null);
      }));

    test('throws the reason if the process could not be started, and once only', () =>
      run(async () => {
        const body = async (use: boolean) => {
          await using p = new Popen(['/no/such/program'], { stdout: PIPE });
          if (use) for await (const _ of p.stdout);
        };
        for (const use of [true, false]) await expect(body(use)).rejects.toMatchObject({ code: 'ENOENT' });
      }));
  });

  describe('that cannot be started', () => {
    const missing = () => new Popen(['/no/such/program'], { stdin: PIPE, stdout: PIPE, stderr: PIPE });

    test('says so to the first operation that is awaited, whichever that is', () =>
      run(async () => {
        const operations: ((p: ReturnType<typeof missing>) => Promise<unknown>)[] = [
          (p) => p.wait(),
          (p) => p.communicate(),
          (p) => p.communicate('input'),
          (p) => p.stdout.read(),
          (p) => p.stderr.readline(),
          (p) => p.stdin.write('input'),
          (p) => p[Symbol.asyncDispose](),
        ];
        for (const operation of operations) {
          const error = await operation(missing()).catch((error) => error);
          expect(error, String(operation)).toMatchObject({ code: 'ENOENT', path: '/no/such/program' });
        }
      }));

    test('shows where it was to be started', () =>
      run(async () => {
        function startsIt() {
          return new Popen(['/no/such/program'], { stdout: PIPE });
        }
        const reason = await startsIt()
          .wait()
          .catch((error: Error) => error);
        expect(reason).toMatchObject({ stack: expect.stringMatching(/startsIt.*popen\.test\.ts/) });
      }));

    test('says so again to those who ask again', () =>
      run(async () => {
        const p = missing();
        for (let i = 0; i < 2; i++) await expect(p.wait()).rejects.toMatchObject({ code: 'ENOENT' });
        await expect(p.stdout.read()).rejects.toMatchObject({ code: 'ENOENT' });
        expect(() => p.poll()).toThrow('ENOENT');
        expect(p.pid).toBe(null);
        expect(p.returncode).toBe(null);
        p.kill();
        p.terminate();
      }));

    test('disturbs nobody who does not ask', async () => {
      await run(async () => {
        missing();
        await sleep(0);
      });
      await new Promise((resolve) => setTimeout(resolve, 10));
    });

    test('tells what else it may be: the directory, a string with arguments, permissions', () =>
      run(async () => {
        const reason = (args: string | string[], options = {}) =>
          new Popen(args, options).wait().catch((error) => error);
        expect(await reason(['ls'], { cwd: '/no/such/folder' })).toMatchObject({
          code: 'ENOENT',
          message: 'spawn ls ENOENT: there is no directory /no/such/folder to start it in',
        });
        expect(await reason('ls -l')).toMatchObject({
          code: 'ENOENT',
          message: expect.stringContaining('Write ["ls","-l"], or add { shell: true }'),
        });
        expect(await reason(['ls'], { cwd: '/etc/passwd' })).toMatchObject({
          code: 'ENOTDIR',
          message: expect.stringMatching(/: \/etc\/passwd is no directory to start it in$/),
        });
        const script = join(folder(), 'script');
        writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
        expect(await reason([script])).toMatchObject({
          code: 'ENOENT',
          message: expect.stringContaining(
            'the file is there, but not the program that its first line names',
          ),
        });
        expect(await reason(['/etc/passwd'])).toMatchObject({ code: 'EACCES' });
        expect(await reason(['true', 'x'.repeat(10_000_000)])).toMatchObject({ code: 'E2BIG' });
      }));

    test('is found out also where errors go where the output goes', () =>
      run(async () => {
        const both = { stdout: PIPE, stderr: STDOUT } as const;
        for (const program of ['/no/such/program', 'nosuchprogram'])
          await expect(new Popen([program], both).wait()).rejects.toMatchObject({
            code: 'ENOENT',
            path: program,
          });
        await expect(new Popen(['/etc/passwd'], both).wait()).rejects.toMatchObject({ code: 'EACCES' });
        const cwd = folder();
        await expect(new Popen(['./here'], { ...both, cwd }).wait()).rejects.toMatchObject({
          code: 'ENOENT',
        });
      }));
  });

  describe('given as one end of another', () => {
    test('lets it count its lines', () =>
      run(async () => {
        const p1 = new Popen(sh('for i in 1 2 3 4; do echo $i; done'), { stdout: PIPE, stderr: PIPE });
        const p2 = new Popen(['wc', '-l'], { stdin: p1.stdout, stdout: PIPE });
        expect(text(await p2.stdout.read()).trim()).toBe('4');
        expect([await p1.wait(), await p2.wait()]).toEqual([0, 0]);
      }));

    test('loses nothing of what it wrote before the other one started', () =>
      run(async () => {
        const p1 = new Popen(sh('seq 20000; echo done >&2; seq 20001 40000'), { stdout: PIPE, stderr: PIPE });
        if (driver === 'portable') {
          // Node reads ahead.
          for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
        }
        const p2 = new Popen(['sha256sum'], { stdin: p1.stdout, stdout: PIPE });
        const [sum] = await p2.communicate();
        const [expected] = await new Popen('seq 40000 | sha256sum', {
          shell: true,
          stdout: PIPE,
        }).communicate();
        expect(text(sum)).toBe(text(expected));
        await p1.communicate();
      }));

    test('loses nothing either if it had ended before the other one started', () =>
      run(async () => {
        const p1 = new Popen(['printf', '1\\n2\\n3\\n'], { stdout: PIPE });
        await p1.wait();
        for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
        const p2 = new Popen(['cat'], { stdin: p1.stdout, stdout: PIPE });
        expect(text((await p2.communicate())[0])).toBe('1\n2\n3\n');
      }));

    test('closes its pipe here, so that it hears when the other one leaves', () =>
      run(async () => {
        const yes = new Popen(['yes'], { stdout: PIPE, stderr: DEVNULL });
        const head = new Popen(['head', '-n1'], { stdin: yes.stdout, stdout: PIPE });
        expect(text((await head.communicate())[0])).toBe('y\n');
        expect(await yes.wait()).toBeOneOf(lostReader);
        await expect(yes.stdout.read()).rejects.toMatchObject({ code: 'EBADF' });
        await yes.stdout.close();
        expect(await yes.communicate()).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
      }));

    test('hears it, too, when some of it had been read ahead', () =>
      run(async () => {
        const yes = new Popen(['yes'], { stdout: PIPE, stderr: DEVNULL });
        for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 5));
        const head = new Popen(['head', '-n1'], { stdin: yes.stdout, stdout: PIPE });
        expect(text((await head.communicate())[0])).toBe('y\n');
        expect(await yes.wait()).toBeOneOf(lostReader);
      }));

    test('is refused while the stream holds what nobody has read', () =>
      run(async () => {
        const p1 = new Popen(['printf', '1\n2\n3\n'], { stdout: PIPE });
        await p1.stdout.readline();
        const make = () => new Popen(['cat'], { stdin: p1.stdout });
        expect(make).toThrow(RuntimeError);
        expect(make).toThrow('there are 4 bytes in the stream');
        await p1.communicate();
        await expect(new Popen(['cat'], { stdin: p1.stdout }).wait()).rejects.toMatchObject({
          code: 'EBADF',
        });
      }));
  });

  describe('at the head of a group', () => {
    const parent = (path: string) => sh(`sleep 1000 & echo $! > ${path}.tmp; mv ${path}.tmp ${path}; wait`);

    test('is ended together with what it has started', async () => {
      const path = join(folder(), 'child');
      const p = new Popen(parent(path), { processGroup: true });
      const child = Number(await note(path));
      p.kill();
      expect(await run(() => p.wait())).toBe(-9);
      await until(() => stateOf(child) === null || stateOf(child) === 'Z');
    });

    test('can be ended also when it has left others behind', async () => {
      const path = join(folder(), 'child');
      const p = new Popen(sh(`sleep 1000 & echo $! > ${path}`), { processGroup: true });
      expect(await run(() => p.wait())).toBe(0);
      const child = Number(await note(path));
      expect(stateOf(child)).not.toBe(null);
      p.kill();
      await until(() => stateOf(child) === null || stateOf(child) === 'Z');
      p.kill();
    });

    test('is not asked for by default: the others live on', async () => {
      const path = join(folder(), 'child');
      const p = new Popen(parent(path));
      const child = Number(await note(path));
      onTestFinished(() => void process.kill(child, 'SIGKILL'));
      p.kill();
      await run(() => p.wait());
      expect(stateOf(child)).toMatch(/[RS]/);
    });
  });

  describe('that is waited for', () => {
    test('is not ended by a cancellation or a timeout, and can be waited for again', async () => {
      const clock = new HandClock();
      await run({ clock }, async () => {
        const p = new Popen(['cat'], { stdin: PIPE });
        const waiter = await spawn(() => p.wait());
        await sleep(0);
        expect(waiter.state).toBe('FUTURE_WAIT');
        await waiter.cancel();
        expect(waiter.exception).toBeInstanceOf(TaskCancelled);
        const patient = await spawn({ daemon: true }, () => timeoutAfter(1, () => p.wait()));
        await sleep(0);
        clock.advance(2);
        await patient.wait();
        expect(patient.exception).toBeInstanceOf(TaskTimeout);
        expect(p.poll()).toBe(null);
        await p.stdin.close();
        expect(await p.wait()).toBe(0);
      });
    });

    test('wakes everybody who waits for it', () =>
      run(async () => {
        const p = new Popen(['cat'], { stdin: PIPE });
        const waiters = [await spawn(() => p.wait()), await spawn(() => p.wait())];
        await sleep(0);
        await waiters[0]!.cancel();
        await p.stdin.close();
        expect(await waiters[1]!.join()).toBe(0);
      }));

    test('needs a task to wait in', async () => {
      const p = new Popen(['true'], { stdout: PIPE });
      await expect(p.wait()).rejects.toThrow(RuntimeError);
      await expect(p.communicate()).rejects.toThrow('Popen.communicate() was called outside a task');
      await run(() => p.communicate());
    });

    test('is one thing a task waits for: another one at once is refused', () =>
      run(async () => {
        const p = new Popen(['cat'], { stdin: PIPE, stdout: PIPE });
        const first = p.wait();
        expect(() => p.wait()).toThrow(TaskBusyError);
        expect(() => p.communicate()).toThrow(TaskBusyError);
        await p.stdin.readiness.close();
        await first;
        await p.stdout.close();
      }));

    test('is not read by two tasks at once', () =>
      run(async () => {
        const p = new Popen(['cat'], { stdin: PIPE, stdout: PIPE });
        const reader = await spawn(() => p.stdout.readall());
        await sleep(0);
        await expect(p.communicate()).rejects.toThrow(ReadResourceBusy);
        // That has closed its input, and the reader is undisturbed.
        expect(text(await reader.join())).toBe('');
        await p.wait();
      }));
  });
});

on('posix', 'a process on the posix driver', () => {
  test('takes a socket, or a stream over one, for its standard streams', () =>
    run(async () => {
      const [here, there] = socketpair();
      const p = new Popen(['cat'], { stdin: there, stdout: there.asStream() });
      await there.close();
      await here.sendall('round trip');
      expect(text(await here.recv(100))).toBe('round trip');
      await here.close();
      expect(await p.wait()).toBe(0);
    }));

  test('has real pipes, which can be opened by name', () =>
    run(async () => {
      const p = new Popen(sh('cat /dev/stdin > /dev/stdout; echo oops > /dev/stderr'), {
        stdin: PIPE,
        stdout: PIPE,
        stderr: PIPE,
      });
      expect((await p.communicate('named')).map(text)).toEqual(['named', 'oops\n']);
    }));

  test('has pipes that block, as programs expect', () =>
    run(async () => {
      // dd fails with EAGAIN on a descriptor that does not block.
      const p = new Popen(['dd', 'bs=100k', 'count=20', 'iflag=fullblock', 'status=none'], {
        stdin: PIPE,
        stdout: PIPE,
      });
      const data = Buffer.alloc(2_048_000, 'x');
      const writer = await spawn(async () => {
        await sleep(0.01);
        await p.stdin.write(data);
        await p.stdin.close();
      });
      expect((await p.stdout.readExactly(data.length)).equals(data)).toBe(true);
      await writer.join();
      expect(await p.wait()).toBe(0);
      await p.stdout.close();
    }));
});

describe('the end of a process', () => {
  test('reaches a task that is cancelled between its waking and its turn; the cancellation comes next', () =>
    run(async () => {
      const exit = new Exit();
      let seen: unknown;
      const waiter = await spawn(async () => {
        seen = await exit.wait('test');
        await sleep(0);
      });
      await sleep(0);
      exit.ended(7);
      await waiter.cancel();
      expect(seen).toBe(7);
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('does not reach a task that was cancelled before', () =>
    run(async () => {
      const exit = new Exit();
      const waiter = await spawn(() => exit.wait('test'));
      await sleep(0);
      await waiter.cancel({ blocking: false });
      exit.ended(7);
      await waiter.wait();
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
      expect(await exit.wait('test')).toBe(7);
    }));

  test('comes once', async () => {
    const exit = new Exit();
    exit.ended(1);
    exit.ended(2);
    exit.failed(new Error('late'));
    expect([exit.returncode, exit.error]).toEqual([1, null]);
  });
});

describe('arguments', () => {
  const refuse = (args: unknown, options: unknown, message: string | RegExp) => {
    const make = () => new Popen(args as string[], options as object);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(message);
  };

  test('are words, and at least one', () => {
    refuse([], {}, 'Popen() was given an empty command.');
    refuse(['ls', 5], {}, 'a command is made of strings, and 5 is none');
    refuse(undefined, {}, "Popen() wants a command such as ['ls', '-l'], not undefined");
    refuse(new Set(['ls']), {}, 'not an instance of Set');
    refuse(['nul\0byte'], {}, /null bytes/);
  });

  test('know no text, in bytes and out bytes', () => {
    for (const option of ['text', 'encoding', 'errors', 'universalNewlines'])
      refuse(['ls'], { [option]: true }, `Popen() has no option '${option}': bytes in, bytes out`);
  });

  test('are spelled as here, and what is unknown is refused', () => {
    refuse(['ls'], { timeout: 5 }, "Popen() has no option 'timeout': write timeoutAfter(");
    refuse(['ls'], { detached: true }, 'write processGroup: true');
    refuse(['ls'], { stdOut: PIPE }, "Popen() has no option 'stdOut'. It knows stdin, stdout, stderr");
    refuse(['ls'], { input: 'x' }, "Popen() has no option 'input'");
    refuse(['ls'], null, 'Popen() wants an object of options, not null');
  });

  test('of the wrong kind are refused', () => {
    refuse(['ls'], { cwd: 5 }, 'Popen() wants a string as cwd, not 5');
    refuse(['ls'], { executable: {} }, 'Popen() wants a string as executable');
    refuse(['ls'], { env: 'A=1' }, 'Popen() wants an object as env');
    refuse(['ls'], { shell: 1 }, 'Popen() wants true or the path of a shell as shell, not 1');
    refuse(['ls'], { stdin: STDOUT }, 'Popen() wants PIPE, DEVNULL, a descriptor');
    refuse(['ls'], { stdout: -7 }, 'Popen() wants PIPE, DEVNULL, a descriptor');
    refuse(['ls'], { stderr: 'pipe' }, 'Popen() wants PIPE, DEVNULL, STDOUT, a descriptor');
    refuse(['ls'], { stdout: 1.5 }, 'not 1.5');
    refuse(['ls'], { stdout: {} }, 'which has no descriptor');
  });

  test('that are refused leave nothing open', () => {
    const before = descriptors();
    refuse(['ls'], { stdin: PIPE, stdout: PIPE, stderr: 'pipe' }, 'as stderr');
    expect(descriptors()).toBe(before);
  });

  test('input without a pipe for it is refused', () =>
    run(async () => {
      const p = new Popen(['true']);
      expect(() => p.communicate('input')).toThrow(TypeError);
      expect(() => p.communicate('input')).toThrow('start it with stdin: PIPE');
      expect(() => p.communicate(5 as never)).toThrow(TypeError);
      expect(() => p.communicate({ inputs: 'x' } as never)).toThrow("no option 'inputs'");
      await p.communicate();
      expect((await currentTask()).state).toBe('RUNNING');
    }));

  test('a process shows itself', () =>
    run(async () => {
      const p = new Popen(['true', 'x']);
      expect(String(p)).toBe(`Popen(true x, pid ${p.pid}, running)`);
      await p.wait();
      expect(String(p)).toBe(`Popen(true x, pid ${p.pid}, returncode 0)`);
    }));
});
