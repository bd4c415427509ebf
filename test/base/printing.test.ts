// What console.log() shows of Curio's objects.

import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import {
  aopen,
  BoundedSemaphore,
  Condition,
  Event,
  Lock,
  PriorityQueue,
  Queue,
  Result,
  RLock,
  run,
  Semaphore,
  SignalEvent,
  SignalQueue,
  spawn,
  spawnThread,
  TaskGroup,
} from 'curio';
import { FileStream } from 'curio/io';
import { AF_INET, SOCK_DGRAM, socket } from 'curio/socket';
import { expect, test } from 'vitest';

test('what waits and what is waited for is printed with its state', () =>
  run(async () => {
    const lock = new Lock();
    await lock.acquire();
    const queue = new Queue<number>(2);
    await queue.put(5);
    expect(inspect({ lock, queue })).toBe(
      '{\n  lock: Lock(locked, 0 waiting),\n  queue: Queue(1 of 2 items, 0 getting, 0 putting)\n}',
    );
    await lock.release();
  }));

test('a stream is printed with what it has received and nobody has read', () =>
  run(async () => {
    await using stream = new FileStream(Readable.from(['one\ntwo\n'], { objectMode: false }));
    expect(inspect(stream)).toBe('FileStream(open)');
    await stream.readline();
    expect(inspect(stream)).toBe('FileStream(open, 4 bytes unread)');
    await stream.readline();
    await stream.close();
    expect(inspect(stream)).toBe('FileStream(closed)');
  }));

test('everything that has a text is printed as that', () =>
  run(async () => {
    await using sock = socket(AF_INET, SOCK_DGRAM);
    await using file = await aopen(import.meta.filename);
    await using group = new TaskGroup();
    using event = new SignalEvent('SIGUSR2');
    using signals = new SignalQueue('SIGUSR2', 'SIGWINCH');
    const task = await spawn(() => {});
    const thread = await spawnThread(() => {});
    const things = [new Event(), new Result(), new RLock(), new Semaphore(3), new BoundedSemaphore()];
    const more = [new Condition(), new PriorityQueue(), group, sock, file, event, signals, task, thread];
    for (const thing of [...things, ...more]) {
      expect(inspect(thing)).toBe(String(thing));
      expect(inspect(thing)).toMatch(new RegExp(`^${thing.constructor.name}\\(`));
    }
    expect(inspect(event)).toBe('SignalEvent(SIGUSR2: unset, 0 waiting)');
    expect(inspect(signals)).toBe('SignalQueue(SIGUSR2, SIGWINCH: 0 arrived, 0 waiting)');
    await thread.join();
    await task.join();
  }));
