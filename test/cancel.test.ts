// Cancellation control: disabling it, asking for what waits, planting it.

import {
  CancellationShield,
  CancelledError,
  checkCancellation,
  clock,
  currentTask,
  disableCancellation,
  Event,
  gather,
  ignoreAfter,
  Lock,
  Queue,
  RuntimeError,
  setCancellation,
  sleep,
  spawn,
  type Task,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { noisily, thrownBy, virtually } from './kit/virtual.ts';

/** Spawns a task, cancels it after a second, and waits for it. */
async function cancelledAfterOne(body: () => Promise<unknown>): Promise<Task> {
  const task = await spawn(body);
  await sleep(1);
  await task.cancel();
  return task;
}

describe('disableCancellation()', () => {
  test('waits inside it are not interrupted; they finish normally', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await cancelledAfterOne(async () => {
        await disableCancellation(async () => {
          log.push(await sleep(3));
          log.push(await sleep(2));
        });
        await sleep(1);
        log.push('never here');
      });
      expect(log).toEqual([3, 5]);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('as a block to be disposed of, too', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await cancelledAfterOne(async () => {
        {
          await using shield = disableCancellation();
          expect(shield).toBeInstanceOf(CancellationShield);
          log.push(await sleep(3));
        }
        log.push('left');
        await sleep(1);
        log.push('never here');
      });
      expect(log).toEqual([3, 'left']);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      {
        using _ = disableCancellation();
        await setCancellation(new TaskCancelled());
        await sleep(1);
        expect(await setCancellation(null)).toBeInstanceOf(TaskCancelled);
      }
    }));

  test('disposing of it twice takes one shield away', () =>
    virtually(async () => {
      const outer = disableCancellation();
      const inner = disableCancellation();
      inner[Symbol.dispose]();
      await inner[Symbol.asyncDispose]();
      await setCancellation(new TaskCancelled());
      expect(await sleep(1)).toBe(1);
      outer[Symbol.dispose]();
      expect(await thrownBy(sleep(1))).toBeInstanceOf(TaskCancelled);
    }));

  test('gives the value of the function it shields, called with its arguments', () =>
    virtually(async () => {
      const add = async (x: number, y: number) => {
        await sleep(1);
        return x + y;
      };
      const sum = await disableCancellation(add, 1, 2);
      expectTypeOf(sum).toEqualTypeOf<number>();
      expect(sum).toBe(3);
      expect(await disableCancellation(() => 'not even async')).toBe('not even async');
    }));

  test('the request becomes pending; the task may poll it, leave and end normally. Then it has not failed', () =>
    virtually(async () => {
      const log: string[] = [];
      const task = await spawn(async () => {
        await disableCancellation(async () => {
          await sleep(2);
          log.push('inner work done');
          if (await checkCancellation()) log.push('pending noticed');
        });
        return 'normally';
      });
      await sleep(1);
      await task.cancel();
      log.push('canceller resumes');
      expect(log).toEqual(['inner work done', 'pending noticed', 'canceller resumes']);
      expect([task.result, task.exception, task.cancelled]).toEqual(['normally', null, true]);
    }));

  test('leaving it does not throw; the first operation that blocks does, or checkCancellation', () =>
    virtually(async () => {
      const log: string[] = [];
      const leave = async (next: () => Promise<unknown>) => {
        await disableCancellation(sleep, 2);
        log.push('left');
        await new Queue().put(1); // need not wait
        log.push('still here');
        await next();
        log.push('never here');
      };
      for (const next of [() => sleep(0), () => checkCancellation(), () => new Event().wait()]) {
        const task = await cancelledAfterOne(() => leave(next));
        expect(task.exception).toBeInstanceOf(TaskCancelled);
      }
      expect(log).toEqual(['left', 'still here', 'left', 'still here', 'left', 'still here']);
    }));

  test('around a single call: the request that came meanwhile is raised by a check afterwards', () =>
    virtually(async () => {
      const log: unknown[] = [];
      await cancelledAfterOne(async () => {
        log.push(await disableCancellation(sleep, 5));
        try {
          await checkCancellation();
        } catch (error) {
          log.push((error as Error).name);
          throw error;
        }
      });
      expect(log).toEqual([5, 'TaskCancelled']);
    }));

  test('nested: only the outermost end enables it again', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await cancelledAfterOne(async () => {
        await disableCancellation(async () => {
          await disableCancellation(sleep, 2);
          log.push(await sleep(1));
        });
        await sleep(1);
      });
      expect(log).toEqual([3]);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('a CancelledError thrown by hand in a nested one does not leave it: it becomes the pending one', () =>
    virtually(async () => {
      const mine = new CancelledError('by hand');
      const log: unknown[] = [];
      const error = await thrownBy(
        (async () => {
          await disableCancellation(async () => {
            const value = await disableCancellation(async () => {
              throw mine;
            });
            log.push(value, await checkCancellation());
            await sleep(1);
            log.push('goes on');
          });
          log.push('left');
          await sleep(1);
        })(),
      );
      expect(log).toEqual([undefined, mine, 'goes on', 'left']);
      expect(error).toBe(mine);
    }));

  test('there it replaces one that was pending', () =>
    virtually(async () => {
      const mine = new CancelledError('by hand');
      const task = await cancelledAfterOne(async () => {
        await disableCancellation(async () => {
          await sleep(2);
          expect(await checkCancellation()).toBeInstanceOf(TaskCancelled);
          await disableCancellation(async () => {
            throw mine;
          });
          expect(await checkCancellation()).toBe(mine);
        });
        await sleep(0);
      });
      expect(task.exception).toBe(mine);
    }));

  test('thrown by hand in the outermost one it propagates', () =>
    virtually(async () => {
      const mine = new CancelledError('by hand');
      expect(
        await thrownBy(
          disableCancellation(async () => {
            throw mine;
          }),
        ),
      ).toBe(mine);
      expect(await checkCancellation()).toBe(null);
      expect(await sleep(1)).toBe(1);
    }));

  test('an ordinary error passes out of it, also of a nested one, and the earlier setting is restored', () =>
    virtually(async () => {
      const bad = new RangeError('bad');
      const fail = async () => {
        throw bad;
      };
      const log: unknown[] = [];
      const task = await cancelledAfterOne(async () => {
        await disableCancellation(async () => {
          await sleep(2);
          log.push(await thrownBy(disableCancellation(fail)));
          log.push(await sleep(1)); // still disabled
        });
        await sleep(1);
      });
      expect(log).toEqual([bad, 3]);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect(await thrownBy(disableCancellation(fail))).toBe(bad);
      await setCancellation(new TaskCancelled());
      expect(await thrownBy(sleep(1))).toBeInstanceOf(TaskCancelled);
    }));

  test('timeouts are held back like any cancellation', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const error = await thrownBy(
        timeoutAfter(1, async () => {
          log.push(await disableCancellation(sleep, 3));
          await sleep(1);
          log.push('never here');
        }),
      );
      expect(error).toBeInstanceOf(TaskTimeout);
      expect(log).toEqual([3]);
      expect(await clock()).toBe(3);
    }));

  test('a request that comes when the shield is gone is delivered where the task waits', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await spawn(async () => {
        await disableCancellation(sleep, 1);
        await sleep(1000).catch((error) => {
          log.push(error.name);
          throw error;
        });
      });
      await sleep(2);
      await task.cancel();
      expect([log, await clock()]).toEqual([['TaskCancelled'], 2]);
    }));

  test('belongs to the calling task: what it spawns can be cancelled', () =>
    virtually(async () => {
      await disableCancellation(async () => {
        const child = await spawn(sleep, 1000);
        await sleep(1);
        await child.cancel();
        expect(child.exception).toBeInstanceOf(TaskCancelled);
      });
    }));

  test('what is no function is refused at the call, as is a second operation while one waits', () =>
    noisily(async () => {
      expect(() => disableCancellation(5 as never)).toThrow('disableCancellation() wants a function');
      expect(() => disableCancellation(sleep(0) as never)).toThrow('was given a promise');
      await sleep(0).catch(() => {});
    }).catch((error) => expect(error).toBeInstanceOf(TaskBusyError)));

  test('outside a task it is refused', async () => {
    expect(() => disableCancellation()).toThrow(RuntimeError);
    expect(await thrownBy(disableCancellation(async () => {}))).toBeInstanceOf(RuntimeError);
  });
});

describe('checkCancellation()', () => {
  test('gives null while nothing is pending', () =>
    virtually(async () => {
      expect(await checkCancellation()).toBe(null);
      expect(await checkCancellation(TaskCancelled)).toBe(null);
      expect(await disableCancellation(() => checkCancellation())).toBe(null);
    }));

  test('while disabled, it gives the pending error without clearing it, and without throwing', () =>
    virtually(async () => {
      const seen: unknown[] = [];
      const task = await cancelledAfterOne(async () => {
        await disableCancellation(async () => {
          await sleep(2);
          seen.push(await checkCancellation(), await checkCancellation());
        });
        await sleep(0);
      });
      expect(seen[0]).toBeInstanceOf(TaskCancelled);
      expect(seen[1]).toBe(seen[0]);
      expect(task.exception).toBe(seen[0]);
    }));

  test('with another type it gives null and leaves it pending, even while enabled', () =>
    virtually(async () => {
      const pending = new TaskCancelled();
      await setCancellation(pending);
      expect(await checkCancellation(TaskTimeout)).toBe(null);
      await disableCancellation(async () => {
        expect(await checkCancellation(TaskTimeout)).toBe(null);
        expect(await checkCancellation()).toBe(pending);
      });
      expect(await thrownBy(checkCancellation())).toBe(pending);
    }));

  test('with a matching type, while disabled, it gives it and clears it', () =>
    virtually(async () => {
      const pending = new TaskTimeout();
      await disableCancellation(async () => {
        await setCancellation(pending);
        const found = await checkCancellation(TaskTimeout);
        expectTypeOf(found).toEqualTypeOf<TaskTimeout | null>();
        expect(found).toBe(pending);
        expect(await checkCancellation(TaskTimeout)).toBe(null);
        expect(await checkCancellation()).toBe(null);
      });
      expect(await sleep(1)).toBe(1);
    }));

  test('a base class matches as well', () =>
    virtually(async () => {
      await disableCancellation(async () => {
        await setCancellation(new TaskTimeout());
        expect(await checkCancellation(CancelledError)).toBeInstanceOf(TaskTimeout);
        expect(await checkCancellation()).toBe(null);
      });
    }));

  test('while enabled, a matching one is thrown, once', () =>
    virtually(async () => {
      const pending = new TaskCancelled();
      await setCancellation(pending);
      expect(await thrownBy(checkCancellation(TaskCancelled))).toBe(pending);
      expect(await checkCancellation()).toBe(null);
      expect(await sleep(1)).toBe(1);
    }));

  test('does not give up control', () =>
    virtually(async () => {
      const log: string[] = [];
      const other = await spawn(async () => log.push('other'));
      for (let i = 0; i < 10; i++) await checkCancellation();
      log.push('main');
      await other.join();
      expect(log).toEqual(['main', 'other']);
    }));

  test('what is no class is refused at the call; outside a task there is nothing to check', async () => {
    await virtually(async () => {
      expect(() => checkCancellation('TaskCancelled' as never)).toThrow(
        'checkCancellation() wants an error class',
      );
    });
    expect(await thrownBy(checkCancellation())).toBeInstanceOf(RuntimeError);
  });
});

describe('setCancellation()', () => {
  test('plants an error that the next operation that blocks throws, that very object', () =>
    virtually(async () => {
      const mine = new CancelledError('mine');
      expect(await setCancellation(mine)).toBe(null);
      await new Queue().put(1); // need not wait
      expect(await thrownBy(sleep(1))).toBe(mine);
      expect(await sleep(1)).toBe(1);
    }));

  test('gives what was pending before; null clears', () =>
    virtually(async () => {
      const [one, two] = [new CancelledError('one'), new TaskCancelled('two')];
      await setCancellation(one);
      expect(await setCancellation(two)).toBe(one);
      expect(await setCancellation(null)).toBe(two);
      expect(await setCancellation(null)).toBe(null);
      expect(await sleep(1)).toBe(1);
    }));

  test('takes a request back that came while it was disabled, and may put it off', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const task = await cancelledAfterOne(async () => {
        let taken!: CancelledError | null;
        await disableCancellation(async () => {
          await sleep(2);
          taken = await setCancellation(null);
        });
        log.push(await sleep(1));
        await setCancellation(taken);
        await sleep(1);
        log.push('never here');
      });
      expect(log).toEqual([3]);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('what is no error is refused at the call; outside a task there is nobody to plant it in', async () => {
    await virtually(async () => {
      expect(() => setCancellation('stop' as never)).toThrow('setCancellation() wants an error or null');
      expect(() => setCancellation(undefined as never)).toThrow(TypeError);
    });
    expect(await thrownBy(setCancellation(null))).toBeInstanceOf(RuntimeError);
  });
});

describe('several things at once', () => {
  test('a second request while one is pending changes nothing', () =>
    virtually(async () => {
      const first = new TaskCancelled('first');
      const task = await spawn(async () => {
        await disableCancellation(sleep, 2);
        await sleep(1);
      });
      await sleep(1);
      await task.cancel({ blocking: false, exc: first });
      await task.cancel({ exc: new TaskCancelled('second') });
      expect(task.exception).toBe(first);
    }));

  test('a cancellation replaces a pending timeout, and voids the timeouts around', () =>
    virtually(async () => {
      const task = await spawn(() =>
        timeoutAfter(1, async () => {
          await disableCancellation(sleep, 3);
          await sleep(1);
        }),
      );
      await sleep(2);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('a timeout that expires after a cancellation became pending does not replace it', () =>
    virtually(async () => {
      const task = await spawn(() =>
        timeoutAfter(2, async () => {
          await disableCancellation(sleep, 3);
          await sleep(1);
        }),
      );
      await sleep(1);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('a waiter shielded from cancellation still gets what it waits for, and then the cancellation', () =>
    virtually(async () => {
      const lock = new Lock();
      await lock.acquire();
      const log: unknown[] = [];
      const task = await spawn(async () => {
        const guard = await disableCancellation(() => lock.acquire());
        try {
          log.push('has it');
          await sleep(1);
        } finally {
          guard.release();
        }
      });
      await sleep(1);
      await task.cancel({ blocking: false });
      await sleep(1);
      await lock.release();
      await task.wait();
      expect([log, lock.locked()]).toEqual([['has it'], false]);
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }));

  test('a task that cancels itself while disabled gets it afterwards', () =>
    virtually(async () => {
      const task = await spawn(async () => {
        await disableCancellation(async () => {
          await (await currentTask()).cancel({ blocking: false });
          await sleep(1);
        });
        await sleep(1);
      });
      await task.wait();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
      expect(await clock()).toBe(1);
    }));
});

test('the last word of the manual’s example: check at the places of one’s own choice', () =>
  virtually(async () => {
    let rounds = 0;
    const task = await spawn(async () => {
      await disableCancellation(async () => {
        for (;;) {
          await sleep(1);
          await sleep(1);
          rounds++;
          if (await checkCancellation()) break;
        }
      });
      await checkCancellation();
    });
    await sleep(4.5);
    await task.cancel();
    expect([rounds, await clock()]).toEqual([3, 6]);
    expect(task.exception).toBeInstanceOf(TaskCancelled);
  }));

test('what is shielded is done in full, wherever the program is interrupted and in whatever order', async () => {
  let begun = 0;
  let done = 0;
  const program = async () => {
    begun = done = 0;
    const critical = () =>
      disableCancellation(async () => {
        begun++;
        await sleep(1);
        await disableCancellation(sleep, 1);
        done++;
      });
    await gather([
      async () => {
        await sleep(1);
        await critical();
        await sleep(1);
      },
      () => ignoreAfter(1, critical),
      critical,
    ]);
  };
  await cancelEverywhere(program, () => expect(done).toBe(begun));
  await explore(
    async () => {
      await program();
      expect([begun, done]).toEqual([3, 3]);
    },
    { seeds: 30 },
  );
});
