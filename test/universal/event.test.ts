// UniversalEvent: between tasks, between kernels, and between tasks and ordinary async code.

import {
  CancelledError,
  ignoreAfter,
  Kernel,
  run,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  UniversalEvent,
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('between two tasks', () => {
  test('wait() waits until it is set: the same order as with a plain event', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const event = new UniversalEvent();
      const waiter = await spawn(async () => {
        log.push('waiter waits', event.isSet());
        await event.wait();
        log.push('waiter done', event.isSet());
        event.clear();
        log.push(event.isSet());
      });
      const setter = await spawn(async () => {
        log.push('setter sleeps');
        await sleep(1);
        log.push('setter sets');
        await event.set();
      });
      await waiter.join();
      await setter.join();
      expect(log).toEqual([
        'waiter waits',
        false,
        'setter sleeps',
        'setter sets',
        'waiter done',
        true,
        false,
      ]);
    }));

  test('already set: wait() returns at once, without yielding', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new UniversalEvent();
      await event.set();
      const other = await spawn(async () => log.push('other'));
      await event.wait();
      log.push('main');
      await other.join();
      expect(log).toEqual(['main', 'other']);
    }));

  test('wait() honours a timeout: still unset then, and a later set is harmless', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const event = new UniversalEvent();
      const waiter = await spawn(async () => {
        log.push('waiter starts');
        await timeoutAfter(0.5, () => event.wait()).catch((error) => log.push(`waiter ${error.name}`));
        log.push(event.isSet());
      });
      const setter = await spawn(async () => {
        log.push('setter sleeps');
        await sleep(1);
        log.push('setter sets');
        await event.set();
      });
      await waiter.join();
      await setter.join();
      expect(log).toEqual(['waiter starts', 'setter sleeps', 'waiter TaskTimeout', false, 'setter sets']);
    }));

  test('cancelling one waiter does not affect the others, who wake in the order they came', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new UniversalEvent();
      const waiters = [];
      for (const name of ['a', 'b', 'c']) {
        waiters.push(
          await spawn(async () => {
            await event.wait();
            log.push(name);
          }),
        );
      }
      await sleep(1);
      await waiters[1]!.cancel();
      expect([waiters[0]!.state, String(event)]).toEqual(['FUTURE_WAIT', 'UniversalEvent(unset, 2 waiting)']);
      await event.set();
      for (const task of waiters) if (!task.cancelled) await task.join();
      expect(log).toEqual(['a', 'c']);
      expect(String(event)).toBe('UniversalEvent(set, 0 waiting)');
    }));

  test('it can be set, cleared and set again; a clear right after set does not take the wake-up back', () =>
    virtually(async () => {
      const seen: boolean[] = [];
      const event = new UniversalEvent();
      for (let round = 0; round < 3; round++) {
        const waiter = await spawn(async () => {
          await event.wait();
          seen.push(event.isSet());
        });
        await sleep(0);
        await event.set();
        await event.set();
        event.clear();
        await waiter.join();
      }
      expect(seen).toEqual([false, false, false]);
    }));

  test('who was woken and then cancelled before it ran has its event', () =>
    virtually(async () => {
      const log: string[] = [];
      const event = new UniversalEvent();
      const waiter = await spawn(async () => {
        await event.wait();
        log.push('woken');
        await sleep(1);
        log.push('never here');
      });
      await sleep(0);
      await event.set();
      await waiter.cancel();
      expect(log).toEqual(['woken']);
      expect(waiter.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('a second wait of the same task is refused at the call', () =>
    noisily(async () => {
      const event = new UniversalEvent();
      const first = event.wait();
      expect(() => event.wait()).toThrow(TaskBusyError);
      setImmediate(() => void event.set());
      await first;
    }));
});

describe('between tasks and ordinary async code', () => {
  test('set outside, waited for in a task', async () => {
    const log: string[] = [];
    const event = new UniversalEvent();
    const running = run(async () => {
      log.push('task waits');
      await event.wait();
      log.push('task done');
    });
    await turn();
    log.push('set outside');
    await event.set();
    await running;
    expect(log).toEqual(['task waits', 'set outside', 'task done']);
  });

  test('waited for outside, set in a task', async () => {
    const log: string[] = [];
    const event = new UniversalEvent();
    const outside = (async () => {
      log.push('outside waits');
      await event.wait();
      log.push('outside done', String(event.isSet()));
    })();
    await run(async () => {
      await sleep(0);
      log.push('task sets');
      await event.set();
    });
    await outside;
    expect(log).toEqual(['outside waits', 'task sets', 'outside done', 'true']);
  });

  test('both outside, no kernel at all', async () => {
    const event = new UniversalEvent();
    const waiting = [event.wait(), event.wait()];
    expect(String(event)).toBe('UniversalEvent(unset, 2 waiting)');
    await event.set();
    await Promise.all(waiting);
    await event.wait();
  });

  test('between two kernels', async () => {
    const event = new UniversalEvent();
    const log: string[] = [];
    const waiting = run(async () => {
      await event.wait();
      log.push('woken in one kernel');
    });
    await run(async () => {
      await sleep(0);
      log.push('set in the other');
      await event.set();
    });
    await waiting;
    expect(log).toEqual(['set in the other', 'woken in one kernel']);
  });

  test('set while the waiting task’s kernel stands still: the task goes on in its next run', async () => {
    const event = new UniversalEvent();
    const log: string[] = [];
    const kernel = new Kernel();
    await kernel.run(async () => {
      await spawn({ daemon: true }, async () => {
        await event.wait();
        log.push('woken');
      });
      await sleep(0);
    });
    await event.set();
    await turn();
    expect(log).toEqual([]);
    await kernel.run(() => sleep(0));
    expect(log).toEqual(['woken']);
    await kernel.run({ shutdown: true });
  });
});

test('nobody is left waiting, wherever it is interrupted and in whatever order', async () => {
  let event!: UniversalEvent;
  let woken = 0;
  const program = async () => {
    event = new UniversalEvent();
    woken = 0;
    const waiter = async () => {
      await event.wait();
      woken++;
    };
    const waiters = [await spawn(waiter), await spawn(() => ignoreAfter(5, waiter))];
    await sleep(1);
    await event.set();
    for (const task of waiters) await task.wait();
  };
  const operations = await cancelEverywhere(program, ({ kind, error }) => {
    if (error instanceof Error && !(error instanceof CancelledError)) throw error;
    expect(String(event)).toMatch(/, 0 waiting/);
    if (kind === 'none') expect(woken).toBe(2);
  });
  expect(operations).toBeGreaterThanOrEqual(4);
  await explore(
    async () => {
      await program();
      expect(woken).toBe(2);
    },
    { seeds: 30 },
  );
});

test('a task that waits, and a thousand that wait', () =>
  virtually(async () => {
    const event = new UniversalEvent();
    const waiters = [];
    for (let i = 0; i < 1000; i++) waiters.push(await spawn(() => event.wait()));
    await sleep(1);
    await event.set();
    for (const task of waiters) await task.join();
  }));

test('a wait that times out everywhere leaves nobody in line', () =>
  virtually(async () => {
    const event = new UniversalEvent();
    for (let i = 0; i < 5; i++)
      expect(await thrownBy(timeoutAfter(1, () => event.wait()))).toBeInstanceOf(TaskTimeout);
    expect(String(event)).toBe('UniversalEvent(unset, 0 waiting)');
  }));
