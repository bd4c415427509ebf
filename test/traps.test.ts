// The traps of the reference manual, as curio/traps shows them.

import {
  CancelledError,
  disableCancellation,
  Kernel,
  ReadResourceBusy,
  RuntimeError,
  run,
  setCancellation,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  WriteResourceBusy,
} from 'curio';
import { SchedBarrier, SchedFIFO } from 'curio/sched';
import { VirtualClock } from 'curio/testing';
import * as traps from 'curio/traps';
import { describe, expect, test } from 'vitest';
import { WaitSlot } from '../src/traps.ts';
import { recorder } from './kit/recorder.ts';

class Oops extends Error {}

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** What drivers give sockets: two places to wait at. */
class FakeSocket {
  readonly readiness = {
    reader: new WaitSlot(),
    writer: new WaitSlot(),
    poll: (direction: 'reader' | 'writer') => this.ready.has(direction),
  };
  readonly ready = new Set<'reader' | 'writer'>();
}

describe('the blocking traps', () => {
  const blocking: Record<string, () => Promise<unknown>> = {
    readWait: () => traps.readWait(null as never),
    writeWait: () => traps.writeWait(null as never),
    futureWait: () => traps.futureWait(null as never),
    schedulerWait: () => traps.schedulerWait(null as never, 'NEVER'),
    sleep: () => traps.sleep(null as never),
  };

  for (const [name, call] of Object.entries(blocking)) {
    test(`${name} checks for a pending cancellation before it looks at its arguments`, async () => {
      await run(quiet(), async () => {
        const pending = new TaskCancelled('was pending');
        await setCancellation(pending);
        await expect(call()).rejects.toBe(pending);
        await sleep(1);
      });
    });

    test(`${name} refuses arguments that are none, and the task goes on`, async () => {
      await run(quiet(), async () => {
        await expect((async () => call())()).rejects.toThrow(TypeError);
        expect(await sleep(1)).toBe(1);
      });
    });

    test(`${name} is refused outside a task, and behind the end of one`, async () => {
      await expect(call()).rejects.toThrow(RuntimeError);
      await expect(call()).rejects.toThrow(/outside a task/);
    });
  }
});

describe('readWait() and writeWait()', () => {
  test('wait in READ_WAIT and WRITE_WAIT, side by side, and ioWaiting tells who', async () => {
    await run(quiet(), async () => {
      const socket = new FakeSocket();
      expect(await traps.ioWaiting(socket)).toEqual([null, null]);
      const reader = await spawn(() => traps.readWait(socket));
      const writer = await spawn(() => traps.writeWait(socket));
      await sleep(1);
      expect([reader.state, writer.state]).toEqual(['READ_WAIT', 'WRITE_WAIT']);
      const [r, w] = await traps.ioWaiting(socket);
      expect([r === reader, w === writer]).toEqual([true, true]);
      socket.readiness.writer.wake();
      await writer.join();
      expect((await traps.ioWaiting(socket))[1]).toBe(null);
      await reader.cancel();
      expect(await traps.ioWaiting(socket)).toEqual([null, null]);
    });
  });

  test('are over at once if the direction is ready', async () => {
    await run(quiet(), async () => {
      const socket = new FakeSocket();
      socket.ready.add('reader');
      await traps.readWait(socket);
      await expect(timeoutAfter(1, () => traps.writeWait(socket))).rejects.toThrow(TaskTimeout);
    });
  });

  test('refuse a second task in the same direction, and leave the first in peace', async () => {
    await run(quiet(), async () => {
      const socket = new FakeSocket();
      const reader = await spawn(async () => {
        await traps.readWait(socket);
        return 'read';
      });
      const writer = await spawn(() => traps.writeWait(socket));
      await sleep(1);
      await expect(traps.readWait(socket)).rejects.toThrow(ReadResourceBusy);
      await expect(traps.writeWait(socket)).rejects.toThrow(WriteResourceBusy);
      await expect(traps.readWait(socket)).rejects.toThrow(new RegExp(`Task\\(id=${reader.id}`));
      await writer.cancel();
      socket.readiness.reader.wake();
      expect(await reader.join()).toBe('read');
    });
  });

  test('ioWaiting of something unknown knows nobody', async () => {
    await run(quiet(), async () => {
      expect(await traps.ioWaiting(123_456)).toEqual([null, null]);
      expect(await traps.ioWaiting({ fileno: () => 123_456 })).toEqual([null, null]);
      expect(await traps.ioWaiting({ fileno: () => -1 })).toEqual([null, null]);
      for (const wrong of [null, {}, 'socket', Number.NaN])
        await expect(traps.ioWaiting(wrong as never)).rejects.toThrow(/wants a descriptor or an object/);
    });
  });
});

describe('futureWait()', () => {
  test('gives the value of a promise, or throws its error', async () => {
    await run(quiet(), async () => {
      expect(await traps.futureWait(Promise.resolve(5))).toBe(5);
      await expect(traps.futureWait(Promise.reject(new Oops()))).rejects.toThrow(Oops);
    });
  });
});

describe('cancelTask()', () => {
  test('returns at once, and tells whether it asked', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => sleep(1000));
      await sleep(0);
      expect(await traps.cancelTask(task)).toBe(true);
      expect(task.terminated).toBe(false);
      expect(await traps.cancelTask(task)).toBe(false);
      await task.wait();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect(await traps.cancelTask(task)).toBe(false);
    });
  });

  test('takes the class of the exception and its message, or the exception', async () => {
    await run(quiet(), async () => {
      const oops = new Oops('this one');
      const caught = async (...args: [unknown?, string?]) => {
        const task = await spawn(() => sleep(1000).catch((error) => error));
        await sleep(0);
        await traps.cancelTask(task, ...args);
        return task.join();
      };
      expect(await caught(CancelledError, 'a reason')).toMatchObject({
        name: 'CancelledError',
        message: 'a reason',
      });
      expect(await caught(Oops, 'a reason')).toMatchObject({ message: 'a reason' });
      expect(await caught(oops)).toBe(oops);
      expect(await caught()).toBeInstanceOf(TaskCancelled);
    });
  });

  test('refuses what is no task', async () => {
    await run(quiet(), async () => {
      for (const bad of [null, undefined, 5, {}, 'task']) {
        await expect((async () => traps.cancelTask(bad as never))(), String(bad)).rejects.toThrow(TypeError);
      }
      expect(await sleep(1)).toBe(1);
    });
  });
});

describe('schedulerWait() and schedulerWake()', () => {
  test('suspend under any name, and wake first come, first served, with a value', async () => {
    await run(quiet(), async () => {
      const sched = new SchedFIFO();
      const tasks: Task<unknown>[] = [];
      for (let i = 0; i < 3; i++) tasks.push(await spawn(() => traps.schedulerWait(sched, 'MY_WAIT')));
      await sleep(1);
      expect(tasks.map((task) => task.state)).toEqual(['MY_WAIT', 'MY_WAIT', 'MY_WAIT']);
      expect(sched.length).toBe(3);
      await traps.schedulerWake(sched, 1, 'first');
      await traps.schedulerWake(sched, 5, 'rest');
      expect(await tasks[0]!.join()).toBe('first');
      expect(await tasks[1]!.join()).toBe('rest');
      expect(await tasks[2]!.join()).toBe('rest');
      await traps.schedulerWake(sched, 1);
      expect(sched.length).toBe(0);
    });
  });

  test('wake with an exception', async () => {
    await run(quiet(), async () => {
      const sched = new SchedFIFO();
      const oops = new Oops();
      const task = await spawn(() => traps.schedulerWait(sched, 'MY_WAIT').catch((error) => error));
      await sleep(1);
      await traps.schedulerWake(sched, 1, undefined, oops);
      expect(await task.join()).toBe(oops);
    });
  });

  test('wake nobody for a number that is none', async () => {
    await run(quiet(), async () => {
      const sched = new SchedFIFO();
      const task = await spawn(() => sched.suspend('MY_WAIT'));
      await sleep(1);
      for (const n of [0, -1]) await traps.schedulerWake(sched, n);
      expect(sched.length).toBe(1);
      await task.cancel();
    });
  });

  test('refuse what is no scheduling primitive', async () => {
    await run(quiet(), async () => {
      for (const bad of [null, {}, [], new Map()]) {
        await expect((async () => traps.schedulerWait(bad as never, 'X'))()).rejects.toThrow(TypeError);
        await expect((async () => traps.schedulerWake(bad as never))()).rejects.toThrow(TypeError);
      }
      expect(await sleep(1)).toBe(1);
    });
  });

  test('do not lose a wake-up to a cancellation that comes after it', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const sched = new SchedBarrier();
      const task = await spawn(async () => {
        await sched.suspend('MY_WAIT');
        log.push('woken');
        await sleep(1);
        log.push('not reached');
      });
      await sleep(1);
      await sched.wake();
      await task.cancel();
    });
    expect(log).toEqual(['woken']);
  });
});

describe('getKernel() and getCurrent()', () => {
  test('give the kernel and the task of the caller', async () => {
    await using kernel = new Kernel(quiet());
    await kernel.run(async () => {
      expect(await traps.getKernel()).toBe(kernel);
      const task = await spawn(() => traps.getCurrent());
      expect(await task.join()).toBe(task);
    });
  });
});

describe('clock() and sleep()', () => {
  test('read the clock without yielding, and sleep by it', async () => {
    const log: string[] = [];
    await run({ clock: new VirtualClock({ start: 10 }) }, async () => {
      await spawn({ daemon: true }, async () => log.push('other'));
      log.push(String(await traps.clock()));
      log.push(String(await traps.sleep(0)));
      log.push(String(await traps.sleep(2.5)));
    });
    expect(log).toEqual(['10', 'other', '10', '12.5']);
  });
});

describe('setTimeout() and unsetTimeout()', () => {
  test('limit whatever the task does in between', async () => {
    await run(quiet(), async () => {
      expect(await traps.setTimeout(5)).toBe(null);
      await sleep(3);
      await expect(sleep(10)).rejects.toThrow(TaskTimeout);
      expect(await traps.clock()).toBe(5);
      await traps.unsetTimeout(null);
      expect(await sleep(100)).toBe(105);
    });
  });

  test('nest: the earlier deadline holds, and the previous one comes back', async () => {
    await run(quiet(), async () => {
      const outer = await traps.setTimeout(10);
      const inner = await traps.setTimeout(100);
      expect([outer, inner]).toEqual([null, 10]);
      expect(await traps.setTimeout(3)).toBe(10);
      await expect(sleep(50)).rejects.toThrow(TaskTimeout);
      expect(await traps.clock()).toBe(3);
      await traps.unsetTimeout(10);
      await expect(sleep(50)).rejects.toThrow(TaskTimeout);
      expect(await traps.clock()).toBe(10);
      await traps.unsetTimeout(null);
      expect(await sleep(50)).toBe(60);
    });
  });

  test('setTimeout(null) leaves the one that is in force', async () => {
    await run(quiet(), async () => {
      await traps.setTimeout(5);
      expect(await traps.setTimeout(null)).toBe(5);
      await expect(sleep(50)).rejects.toThrow(TaskTimeout);
    });
  });

  test('removing a timeout never raises one that is pending: it is forgotten', async () => {
    const time = new VirtualClock();
    await run({ clock: time, logger: recorder() }, async () => {
      await traps.setTimeout(5);
      // Shielded, the timeout becomes pending.
      await disableCancellation(() => sleep(10));
      await traps.unsetTimeout(null);
      expect(await sleep(1)).toBe(11);
    });
  });

  test('a timeout that is over before the task blocks is delivered at the first operation that does', async () => {
    await run(quiet(), async () => {
      await traps.setTimeout(0);
      await expect(sleep(1)).rejects.toThrow(TaskTimeout);
      await traps.unsetTimeout(null);
      await sleep(1);
    });
  });

  test('refuse what is no number of seconds', async () => {
    await run(quiet(), async () => {
      for (const bad of [Number.NaN, '5', {}]) {
        await expect((async () => traps.setTimeout(bad as never))()).rejects.toThrow(TypeError);
        await expect((async () => traps.unsetTimeout(bad as never))()).rejects.toThrow(TypeError);
        await expect((async () => traps.sleep(bad as never))()).rejects.toThrow(TypeError);
      }
      expect(await sleep(1)).toBe(1);
    });
  });
});

describe('the traps that do not block', () => {
  test('are refused outside a task', async () => {
    const ended = await run(quiet(), () => traps.getCurrent());
    const calls = [
      () => traps.ioWaiting(0),
      () => traps.cancelTask(ended),
      () => traps.schedulerWake(new SchedFIFO()),
      () => traps.getKernel(),
      () => traps.getCurrent(),
      () => traps.setTimeout(1),
      () => traps.unsetTimeout(null),
      () => traps.clock(),
    ];
    for (const call of calls)
      await expect(call()).rejects.toThrow(/outside a task. Start one with run\(fn\)/);
  });
});
