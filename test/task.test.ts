// Tasks as users meet them: joining, waiting, cancelling, looking. Whose turn it is, is tested in test/kernel/turns.test.ts.

import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import {
  CancelledError,
  Condition,
  currentTask,
  Event,
  Lock,
  Queue,
  RLock,
  RuntimeError,
  run,
  Semaphore,
  SignalQueue,
  sleep,
  spawn,
  Task,
  TaskCancelled,
  TaskError,
  TaskGroup,
  TaskTimeout,
  timeoutAfter,
  UniversalQueue,
  wait,
} from 'curio';
import { instantiateCoroutine } from 'curio/meta';
import { SchedFIFO } from 'curio/sched';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

class Oops extends Error {
  override name = 'Oops';
}

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** Runs a main function that logs. */
async function logged(main: (log: string[]) => Promise<unknown>): Promise<string[]> {
  const log: string[] = [];
  await run(quiet(), main, log);
  return log;
}

describe('join()', () => {
  test('waits for the end, and gives the result', async () => {
    await run(quiet(), async () => {
      const task = await spawn(
        async (a: number, b: number) => {
          await sleep(1);
          return a + b;
        },
        2,
        3,
      );
      expect(await task.join()).toBe(5);
      expect(task.result).toBe(5);
      expect(task.exception).toBe(null);
    });
  });

  test('of a task that crashed throws a TaskError, whose cause is the very error', async () => {
    await run(quiet(), async () => {
      const oops = new Oops('in child');
      const task = await spawn(async () => {
        await sleep(1);
        throw oops;
      });
      for (const when of ['before the end', 'after the end']) {
        const error = await task.join().catch((it) => it);
        expect(error, when).toBeInstanceOf(TaskError);
        expect(error.cause).toBe(oops);
        expect(error.message).toContain(`id=${task.id}`);
        expect(error.message).toContain('in child');
      }
      expect(task.exception).toBe(oops);
      expect(() => task.result).toThrow(oops);
    });
  });

  test('of a task that was cancelled throws a TaskError caused by the cancellation', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => sleep(1000));
      await sleep(0);
      await task.cancel();
      const error = await task.join().catch((it) => it);
      expect(error).toBeInstanceOf(TaskError);
      expect(error.cause).toBeInstanceOf(TaskCancelled);
      expect(error.cause).toBeInstanceOf(CancelledError);
    });
  });

  test('… also if a third one cancelled it, whether the joiner came before or after', async () => {
    await run(quiet(), async () => {
      const event = new Event();
      const task = await spawn(() => event.wait());
      const early = await spawn(() => task.join().catch((error) => error.cause));
      await spawn({ daemon: true }, async () => {
        await sleep(1);
        await task.cancel();
      });
      await sleep(5);
      const late = await task.join().catch((error) => error.cause);
      expect(late).toBeInstanceOf(TaskCancelled);
      expect(await early.join()).toBe(late);
      expect(event.isSet()).toBe(false);
    });
  });

  test('may be repeated, and several may join: all get the same value', async () => {
    await run(quiet(), async () => {
      const value = { some: 'object' };
      const task = await spawn(async () => {
        await sleep(1);
        return value;
      });
      const joiners = [await spawn(() => task.join()), await spawn(() => task.join())];
      expect(await task.join()).toBe(value);
      expect(await task.join()).toBe(value);
      for (const joiner of joiners) expect(await joiner.join()).toBe(value);
    });
  });

  test('of a failure gives each a TaskError of its own, with the same cause', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => {
        throw new Oops();
      });
      const first = await task.join().catch((it) => it);
      const second = await task.join().catch((it) => it);
      const joiner = await spawn(() => task.join().catch((it) => it));
      const third = (await joiner.join()) as TaskError;
      expect(new Set([first, second, third]).size).toBe(3);
      expect(new Set([first.cause, second.cause, third.cause]).size).toBe(1);
    });
  });

  test('wakes several joiners in the order they came', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(() => sleep(1));
      const joiners: Task<unknown>[] = [];
      for (const name of ['a', 'b', 'c']) {
        joiners.push(
          await spawn(async () => {
            await task.join();
            log.push(name);
          }),
        );
      }
      for (const joiner of joiners) await joiner.join();
    });
    expect(log).toEqual(['a', 'b', 'c']);
  });

  test('that is cancelled or times out leaves the task as it is, to be joined again', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        await sleep(10);
        return 'undisturbed';
      });
      await expect(timeoutAfter(1, () => task.join())).rejects.toThrow(TaskTimeout);
      const joiner = await spawn(() => task.join());
      await sleep(1);
      await joiner.cancel();
      expect(task.cancelled).toBe(false);
      expect(task.state).toBe('TIME_SLEEP');
      expect(await task.join()).toBe('undisturbed');
    });
  });

  test('interrupted at any point leaves no joiner waiting, and the task unharmed', async () => {
    await cancelEverywhere(
      async () => {
        const worker = await spawn({ daemon: true }, async () => {
          await sleep(1);
          return 'value';
        });
        const joiner = await spawn({ daemon: true }, () => worker.join());
        const other = await spawn({ daemon: true }, () => worker.wait());
        await joiner.wait();
        await other.wait();
        return [worker, joiner, other] as Task<unknown>[];
      },
      ({ result }) => {
        if (result !== undefined && !result.every((task) => task.terminated))
          throw new Error('somebody waits');
      },
    );
  });

  test('of oneself is refused, and says why', async () => {
    await run(quiet(), async () => {
      const self = await currentTask();
      await expect(self.join()).rejects.toThrow(RuntimeError);
      await expect(self.join()).rejects.toThrow(/join\(\) on itself/);
      await expect(self.wait()).rejects.toThrow(/wait\(\) on itself/);
      expect(await sleep(1)).toBe(1);
    });
  });
});

describe('wait()', () => {
  test('waits for the end only: no value, and nothing of the task’s is thrown', async () => {
    await run(quiet(), async () => {
      const good = await spawn(async () => {
        await sleep(1);
        return 5;
      });
      const bad = await spawn(async () => {
        await sleep(1);
        throw new Oops();
      });
      expect(await good.wait()).toBe(undefined);
      expect(await bad.wait()).toBe(undefined);
      expect(await bad.wait()).toBe(undefined);
      expect(good.result).toBe(5);
      expect(bad.exception).toBeInstanceOf(Oops);
    });
  });

  test('inside a timeout does the task no harm', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        await sleep(5);
        return 'unharmed';
      });
      await expect(timeoutAfter(1, () => task.wait())).rejects.toThrow(TaskTimeout);
      expect(await task.join()).toBe('unharmed');
    });
  });
});

describe('result and exception', () => {
  test('before the end are a RuntimeError that says what to do', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => 5);
      expect(() => task.result).toThrow(RuntimeError);
      expect(() => task.result).toThrow(/has not ended.*await task\.join\(\)/);
      expect(() => task.exception).toThrow(RuntimeError);
      expect(() => task.exception).toThrow(/no exception yet/);
      await task.join();
    });
  });

  test('of a failed task: result rethrows the very error, not a TaskError', async () => {
    await run(quiet(), async () => {
      const oops = new Oops();
      const task = await spawn(() => {
        throw oops;
      });
      await task.wait();
      expect(task.exception).toBe(oops);
      try {
        task.result;
        expect.fail('result must throw');
      } catch (error) {
        expect(error).toBe(oops);
      }
    });
  });

  test('of a task that threw undefined tell that it failed', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => {
        throw undefined;
      });
      await task.wait();
      expect(() => task.result).toThrow();
      expect(task.exception).toBe(undefined);
    });
  });
});

describe('cancel()', () => {
  test('throws a TaskCancelled at the operation the task is blocked in, and waits for the end', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        try {
          await sleep(1000);
          log.push('not reached');
        } catch (error) {
          expect(error).toBeInstanceOf(TaskCancelled);
          log.push('cancelled');
          await sleep(1);
          log.push('cleaned up');
          throw error;
        }
      });
      await sleep(1);
      log.push('cancel');
      await task.cancel();
      log.push('cancel has returned');
      expect(task.cancelled).toBe(true);
      expect(task.terminated).toBe(true);
      const error = await task.join().catch((it) => it);
      expect(error.cause).toBeInstanceOf(TaskCancelled);
    });
    expect(log).toEqual(['cancel', 'cancelled', 'cleaned up', 'cancel has returned']);
  });

  test('of a task that has ended does nothing, and cancelled stays false', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => 5);
      await task.join();
      await spawn({ daemon: true }, async () => {
        log.push('other');
      });
      await task.cancel();
      log.push('cancel has returned at once');
      expect(task.cancelled).toBe(false);
      expect(await task.join()).toBe(5);
      await sleep(0);
    });
    expect(log).toEqual(['cancel has returned at once', 'other']);
  });

  test('without waiting returns before the task has seen anything', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        try {
          await sleep(1000);
        } finally {
          log.push('task sees it');
        }
      });
      await sleep(1);
      await task.cancel({ blocking: false });
      log.push('cancel has returned');
      expect(task.cancelled).toBe(true);
      expect(task.terminated).toBe(false);
      await task.wait();
    });
    expect(log).toEqual(['cancel has returned', 'task sees it']);
  });

  test('after one that did not wait sends nothing new, and waits for the end', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        try {
          await sleep(1000);
        } catch {
          log.push('first request');
          try {
            await sleep(5);
            log.push('cleaned up');
          } catch {
            log.push('second request');
          }
        }
      });
      await sleep(1);
      await task.cancel({ blocking: false });
      await task.cancel();
      log.push('second cancel has returned');
      await task.cancel();
      await task.cancel({ blocking: false });
    });
    expect(log).toEqual(['first request', 'cleaned up', 'second cancel has returned']);
  });

  test('retried after a timeout does not interrupt the clean-up that the first one began', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        log.push('start');
        try {
          await sleep(1000);
        } catch (error) {
          log.push('first request seen');
          await sleep(2);
          log.push('clean-up finished');
          throw error;
        }
      });
      await sleep(1);
      await timeoutAfter(1, () => task.cancel()).catch((error) => {
        expect(error).toBeInstanceOf(TaskTimeout);
        log.push('canceller gives up and retries');
      });
      await task.cancel();
      log.push('retry has returned');
    });
    expect(log).toEqual([
      'start',
      'first request seen',
      'canceller gives up and retries',
      'clean-up finished',
      'retry has returned',
    ]);
  });

  test('may be caught: the task then ends as if nothing had been, though cancelled is true', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        await sleep(1000).catch(() => {});
        return 'caught';
      });
      await sleep(0);
      await task.cancel();
      expect(task.exception).toBe(null);
      expect(task.result).toBe('caught');
      expect(await task.join()).toBe('caught');
      expect(task.cancelled).toBe(true);
    });
  });

  test('comes at the first blocking operation of a task that has not begun, inside its try', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        try {
          log.push('begins');
          await sleep(1);
        } catch {
          log.push('cancelled');
        }
      });
      await task.cancel();
    });
    expect(log).toEqual(['begins', 'cancelled']);
  });

  test('can be of oneself, without waiting: it comes at the next blocking operation, and sleep(0) is one', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        const self = await currentTask();
        await self.cancel({ blocking: false });
        log.push('requested');
        await new Queue<number>().put(1);
        log.push('put does not block');
        await sleep(0);
        log.push('not reached');
      });
      await task.wait();
      expect(task.cancelled).toBe(true);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect((task.exception as TaskCancelled).requestedBy).toBe(task);
    });
    expect(log).toEqual(['requested', 'put does not block']);
  });

  test('of oneself with waiting is refused, with what to write instead', async () => {
    await run(quiet(), async () => {
      const self = await currentTask();
      await expect(self.cancel()).rejects.toThrow(/cancelled itself.*blocking: false/);
      expect(self.cancelled).toBe(false);
      expect(await sleep(1)).toBe(1);
    });
  });

  test('down a chain of supervisors ends the innermost first', async () => {
    const log = await logged(async (log) => {
      const child = async () => {
        try {
          await sleep(1000);
        } catch (error) {
          log.push('child cancelled');
          throw error;
        }
      };
      const supervisor = (name: string, below: () => Promise<unknown>) => async () => {
        const task = await spawn(below);
        try {
          await sleep(1000);
        } catch (error) {
          await task.cancel();
          log.push(`${name} cancelled`);
          throw error;
        }
      };
      const grandparent = await spawn(supervisor('grandparent', supervisor('parent', child)));
      await sleep(1);
      await grandparent.cancel();
      log.push('cancel has returned');
    });
    expect(log).toEqual([
      'child cancelled',
      'parent cancelled',
      'grandparent cancelled',
      'cancel has returned',
    ]);
  });

  test('erases the timeouts that the task stands in: clean-up may last longer', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        try {
          await timeoutAfter(5, () =>
            timeoutAfter(3, async () => {
              log.push('start');
              try {
                await sleep(1000);
              } catch (error) {
                log.push('cancellation seen');
                await sleep(50);
                log.push('clean-up finished');
                throw error;
              }
            }),
          );
        } catch (error) {
          if (error instanceof TaskTimeout) log.push('timeout');
          throw error;
        }
      });
      await sleep(1);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    });
    expect(log).toEqual(['start', 'cancellation seen', 'clean-up finished']);
  });

  test('does not take away what the task was chosen for before: an item, a lock', async () => {
    const log = await logged(async (log) => {
      const queue = new Queue<string>();
      const lock = new Lock();
      await lock.acquire();
      const getter = await spawn(async () => {
        log.push(await queue.get());
        await sleep(0);
        log.push('not reached');
      });
      const locker = await spawn(async () => {
        await using _ = await lock.acquire();
        log.push('has the lock');
        await sleep(0);
        log.push('not reached');
      });
      await sleep(1);
      await queue.put('item');
      await lock.release();
      await getter.cancel({ blocking: false });
      await locker.cancel({ blocking: false });
      await getter.wait();
      await locker.wait();
      expect(lock.locked()).toBe(false);
      expect(queue.empty()).toBe(true);
    });
    expect(log).toEqual(['item', 'has the lock']);
  });

  test('interrupted while it waits has cancelled all the same', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        await sleep(1000).catch(async () => {
          await sleep(10);
        });
      });
      await sleep(1);
      const canceller = await spawn(() => task.cancel());
      await sleep(1);
      await canceller.cancel();
      expect(canceller.exception).toBeInstanceOf(TaskCancelled);
      expect(task.cancelled).toBe(true);
      await task.wait();
    });
  });

  test('of a task that swallows it and goes on blocking is delivered once', async () => {
    const log = await logged(async (log) => {
      const task = await spawn(async () => {
        for (let i = 0; i < 3; i++) {
          await sleep(10).then(
            () => log.push('slept'),
            () => log.push('swallowed'),
          );
        }
      });
      await sleep(1);
      await task.cancel();
    });
    expect(log).toEqual(['swallowed', 'slept', 'slept']);
  });
});

describe('the exception of a cancellation', () => {
  /** What a task is thrown that is cancelled in this way. */
  async function thrownBy(exc?: NonNullable<Parameters<Task['cancel']>[0]>['exc']): Promise<unknown> {
    let seen: unknown;
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        await sleep(1000).catch((error) => {
          seen = error;
        });
      });
      await sleep(0);
      await task.cancel(exc === undefined ? {} : { exc });
    });
    return seen;
  }

  test('carries its own class name as its message, if it has no other', async () => {
    expect(((await thrownBy()) as Error).message).toBe('TaskCancelled');
    expect(((await thrownBy(CancelledError)) as Error).message).toBe('CancelledError');
  });

  test('is of the class given, which may be any error class', async () => {
    expect(await thrownBy(CancelledError)).toBeInstanceOf(CancelledError);
    expect(await thrownBy(CancelledError)).not.toBeInstanceOf(TaskCancelled);
    expect(await thrownBy(Oops)).toBeInstanceOf(Oops);
    expect(await thrownBy(TypeError)).toBeInstanceOf(TypeError);
  });

  test('is the very object given', async () => {
    const oops = new Oops('this one');
    expect(await thrownBy(oops)).toBe(oops);
    const cancelled = new TaskCancelled('with a reason', { cause: oops });
    expect(await thrownBy(cancelled)).toBe(cancelled);
    expect(cancelled.cause).toBe(oops);
  });

  test('of another class than a cancellation, left uncaught, is a crash, though cancelled is true', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(() => sleep(1000));
      await sleep(0);
      await task.cancel({ exc: Oops });
      expect(task.cancelled).toBe(true);
      expect(task.exception).toBeInstanceOf(Oops);
      const error = await task.join().catch((it) => it);
      expect(error).toBeInstanceOf(TaskError);
      expect(error.cause).toBe(task.exception);
    });
    expect(options.logger.of('error')[0]).toContain('Task Crash');
  });

  test('that is none is refused at the call, and the task is not cancelled', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => sleep(5));
      await sleep(0);
      for (const exc of ['text', 5, {}, Map, () => new Oops(), null]) {
        expect(() => task.cancel({ exc: exc as never }), String(exc)).toThrow(TypeError);
      }
      expect(task.cancelled).toBe(false);
      expect(await task.join()).toBe(5);
    });
  });

  test('says who asked: the task that called cancel', async () => {
    await run(quiet(), async () => {
      const task = await spawn(() => sleep(1000));
      await sleep(0);
      const canceller = await spawn(() => task.cancel());
      await canceller.join();
      const error = task.exception as TaskCancelled;
      expect(error.requestedBy).toBe(canceller);
      expect(error.requestedAt).toBe(null);
    });
  });

  test('says where it was asked for, when stacks are on', async () => {
    await run({ ...quiet(), stacks: true }, async () => {
      const task = await spawn(() => sleep(1000));
      await sleep(0);
      async function pullTheTrigger() {
        await task.cancel();
      }
      await pullTheTrigger();
      const { requestedAt } = task.exception as TaskCancelled;
      expect(requestedAt?.[0]).toMatch(/test[\\/]task\.test\.ts$/);
      expect(requestedAt?.[1]).toBeTypeOf('number');
    });
  });

  test('says nobody, for a timeout', async () => {
    await run(quiet(), async () => {
      const error = await timeoutAfter(1, sleep, 5).catch((it) => it);
      expect(error.requestedBy).toBe(null);
      expect(error.requestedAt).toBe(null);
    });
  });
});

describe('an uncaught timeout', () => {
  test('ends a task with that error, which is not cancelled', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(() => timeoutAfter(1, sleep, 5));
      const error = await task.join().catch((it) => it);
      expect(error.cause).toBeInstanceOf(TaskTimeout);
      expect(task.cancelled).toBe(false);
    });
    expect(options.logger.lines).toEqual([]);
  });
});

describe('what a task is', () => {
  test('currentTask() is the task itself, the one that spawn gave', async () => {
    await run(quiet(), async () => {
      const main = await currentTask();
      expect(main).toBeInstanceOf(Task);
      const task = await spawn(async () => currentTask());
      expect(await task.join()).toBe(task);
      expect(task).not.toBe(main);
    });
  });

  test('id increases, parentId is the spawner, and the main task has none', async () => {
    await run(quiet(), async () => {
      const main = await currentTask();
      expect(main.parentId).toBe(null);
      const first = await spawn(async () => (await spawn(async () => {})).parentId);
      const second = await spawn(async () => {});
      expect(Number.isInteger(first.id)).toBe(true);
      expect(first.id).toBeGreaterThan(main.id);
      expect(second.id).toBeGreaterThan(first.id);
      expect(first.parentId).toBe(main.id);
      expect(await first.join()).toBe(first.id);
    });
  });

  test('name is that of the function, of the target of a bound one, or the one given', async () => {
    async function counter(_from: number) {}
    const nameless = [async () => {}][0]!;
    const odd = Object.defineProperty(async () => {}, 'name', { value: 5 });
    await run(quiet(), async () => {
      const names = async (...tasks: Promise<Task<unknown>>[]) =>
        (await Promise.all(tasks)).map((task) => task.name);
      expect(await names(spawn(counter, 1))).toEqual(['counter']);
      expect(await names(spawn(counter.bind(null, 1)))).toEqual(['counter']);
      expect(await names(spawn(counter.bind(null, 1).bind(null)))).toEqual(['counter']);
      expect(await names(spawn(nameless))).toEqual(['anonymous']);
      expect(await names(spawn(odd))).toEqual(['anonymous']);
      expect(await names(spawn(instantiateCoroutine(counter, 1)))).toEqual(['counter']);
      expect(await names(spawn({ name: 'given' }, counter, 1))).toEqual(['given']);
      expect(await names(spawn({ name: 'given' }, instantiateCoroutine(counter, 1)))).toEqual(['given']);
      expect((await currentTask()).name).toBe('anonymous');
    });
    await run(async function main() {
      expect((await currentTask()).name).toBe('main');
    });
  });

  test('daemon and fn are what spawn was given', async () => {
    async function work() {}
    await run(quiet(), async () => {
      const plain = await spawn(work);
      const daemon = await spawn({ daemon: true }, work);
      expect([plain.daemon, daemon.daemon]).toEqual([false, true]);
      expect([plain.fn, daemon.fn]).toEqual([work, work]);
    });
  });
});

describe('state', () => {
  test('is READY after spawn, RUNNING for the task itself, TERMINATED at the end', async () => {
    await run(quiet(), async () => {
      const task = await spawn(async () => {
        const self = await currentTask();
        expect(self.state).toBe('RUNNING');
        expect(self.terminated).toBe(false);
      });
      expect(task.state).toBe('READY');
      await task.join();
      expect(task.state).toBe('TERMINATED');
      expect(task.terminated).toBe(true);
    });
  });

  test('is the name of the wait', async () => {
    await run(quiet(), async () => {
      const lock = new Lock();
      await lock.acquire();
      const rlock = new RLock();
      await rlock.acquire();
      const condition = new Condition();
      const full = new Queue<number>(1);
      await full.put(1);
      const group = new TaskGroup();
      await group.spawn(() => sleep(1e6));
      using signals = new SignalQueue('SIGUSR2');
      const sleeper = await spawn({ daemon: true }, () => sleep(1e6));
      const waits: [state: string, fn: () => unknown][] = [
        ['TIME_SLEEP', () => sleep(1e6)],
        ['TASK_JOIN', () => sleeper.join()],
        ['TASK_JOIN', () => sleeper.wait()],
        ['TASK_JOIN', () => group.nextDone()],
        ['EVENT_WAIT', () => new Event().wait()],
        ['LOCK_ACQUIRE', () => lock.acquire()],
        ['LOCK_ACQUIRE', () => rlock.acquire()],
        ['SEMA_ACQUIRE', () => new Semaphore(0).acquire()],
        ['COND_WAIT', () => condition.with(() => condition.wait())],
        ['QUEUE_GET', () => new Queue<number>().get()],
        ['QUEUE_PUT', () => full.put(2)],
        ['QUEUE_JOIN', () => full.join()],
        ['FUTURE_WAIT', () => wait(new Promise(() => {}))],
        ['FUTURE_WAIT', () => new UniversalQueue<number>().get()],
        ['PROMISE_WAIT', () => new Promise(() => {})],
        ['SIGNAL_WAIT', () => signals.get()],
        ['MY_OWN_WAIT', () => new SchedFIFO().suspend('MY_OWN_WAIT')],
      ];
      const tasks: Task<unknown>[] = [];
      for (const [, fn] of waits) tasks.push(await spawn({ daemon: true }, fn));
      await sleep(0);
      await new Promise((resolve) => setImmediate(resolve));
      expect(tasks.map((task) => task.state)).toEqual(waits.map(([state]) => state));
      for (const [i, task] of tasks.entries()) if (waits[i]![0] !== 'PROMISE_WAIT') await task.cancel();
      await group.cancelRemaining();
      // An ordinary promise that never settles would hold the shutdown.
      giveUp(tasks[14]!);
    });
  });
});

/** Ends a task that hangs in a promise which never settles. */
function giveUp(task: Task<unknown>): void {
  const record = task as unknown as { core: { giveUp(record: unknown, exc: unknown): void } };
  record.core.giveUp(task, new TaskCancelled());
}

describe('toString()', () => {
  test('shows id, name and state', async () => {
    await run(quiet(), async () => {
      const task = await spawn({ name: 'child' }, () => sleep(5));
      expect(String(task)).toBe(`Task(id=${task.id}, name='child', state='READY')`);
      await sleep(0);
      expect(`${task}`).toBe(`Task(id=${task.id}, name='child', state='TIME_SLEEP')`);
      expect(inspect(task)).toBe(String(task));
      await task.join();
      expect(String(task)).toBe(`Task(id=${task.id}, name='child', state='TERMINATED')`);
    });
  });

  test('shows file and line as well while the task waits and stacks are on', async () => {
    await run({ ...quiet(), stacks: true }, async () => {
      const task = await spawn({ name: 'child' }, () => sleep(5));
      await sleep(0);
      expect(String(task)).toMatch(
        /^Task\(id=\d+, name='child', state='TIME_SLEEP'\) at .*task\.test\.ts:\d+$/,
      );
    });
  });
});

describe('where() and traceback()', () => {
  async function innermost(event: Event) {
    await event.wait(); // <- here
  }
  async function middle(event: Event) {
    await innermost(event);
  }
  async function outermost(event: Event) {
    await timeoutAfter(100, middle, event);
  }

  test('show the chain of async functions, the user’s lines only, most recent call last', async () => {
    await run({ ...quiet(), stacks: true }, async () => {
      const event = new Event();
      const task = await spawn(outermost, event);
      await sleep(0);
      const [file, line] = task.where() as [string, number];
      expect(file).toBe(import.meta.filename ?? new URL(import.meta.url).pathname);
      const text = readFileSync(file, 'utf8');
      expect(text.split('\n')[line - 1]).toContain('<- here');
      const traceback = task.traceback();
      expect(traceback).toContain(`Task(id=${task.id}, name='outermost', state='EVENT_WAIT')`);
      const functions = [...traceback.matchAll(/line (\d+), in (\S+)/g)].map(([, at, fn]) => [
        fn,
        Number(at),
      ]);
      expect(functions.map(([fn]) => fn)).toEqual(['outermost', 'middle', 'innermost']);
      expect(functions[2]![1]).toBe(line);
      expect(traceback).not.toMatch(/[\\/]src[\\/]/);
      expect(traceback).not.toContain('node:');
    });
  });

  test('of a task that runs, has ended, or has not begun say so', async () => {
    await run({ ...quiet(), stacks: true }, async () => {
      const self = await currentTask();
      expect(self.where()).toBe(null);
      expect(self.traceback()).toMatch(/RUNNING.*no stack/);
      const task = await spawn(async () => {});
      expect(task.where()).toBe(null);
      expect(task.traceback()).toMatch(/READY.*no stack/);
      await task.join();
      expect(task.where()).toBe(null);
      expect(task.traceback()).toMatch(/TERMINATED.*no stack.*ended/);
    });
  });

  test('when stacks are off say how to turn them on', async () => {
    await run(quiet(), async () => {
      const task = await spawn(outermost, new Event());
      await sleep(0);
      expect(task.where()).toBe(null);
      expect(task.traceback()).toMatch(/EVENT_WAIT.*run\(\{ stacks: true \}.*CURIO_STACKS=1/);
    });
  });

  test('follow the task from wait to wait', async () => {
    await run({ ...quiet(), stacks: true }, async () => {
      const lines: number[] = [];
      const task = await spawn(async () => {
        await sleep(1);
        await sleep(1);
      });
      for (let i = 0; i < 2; i++) {
        await sleep(0.5);
        lines.push(task.where()![1]);
        await sleep(0.5);
      }
      expect(lines[1]).toBe(lines[0]! + 1);
    });
  });

  test('do not depend on Error.stackTraceLimit, nor on Error.prepareStackTrace', async () => {
    const { stackTraceLimit, prepareStackTrace } = Error;
    try {
      await run({ ...quiet(), stacks: true }, async () => {
        Error.stackTraceLimit = 0;
        const task = await spawn(outermost, new Event());
        await sleep(0);
        expect(Error.stackTraceLimit).toBe(0);
        Error.stackTraceLimit = stackTraceLimit;
        expect(task.where()?.[0]).toContain('task.test.ts');

        Error.prepareStackTrace = (_, sites) => sites;
        const other = await spawn(outermost, new Event());
        await sleep(0);
        // There is nothing to read from; it must not fail.
        expect(other.where()).toBe(null);
        expect(other.traceback()).toContain('no stack');
        expect(String(other)).toContain('EVENT_WAIT');
        Error.prepareStackTrace = prepareStackTrace;
      });
    } finally {
      Object.assign(Error, { stackTraceLimit, prepareStackTrace });
    }
  });

  test('are switched on by the environment variable CURIO_STACKS=1', async () => {
    const before = process.env.CURIO_STACKS;
    process.env.CURIO_STACKS = '1';
    try {
      await run(quiet(), async () => {
        const task = await spawn(outermost, new Event());
        await sleep(0);
        expect(task.where()?.[0]).toContain('task.test.ts');
      });
      await run({ ...quiet(), stacks: false }, async () => {
        const task = await spawn(outermost, new Event());
        await sleep(0);
        expect(task.where()).toBe(null);
      });
    } finally {
      if (before === undefined) delete process.env.CURIO_STACKS;
      else process.env.CURIO_STACKS = before;
    }
  });
});
