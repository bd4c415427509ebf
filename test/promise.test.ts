// wait(), abortable() and currentSignal(): bridges between tasks and ordinary promises.

import { EventEmitter, once } from 'node:events';
import { runInNewContext } from 'node:vm';
import {
  abortable,
  CancelledError,
  currentSignal,
  disableCancellation,
  Event,
  ignoreAfter,
  RuntimeError,
  run,
  setCancellation,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
  UncaughtTimeoutError,
  wait,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';
import { thrownBy } from './kit/virtual.ts';

class Oops extends Error {}

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });
const never = () => new Promise<never>(() => {});

function deferred<T = void>() {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** A promise that stands for work which a signal can stop, as `fetch` does. */
function stoppable(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** Thenables of every kind. */
const thenable = (then: (yes: (value: unknown) => void, no: (error: unknown) => void) => void) =>
  ({ then }) as PromiseLike<unknown>;

describe('wait()', () => {
  test('gives the value of a promise, and throws its error as it is', async () => {
    await run(async () => {
      expect(await wait(Promise.resolve(5))).toBe(5);
      const error = new Oops();
      await expect(wait(Promise.reject(error))).rejects.toBe(error);
    });
  });

  test('blocks in FUTURE_WAIT, and lets others run even if the promise has settled', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred<string>();
      const task = await spawn(async () => {
        log.push(await wait(gate.promise));
      });
      await sleep(1);
      expect(task.state).toBe('FUTURE_WAIT');
      gate.resolve('value');
      await task.join();
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      await wait(Promise.resolve());
      log.push('main');
    });
    expect(log).toEqual(['value', 'other', 'main']);
  });

  test('is released by a cancellation at once, and ignores what the promise does later', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      await run(quiet(), async () => {
        const gate = deferred<string>();
        const task = await spawn(() => wait(gate.promise));
        await sleep(1);
        await task.cancel();
        expect(task.exception).toBeInstanceOf(TaskCancelled);
        gate[end]('late' as never);
        await sleep(1);
        expect(task.exception).toBeInstanceOf(TaskCancelled);
      });
    }
  });

  test('is released by a timeout, and the late value does not end the next wait', async () => {
    await run(quiet(), async () => {
      const early = deferred<string>();
      const late = deferred<string>();
      await expect(timeoutAfter(1, wait, early.promise)).rejects.toThrow(TaskTimeout);
      await spawn({ daemon: true }, async () => {
        early.resolve('of the wait that was given up');
        await sleep(5);
        late.resolve('of this wait');
      });
      expect(await wait(late.promise)).toBe('of this wait');
    });
  });

  test('keeps what it was woken with when the cancellation comes after', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred<string>();
      const task = await spawn(async () => {
        log.push(await wait(gate.promise));
        await sleep(1);
        log.push('not reached');
      });
      await sleep(1);
      gate.resolve('value');
      await null;
      await null;
      expect(task.state).toBe('READY');
      await task.cancel();
    });
    expect(log).toEqual(['value']);
  });

  test('waits for anything that has a then(), whenever it calls back', async () => {
    await run(quiet(), async () => {
      expect(await wait(thenable((yes) => yes('at once')))).toBe('at once');
      expect(await wait(thenable((yes) => void setImmediate(yes, 'later')))).toBe('later');
      await expect(wait(thenable((_, no) => no(new Oops('at once'))))).rejects.toThrow(Oops);
      await sleep(1);
    });
  });

  test('hears the first call of a thenable that calls back several times', async () => {
    await run(quiet(), async () => {
      let call!: (value: unknown) => void;
      const task = await spawn(() =>
        wait(
          thenable((yes, no) => {
            call = yes;
            yes('first');
            yes('second');
            no(new Oops());
          }),
        ),
      );
      await sleep(1);
      call('third');
      expect(await task.join()).toBe('first');
      // Not even another wait of the same task hears the late ones.
      expect(
        await wait(
          thenable((yes) => {
            call('fourth');
            setImmediate(yes, 'own');
          }),
        ),
      ).toBe('own');
    });
  });

  test('fails with what then() throws, unless it called back before', async () => {
    await run(quiet(), async () => {
      const error = new Oops('in then');
      await expect(
        wait(
          thenable(() => {
            throw error;
          }),
        ),
      ).rejects.toBe(error);
      expect(
        await wait(
          thenable((yes) => {
            yes('called back');
            throw error;
          }),
        ),
      ).toBe('called back');
      await sleep(1);
    });
  });

  test('is not disturbed by a then() that does an operation of its own: that one is refused', async () => {
    await run(quiet(), async () => {
      const error = await wait(thenable((yes) => void sleep(1).then(yes))).catch((it) => it);
      expect(error).toMatchObject({ code: 'ERR_CURIO_TASK_BUSY' });
      expect(await sleep(1)).toBe(1);
    });
  });

  test('refuses what is no promise, at the call, and says so', async () => {
    await run(async () => {
      for (const value of [5, 'text', undefined, null, {}, () => Promise.resolve()]) {
        expect(() => wait(value as never)).toThrow(TypeError);
        expect(() => wait(value as never)).toThrow(/wait\(\) wants a promise, not/);
      }
      await sleep(0);
    });
  });

  test('that is refused ignores what the promise does later, too', async () => {
    const late = () => new Promise<never>((_, reject) => setImmediate(() => reject(new Oops('late'))));
    await run(quiet(), async () => {
      const event = new Event();
      const task = await spawn(async () => {
        await event.wait();
        await wait(late());
      });
      await sleep(0);
      await event.set();
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      const napping = sleep(1);
      expect(() => wait(late())).toThrow(TaskBusyError);
      await napping;
    });
    await expect(wait(late())).rejects.toThrow(RuntimeError);
    // An unhandled rejection would fail the test run.
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  });

  test('does not start a lazy thenable when it is refused', async () => {
    let started = 0;
    const lazy = () => thenable(() => void started++);
    await run(quiet(), async () => {
      await setCancellation(new TaskCancelled());
      await expect(wait(lazy())).rejects.toThrow(TaskCancelled);
    });
    await expect(wait(lazy())).rejects.toThrow(RuntimeError);
    expect(started).toBe(0);
  });

  test('asks a thenable that is no promise each time, and a promise once', async () => {
    let started = 0;
    const lazy = thenable((yes) => yes(++started));
    await run(quiet(), async () => {
      expect([await wait(lazy), await wait(lazy)]).toEqual([1, 2]);
    });
  });

  test('outside a task is refused', async () => {
    await expect(wait(Promise.resolve())).rejects.toThrow(RuntimeError);
    await expect(wait(Promise.resolve())).rejects.toThrow(/wait\(\) was called outside a task.*run\(fn\)/);
  });

  test('of many tasks on one promise wakes them in the order they came', async () => {
    const log: number[] = [];
    await run(quiet(), async () => {
      const gate = deferred();
      const tasks = [];
      for (let n = 0; n < 50; n++) {
        tasks.push(
          await spawn(async () => {
            await wait(gate.promise);
            log.push(n);
          }),
        );
      }
      await sleep(1);
      gate.resolve();
      for (const task of tasks) await task.join();
    });
    expect(log).toEqual(Array.from({ length: 50 }, (_, n) => n));
  });
});

describe('abortable()', () => {
  test('gives the value of what it runs, and throws its error', async () => {
    await run(quiet(), async () => {
      expect(await abortable(async (signal) => signal.aborted)).toBe(false);
      expect(await abortable(() => 5)).toBe(5);
      await expect(
        abortable(async () => {
          throw new Oops('async');
        }),
      ).rejects.toThrow(Oops);
      await expect(
        abortable(() => {
          throw new Oops('at once');
        }),
      ).rejects.toThrow(Oops);
      await sleep(1);
    });
  });

  test('aborts its signal with the very cancellation, and releases the task at once', async () => {
    await run(quiet(), async () => {
      let seen: AbortSignal | undefined;
      const task = await spawn(() =>
        abortable((signal) => {
          seen = signal;
          return never();
        }),
      );
      await sleep(1);
      expect(task.state).toBe('FUTURE_WAIT');
      expect(seen?.aborted).toBe(false);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect(seen?.aborted).toBe(true);
      expect(seen?.reason).toBe(task.exception);
    });
  });

  test('aborts its signal with the very timeout', async () => {
    await run(quiet(), async () => {
      let seen: AbortSignal | undefined;
      const error = await timeoutAfter(3, abortable, (signal: AbortSignal) => {
        seen = signal;
        return stoppable(signal);
      }).catch((it) => it);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(seen?.reason).toBe(error);
      await sleep(10);
    });
  });

  test('leaves the signal alone when the work has come to an end by itself', async () => {
    await run(quiet(), async () => {
      const signals: AbortSignal[] = [];
      await abortable(async (signal) => {
        signals.push(signal);
      });
      await abortable(async (signal) => {
        signals.push(signal);
        throw new Oops();
      }).catch(() => {});
      const task = await spawn(async () => {
        await abortable(async (signal) => {
          signals.push(signal);
        });
        await sleep(1000);
      });
      await sleep(1);
      await task.cancel();
      expect(signals.map((signal) => signal.aborted)).toEqual([false, false, false]);
    });
  });

  test('ignores what the work does after it was aborted, a failure above all', async () => {
    await run(quiet(), async () => {
      const gate = deferred();
      const task = await spawn(() => abortable(() => gate.promise));
      await sleep(1);
      await task.cancel();
      gate.reject(new Oops('late'));
      // An unhandled rejection would fail the test run.
      await new Promise((resolve) => setImmediate(resolve));
    });
  });

  test('waits, behind a shield, until the shield is gone', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const gate = deferred<string>();
      const task = await spawn(async () => {
        const value = await disableCancellation(() =>
          abortable((signal) => {
            signal.addEventListener('abort', () => log.push('aborted'));
            return gate.promise;
          }),
        );
        log.push(value);
        await sleep(0);
      });
      await sleep(1);
      await task.cancel({ blocking: false });
      await sleep(1);
      gate.resolve('value');
      await task.wait();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    });
    expect(log).toEqual(['value']);
  });

  test('refuses what is no function, and a promise with what to write instead', async () => {
    await run(async () => {
      expect(() => abortable(Promise.resolve() as never)).toThrow(/abortable\(\) was given a promise/);
      expect(() => abortable(5 as never)).toThrow(TypeError);
      await sleep(0);
    });
    await expect(abortable(() => 5)).rejects.toThrow(/outside a task/);
  });
});

describe('currentSignal()', () => {
  test('is aborted with the very cancellation, before the task goes on', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      let signal!: AbortSignal;
      const task = await spawn(async () => {
        signal = currentSignal();
        signal.addEventListener('abort', () => log.push(`aborted: ${signal.reason.name}`));
        try {
          await sleep(1000);
        } catch (error) {
          expect(error).toBe(signal.reason);
          log.push('cancelled');
          throw error;
        }
      });
      await sleep(1);
      log.push('cancel');
      await task.cancel();
      expect(task.exception).toBe(signal.reason);
    });
    expect(log).toEqual(['cancel', 'aborted: TaskCancelled', 'cancelled']);
  });

  test('carries a cancellation into an ordinary promise and out of the task: it is delivered once', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        await stoppable(currentSignal());
      });
      await sleep(0);
      await new Promise((resolve) => setImmediate(resolve));
      expect(task.state).toBe('PROMISE_WAIT');
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    });
  });

  test('carries it in the AbortError of Node’s own functions as well, which is no crash', async () => {
    const emitter = new EventEmitter();
    const aborted = () => once(emitter, 'never', { signal: currentSignal() });
    await run(quiet(), async () => {
      const task = await spawn(aborted);
      await sleep(0);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect(await ignoreAfter({ timeoutResult: 'late' }, 1, aborted)).toBe('late');
      await expect(timeoutAfter(1, aborted)).rejects.toBeInstanceOf(TaskTimeout);
      await expect(timeoutAfter(1, timeoutAfter, 2, aborted)).rejects.toBeInstanceOf(TaskTimeout);
      await expect(timeoutAfter(2, timeoutAfter, 1, aborted)).rejects.toBeInstanceOf(UncaughtTimeoutError);
    });
    expect(emitter.listenerCount('never')).toBe(0);
  });

  test.each([
    ['AbortError', {}],
    ['CanceledError', undefined],
  ])('is meant by the %s of a library that drops the reason', async (name, cause) => {
    class LibraryError extends Error {
      override readonly name = name;
    }
    const signals: AbortSignal[] = [];
    const request = async () => {
      const signal = currentSignal();
      signals.push(signal);
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new LibraryError('aborted', { cause })));
      });
    };
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(request);
      await sleep(0);
      await task.cancel();
      expect(task.exception).toBe(signals[0]?.reason);
      expect(await ignoreAfter({ timeoutResult: 'late' }, 1, request)).toBe('late');
      await expect(timeoutAfter(1, request)).rejects.toBeInstanceOf(TaskTimeout);
      await expect(timeoutAfter(1, timeoutAfter, 2, request)).rejects.toBeInstanceOf(TaskTimeout);
      await expect(timeoutAfter(2, timeoutAfter, 1, request)).rejects.toBeInstanceOf(UncaughtTimeoutError);
      // Nothing of them is left for later.
      await sleep(1);
      const failing = async () => Promise.reject(new LibraryError('for reasons of its own'));
      await expect(timeoutAfter(1, failing)).rejects.toBeInstanceOf(LibraryError);
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is meant by an AbortError of another context of node:vm, where test runners load modules', async () => {
    const OtherError = runInNewContext('Error') as ErrorConstructor;
    const request = () => {
      const signal = currentSignal();
      return new Promise((_, reject) => {
        const aborted = Object.assign(new OtherError('aborted'), { name: 'AbortError' });
        signal.addEventListener('abort', () => reject(Object.assign(aborted, { cause: signal.reason })));
      });
    };
    await run(quiet(), async () => {
      expect(await ignoreAfter({ timeoutResult: 'late' }, 1, request)).toBe('late');
    });
  });

  test('but not in that of somebody else’s signal', async () => {
    const signal = AbortSignal.abort(new Error('not now'));
    await run(quiet(), async () => {
      const error = await thrownBy(
        timeoutAfter(1, async () => once(new EventEmitter(), 'never', { signal })),
      );
      expect(error).toMatchObject({ name: 'AbortError', cause: signal.reason });
    });
  });

  test('that was aborted is not yet a delivery: the same exception comes at the next operation', async () => {
    await run(quiet(), async () => {
      let first: unknown;
      let second: unknown;
      const task = await spawn(async () => {
        await stoppable(currentSignal()).catch((error) => {
          first = error;
        });
        await sleep(1).catch((error) => {
          second = error;
        });
        // It has been delivered now.
        await sleep(1);
        return 'went on';
      });
      await sleep(0);
      await new Promise((resolve) => setImmediate(resolve));
      await task.cancel();
      expect(first).toBeInstanceOf(TaskCancelled);
      expect(second).toBe(first);
      expect(await task.join()).toBe('went on');
    });
  });

  test('is aborted by the innermost timeout around it, and that is the timeout that comes out', async () => {
    await run(quiet(), async () => {
      let signal!: AbortSignal;
      const error = await timeoutAfter(2, async () => {
        signal = currentSignal();
        await stoppable(signal);
      }).catch((it) => it);
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(signal.reason).toBe(error);
      // Carried out by the promise: not delivered again.
      expect(await sleep(5)).toBe(7);
    });
  });

  test('… and not delivered again by ignoreAfter either', async () => {
    await run(quiet(), async () => {
      const scope = ignoreAfter(2);
      await scope.run(async () => {
        await stoppable(currentSignal());
      });
      expect(scope.expired).toBe(true);
      expect(await sleep(5)).toBe(7);
    });
  });

  test('of an inner timeout is aborted by the outer one as well; that of the outer is not by the inner', async () => {
    await run(quiet(), async () => {
      const signals: Record<string, AbortSignal> = {};
      await timeoutAfter(10, async () => {
        signals.outer = currentSignal();
        await timeoutAfter(1, async () => {
          signals.inner = currentSignal();
          await sleep(1000);
        }).catch((error) => expect(error).toBe(signals.inner?.reason));
        expect(signals.inner?.aborted).toBe(true);
        expect(signals.outer?.aborted).toBe(false);
        await timeoutAfter(100, async () => {
          signals.second = currentSignal();
          await sleep(1000);
        });
      }).catch((error) => {
        expect(error).toBe(signals.outer?.reason);
        expect(signals.second?.reason).toBe(error);
      });
      expect(signals.outer?.aborted).toBe(true);
    });
  });

  test('of the task itself is not aborted by a timeout inside', async () => {
    await run(quiet(), async () => {
      const signal = currentSignal();
      await timeoutAfter(1, () => sleep(5)).catch(() => {});
      expect(signal.aborted).toBe(false);
    });
  });

  test('outside a timeout that has ended is a new one, and the old stays as it was', async () => {
    await run(quiet(), async () => {
      let inner!: AbortSignal;
      await timeoutAfter(5, async () => {
        inner = currentSignal();
        expect(currentSignal()).toBe(inner);
      });
      expect(currentSignal()).not.toBe(inner);
      expect(currentSignal()).toBe(currentSignal());
      await sleep(100);
      expect(inner.aborted).toBe(false);
    });
  });

  test('after a cancellation that was caught is fresh, so that clean-up can use it', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        const first = currentSignal();
        try {
          await sleep(1000);
        } catch {
          expect(first.aborted).toBe(true);
          expect(currentSignal().aborted).toBe(false);
          await sleep(1);
        }
        return 'cleaned up';
      });
      await sleep(1);
      await task.cancel();
      expect(await task.join()).toBe('cleaned up');
    });
  });

  test('asked for while a cancellation is pending is aborted already', async () => {
    await run(quiet(), async () => {
      const event = new Event();
      const task = await spawn(async () => {
        await event.wait();
        const signal = currentSignal();
        expect(signal.aborted).toBe(true);
        expect(signal.reason).toBeInstanceOf(TaskCancelled);
        await stoppable(signal);
      });
      await sleep(0);
      await event.set();
      await task.cancel();
      expect(task.exception).toBeInstanceOf(CancelledError);
    });
  });

  test('is not aborted behind a shield before the shield is gone', async () => {
    const log: string[] = [];
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        const signal = currentSignal();
        signal.addEventListener('abort', () => log.push('aborted'));
        await disableCancellation(async () => {
          await sleep(5);
          log.push('shielded work done');
        });
        log.push('shield gone');
        await sleep(0);
      });
      await sleep(1);
      await task.cancel();
    });
    expect(log).toEqual(['shielded work done', 'aborted', 'shield gone']);
  });

  test('leaves no listener and no controller behind when nobody cancels', async () => {
    await run(quiet(), async () => {
      const seen = new Set<AbortSignal>();
      for (let i = 0; i < 10; i++) {
        await timeoutAfter(1, async () => {
          seen.add(currentSignal());
        });
      }
      expect(seen.size).toBe(10);
      expect([...seen].some((signal) => signal.aborted)).toBe(false);
    });
  });

  test('outside a task, or of one that has ended, is refused at the call', async () => {
    expect(() => currentSignal()).toThrow(RuntimeError);
    expect(() => currentSignal()).toThrow(/currentSignal\(\) was called outside a task.*run\(fn\)/);
    let later!: Promise<unknown>;
    await run(quiet(), async () => {
      later = new Promise((resolve) => setImmediate(resolve)).then(() => currentSignal()).catch((it) => it);
    });
    expect(await later).toMatchObject({ code: 'ERR_CURIO_RUNTIME' });
  });
});
