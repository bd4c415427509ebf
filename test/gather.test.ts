// taskGroup(): a group as a block. gather(): functions side by side.

import {
  CancelledError,
  currentTask,
  Event,
  gather,
  ignoreAfter,
  RuntimeError,
  sleep,
  spawn,
  type Task,
  TaskBusyError,
  TaskCancelled,
  TaskError,
  TaskGroup,
  TaskTimeout,
  taskGroup,
  timeoutAfter,
  UncaughtTimeoutError,
} from 'curio';
import { instantiateCoroutine } from 'curio/meta';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { recorder } from './kit/recorder.ts';
import { noisily, thrownBy, virtually } from './kit/virtual.ts';

/** Sleeps, then gives or throws. */
async function later<T>(seconds: number, outcome: T | Error): Promise<T> {
  await sleep(seconds);
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

describe('taskGroup()', () => {
  test('joins at the end of the block, and gives the group', () =>
    virtually(async () => {
      const group = await taskGroup<number>(async (g) => {
        await g.spawn(later, 2, 2);
        await g.spawn(later, 1, 1);
      });
      expect(group).toBeInstanceOf(TaskGroup);
      expect(group.results).toEqual([2, 1]);
    }));

  test('takes the options of a group first', () =>
    virtually(async () => {
      const adopted = await spawn(later<string>, 1, 'adopted');
      const group = await taskGroup<string>({ wait: 'any', tasks: [adopted] }, async (g) => {
        await g.spawn(later, 5, 'spawned');
      });
      expect(group.result).toBe('adopted');
      expect(group.tasks[1]!.cancelled).toBe(true);
    }));

  test('a failing member does not make it throw', () =>
    noisily(async () => {
      const group = await taskGroup<unknown>(async (g) => {
        await g.spawn(later, 1, new TypeError('bad'));
        await g.spawn(later, 5, 'good');
      });
      expect(group.exception).toBeInstanceOf(TypeError);
      expect(() => group.results).toThrow(TypeError);
    }));

  test('an error in the body cancels all members first, daemons too, and is the one that comes out', () =>
    virtually(async () => {
      const log: string[] = [];
      const bad = new TypeError('in the body');
      let group!: TaskGroup<unknown>;
      const member = async (name: string) => {
        try {
          await sleep(1000);
        } catch (error) {
          log.push(`${name} sees ${(error as Error).name}`);
          await sleep(1);
          log.push(`${name} ends`);
          throw error;
        }
      };
      const error = await thrownBy(
        taskGroup(async (g) => {
          group = g;
          await g.spawn(member, 'a');
          await g.spawn({ daemon: true }, member, 'daemon');
          await g.spawn(member, 'b');
          await sleep(1);
          throw bad;
        }),
      );
      expect(error).toBe(bad);
      expect(log).toEqual([
        'a sees TaskCancelled',
        'daemon sees TaskCancelled',
        'b sees TaskCancelled',
        'a ends',
        'daemon ends',
        'b ends',
      ]);
      // Those that were running are gone from the list.
      expect(group.tasks).toEqual([]);
    }));

  test('after an error in the body a member that had ended remains, and can be the completed one', () =>
    virtually(async () => {
      let group!: TaskGroup<unknown>;
      const error = await thrownBy(
        taskGroup(async (g) => {
          group = g;
          await g.spawn(later, 1, 'ended');
          await g.spawn(later, 5, 'running');
          await sleep(2);
          throw new Error('in the body');
        }),
      );
      expect(error).toMatchObject({ message: 'in the body' });
      expect(group.tasks.map((task) => task.result)).toEqual(['ended']);
      expect(group.result).toBe('ended');
      expect(group.results).toEqual(['ended']);
    }));

  test('a TaskError left uncaught after joining a failed member is such an error', () =>
    noisily(async () => {
      let good!: Task<string>;
      const error = await thrownBy(
        taskGroup(async (g) => {
          const bad = await g.spawn(later, 1, new RangeError('bad'));
          good = await g.spawn(later<string>, 5, 'good');
          await bad.join();
        }),
      );
      expect(error).toBeInstanceOf(TaskError);
      expect((error as TaskError).cause).toBeInstanceOf(RangeError);
      expect([good.terminated, good.cancelled]).toEqual([true, true]);
    }));

  test('what a member spawns while it is being cancelled has to stop as well', () =>
    virtually(async () => {
      const spawned: Task[] = [];
      const error = await thrownBy(
        taskGroup(async (g) => {
          await g.spawn(async () => {
            try {
              await sleep(1000);
            } finally {
              spawned.push(await g.spawn(sleep, 1000));
            }
          });
          await sleep(1);
          throw new Error('in the body');
        }),
      );
      expect(error).toMatchObject({ message: 'in the body' });
      expect(spawned.map((task) => [task.terminated, task.cancelled])).toEqual([[true, true]]);
    }));

  test('a cancellation in the body, or in the join, comes out after every member has ended', () =>
    virtually(async () => {
      for (const body of [() => sleep(1000), () => {}]) {
        let member!: Task;
        const owner = await spawn(() =>
          taskGroup(async (g) => {
            member = await g.spawn(sleep, 1000);
            await body();
          }),
        );
        await sleep(1);
        await owner.cancel();
        expect([member.terminated, member.cancelled]).toEqual([true, true]);
        expect(owner.exception).toBeInstanceOf(TaskCancelled);
      }
    }));

  test('a timeout that expires while the members clean up is delivered afterwards', () =>
    virtually(async () => {
      const error = await thrownBy(
        timeoutAfter(3, async () => {
          await taskGroup(async (g) => {
            await g.spawn(async () => {
              try {
                await sleep(1000);
              } finally {
                await sleep(5);
              }
            });
            await sleep(1);
            throw new Error('in the body');
          }).catch((error) => expect(error.message).toBe('in the body'));
          expect(await sleep(0)).toBe(6);
          await sleep(1000);
        }),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
    }));

  test('a forgotten await in the body: its members are asked to stop, and the error says what to do', async () => {
    for (const failing of [false, true]) {
      const log = recorder();
      await noisily(
        async () => {
          const members: Task[] = [];
          const error = await thrownBy(
            taskGroup(async (g) => {
              members.push(await g.spawn(sleep, 1000), await g.spawn({ daemon: true }, sleep, 1000));
              void sleep(5);
              if (failing) throw new Error('in the body');
            }),
          );
          if (failing) expect(error).toMatchObject({ message: 'in the body' });
          else expect(error).toBeInstanceOf(TaskBusyError);
          expect(members.map((member) => member.cancelled)).toEqual([true, true]);
        },
        { logger: log },
      );
      expect(log.of('warn').join()).toContain('never awaited');
    }
  });

  test('a body that is no function, or a promise, is refused at the call', () =>
    virtually(async () => {
      expect(() => taskGroup(undefined as never)).toThrow('taskGroup() wants a function');
      expect(() => taskGroup(Promise.resolve() as never)).toThrow('taskGroup() was given a promise');
      expect(() => taskGroup({ wait: 'some' as never }, () => {})).toThrow(TypeError);
      const optionsLast = taskGroup as unknown as (body: unknown, options: unknown) => void;
      expect(() => optionsLast(() => {}, { wait: 'any' })).toThrow('taskGroup() takes options first');
    }));

  test('outside a task it is refused', async () => {
    let called = false;
    const body = () => {
      called = true;
    };
    expect(await thrownBy(taskGroup(body))).toBeInstanceOf(RuntimeError);
    expect(called).toBe(false);
  });

  test('no member survives it, wherever it is interrupted and in whatever order', async () => {
    let members: Task[] = [];
    let ended = 0;
    const program = async () => {
      members = [];
      ended = 0;
      try {
        await taskGroup(async (g) => {
          for (const seconds of [3, 1, 2]) members.push(await g.spawn(later, seconds, seconds));
          members.push(await g.spawn({ daemon: true }, sleep, 1000));
          await sleep(2);
          if (members.length === 4) throw new Error('in the body');
        });
      } catch (error) {
        ended = members.filter((task) => task.terminated).length;
        if (error instanceof CancelledError) throw error;
      }
      expect(members.every((task) => task.terminated)).toBe(true);
    };
    await cancelEverywhere(program, ({ kind, error }) => {
      if (error instanceof Error && !(error instanceof CancelledError)) throw error;
      if (kind !== 'none' || error !== null) expect(ended).toBe(members.length);
    });
    await explore(program, { seeds: 30 });
  });
});

describe('gather()', () => {
  test('tells those it cancels which exception was the reason', () =>
    virtually(async () => {
      const failure = new RangeError('the first');
      let reason: unknown;
      const other = async () => {
        try {
          await sleep(1000);
        } catch (error) {
          reason = (error as TaskCancelled).cause;
          throw error;
        }
      };
      expect(await thrownBy(gather([other, () => later(1, failure)]))).toBe(failure);
      expect(reason).toBe(failure);
    }));

  test('gives the results in the order of the functions, whatever the order of ending', () =>
    virtually(async () => {
      const results = await gather([() => later(2, 'a'), async () => 1, () => true, () => later(1, null)]);
      expectTypeOf(results).toEqualTypeOf<[string, number, boolean, null]>();
      expect(results).toEqual(['a', 1, true, null]);
    }));

  test('of nothing is nothing', () => virtually(async () => expect(await gather([])).toEqual([])));

  test('takes an array of any length, and what instantiateCoroutine() gives', () =>
    virtually(async () => {
      const many = Array.from({ length: 2500 }, (_, i) => () => later(i % 7, i));
      const results = await gather(many);
      expectTypeOf(results).toEqualTypeOf<number[]>();
      expect(results).toEqual(many.map((_, i) => i));
      const coroutine = instantiateCoroutine(later<string>, 1, 'started late');
      const started = await gather([coroutine, () => 1]);
      expectTypeOf(started).toEqualTypeOf<[string, number]>();
      expect(started).toEqual(['started late', 1]);
    }));

  test('runs each function in a task of its own, named after it', () =>
    virtually(async () => {
      async function named() {
        return (await currentTask()).name;
      }
      const [name, ids] = [
        await gather([named]),
        await gather([async () => (await currentTask()).id, async () => (await currentTask()).id]),
      ];
      expect(name).toEqual(['named']);
      expect(ids[1]).toBe(ids[0] + 1);
    }));

  test('a failure cancels the others, awaits them, and comes out as it is, without a crash report', () =>
    virtually(async () => {
      const log: string[] = [];
      const bad = new RangeError('bad');
      const error = await thrownBy(
        gather([
          async () => {
            try {
              await sleep(1000);
            } finally {
              await sleep(1);
              log.push('cleaned up');
            }
          },
          () => later(1, bad),
        ]),
      );
      expect(error).toBe(bad);
      expect(log).toEqual(['cleaned up']);
    }));

  test('of two failures at the same time the first in time comes out; the other is told in the log', async () => {
    const log = recorder();
    await noisily(
      async () => {
        const event = new Event();
        const error = await thrownBy(
          gather([
            async () => {
              await sleep(1);
              await event.wait();
              throw new Error('second');
            },
            async () => {
              await event.wait();
              throw new Error('first');
            },
            async () => {
              await sleep(2);
              await event.set();
            },
          ]),
        );
        expect(error).toMatchObject({ message: 'first' });
      },
      { logger: log },
    );
    expect(log.of('error')).toHaveLength(1);
    expect(log.of('error')[0]).toContain('gather(): another function failed, too');
    expect(log.of('error')[0]).toContain('second');
  });

  test('a failure in the clean-up of another is told in the log, and does not come out', async () => {
    const log = recorder();
    const error = await thrownBy(
      noisily(
        () =>
          gather([
            async () => {
              try {
                await sleep(1000);
              } catch {
                throw new Error('in the clean-up');
              }
            },
            () => later(1, new Error('bad')),
          ]),
        { logger: log },
      ),
    );
    expect(error).toMatchObject({ message: 'bad' });
    expect(log.of('error').join()).toContain('in the clean-up');
  });

  test('cancelled, it has cancelled and awaited all of them before the error comes out', () =>
    virtually(async () => {
      const log: string[] = [];
      const part = async (name: string) => {
        try {
          await sleep(1000);
        } finally {
          await sleep(1);
          log.push(name);
        }
      };
      const caller = await spawn(async () => {
        try {
          await gather([() => part('a'), () => part('b')]);
        } catch (error) {
          log.push((error as Error).name);
          throw error;
        }
      });
      await sleep(1);
      await caller.cancel();
      expect(log).toEqual(['a', 'b', 'TaskCancelled']);
    }));

  test('cancelled, it does not lose what a function threw meanwhile', async () => {
    const log = recorder();
    await noisily(
      async () => {
        const part = async () => {
          try {
            await sleep(1000);
          } catch {
            throw new Error('in the clean-up');
          }
        };
        expect(await thrownBy(timeoutAfter(1, () => gather([part])))).toBeInstanceOf(TaskTimeout);
      },
      { logger: log },
    );
    expect(log.of('error').join()).toContain('in the clean-up');
  });

  test('a timeout of the caller limits it; the functions have none of their own', () =>
    virtually(async () => {
      expect(await ignoreAfter({ timeoutResult: 'late' }, 1, () => gather([() => sleep(5)]))).toBe('late');
      expect(await timeoutAfter(5, () => gather([() => later(1, 'in time')]))).toEqual(['in time']);
    }));

  test('a timeout that a function did not catch is an uncaught one for a timeout around the gather', () =>
    virtually(async () => {
      const error = await thrownBy(timeoutAfter(10, () => gather([() => timeoutAfter(1, () => sleep(5))])));
      expect(error).toBeInstanceOf(UncaughtTimeoutError);
    }));

  test('what is no array, or holds no functions, is refused at the call, and nothing is started', () =>
    virtually(async () => {
      let started = 0;
      expect(() => gather((() => {}) as never)).toThrow('gather() wants an array of functions');
      const promise = Promise.resolve();
      expect(() => gather([async () => started++, promise as never])).toThrow('gather() was given a promise');
      await sleep(1);
      expect(started).toBe(0);
    }));

  test('outside a task it is refused', async () => {
    expect(await thrownBy(gather([]))).toBeInstanceOf(RuntimeError);
  });

  test('leaves nobody running, wherever it is interrupted and in whatever order', async () => {
    let alive = 0;
    const part = async (seconds: number) => {
      alive++;
      try {
        return await later(seconds, seconds);
      } finally {
        alive--;
      }
    };
    const program = async () => {
      alive = 0;
      try {
        return await gather([() => part(2), () => part(1), () => gather([() => part(1), () => part(3)])]);
      } finally {
        expect(alive).toBe(0);
      }
    };
    await cancelEverywhere(program, ({ error, result }) => {
      expect(alive).toBe(0);
      if (error === null) expect(result).toEqual([2, 1, [1, 3]]);
      else expect(error).toBeInstanceOf(CancelledError);
    });
    await explore(async () => expect(await program()).toEqual([2, 1, [1, 3]]), { seeds: 30 });
  });
});

test('a second operation while one waits is refused, at the call', () =>
  noisily(async () => {
    let called = false;
    const fn = async () => {
      called = true;
    };
    const first = sleep(1);
    expect(() => gather([fn])).toThrow(TaskBusyError);
    expect(() => taskGroup(fn)).toThrow(TaskBusyError);
    await first;
    expect(called).toBe(false);
  }));
