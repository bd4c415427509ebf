// Several tasks and one file: they take turns, operation by operation, first come, first served, in whatever order they run.

import { readFileSync } from 'node:fs';
import { gather, run, sleep, spawn, TaskGroup } from 'curio';
import { aopen } from 'curio/file';
import { explore, VirtualClock } from 'curio/testing';
import { expect, test } from 'vitest';
import { allClosed, makeFolder } from './folder.ts';

const folder = makeFolder();

test('whoever asks first is served first', async () => {
  const { path, fd } = folder.pipe();
  const { closeSync, writeSync } = await import('node:fs');
  await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
    await using file = await aopen(path);
    const log: string[] = [];
    const reader = async (name: string) => {
      for (let i = 0; i < 2; i++) log.push(`${name} ${(await file.readline()).trim()}`);
    };
    const group = new TaskGroup();
    for (const name of ['a', 'b', 'c']) await group.spawn(reader, name);
    await sleep(1);
    const [first, second] = [...group.tasks];
    expect([first!.state, second!.state]).toEqual(['FUTURE_WAIT', 'LOCK_ACQUIRE']);
    writeSync(fd, '1\n2\n3\n4\n');
    await sleep(1);
    writeSync(fd, '5\n6\n');
    await group.join();
    expect(log).toEqual(['a 1', 'b 2', 'c 3', 'a 4', 'b 5', 'c 6']);
  });
  closeSync(fd);
});

test('lines that several tasks read are each read once, in whatever order the tasks run', async () => {
  const lines = Array.from({ length: 40 }, (_, i) => `${i} ${'é'.repeat(i * 37)}\n`);
  const path = folder.file(lines.join(''));
  await explore(
    async () => {
      await using file = await aopen(path);
      const seen: string[] = [];
      const byLoop = async () => {
        for await (const line of file) {
          seen.push(line);
          await sleep(0);
        }
      };
      const byLine = async () => {
        for (let line = await file.readline(); line !== ''; line = await file.readline()) {
          seen.push(line);
          await sleep(0);
        }
      };
      await gather([byLoop, byLine, byLoop]);
      if (seen.sort().join('') !== lines.sort().join('')) throw new Error('not each line once');
    },
    { seeds: 30 },
  );
  await allClosed(path);
});

test('lines that several tasks write stay whole, and those of each task in order', async () => {
  let path = '';
  await explore(
    async () => {
      path = folder.file();
      await using file = await aopen(path, 'w');
      const writer = async (name: string) => {
        for (let i = 0; i < 20; i++) {
          await file.write(`${name} ${i} ${'€'.repeat(i * 100)}\n`);
          if (i % 3 === 0) await file.flush();
          else await sleep(0);
        }
      };
      await gather(['a', 'b', 'c'].map((name) => () => writer(name)));
      await file.flush();
      const written = readFileSync(path, 'utf8').split('\n').slice(0, -1);
      for (const name of ['a', 'b', 'c']) {
        const own = written.filter((line) => line.startsWith(name));
        const expected = Array.from({ length: 20 }, (_, i) => `${name} ${i} ${'€'.repeat(i * 100)}`);
        if (own.join() !== expected.join()) throw new Error(`lines of ${name} are wrong`);
      }
      if (written.length !== 60) throw new Error(`${written.length} lines`);
    },
    { seeds: 30 },
  );
  await allClosed(path);
});

test('one task reads the file that another writes', async () => {
  const path = folder.file();
  await run(async () => {
    await using file = await aopen(path, 'w+b');
    const writer = await spawn(async () => {
      for (let i = 0; i < 100; i++) {
        await file.seek(0, 2);
        await file.write(`${i}\n`);
        await sleep(0);
      }
    });
    await writer.join();
    await file.seek(0);
    expect((await file.readlines()).join('')).toBe(Array.from({ length: 100 }, (_, i) => `${i}\n`).join(''));
  });
});

test('a task that ends while it waits for its turn does not hold up the others', async () => {
  const { path, fd } = folder.pipe();
  const { closeSync, writeSync } = await import('node:fs');
  await run({ clock: new VirtualClock({ patience: 0.05 }) }, async () => {
    await using file = await aopen(path);
    const first = await spawn(() => file.readline());
    const second = await spawn(() => file.readline());
    const third = await spawn(() => file.readline());
    await sleep(1);
    await second.cancel();
    writeSync(fd, '1\n3\n');
    expect([await first.join(), await third.join()]).toEqual(['1\n', '3\n']);
  });
  closeSync(fd);
});
