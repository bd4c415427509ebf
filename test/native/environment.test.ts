// The addon's life in an environment: several threads at once, and every way an environment can end with watches
// alive. `programs/environment.mjs` is the environment.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { addonPath, available, posix } from './addon.ts';

const program = fileURLToPath(new URL('programs/environment.mjs', import.meta.url));

async function inThread(ending: string): Promise<{ said: unknown[]; code: number; error?: Error }> {
  const worker = new Worker(program, { workerData: { addon: addonPath, ending } });
  const said: unknown[] = [];
  let error: Error | undefined;
  worker.on('message', (message) => said.push(message));
  worker.on('error', (it) => {
    error = it;
  });
  if (ending === 'when terminated' || ending === 'while held') {
    await once(worker, 'message');
    await worker.terminate();
    return { said, code: 0 };
  }
  const code = await new Promise<number>((resolve) => worker.once('exit', resolve));
  return { said, code, error };
}

async function inProcess(ending: string): Promise<{ said: string; code: number; complaint: string }> {
  const child = spawn(process.execPath, [program, addonPath, ending], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
    if (text.includes('busy') || text.includes('holding')) child.kill('SIGTERM');
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    complaint += text;
  });
  const [code] = await once(child, 'close');
  return { said, code, complaint };
}

const descriptorsOpen = (): number => readdirSync('/proc/self/fd').length;

describe.runIf(available)('a worker thread', () => {
  test('ends by itself while watches are alive', async () => {
    expect(await inThread('by itself')).toMatchObject({ said: ['done'], code: 0, error: undefined });
    expect(await inThread('at once')).toMatchObject({ said: ['never waited'], code: 0 });
  });

  test('closes what it was told to close, and nothing else', async () => {
    const worker = new Worker(program, {
      workerData: { addon: addonPath, ending: 'with descriptors of its own' },
    });
    const [[mine, given, other, lent]] = (await once(worker, 'message')) as [
      [number, number, number, number],
    ];
    await worker.terminate();
    expect(posix.getFlags(mine)).toBe(-constants.errno.EBADF);
    for (const fd of [given, other, lent]) {
      expect(posix.getFlags(fd)).toBeGreaterThanOrEqual(0);
      posix.close(fd);
    }
    expect(posix.closeAtExit(-1, true)).toBe(-constants.errno.EBADF);
    expect(() => posix.closeAtExit('1' as never, true)).toThrow(TypeError);
    expect(() => posix.closeAtExit(1, 1 as never)).toThrow(TypeError);
  });

  test('is terminated while events pour in, or while it waits', async () => {
    for (let i = 0; i < 5; i++) await inThread('when terminated');
    await inThread('while held');
  });

  test('exits in the middle of an event', async () => {
    expect(await inThread('by process.exit in an event')).toMatchObject({ said: ['leaving'], code: 7 });
  });

  test('reports what an event’s callback throws, and goes on when that is caught', async () => {
    expect((await inThread('by an exception in an event')).error?.message).toBe('thrown in an event');
    expect(await inThread('after a caught exception')).toMatchObject({
      said: ['caught: thrown in an event'],
      code: 0,
    });
  });

  test('leaves no descriptor of the addon’s behind', async () => {
    await inThread('at once');
    const before = descriptorsOpen();
    for (let i = 0; i < 5; i++) await inThread('at once');
    expect(descriptorsOpen()).toBe(before);
  });

  test('is one of several that use the addon at once', async () => {
    const results = await Promise.all(Array.from({ length: 6 }, () => inThread('by itself')));
    for (const result of results) expect(result).toMatchObject({ said: ['done'], code: 0 });
  });
});

describe.runIf(available)('a process', () => {
  test('ends by itself while watches are alive', async () => {
    expect(await inProcess('by itself')).toEqual({ said: 'done\n', code: 0, complaint: '' });
    expect(await inProcess('at once')).toEqual({ said: 'never waited\n', code: 0, complaint: '' });
  });

  test('outlives its threads, however they end', async () => {
    expect(await inProcess('after many threads')).toEqual({ said: 'all ended\n', code: 0, complaint: '' });
  });

  test('is held by ref, not by watching', async () => {
    expect(await inProcess('while held')).toMatchObject({ said: 'holding\n', code: null });
  });

  test('exits in the middle of an event', async () => {
    expect(await inProcess('by process.exit in an event')).toMatchObject({ said: 'leaving\n', code: 7 });
  });

  test('dies of what an event’s callback throws, unless it is caught', async () => {
    const died = await inProcess('by an exception in an event');
    expect(died.code).toBe(1);
    expect(died.complaint).toContain('thrown in an event');
    expect(await inProcess('after a caught exception')).toMatchObject({
      said: 'caught: thrown in an event\n',
      code: 0,
    });
  });

  test('gives its children none of its sockets', () => {
    const list = `
      const posix = require(${JSON.stringify(addonPath)});
      const { execFileSync } = require('node:child_process');
      const inherited = () => execFileSync('ls', ['/proc/self/fd'], { encoding: 'utf8' });
      const before = inherited();
      posix.onEvents(() => {}, new Int32Array(2));
      const { AF_INET, AF_UNIX, SOCK_STREAM } = posix.constants;
      posix.socket(AF_INET, SOCK_STREAM);
      posix.socketpair(AF_UNIX, SOCK_STREAM);
      posix.dup(posix.pipe()[0]);
      process.stdout.write(String(before === inherited()));
    `;
    expect(execFileSync(process.execPath, ['-e', list], { encoding: 'utf8' })).toBe('true');
  });
});

describe.runIf(available)('a file that is no addon for this machine', () => {
  test('fails to load as an ordinary error', () => {
    const folder = mkdtempSync(join(tmpdir(), 'curio-'));
    const path = join(folder, 'wrong.node');
    writeFileSync(path, 'not an ELF file');
    expect(() => createRequire(import.meta.url)(path)).toThrow(/wrong\.node/);
    rmSync(folder, { recursive: true });
  });
});
