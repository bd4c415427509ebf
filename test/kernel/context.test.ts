// Who is calling: the current task follows the code, and nothing else; the user's own AsyncLocalStorage follows it as well.

import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { EventEmitter, once } from 'node:events';
import { createServer, get } from 'node:http';
import { setTimeout as later } from 'node:timers/promises';
import { currentTask, Event, gather, Queue, run, sleep, spawn, type Task, timeoutAfter, wait } from 'curio';
import { curioRunning } from 'curio/meta';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';

const clock = () => ({ clock: new VirtualClock() });

describe('the current task', () => {
  test('is that of the caller, wherever its code goes on', async () => {
    await run(async () => {
      const check = async (self: Task) => {
        expect(await currentTask()).toBe(self);
        await later(1);
        expect(await currentTask()).toBe(self);
        await new Promise<void>((resolve) => setImmediate(resolve));
        expect(await currentTask()).toBe(self);
        await new Promise<void>((resolve) => process.nextTick(resolve));
        expect(await currentTask()).toBe(self);
        const emitter = new EventEmitter();
        queueMicrotask(() => emitter.emit('event'));
        await once(emitter, 'event');
        expect(await currentTask()).toBe(self);
        await sleep(0);
        expect(await currentTask()).toBe(self);
      };
      const tasks: Task<void>[] = [];
      for (let i = 0; i < 20; i++) tasks.push(await spawn(async () => check(await currentTask())));
      await check(await currentTask());
      for (const task of tasks) await task.join();
    });
  });

  test('is nobody for the caller of run(), before, meanwhile and after', async () => {
    const seen: boolean[] = [];
    const look = () => seen.push(curioRunning());
    look();
    const running = run(clock(), async () => {
      await sleep(1);
      await later(1);
    });
    look();
    for (let i = 0; i < 10; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      look();
    }
    await running;
    look();
    await later(1);
    look();
    expect(new Set(seen)).toEqual(new Set([false]));
  });

  test('is nobody for whoever settles a promise that a task awaits, or listens to it too', async () => {
    let settle!: () => void;
    const promise = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const listener = promise.then(() => curioRunning());
    await run(async () => {
      const task = await spawn(() => wait(promise));
      await sleep(0);
      setImmediate(AsyncResource.bind(settle));
      await task.join();
    });
    expect(await listener).toBe(false);
  });

  test('of a server’s callbacks is not that of the task that made a request', async () => {
    const seen: boolean[] = [];
    const server = createServer((_request, response) => {
      seen.push(curioRunning());
      response.end('ok');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    try {
      await run(async () => {
        const self = await currentTask();
        const [response] = await wait(once(get({ port, host: '127.0.0.1', agent: false }), 'response'));
        response.resume();
        expect(await currentTask()).toBe(self);
      });
    } finally {
      server.close();
    }
    expect(seen).toEqual([false]);
  });
});

describe('an AsyncLocalStorage of the user’s', () => {
  const storage = new AsyncLocalStorage<string>();

  test('is inherited by a task from whoever spawned it', async () => {
    await storage.run('outside', () =>
      run(clock(), async () => {
        expect(storage.getStore()).toBe('outside');
        const inherits = await spawn(async () => {
          await sleep(1);
          return storage.getStore();
        });
        const own = await storage.run('inside', () => spawn(() => sleep(1).then(() => storage.getStore())));
        expect(await inherits.join()).toBe('outside');
        expect(await own.join()).toBe('inside');
        expect(storage.getStore()).toBe('outside');
      }),
    );
  });

  test('keeps its value in each task through every kind of wait, whoever wakes it', async () => {
    await run(clock(), async () => {
      const queue = new Queue<number>();
      const event = new Event();
      const worker = (name: string) => async () => {
        const check = () => expect(storage.getStore()).toBe(name);
        check();
        await sleep(1);
        check();
        await queue.get();
        check();
        await event.wait();
        check();
        await timeoutAfter(1, () => new Event().wait()).catch(check);
        check();
        await wait(later(1));
        check();
        await later(1);
        check();
      };
      const tasks: Task<void>[] = [];
      for (const name of ['a', 'b', 'c']) tasks.push(await storage.run(name, () => spawn(worker(name))));
      await storage.run('main', async () => {
        await sleep(2);
        for (let i = 0; i < 3; i++) await queue.put(i);
        await sleep(1);
        await event.set();
        expect(storage.getStore()).toBe('main');
        await gather(tasks.map((task) => () => task.join()));
        expect(storage.getStore()).toBe('main');
      });
    });
    expect(storage.getStore()).toBe(undefined);
  });
});
