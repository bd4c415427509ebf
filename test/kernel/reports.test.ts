// What the kernel says without having been asked: crashes, tasks nobody joined, operations nobody awaited, cancellations that
// were swallowed. And that what users throw, or how their loggers fail, never leaves a task stuck.

import {
  CancelledError,
  disableCancellation,
  Event,
  type Logger,
  run,
  sleep,
  spawn,
  spawnThread,
  type Task,
  TaskCancelled,
  TaskError,
  TaskGroup,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { VirtualClock } from 'curio/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { recorder } from '../kit/recorder.ts';
import { thrownBy } from '../kit/virtual.ts';

class Oops extends Error {
  override name = 'Oops';
}

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a crash', () => {
  test('is logged as an error at the moment it happens, with the task and its stack, even if somebody joins later', async () => {
    const options = quiet();
    await run(options, async () => {
      async function breakDown() {
        throw new Oops('broken');
      }
      const task = await spawn(breakDown);
      await sleep(0);
      expect(options.logger.lines).toHaveLength(1);
      const [report] = options.logger.of('error');
      expect(report).toMatch(new RegExp(`^Task Crash: Task\\(id=${task.id}, name='breakDown'`));
      expect(report).toContain('broken');
      expect(report).toMatch(/at .*breakDown .*reports\.test\.ts:\d+/);
      await expect(task.join()).rejects.toThrow(TaskError);
    });
    expect(options.logger.lines).toHaveLength(1);
  });

  test('is logged in few words, though its cause is a failure that was caused by another, and so on for ever', async () => {
    const lengths: number[] = [];
    const logger = { ...recorder(), error: (message: string) => void lengths.push(message.length) };
    await run({ clock: new VirtualClock(), logger }, async () => {
      let task: Task<unknown> = await spawn(async () => {
        throw new Oops('the root of it');
      });
      for (let i = 0; i < 5_000; i++) {
        const next = task;
        task = await spawn(() => next.join());
      }
      const error = (await thrownBy(task.join())) as Error;
      expect(error.message).toMatch(
        / failed: TaskError: Task\(id=\d+, name='anonymous'\) failed: TaskError: .* …$/,
      );
      expect(error.cause).toBeInstanceOf(TaskError);
    });
    expect(lengths).toHaveLength(5_001);
    expect(Math.max(...lengths)).toBeLessThan(200_000);
  });

  test('is logged with the causes of its error', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(() => {
        throw new Oops('outer', { cause: new Oops('middle', { cause: 'the root of it' }) });
      });
      await task.wait();
    });
    expect(options.logger.of('error')[0]).toMatch(
      /outer[\s\S]*Caused by: .*middle[\s\S]*Caused by: the root of it/,
    );
  });

  test('of the main task is not logged: its error comes out of run()', async () => {
    const options = quiet();
    await expect(
      run(options, async () => {
        throw new Oops();
      }),
    ).rejects.toThrow(Oops);
    expect(options.logger.lines).toEqual([]);
  });

  test('of a daemon is logged like any other', async () => {
    const options = quiet();
    await run(options, async () => {
      await spawn({ daemon: true }, () => {
        throw new Oops('in a daemon');
      });
      await sleep(0);
    });
    expect(options.logger.of('error')[0]).toContain('in a daemon');
  });

  test('is not what cancellations and timeouts are', async () => {
    const options = quiet();
    await run(options, async () => {
      const cancelled = await spawn(() => sleep(1000));
      const timedOut = await spawn(() => timeoutAfter(1, sleep, 1000));
      const byHand = await spawn(() => {
        throw new CancelledError('by hand');
      });
      await sleep(2);
      await cancelled.cancel();
      expect(cancelled.exception).toBeInstanceOf(TaskCancelled);
      expect(timedOut.exception).toBeInstanceOf(TaskTimeout);
      expect(timedOut.cancelled).toBe(false);
      await expect(timedOut.join()).rejects.toThrow(TaskError);
      await expect(byHand.join()).rejects.toThrow(TaskError);
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is what an uncaught exception of another class is that a task was cancelled with', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(() => sleep(1000));
      await sleep(0);
      await task.cancel({ exc: Oops });
      expect(task.cancelled).toBe(true);
      const error = await task.join().catch((it) => it);
      expect(error.cause).toBeInstanceOf(Oops);
    });
    expect(options.logger.of('error')).toHaveLength(1);
    expect(options.logger.lines).toHaveLength(1);
  });

  test('of a task that nobody joined is reported as a crash only', async () => {
    const options = quiet();
    await run(options, async () => {
      await spawn(() => {
        throw new Oops();
      });
      await sleep(0);
    });
    expect(options.logger.lines).toHaveLength(1);
    expect(options.logger.of('error')).toHaveLength(1);
  });

  // Users may throw anything.
  const thrown: Record<string, unknown> = {
    'a string': 'text',
    undefined: undefined,
    null: null,
    'a symbol': Symbol('thrown'),
    'a bigint': 10n,
    'an object without a prototype': Object.create(null),
    'an object that cannot be made a string': {
      toString() {
        throw new Oops('no string');
      },
    },
    'a function': () => 5,
    'an error whose stack is no string': Object.assign(new Oops('odd'), { stack: [1, 2] }),
    'an error that throws when looked at': Object.defineProperties(new Oops(), {
      stack: {
        get() {
          throw new Oops('no stack');
        },
      },
      message: {
        get() {
          throw new Oops('no message');
        },
      },
    }),
    'a proxy that refuses everything': new Proxy(new Oops(), {
      get() {
        throw new Oops('refused');
      },
      getPrototypeOf() {
        throw new Oops('refused');
      },
    }),
    'an error that causes itself': (() => {
      const error = new Oops('round');
      error.cause = error;
      return error;
    })(),
    'an error with an odd cause': new Oops('caused', { cause: Object.create(null) }),
  };

  for (const [what, value] of Object.entries(thrown)) {
    test(`with ${what} is logged, and ends the task and nothing else`, async () => {
      const options = quiet();
      await run(options, async () => {
        const joiners: Task<unknown>[] = [];
        const task = await spawn({ name: 'odd' }, async () => {
          await sleep(1);
          throw value;
        });
        for (let i = 0; i < 2; i++) joiners.push(await spawn(() => task.join().catch((error) => error)));
        await task.wait();
        expect(task.terminated).toBe(true);
        expect(task.exception === value).toBe(true);
        for (const joiner of joiners) {
          const error = (await joiner.join()) as TaskError;
          expect(error).toBeInstanceOf(TaskError);
          expect(error.cause === value).toBe(true);
        }
        const late = await task.join().catch((error) => error);
        expect(late).toBeInstanceOf(TaskError);
        expect(await sleep(1)).toBe(2);
      });
      expect(options.logger.of('error')).toHaveLength(1);
      expect(options.logger.of('error')[0]).toContain("name='odd'");
    });
  }
});

describe('a task that was never joined', () => {
  test('is a warning that names it and says what to do, by the time run() settles', async () => {
    const options = quiet();
    let id = 0;
    await run(options, async () => {
      id = (await spawn({ name: 'forgotten' }, async () => 5)).id;
      await sleep(0);
    });
    expect(options.logger.lines).toHaveLength(1);
    expect(options.logger.of('warn')[0]).toMatch(
      new RegExp(`Task never joined: Task\\(id=${id}, name='forgotten'\\).*TaskGroup.*daemon: true`),
    );
  });

  test('is one of many is one line for each name', async () => {
    const options = quiet();
    await run(options, async () => {
      for (let i = 0; i < 500; i++) await spawn({ name: i % 2 === 0 ? 'even' : 'odd' }, async () => {});
      await sleep(0);
    });
    expect(options.logger.lines.length).toBeLessThanOrEqual(3);
    expect(options.logger.lines.join('\n')).toMatch(/'even'[\s\S]*'odd'/);
  });

  test('is none that was joined, before or after its end, by anybody', async () => {
    const options = quiet();
    await run(options, async () => {
      const before = await spawn(() => sleep(1));
      const after = await spawn(async () => {});
      await before.join();
      await after.join();
      const byOther = await spawn(async () => {});
      await (await spawn(() => byOther.join())).join();
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is none whose result was looked at, or that was cancelled when it had ended', async () => {
    const options = quiet();
    await run(options, async () => {
      const waited = await spawn(async () => 5);
      await waited.wait();
      expect(waited.result).toBe(5);
      for (const blocking of [true, false]) {
        const ended = await spawn(async () => {});
        await sleep(0);
        await ended.cancel({ blocking });
        expect(ended.cancelled).toBe(false);
      }
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is one that was only waited for, or asked for its exception', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(async () => 5);
      await task.wait();
      expect(task.exception).toBe(null);
    });
    expect(options.logger.lines).toHaveLength(1);
  });

  test('is none of three hundred that were all joined after they had ended', async () => {
    const options = quiet();
    await run(options, async () => {
      const tasks: Task<unknown>[] = [];
      for (let i = 0; i < 300; i++) tasks.push(await spawn(async () => {}));
      await sleep(0);
      for (const task of tasks) await task.join();
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is counted right when some of hundreds were joined', async () => {
    const options = quiet();
    await run(options, async () => {
      const tasks: Task<unknown>[] = [];
      for (let i = 0; i < 300; i++) tasks.push(await spawn({ name: 'worker' }, async () => {}));
      await sleep(0);
      for (const task of tasks.slice(0, 297)) await task.join();
    });
    const text = options.logger.lines.join('\n');
    const told = [...text.matchAll(/(\d+) (?:more|named)/g)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
    expect(told).toBe(3);
  });

  test('is none that was cancelled, is daemonic, crashed, or belongs to a group', async () => {
    const options = quiet();
    await run(options, async () => {
      const cancelled = await spawn(() => sleep(1000).catch(() => 'ended normally'));
      await sleep(0);
      await cancelled.cancel();
      expect(cancelled.exception).toBe(null);
      await spawn({ daemon: true }, async () => {});
      const group = new TaskGroup();
      await group.spawn(async () => {});
      await group.join();
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is one that was only waited for: wait() is not joining', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn({ name: 'waited' }, async () => {});
      await task.wait();
    });
    expect(options.logger.of('warn')[0]).toContain("'waited'");
  });

  test('is none whose join was interrupted', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(() => sleep(5));
      await timeoutAfter(1, () => task.join()).catch(() => {});
      await sleep(10);
      expect(task.terminated).toBe(true);
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is not the main task, nor one that was cancelled by the shutdown', async () => {
    const options = quiet();
    await run(options, async () => {
      await spawn(() => sleep(1000));
      await sleep(0);
      return 'main';
    });
    expect(options.logger.lines).toEqual([]);
  });
});

describe('a task that was cancelled, swallowed it, and still runs', () => {
  test('is reported after ten seconds, with its state and what to do', async () => {
    const options = quiet();
    await run({ ...options, stacks: true }, async () => {
      const task = await spawn({ name: 'stubborn' }, async () => {
        await sleep(1000).catch(() => {});
        await sleep(60);
      });
      await sleep(1);
      await task.cancel({ blocking: false });
      await sleep(9.9);
      expect(options.logger.lines).toEqual([]);
      await sleep(0.2);
      expect(options.logger.lines).toHaveLength(1);
      await task.wait();
    });
    expect(options.logger.lines).toHaveLength(1);
    expect(options.logger.of('warn')[0]).toMatch(
      /Task\(id=\d+, name='stubborn'\) was cancelled 10 s ago and still runs, in state TIME_SLEEP.*reports\.test\.ts:\d+.*CancelledError/,
    );
  });

  test('is told of AWAIT, if it is a thread', async () => {
    const options = quiet();
    const flag = new Int32Array(new SharedArrayBuffer(4));
    await run(options, async () => {
      const thread = await spawnThread((held: Int32Array) => void Atomics.wait(held, 0, 0), flag);
      await thread.cancel({ blocking: false });
      await sleep(11);
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
      await thread.wait();
    });
    expect(options.logger.of('warn')[0]).toMatch(/still runs.*A thread is told at its next AWAIT\(\)/);
  });

  test('is told that it hangs in an ordinary promise, if it does', async () => {
    const options = quiet();
    await run(options, async () => {
      let release!: () => void;
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const task = await spawn(() => held);
      await sleep(0);
      await turn();
      await task.cancel({ blocking: false });
      await sleep(11);
      release();
      await task.wait();
    });
    expect(options.logger.of('warn')[0]).toMatch(
      /PROMISE_WAIT.*ordinary promise.*wait\(promise\).*currentSignal\(\)/,
    );
  });

  test('is not one that has ended in time', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(async () => {
        await sleep(1000).catch(() => {});
        await sleep(9);
      });
      await sleep(1);
      await task.cancel();
      await sleep(100);
    });
    expect(options.logger.lines).toEqual([]);
  });

  test('is each of several, once', async () => {
    const options = quiet();
    await run(options, async () => {
      const tasks: Task<unknown>[] = [];
      for (let i = 0; i < 3; i++) {
        tasks.push(
          await spawn({ name: `t${i}` }, async () => {
            await sleep(1000).catch(() => {});
            await sleep(60);
          }),
        );
      }
      await sleep(0);
      for (const task of tasks) {
        await task.cancel({ blocking: false });
        await sleep(1);
      }
      for (const task of tasks) await task.wait();
    });
    expect(options.logger.of('warn').map((line) => /name='(t\d)'/.exec(line)?.[1])).toEqual([
      't0',
      't1',
      't2',
    ]);
  });

  test('is told of also if it is shielded', async () => {
    const options = quiet();
    await run(options, async () => {
      const task = await spawn(() => disableCancellation(() => sleep(60)));
      await sleep(0);
      await task.cancel();
    });
    expect(options.logger.of('warn')).toHaveLength(1);
  });
});

describe('a logger', () => {
  afterEach(() => void vi.restoreAllMocks());

  const stderr = () => {
    const said: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
    return said;
  };

  const program = async () => {
    const task = await spawn({ name: 'crasher' }, () => {
      throw new Oops('lost?');
    });
    await spawn({ name: 'forgotten' }, async () => {});
    const error = await task.join().catch((it) => it);
    expect(error).toBeInstanceOf(TaskError);
    await sleep(0);
    return 'went on';
  };

  test('that throws does no harm, and what it could not log goes to standard error', async () => {
    const said = stderr();
    const broken = () => {
      throw new Oops('the logger is broken');
    };
    const logger: Logger = { debug: broken, info: broken, warn: broken, error: broken };
    expect(await run({ logger }, program)).toBe('went on');
    expect(said.join('')).toMatch(/the logger is broken[\s\S]*crasher[\s\S]*lost\?[\s\S]*forgotten/);
  });

  test('that throws what cannot be shown does no harm', async () => {
    const said = stderr();
    const broken = () => {
      throw Object.create(null);
    };
    const logger: Logger = { debug: broken, info: broken, warn: broken, error: broken };
    expect(await run({ logger }, program)).toBe('went on');
    expect(said.join('')).toContain('lost?');
  });

  test('that has no such method does no harm', async () => {
    const said = stderr();
    expect(await run({ logger: {} as Logger }, program)).toBe('went on');
    expect(said.join('')).toContain('lost?');
  });

  test('that is asynchronous and fails does no harm', async () => {
    const said = stderr();
    const broken = async () => {
      throw new Oops('the logger is broken');
    };
    const logger = { debug: broken, info: broken, warn: broken, error: broken };
    expect(await run({ logger }, program)).toBe('went on');
    await turn();
    expect(said.join('')).toMatch(/the logger is broken[\s\S]*lost\?/);
  });

  test('that calls operations back is refused, and nobody is stuck', async () => {
    const results: unknown[] = [];
    const event = new Event();
    const nosy = () => {
      try {
        void event.set();
        void sleep(1).catch((error) => results.push(error));
      } catch (error) {
        results.push(error);
      }
    };
    const logger: Logger = { debug: nosy, info: nosy, warn: nosy, error: nosy };
    expect(await run({ logger, clock: new VirtualClock() }, program)).toBe('went on');
    // It was called on behalf of a task that had ended.
    expect(event.isSet()).toBe(false);
  });
});

describe('without a logger', () => {
  afterEach(() => void vi.restoreAllMocks());

  test('everything goes to standard error, a line with its level each', async () => {
    const said: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
    await run({ clock: new VirtualClock() }, async () => {
      await spawn({ name: 'crasher' }, () => {
        throw new Oops('to stderr');
      });
      await spawn({ name: 'forgotten' }, async () => {});
      await sleep(0);
    });
    expect(said).toHaveLength(2);
    expect(said[0]).toMatch(/^curio error: Task Crash: .*crasher[\s\S]*to stderr[\s\S]*\n$/);
    expect(said[1]).toMatch(/^curio warn: Task never joined: .*forgotten.*\n$/);
  });
});
