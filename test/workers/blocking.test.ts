// Sockets in blocking mode, in threads: what the tutorial does with `client.blocking()` and code that blocks.

import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import {
  AWAIT,
  aopen,
  gather,
  NotSupportedError,
  run,
  runInProcess,
  runInThread,
  sleep,
  spawn,
  spawnThread,
  WriteResourceBusy,
} from 'curio';
import { FileStream } from 'curio/io';
import { AF_UNIX, socketpair } from 'curio/socket';
import { afterAll, expect, test } from 'vitest';
import { onEachDriver, onPosix } from '../kit/drivers.ts';

onPosix('what blocking() of a socket gives', () => {
  test('may be handed to runInThread: its calls block that thread, and no task', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      using blocking = here.blocking();
      const [answer, heard] = await gather([
        () =>
          runInThread(
            (raw, greeting) => {
              raw.sendall(greeting);
              return raw.recv(100).toString();
            },
            blocking.raw,
            'from a thread',
          ),
        async () => {
          const greeting = await there.recv(100);
          await there.sendall('from a task');
          return greeting.toString();
        },
      ]);
      expect([answer, heard]).toEqual(['from a task', 'from a thread']);
    }));

  test('may be handed to spawnThread, beside objects that the thread awaits', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      using blocking = here.blocking();
      const thread = await spawnThread(
        (raw, { peer }) => {
          raw.sendall('directly');
          const heard = String(AWAIT(peer.recv(100)));
          AWAIT(peer.sendall(`${heard} and back`));
          return String(raw.recv(100));
        },
        blocking.raw,
        { peer: there },
      );
      expect(await thread.join()).toBe('directly and back');
    }));

  test('is the same descriptor there, also where a function has captured it', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      const fd = here.fileno();
      const seen = await here.blocking((raw) => runInThread(() => raw.fileno()));
      expect(seen).toBe(fd);
      await here.sendall('x');
      expect((await there.recv(10)).toString()).toBe('x');
    }));

  test('is refused by runInProcess, where the descriptor would be another', () =>
    run(async () => {
      const [here, there] = socketpair(AF_UNIX);
      await using _here = here;
      await using _there = there;
      using blocking = here.blocking();
      const { raw } = blocking;
      expect(() => runInProcess((it) => it.fileno(), raw)).toThrow(
        'which only threads of this process can reach',
      );
      await expect(runInProcess(() => raw.fileno())).rejects.toThrow(
        'which only threads of this process can reach',
      );
    }));
});

const folder = mkdtempSync(join(tmpdir(), 'curio-blocking-'));
afterAll(() => rmSync(folder, { recursive: true }));

onEachDriver('what blocking() of a stream over a file gives', (driver) => {
  test('reads and writes here, in a worker, and in an async thread, each going on where the one before has come to', () =>
    run(async () => {
      const path = join(folder, `file-${driver}`);
      await using stream = new FileStream(openSync(path, 'w+'));
      const fd = stream.fileno();
      await stream.write('one ');
      await stream.blocking((raw) => {
        expect([raw.write('two '), raw.write(Buffer.from('three ')), raw.fileno()]).toEqual([4, 6, fd]);
      });
      await stream.write('four ');
      await stream.flush();
      {
        using block = stream.blocking();
        expect(await runInThread((raw) => raw.write('five '), block.raw)).toBe(5);
        const thread = await spawnThread((raw) => raw.write('six'), block.raw);
        expect(await thread.join()).toBe(3);
        await expect(stream.write('no')).rejects.toThrow(WriteResourceBusy);
      }
      await stream.write('!');
      await stream.flush();
      expect(readFileSync(path, 'utf8')).toBe('one two three four five six!');
      await using again = new FileStream(openSync(path, 'r'));
      expect(await again.blocking((raw) => runInThread((it) => String(it.read(3)), raw))).toBe('one');
      expect(String(await again.read(4))).toBe(' two');
      expect(await again.blocking((raw) => String(raw.read(1000)))).toBe(' three four five six!');
      expect(await again.blocking((raw) => raw.read(1000).length)).toBe(0);
    }));

  test('is refused while something is unread, or written and not flushed', () =>
    run(async () => {
      const path = join(folder, `busy-${driver}`);
      await using stream = new FileStream(openSync(path, 'w+'));
      await stream.write('written');
      expect(() => stream.blocking()).toThrow(/EIO.*await its flush\(\) first/);
      await stream.flush();
      stream.blocking()[Symbol.dispose]();
      await using reading = new FileStream(openSync(path, 'r'));
      const left = await spawn(() => reading.read(3));
      await sleep(0);
      await left.cancel();
      expect(() => reading.blocking()).toThrow(/EIO.*unread data/);
      expect(String(await reading.read(100))).toBe('wri');
      expect(await reading.blocking((raw) => String(raw.read(100)))).toBe('tten');
    }));

  test('a stream of Node’s has none, and says so', () =>
    run(async () => {
      await using stream = new FileStream(new PassThrough());
      expect(() => stream.blocking()).toThrow(NotSupportedError);
      expect(() => stream.blocking()).toThrow(/^blocking\(\) of a stream: Node has no way to do that/);
    }));
});

test('what has nothing but private parts is refused by spawnThread, which says what to give it instead', () =>
  run(async () => {
    class Secret {
      #number = 5;
      show(): number {
        return this.#number;
      }
    }
    await using file = await aopen(join(folder, 'file'), 'w');
    using block = file.blocking();
    for (const shell of [block.raw, new Secret()]) {
      await expect(spawnThread((it) => typeof it, shell)).rejects.toThrow(
        /of argument 1, an instance of \w+, nothing would arrive\. Give it .* whose operations the thread calls with AWAIT/,
      );
    }
    block[Symbol.dispose]();
    const thread = await spawnThread((it) => AWAIT(it.write('text')), file);
    expect(await thread.join()).toBe(4);
  }));
