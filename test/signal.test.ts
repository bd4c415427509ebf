// Signals as something tasks wait for: SignalEvent and SignalQueue. What they do to the life of a process is tested by the
// programs of test/programs.test.ts.

import { constants } from 'node:os';
import {
  DeadlockError,
  Event,
  Kernel,
  RuntimeError,
  run,
  SignalEvent,
  SignalQueue,
  sleep,
  spawn,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { collectGarbage } from './kit/garbage.ts';
import { recorder } from './kit/recorder.ts';

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** Sends a real signal; Node delivers it in a later turn of the event loop. */
const send = (signal: NodeJS.Signals) => process.kill(process.pid, signal);

/** A signal arrives here and now. */
const arrives = (signal: NodeJS.Signals) => process.emit(signal, signal);

const listeners = () => process.listenerCount('SIGUSR2') + process.listenerCount('SIGHUP');

afterEach(() => {
  expect(listeners()).toBe(0);
});

describe('SignalQueue', () => {
  test('get() gives each signal that arrives, by name', async () => {
    const log: string[] = [];
    await run(async () => {
      using signals = new SignalQueue('SIGUSR2', 'SIGHUP');
      const task = await spawn(async () => {
        log.push(`got ${await signals.get()}`);
        log.push(`got ${await signals.get()}`);
      });
      await sleep(0);
      log.push('sending USR2');
      send('SIGUSR2');
      await waitFor(() => log.length === 2);
      log.push('sending HUP');
      send('SIGHUP');
      await task.join();
      log.push('done');
    });
    expect(log).toEqual(['sending USR2', 'got SIGUSR2', 'sending HUP', 'got SIGHUP', 'done']);
  });

  test('keeps what arrives while nobody is in get(), in order and without bound', async () => {
    await run(async () => {
      using signals = new SignalQueue('SIGUSR2', 'SIGHUP');
      for (let i = 0; i < 100; i++) arrives(i % 3 === 0 ? 'SIGHUP' : 'SIGUSR2');
      expect(signals.size()).toBe(100);
      for (let i = 0; i < 100; i++) expect(await signals.get()).toBe(i % 3 === 0 ? 'SIGHUP' : 'SIGUSR2');
      expect(signals.size()).toBe(0);
    });
  });

  test('does not switch tasks when a signal is there', async () => {
    const log: string[] = [];
    await run(async () => {
      using signals = new SignalQueue('SIGUSR2');
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      arrives('SIGUSR2');
      await signals.get();
      log.push('got it');
      await sleep(0);
    });
    expect(log).toEqual(['got it', 'other']);
  });

  test('serves several tasks first come, first served, and nobody overtakes', async () => {
    const log: string[] = [];
    await run(async () => {
      using signals = new SignalQueue('SIGUSR2');
      const getter = async (name: string) => {
        await signals.get();
        log.push(name);
      };
      const tasks = [await spawn(getter, 'a'), await spawn(getter, 'b')];
      await sleep(0);
      arrives('SIGUSR2');
      // It is reserved for a, who has not run yet.
      tasks.push(await spawn(getter, 'c'));
      expect(signals.size()).toBe(1);
      const own = await spawn(getter, 'd');
      await sleep(0);
      for (let i = 0; i < 3; i++) arrives('SIGUSR2');
      for (const task of [...tasks, own]) await task.join();
    });
    expect(log).toEqual(['a', 'b', 'c', 'd']);
  });

  test('reserves a signal for the task it was chosen for: whoever asks in between waits for the next', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      using signals = new SignalQueue('SIGUSR2');
      const task = await spawn(async () => {
        log.push(`chosen: ${await signals.get()}`);
      });
      await sleep(1);
      arrives('SIGUSR2');
      expect(task.state).toBe('READY');
      await timeoutAfter(1, () => signals.get()).catch(() => log.push('in between: nothing'));
      expect(signals.size()).toBe(0);
    });
    expect(log).toEqual(['chosen: SIGUSR2', 'in between: nothing']);
  });

  test('loses nothing to a cancellation or a timeout', async () => {
    await run(quiet(), async () => {
      using signals = new SignalQueue('SIGUSR2');
      await expect(timeoutAfter(1, () => signals.get())).rejects.toThrow(TaskTimeout);
      const task = await spawn(() => signals.get());
      await sleep(1);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      arrives('SIGUSR2');
      expect(await signals.get()).toBe('SIGUSR2');
    });
  });

  test('gives a chosen task its signal, though a cancellation comes before its turn', async () => {
    await run(quiet(), async () => {
      using signals = new SignalQueue('SIGUSR2');
      let got = '';
      const task = await spawn(async () => {
        got = await signals.get();
        await sleep(1);
      });
      await sleep(1);
      arrives('SIGUSR2');
      await task.cancel();
      expect(got).toBe('SIGUSR2');
      expect(signals.size()).toBe(0);
    });
  });

  test('loses and doubles nothing wherever its tasks are interrupted', async () => {
    await cancelEverywhere(
      async () => {
        const signals = new SignalQueue('SIGUSR2');
        const taken: string[] = [];
        const getter = async () => {
          for (;;) taken.push(await signals.get());
        };
        await spawn({ daemon: true }, getter);
        await spawn({ daemon: true }, getter);
        try {
          for (let i = 0; i < 4; i++) {
            await sleep(1);
            arrives('SIGUSR2');
          }
          await sleep(1);
        } finally {
          signals.close();
        }
        return taken.length + signals.size();
      },
      ({ result }) => {
        if (result !== undefined && result !== 4) throw new Error(`4 signals became ${result}`);
      },
    );
  });

  test('is an async iterable', async () => {
    await run(async () => {
      using signals = new SignalQueue('SIGUSR2', 'SIGHUP');
      for (const name of ['SIGHUP', 'SIGUSR2'] as const) arrives(name);
      const seen: string[] = [];
      for await (const name of signals) {
        seen.push(name);
        if (seen.length === 2) break;
      }
      expect(seen).toEqual(['SIGHUP', 'SIGUSR2']);
    });
  });
});

describe('SignalEvent', () => {
  test('may be made outside the kernel; wait() returns once the signal came', async () => {
    const log: string[] = [];
    using event = new SignalEvent('SIGUSR2');
    await run(async () => {
      const task = await spawn(async () => {
        await event.wait();
        log.push('got USR2');
        event.clear();
        await event.wait();
        log.push('got USR2 again');
      });
      await sleep(0);
      log.push('sending USR2');
      send('SIGUSR2');
      await waitFor(() => log.length === 2);
      log.push('sending USR2');
      send('SIGUSR2');
      await task.join();
      log.push('done');
    });
    expect(log).toEqual(['sending USR2', 'got USR2', 'sending USR2', 'got USR2 again', 'done']);
  });

  test('watches from its construction: a signal that came before is not lost', async () => {
    using event = new SignalEvent('SIGUSR2');
    expect(event.isSet()).toBe(false);
    send('SIGUSR2');
    await waitFor(() => event.isSet());
    const log: string[] = [];
    await run(async () => {
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      await event.wait();
      log.push('no need to wait');
      await sleep(0);
    });
    expect(log).toEqual(['no need to wait', 'other']);
  });

  test('is set by any of several signals, and by hand', async () => {
    using event = new SignalEvent('SIGUSR2', 'SIGHUP');
    await run(async () => {
      for (const name of ['SIGUSR2', 'SIGHUP'] as const) {
        event.clear();
        arrives(name);
        expect(event.isSet()).toBe(true);
      }
      event.clear();
      const task = await spawn(() => event.wait());
      await sleep(0);
      await event.set();
      await task.join();
    });
  });

  test('wakes all who wait, in the order they came', async () => {
    const log: string[] = [];
    using event = new SignalEvent('SIGUSR2');
    await run(async () => {
      const tasks = [];
      for (const name of ['a', 'b', 'c']) {
        tasks.push(
          await spawn(async () => {
            await event.wait();
            log.push(name);
          }),
        );
      }
      await sleep(0);
      arrives('SIGUSR2');
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(['a', 'b', 'c']);
  });

  test('takes numbers of signals too', async () => {
    using event = new SignalEvent(constants.signals.SIGUSR2);
    arrives('SIGUSR2');
    expect(event.isSet()).toBe(true);
  });

  test('can be waited for with a timeout, and cancelled; the signal is still watched', async () => {
    await run(quiet(), async () => {
      using event = new SignalEvent('SIGUSR2');
      await expect(timeoutAfter(1, () => event.wait())).rejects.toThrow(TaskTimeout);
      const task = await spawn(() => event.wait());
      await sleep(1);
      expect(task.state).toBe('SIGNAL_WAIT');
      await task.cancel();
      arrives('SIGUSR2');
      await event.wait();
    });
  });
});

describe('several watchers of one signal', () => {
  test('each receive it', async () => {
    await run(async () => {
      using a = new SignalQueue('SIGUSR2');
      using b = new SignalQueue('SIGUSR2', 'SIGHUP');
      using c = new SignalEvent('SIGUSR2');
      arrives('SIGUSR2');
      expect(await a.get()).toBe('SIGUSR2');
      expect(await b.get()).toBe('SIGUSR2');
      await c.wait();
      b.close();
      arrives('SIGUSR2');
      expect(a.size()).toBe(1);
      expect(b.size()).toBe(0);
    });
  });

  test('share one handler, which goes with the last of them', () => {
    const a = new SignalQueue('SIGUSR2');
    const b = new SignalEvent('SIGUSR2');
    expect(process.listenerCount('SIGUSR2')).toBe(1);
    a.close();
    expect(process.listenerCount('SIGUSR2')).toBe(1);
    a.close();
    b[Symbol.dispose]();
    expect(process.listenerCount('SIGUSR2')).toBe(0);
  });

  test('leave other handlers of the process alone', () => {
    let heard = 0;
    const own = () => {
      heard++;
    };
    process.on('SIGUSR2', own);
    const event = new SignalEvent('SIGUSR2');
    arrives('SIGUSR2');
    event.close();
    arrives('SIGUSR2');
    process.off('SIGUSR2', own);
    expect(heard).toBe(2);
  });
});

describe('the watch', () => {
  test('ends with the kernel of the last task that waited', async () => {
    const event = new SignalEvent('SIGUSR2');
    await run(quiet(), async () => {
      await timeoutAfter(1, () => event.wait()).catch(() => {});
      await timeoutAfter(1, () => event.wait()).catch(() => {});
    });
    expect(listeners()).toBe(0);
  });

  test('goes on while one of several kernels still uses it', async () => {
    const event = new SignalEvent('SIGUSR2');
    await using long = new Kernel(quiet());
    await long.run(() => timeoutAfter(1, () => event.wait()).catch(() => {}));
    await run(quiet(), () => timeoutAfter(1, () => event.wait()).catch(() => {}));
    expect(listeners()).toBe(1);
    await long[Symbol.asyncDispose]();
    expect(listeners()).toBe(0);
  });

  test('is not kept by a kernel that lives on, once it was closed', async () => {
    await using long = new Kernel(quiet());
    const wait = (event: SignalEvent) => timeoutAfter(1, () => event.wait()).catch(() => {});
    const event = new SignalEvent('SIGUSR2');
    await long.run(() => wait(event));
    event.close();
    // Used once more, in a kernel that ends: with that kernel the watch ends, too.
    await run(quiet(), () => wait(event));
    expect(listeners()).toBe(0);

    const refs: WeakRef<SignalEvent>[] = [];
    for (let i = 0; i < 5; i++) {
      await long.run(async () => {
        using closed = new SignalEvent('SIGUSR2');
        refs.push(new WeakRef(closed));
        await wait(closed);
      });
    }
    await collectGarbage();
    expect(refs.map((ref) => ref.deref())).toEqual(Array(5).fill(undefined));
  });

  test('that was given up is no reason to live on: a deadlock is noticed', async () => {
    using event = new SignalEvent('SIGUSR2');
    await expect(
      run(quiet(), async () => {
        await timeoutAfter(1, () => event.wait()).catch(() => {});
        await new Event().wait();
      }),
    ).rejects.toThrow(DeadlockError);
  });

  test('begins again when a task waits after it had ended', async () => {
    const event = new SignalEvent('SIGUSR2');
    const wait = () =>
      run(async () => {
        const task = await spawn(() => event.wait());
        await sleep(0);
        expect(listeners()).toBe(1);
        arrives('SIGUSR2');
        await task.join();
        event.clear();
      });
    await wait();
    expect(listeners()).toBe(0);
    await wait();
  });

  test('that is closed while a task waits leaves the task to be cancelled', async () => {
    await run(quiet(), async () => {
      const event = new SignalEvent('SIGUSR2');
      const task = await spawn(() => event.wait());
      await sleep(1);
      event.close();
      expect(listeners()).toBe(0);
      await event.set();
      await task.join();
    });
  });

  test.each([
    ['SignalEvent', (): SignalEvent => new SignalEvent('SIGUSR2')],
    ['SignalQueue', (): SignalQueue => new SignalQueue('SIGUSR2')],
  ])(
    '%s that is closed under the last task that waits is a deadlock, also if the kernel rests by then',
    async (_, make) => {
      const program = async () => {
        using source = make();
        const task = await spawn(() => ('get' in source ? source.get() : source.wait()));
        await sleep(1);
        // Not awaited here: the block ends while this waits.
        return task.join();
      };
      await expect(run(quiet(), program)).rejects.toThrow(DeadlockError);
    },
  );

  test.each([
    ['the signal first', 'set close cancel'],
    ['the close first', 'close set cancel'],
    ['the cancellation first', 'cancel close set'],
  ])('and cancelled and closed in one turn leaves no reason to live on: %s', async (_, order) => {
    const endings: unknown[] = [];
    const program = async () => {
      using event = new SignalEvent('SIGUSR2');
      const task = await spawn(() => event.wait());
      await sleep(1);
      const steps: Record<string, () => unknown> = {
        set: () => void process.emit('SIGUSR2', 'SIGUSR2'),
        close: () => event.close(),
        cancel: () => task.cancel({ blocking: false }),
      };
      for (const step of order.split(' ')) void steps[step]?.();
      endings.push(await task.join().catch((error: Error) => error.constructor.name));
      // Nothing is left that could wake anybody.
      await new Event().wait();
    };
    await expect(run(quiet(), program)).rejects.toThrow(DeadlockError);
    expect(endings).toEqual([order.startsWith('set') ? undefined : 'TaskError']);
  });

  test('that is closed and then waited for again keeps the kernel waiting for both tasks', async () => {
    await run(quiet(), async () => {
      using event = new SignalEvent('SIGUSR2');
      const first = await spawn(() => event.wait());
      await sleep(1);
      event.close();
      const second = await spawn(() => event.wait());
      await sleep(1);
      process.kill(process.pid, 'SIGUSR2');
      await first.join();
      await second.join();
    });
    expect(listeners()).toBe(0);
  });

  test('of a signal source leaves nothing behind with a kernel that lives long', async () => {
    await using kernel = new Kernel(quiet());
    for (let i = 0; i < 5; i++) {
      await kernel.run(async () => {
        using event = new SignalEvent('SIGUSR2');
        await timeoutAfter(1, () => event.wait()).catch(() => {});
      });
      expect(listeners()).toBe(0);
    }
  });
});

describe('bad input', () => {
  test('is refused at construction, and says what a signal is', () => {
    expect(() => new SignalEvent()).toThrow(/new SignalEvent\('SIGHUP'\)/);
    expect(() => new SignalQueue()).toThrow(TypeError);
    for (const bad of ['SIGNOTHING', 'HUP', 9999, 0, null, {}, undefined]) {
      expect(() => new SignalEvent(bad as never), String(bad)).toThrow(/A signal is a name such as 'SIGHUP'/);
    }
    expect(() => new SignalQueue('SIGUSR2', 'nope' as never)).toThrow(TypeError);
    expect(listeners()).toBe(0);
  });

  test('such as a signal that no process can catch is refused, and nothing stays watched', () => {
    expect(() => new SignalEvent('SIGUSR2', 'SIGKILL')).toThrow(/No process can wait for SIGKILL/);
    expect(() => new SignalQueue('SIGUSR2', 'SIGSTOP')).toThrow(TypeError);
    expect(listeners()).toBe(0);
  });

  test('such as a signal that this process is not allowed to catch leaves nothing watched', () => {
    const { on } = process;
    process.on = ((name: string, ...rest: never[]) => {
      if (name === 'SIGHUP') throw new Error('EINVAL');
      return on.call(process, name as never, ...(rest as [never]));
    }) as typeof process.on;
    try {
      for (let i = 0; i < 2; i++) expect(() => new SignalEvent('SIGUSR2', 'SIGHUP')).toThrow('EINVAL');
    } finally {
      process.on = on;
    }
    expect(listeners()).toBe(0);
    using event = new SignalEvent('SIGUSR2', 'SIGHUP');
    arrives('SIGHUP');
    expect(event.isSet()).toBe(true);
  });

  test('outside a task is refused', async () => {
    using event = new SignalEvent('SIGUSR2');
    using queue = new SignalQueue('SIGUSR2');
    await expect(event.wait()).rejects.toThrow(/SignalEvent\.wait\(\) was called outside a task/);
    await expect(event.set()).rejects.toThrow(RuntimeError);
    await expect(queue.get()).rejects.toThrow(/SignalQueue\.get\(\) was called outside a task/);
  });
});

/** Waits, for real, until something outside has happened. */
async function waitFor(condition: () => boolean): Promise<void> {
  const task = sleep(0).then(
    () => true,
    () => false,
  );
  if (await task) while (!condition()) await sleep(0);
  else while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('an Event is not a SignalEvent: they wait in states of their own', async () => {
  await run(quiet(), async () => {
    using signal = new SignalEvent('SIGUSR2');
    const event = new Event();
    const [a, b] = [
      await spawn({ daemon: true }, () => signal.wait()),
      await spawn({ daemon: true }, () => event.wait()),
    ];
    await sleep(1);
    expect([a.state, b.state]).toEqual(['SIGNAL_WAIT', 'EVENT_WAIT']);
  });
});
