// Lock and RLock: who holds it, who is next.

import {
  CancelledError,
  currentTask,
  Guard,
  gather,
  ignoreAfter,
  Lock,
  RLock,
  RuntimeError,
  sleep,
  spawn,
  TaskBusyError,
  TaskCancelled,
  TaskTimeout,
  timeoutAfter,
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { forgetful } from '../kit/forgetful.ts';
import { noisily, thrownBy, virtually } from '../kit/virtual.ts';

for (const Kind of [Lock, RLock]) {
  const name = Kind.name;
  describe(`${name}`, () => {
    test('one task at a time has it, in the order they came', () =>
      virtually(async () => {
        const log: unknown[] = [];
        const lock = new Kind();
        const worker = async (who: string) => {
          log.push(`${who} waits`, lock.locked());
          const guard = await lock.acquire();
          log.push(`${who} in`);
          await sleep(0.25);
          log.push(`${who} leaving`);
          guard.release();
        };
        await gather(['a', 'b', 'c'].map((who) => () => worker(who)));
        expect(log).toEqual([
          'a waits',
          false,
          'a in',
          'b waits',
          true,
          'c waits',
          true,
          'a leaving',
          'b in',
          'b leaving',
          'c in',
          'c leaving',
        ]);
        expect(lock.locked()).toBe(false);
      }));

    test('release() hands it over directly: it stays locked, and nobody can overtake, the releaser neither', () =>
      virtually(async () => {
        const log: string[] = [];
        const lock = new Kind();
        const enter = async (who: string) => {
          await using _ = await lock.acquire();
          log.push(`${who} in`);
        };
        await lock.acquire();
        const waiter = await spawn(enter, 'waiter');
        await sleep(0);
        // Spawned first, so that it runs after the waiter has been chosen and before the waiter itself.
        const newcomer = await spawn(enter, 'newcomer');
        await lock.release();
        expect([lock.locked(), waiter.state, newcomer.state]).toEqual([true, 'READY', 'READY']);
        log.push('released');
        await enter('releaser');
        await newcomer.join();
        await waiter.join();
        expect(log).toEqual(['released', 'waiter in', 'releaser in', 'newcomer in']);
      }));

    test('a waiter that is cancelled never enters, and does not disturb the holder', () =>
      virtually(async () => {
        const log: string[] = [];
        const lock = new Kind();
        await using _ = await lock.acquire();
        const waiter = await spawn(async () => {
          log.push('waiter waits');
          try {
            await using _ = await lock.acquire();
            log.push('never here');
          } catch (error) {
            if (error instanceof CancelledError) log.push('waiter sees the cancellation');
            throw error;
          }
        });
        log.push('holder sleeps');
        await sleep(1);
        log.push('cancel begins');
        await waiter.cancel();
        log.push('cancel returns');
        expect(log).toEqual([
          'holder sleeps',
          'waiter waits',
          'cancel begins',
          'waiter sees the cancellation',
          'cancel returns',
        ]);
        expect(lock.locked()).toBe(true);
      }));

    test('a waiter can time out; it then does not hold it', () =>
      virtually(async () => {
        const log: string[] = [];
        const lock = new Kind();
        const guard = await lock.acquire();
        const waiter = await spawn(async () => {
          log.push('waiter waits');
          const error = await thrownBy(timeoutAfter(0.5, () => lock.acquire()));
          expect(error).toBeInstanceOf(TaskTimeout);
          log.push('waiter timed out');
          expect(await thrownBy(kindRelease(lock))).toBeInstanceOf(RuntimeError);
        });
        log.push('holder sleeps');
        await sleep(1);
        log.push('holder wakes');
        guard.release();
        await waiter.join();
        expect(log).toEqual(['holder sleeps', 'waiter waits', 'waiter timed out', 'holder wakes']);
        expect(lock.locked()).toBe(false);

        function kindRelease(held: Lock | RLock): Promise<void> {
          // A Lock may be released by anybody, an RLock by its owner only.
          return held instanceof RLock ? held.release() : Promise.reject(new RuntimeError('not tried'));
        }
      }));

    test('who was chosen has it, even if cancelled before it ran; it can clean up', () =>
      virtually(async () => {
        const log: string[] = [];
        const lock = new Kind();
        await lock.acquire();
        const waiter = await spawn(async () => {
          await using _ = await lock.acquire();
          log.push('in');
          await sleep(1);
          log.push('never here');
        });
        await sleep(0);
        await lock.release();
        await waiter.cancel();
        expect(log).toEqual(['in']);
        expect(waiter.exception).toBeInstanceOf(TaskCancelled);
        expect(lock.locked()).toBe(false);
      }));

    test('cancelled first and released afterwards, in one turn: the next in line gets it', () =>
      virtually(async () => {
        const log: string[] = [];
        const lock = new Kind();
        await lock.acquire();
        const worker = (who: string) => async () => {
          await using _ = await lock.acquire();
          log.push(who);
        };
        const [first, second] = [await spawn(worker('first')), await spawn(worker('second'))];
        await sleep(0);
        await first.cancel({ blocking: false });
        await lock.release();
        await first.wait();
        await second.join();
        expect(log).toEqual(['second']);
        expect(lock.locked()).toBe(false);
      }));

    test('one that was chosen and ended without taking it passes it on to the next', () =>
      noisily(async () => {
        const log: string[] = [];
        const lock = new Kind();
        await lock.acquire();
        const careless = await forgetful(() => lock.acquire());
        const next = await spawn(async () => {
          await using _ = await lock.acquire();
          log.push('next');
        });
        await sleep(0);
        await lock.release();
        expect(careless.task.state).toBe('READY');
        await careless.end();
        expect(lock.locked()).toBe(true);
        await next.join();
        expect(log).toEqual(['next']);
        expect(lock.locked()).toBe(false);
        expect(String(lock)).toBe(`${name}(unlocked, 0 waiting)`);
      }));

    test('one that waits and ends leaves the line', () =>
      noisily(async () => {
        const lock = new Kind();
        await lock.acquire();
        const careless = await forgetful(() => lock.acquire());
        expect(String(lock)).toMatch(/1 waiting/);
        await careless.end();
        expect(String(lock)).toMatch(/0 waiting/);
        await lock.release();
        expect(lock.locked()).toBe(false);
      }));

    test('releasing a free one is a RuntimeError', () =>
      virtually(async () => {
        const lock = new Kind();
        const error = await thrownBy(lock.release());
        expect(error).toBeInstanceOf(RuntimeError);
        expect((error as Error).message).toContain(
          `${name}.release() was called on a lock that nobody holds`,
        );
        await lock.acquire();
        await lock.release();
        expect(await thrownBy(lock.release())).toBeInstanceOf(RuntimeError);
        expect(lock.locked()).toBe(false);
        // And it still is a lock for one.
        await lock.acquire();
        expect(lock.locked()).toBe(true);
        await lock.release();
      }));

    test('with() runs a function while holding it, with its arguments, and gives its result', () =>
      virtually(async () => {
        const lock = new Kind();
        const sum = await lock.with(
          async (x: number, y: number) => {
            expect(lock.locked()).toBe(true);
            await sleep(1);
            return x + y;
          },
          1,
          2,
        );
        expectTypeOf(sum).toEqualTypeOf<number>();
        expect([sum, lock.locked()]).toEqual([3, false]);
        const bad = new RangeError('bad');
        expect(await thrownBy(lock.with(() => Promise.reject(bad)))).toBe(bad);
        expect(
          await thrownBy(
            lock.with(() => {
              throw bad;
            }),
          ),
        ).toBe(bad);
        expect(lock.locked()).toBe(false);
      }));

    test('with() cancelled while waiting never calls the function; cancelled inside it releases', () =>
      virtually(async () => {
        const lock = new Kind();
        const holder = await spawn(() => lock.with(sleep, 1000));
        await sleep(0);
        let called = false;
        expect(
          await ignoreAfter({ timeoutResult: 'late' }, 1, () =>
            lock.with(() => {
              called = true;
            }),
          ),
        ).toBe('late');
        expect([called, lock.locked()]).toEqual([false, true]);
        await holder.cancel();
        expect(lock.locked()).toBe(false);
      }));

    test('await using, using, and try with finally', () =>
      virtually(async () => {
        const lock = new Kind();
        {
          await using guard = await lock.acquire();
          expect(guard).toBeInstanceOf(Guard);
          expect(lock.locked()).toBe(true);
        }
        expect(lock.locked()).toBe(false);
        {
          using _ = await lock.acquire();
          expect(lock.locked()).toBe(true);
        }
        expect(lock.locked()).toBe(false);
        await lock.acquire();
        try {
          expect(lock.locked()).toBe(true);
        } finally {
          await lock.release();
        }
        expect(lock.locked()).toBe(false);
      }));

    test('an error in the block releases it', () =>
      virtually(async () => {
        const lock = new Kind();
        const block = async () => {
          await using _ = await lock.acquire();
          throw new Error('in the block');
        };
        expect(await thrownBy(block())).toMatchObject({ message: 'in the block' });
        expect(lock.locked()).toBe(false);
      }));

    test('a guard that releases early has nothing left to do at its disposal', () =>
      virtually(async () => {
        const lock = new Kind();
        const other = await spawn(async () => {
          await sleep(1);
          await using _ = await lock.acquire();
          await sleep(10);
        });
        {
          await using guard = await lock.acquire();
          guard.release();
          guard.release();
          expect(lock.locked()).toBe(false);
          await sleep(5);
          // The other one has it now.
          expect(lock.locked()).toBe(true);
        }
        expect(lock.locked()).toBe(true);
        await other.join();
        expect(lock.locked()).toBe(false);
      }));

    test('a guard whose lock was released behind its back says so, and releases nobody else’s', () =>
      virtually(async () => {
        const lock = new Kind();
        const careless = async () => {
          await using _ = await lock.acquire();
          await lock.release();
          await sleep(2);
        };
        expect(await thrownBy(careless())).toBeInstanceOf(RuntimeError);
        expect(lock.locked()).toBe(false);
        const holder = await spawn(async () => {
          await sleep(1);
          await using _ = await lock.acquire();
          await sleep(5);
        });
        const error = await thrownBy(careless());
        expect(error).toBeInstanceOf(RuntimeError);
        expect(lock.locked()).toBe(true);
        await holder.join();
        // Never two at a time.
        await lock.acquire();
        expect(lock.locked()).toBe(true);
        await lock.release();
      }));

    test('a wait for it shows as LOCK_ACQUIRE', () =>
      virtually(async () => {
        const lock = new Kind();
        await lock.acquire();
        const waiter = await spawn(() => lock.acquire());
        await sleep(0);
        expect(waiter.state).toBe('LOCK_ACQUIRE');
        await waiter.cancel();
        await lock.release();
      }));

    test('has a debug string', () =>
      virtually(async () => {
        const lock = new Kind();
        expect(String(lock)).toBe(`${name}(unlocked, 0 waiting)`);
        await lock.acquire();
        const waiter = await spawn(() => lock.with(() => {}));
        await sleep(0);
        const depth = Kind === RLock ? ', depth 1' : '';
        expect(String(lock)).toBe(`${name}(locked${depth}, 1 waiting)`);
        await lock.release();
        await waiter.join();
      }));

    test('acquire() that need not wait does not give up control', () =>
      virtually(async () => {
        const log: string[] = [];
        const lock = new Kind();
        const other = await spawn(async () => log.push('other'));
        for (let i = 0; i < 5; i++) {
          await lock.acquire();
          await lock.release();
        }
        log.push('main');
        await other.join();
        expect(log).toEqual(['main', 'other']);
      }));

    test('what is no function is refused at the call, as is a second operation while one waits', () =>
      noisily(async () => {
        const lock = new Kind();
        expect(() => lock.with(5 as never)).toThrow(`${name}.with() wants a function`);
        await lock.acquire();
        const other = await spawn(async () => {
          const first = lock.acquire();
          expect(() => lock.acquire()).toThrow(TaskBusyError);
          expect(() => lock.with(() => {})).toThrow(TaskBusyError);
          (await first).release();
        });
        await sleep(0);
        await lock.release();
        await other.join();
        expect(lock.locked()).toBe(false);
      }));

    test('outside a task it is refused', async () => {
      const lock = new Kind();
      expect(await thrownBy(lock.acquire())).toBeInstanceOf(RuntimeError);
      expect(await thrownBy(lock.release())).toBeInstanceOf(RuntimeError);
      expect(await thrownBy(lock.with(() => {}))).toBeInstanceOf(RuntimeError);
      expect(lock.locked()).toBe(false);
    });

    test('is never held by two, and held by nobody in the end, wherever it is interrupted and in whatever order', async () => {
      let lock!: Lock | RLock;
      let inside = 0;
      let entered = 0;
      const program = async () => {
        lock = new Kind();
        inside = entered = 0;
        const critical = async (seconds: number) => {
          await using _ = await lock.acquire();
          expect(++inside).toBe(1);
          entered++;
          try {
            await sleep(seconds);
          } finally {
            inside--;
          }
        };
        const tasks = [
          await spawn(critical, 1),
          await spawn(() => lock.with(() => {})),
          await spawn(() => ignoreAfter(1.5, critical, 1)),
          await spawn(critical, 0),
        ];
        for (const task of tasks) await task.wait();
      };
      await cancelEverywhere(program, ({ kind, error }) => {
        if (error instanceof Error && !(error instanceof CancelledError)) throw error;
        expect([inside, lock.locked()]).toEqual([0, false]);
        expect(String(lock)).toBe(`${name}(unlocked, 0 waiting)`);
        if (kind === 'none') expect(entered).toBe(3);
      });
      await explore(
        async () => {
          await program();
          expect(lock.locked()).toBe(false);
        },
        { seeds: 50 },
      );
    });
  });
}

describe('Lock', () => {
  test('may be released by another task than the one that acquired it', () =>
    virtually(async () => {
      const lock = new Lock();
      await lock.acquire();
      const other = await spawn(() => lock.release());
      await other.join();
      expect(lock.locked()).toBe(false);
    }));

  test('is not reentrant: its holder would wait for itself', () =>
    virtually(async () => {
      const lock = new Lock();
      await lock.acquire();
      expect(await ignoreAfter({ timeoutResult: 'waits' }, 1, () => lock.acquire())).toBe('waits');
      await lock.release();
      expect(lock.locked()).toBe(false);
    }));
});

describe('RLock', () => {
  test('two nesting workers and a simple one', () =>
    virtually(async () => {
      const log: string[] = [];
      const lock = new RLock();
      const seen = () => (lock.locked() ? 'held' : 'free');
      const nesting = async (who: string) => {
        log.push(`${who} sees ${seen()}`, `${who} waits`);
        await using _ = await lock.acquire();
        log.push(`${who} in`);
        await sleep(0.25);
        {
          log.push(`${who} inner sees ${seen()}`);
          await using _ = await lock.acquire();
          log.push(`${who} inner in`);
          await sleep(0.25);
          log.push(`${who} inner leaving`);
        }
        log.push(`${who} leaving`);
      };
      const simple = async () => {
        log.push('simple waits');
        await using _ = await lock.acquire();
        log.push('simple in');
        await sleep(0.25);
        log.push('simple leaving');
      };
      await gather([() => nesting('A'), () => nesting('B'), simple]);
      expect(log).toEqual([
        'A sees free',
        'A waits',
        'A in',
        'B sees held',
        'B waits',
        'simple waits',
        'A inner sees held',
        'A inner in',
        'A inner leaving',
        'A leaving',
        'B in',
        'B inner sees held',
        'B inner in',
        'B inner leaving',
        'B leaving',
        'simple in',
        'simple leaving',
      ]);
    }));

  test('its owner re-enters without waiting; it is free after as many releases', () =>
    virtually(async () => {
      const lock = new RLock();
      for (let depth = 1; depth <= 3; depth++) {
        await lock.acquire();
        expect(String(lock)).toBe(`RLock(locked, depth ${depth}, 0 waiting)`);
      }
      expect(await lock.with(() => String(lock))).toBe('RLock(locked, depth 4, 0 waiting)');
      for (let depth = 3; depth >= 1; depth--) {
        expect(lock.locked()).toBe(true);
        await lock.release();
      }
      expect(lock.locked()).toBe(false);
    }));

  test('re-entering does not give up control, nor is it a point of cancellation', () =>
    virtually(async () => {
      const log: string[] = [];
      const lock = new RLock();
      const task = await spawn(async () => {
        await using _ = await lock.acquire();
        await (await currentTask()).cancel({ blocking: false });
        await lock.with(() => log.push('inner'));
        await sleep(1);
        log.push('never here');
      });
      await task.wait();
      expect(log).toEqual(['inner']);
      expect([lock.locked(), task.cancelled]).toEqual([false, true]);
    }));

  test('release by a task that is not the owner is a RuntimeError that names the owner', () =>
    virtually(async () => {
      const lock = new RLock();
      const guard = await lock.acquire();
      const other = await spawn(async () => {
        const error = (await thrownBy(lock.release())) as Error;
        expect(error).toBeInstanceOf(RuntimeError);
        expect(error.message).toMatch(/a lock that Task\(id=\d+, name='anonymous'\) holds/);
        expect(() => guard.release()).toThrow(RuntimeError);
      });
      await other.join();
      expect(lock.locked()).toBe(true);
      await lock.release();
    }));

  test('ownership is per task, not per call stack', () =>
    virtually(async () => {
      const lock = new RLock();
      const helper = async () => {
        await lock.acquire();
      };
      await helper();
      await helper();
      expect(String(lock)).toBe('RLock(locked, depth 2, 0 waiting)');
      const child = await spawn(() =>
        ignoreAfter({ timeoutResult: 'another task' }, 1, () => lock.acquire()),
      );
      expect(await child.join()).toBe('another task');
      await lock.release();
      await lock.release();
    }));

  test('one that was chosen and ended without taking it does not remain the owner', () =>
    noisily(async () => {
      const lock = new RLock();
      await lock.acquire();
      const careless = await forgetful(() => lock.acquire());
      await sleep(0);
      await lock.release();
      await careless.end();
      expect(lock.locked()).toBe(false);
      await lock.acquire();
      await lock.release();
    }));
});
