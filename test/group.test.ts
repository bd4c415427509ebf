// Task groups. In the order of the reference: leaving a group, the four ways to wait, failures, cancellation, daemons,
// membership, collecting one by one.

import {
  CancelledError,
  currentTask,
  disableCancellation,
  Event,
  ignoreAfter,
  RuntimeError,
  run,
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
} from 'curio';
import { cancelEverywhere, explore } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { forgetful } from './kit/forgetful.ts';
import { recorder } from './kit/recorder.ts';
import { noisily, thrownBy, virtually } from './kit/virtual.ts';

const add = async (x: number, y: number) => x + y;

/** Sleeps, then gives or throws. */
async function after<T>(seconds: number, outcome: T | Error): Promise<T> {
  await sleep(seconds);
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

const names = (values: unknown[]) => values.map((value) => (value instanceof Error ? value.name : value));

describe('join()', () => {
  test('waits for every member, and their results can be read then', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const tasks = [
        await group.spawn(add, 1, 1),
        await group.spawn(add, 2, 2),
        await group.spawn(add, 3, 3),
      ];
      await group.join();
      expect(tasks.map((task) => task.result)).toEqual([2, 4, 6]);
      expect(group.results).toEqual([2, 4, 6]);
    }));

  test('results are in the order of creation, whatever the order of ending', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      for (const seconds of [3, 1, 2]) await group.spawn(after, seconds, `slept ${seconds}`);
      await group.join();
      expect(group.results).toEqual(['slept 3', 'slept 1', 'slept 2']);
      expect(group.tasks.map((task) => task.id)).toEqual(
        group.tasks.map((task) => task.id).sort((a, b) => a - b),
      );
      expect(group.exceptions).toEqual([null, null, null]);
      expect(group.completed?.result).toBe('slept 1');
      expect(group.result).toBe('slept 1');
      expect(group.exception).toBe(null);
    }));

  test('of an empty group returns at once: no results, no exceptions, and no result', () =>
    virtually(async () => {
      for (const wait of ['all', 'any', 'object', null] as const) {
        const group = new TaskGroup({ wait });
        await group.join();
        expect(group.exception).toBe(null);
        expect(group.exceptions).toEqual([]);
        expect(group.results).toEqual([]);
        expect(group.tasks).toEqual([]);
        expect(group.completed).toBe(null);
        expect(() => group.result).toThrow(RuntimeError);
      }
    }));

  test('before it there is neither result nor exception', () =>
    virtually(async () => {
      const group = new TaskGroup();
      await group.spawn(add, 1, 1);
      for (let round = 0; round < 2; round++) {
        for (const what of ['result', 'results', 'exception', 'exceptions'] as const) {
          expect(() => group[what]).toThrow(RuntimeError);
          expect(() => group[what]).toThrow(`TaskGroup.${what} is there after join()`);
        }
        expect(group.completed).toBe(null);
        // The same when all members have ended.
        await sleep(1);
      }
      await group.join();
    }));

  test('may be called again, and does nothing then', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(add, 1, 1);
      await group.join();
      await group.join();
      expect(group.results).toEqual([2]);
    }));

  test('waits for what members spawn into their own group meanwhile', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      await group.spawn(async () => {
        await sleep(1);
        await group.spawn(after, 5, 'grandchild');
        return 'child';
      });
      await group.join();
      expect(group.results).toEqual(['child', 'grandchild']);
    }));

  test('may be called by a member, which waits for the others and is let go', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      await group.spawn(after, 2, 'other');
      const joiner = await group.spawn(async () => {
        await group.join();
        return 'joiner';
      });
      await sleep(3);
      expect(group.results).toEqual(['other']);
      expect(group.tasks).not.toContain(joiner);
      expect(await joiner.join()).toBe('joiner');
    }));

  test('may be called by a daemon of the group, too; who waits for a member meanwhile is told that there is none', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      const collector = await spawn(async () => (await group.nextDone()) ?? (await group.nextDone()));
      await group.spawn(after, 2, 'other');
      const joiner = await group.spawn({ daemon: true }, async () => {
        await sleep(1);
        await group.join();
        await sleep(5);
        return 'joiner';
      });
      expect((await collector.join())?.result).toBe('other');
      expect(await joiner.join()).toBe('joiner');
      const alone = new TaskGroup();
      const waiter = await spawn(() => alone.nextDone());
      const member = await alone.spawn(async () => {
        await sleep(1);
        await alone.join();
        await sleep(100);
      });
      expect(await waiter.join()).toBe(null);
      expect(await sleep(0)).toBe(8);
      await member.join();
    }));

  test('after it nobody can be added', () =>
    virtually(async () => {
      const group = new TaskGroup();
      await group.join();
      expect(await thrownBy(group.spawn(add, 1, 1))).toBeInstanceOf(RuntimeError);
      const task = await spawn(add, 1, 1);
      expect(await thrownBy(group.addTask(task))).toBeInstanceOf(RuntimeError);
      await task.join();
    }));
});

describe("wait: 'any'", () => {
  test('the first member to end is the one reported, and the others are cancelled', () =>
    virtually(async () => {
      const group = new TaskGroup<string>({ wait: 'any' });
      const slow = await group.spawn(after, 5, 'slow');
      const quick = await group.spawn(after, 1, 'quick');
      const slower = await group.spawn(after, 9, 'slower');
      await group.join();
      expect(group.completed).toBe(quick);
      expect(group.result).toBe('quick');
      expect(slow.cancelled && slower.cancelled && !quick.cancelled).toBe(true);
      expect(names(group.exceptions)).toEqual(['TaskCancelled', null, 'TaskCancelled']);
      expect(() => group.results).toThrow(TaskCancelled);
    }));

  test('of several that end together it is the first', () =>
    virtually(async () => {
      const group = new TaskGroup<string>({ wait: 'any' });
      const event = new Event();
      const waiter = async (name: string) => {
        await event.wait();
        return name;
      };
      for (const name of ['a', 'b', 'c']) await group.spawn(waiter, name);
      await sleep(1);
      await event.set();
      await group.join();
      expect(group.result).toBe('a');
      expect(group.completed).toBe(group.tasks[0]);
    }));

  test('members that had ended before are not cancelled, and count', () =>
    virtually(async () => {
      const group = new TaskGroup<number>({ wait: 'any' });
      for (let i = 0; i < 3; i++) await group.spawn(add, i, i);
      await sleep(1);
      await group.join();
      expect(group.tasks).toHaveLength(3);
      expect(group.tasks.some((task) => task.cancelled)).toBe(false);
      expect(group.results).toEqual([0, 2, 4]);
      expect(group.result).toBe(0);
    }));

  test('a failure ends it as well: its error class is that of result, and every entry of exceptions is set', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>({ wait: 'any' });
      const bad = await group.spawn(after, 1, new TypeError('bad'));
      await group.spawn(after, 5, 1);
      await group.spawn(after, 5, 2);
      await group.join();
      expect(group.completed).toBe(bad);
      expect(group.exception).toBe(bad.exception);
      expect(() => group.result).toThrow(TypeError);
      expect(names(group.exceptions)).toEqual(['TypeError', 'TaskCancelled', 'TaskCancelled']);
    }));
});

describe("wait: 'object'", () => {
  test('the first result that is not null or undefined ends the wait; the others are cancelled', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>({ wait: 'object' });
      await group.spawn(after, 1, null);
      await group.spawn(after, 2, undefined);
      const found = await group.spawn(after, 3, 0);
      const late = await group.spawn(after, 4, 'late');
      await group.join();
      expect(group.completed).toBe(found);
      expect(group.result).toBe(0);
      expect(group.exception).toBe(null);
      expect(late.cancelled).toBe(true);
      expect(names(group.exceptions)).toEqual([null, null, null, 'TaskCancelled']);
    }));

  test('when all give nothing there is no result', () =>
    virtually(async () => {
      const group = new TaskGroup({ wait: 'object' });
      await group.spawn(after, 1, null);
      await group.spawn(after, 2, undefined);
      await group.join();
      expect(group.completed).toBe(null);
      expect(group.exception).toBe(null);
      expect(group.exceptions).toEqual([null, null]);
      expect(() => group.result).toThrow('No task of the group has completed with a result.');
      expect(group.results).toEqual([null, undefined]);
    }));

  test('an error ends it', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>({ wait: 'object' });
      const bad = await group.spawn(after, 1, new RangeError('bad'));
      const other = await group.spawn(after, 2, 'good');
      await group.join();
      expect(group.completed).toBe(bad);
      expect(() => group.result).toThrow(RangeError);
      expect(other.cancelled).toBe(true);
    }));
});

describe('wait: null', () => {
  test('waits for nobody: who runs is cancelled and waited for, who has ended is left alone', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>({ wait: null });
      const ended = await group.spawn(add, 1, 1);
      let cleaned = false;
      const running = await group.spawn(async () => {
        try {
          await sleep(1000);
        } finally {
          await sleep(1);
          cleaned = true;
        }
      });
      await sleep(1);
      await group.join();
      expect([ended.result, ended.cancelled]).toEqual([2, false]);
      expect([running.terminated, running.cancelled, cleaned]).toEqual([true, true, true]);
      expect(group.completed).toBe(null);
      expect(group.tasks).toEqual([ended, running]);
    }));
});

test('another way to wait is refused', () => {
  expect(() => new TaskGroup({ wait: 'some' as never })).toThrow(
    `A group waits for 'all', 'any', 'object' or null, not "some".`,
  );
});

test('tasks in the place of options are refused: nobody would wait for them', () => {
  expect(() => new TaskGroup([] as never)).toThrow(
    "new TaskGroup() takes options, such as { tasks, wait: 'any' }, not an array.",
  );
});

describe('a member that fails', () => {
  test('does not make join() throw; the others are cancelled, and the error shows where one looks', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>();
      const event = new Event();
      const waiting = [await group.spawn(() => event.wait()), await group.spawn(() => event.wait())];
      const bad = await group.spawn(async () => (undefined as unknown as { no: number }).no);
      await group.join();
      expect(bad.exception).toBeInstanceOf(TypeError);
      expect(group.exception).toBe(bad.exception);
      expect(() => group.result).toThrow(TypeError);
      expect(() => group.results).toThrow(CancelledError);
      expect(names(group.exceptions)).toEqual(['TaskCancelled', 'TaskCancelled', 'TypeError']);
      for (const task of waiting) {
        expect([task.terminated, task.cancelled]).toEqual([true, true]);
        expect(task.exception).toMatchObject({ name: 'TaskCancelled' });
      }
    }));

  test('results throw what the first of them in the order of creation failed with', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>();
      await group.spawn(after, 1, 1);
      await group.spawn(after, 1, new RangeError('first'));
      await group.spawn(after, 1, new TypeError('second'));
      await group.join();
      expect(() => group.results).toThrow('first');
    }));

  test('who cancelled the others is known: the task that joins', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>();
      const other = await group.spawn(after, 5, 1);
      await group.spawn(after, 1, new Error('bad'));
      await group.join();
      expect((other.exception as TaskCancelled).requestedBy).toBe(await currentTask());
    }));

  test('a member that somebody cancelled counts as failed: join cancels the rest', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>();
      const one = await group.spawn(after, 5, 1);
      const two = await group.spawn(after, 5, 2);
      await one.cancel();
      await group.join();
      expect([two.terminated, two.cancelled]).toEqual([true, true]);
      expect(group.exception).toBeInstanceOf(TaskCancelled);
      // Who has been cancelled by itself is no longer listed.
      expect(group.tasks).toEqual([two]);
      expect(names(group.exceptions)).toEqual(['TaskCancelled', 'TaskCancelled']);
    }));

  test('the reaping cancels and waits one by one, in the order of creation', () =>
    noisily(async () => {
      const log: string[] = [];
      const group = new TaskGroup<unknown>();
      const member = async (name: string) => {
        try {
          await sleep(1000);
        } finally {
          log.push(`${name} stops`);
          await sleep(1);
          log.push(`${name} ends`);
        }
      };
      for (const name of ['a', 'b', 'c']) await group.spawn(member, name);
      await group.spawn(after, 1, new Error('bad'));
      await group.join();
      expect(log).toEqual(['a stops', 'a ends', 'b stops', 'b ends', 'c stops', 'c ends']);
    }));
});

describe('cancelling the task that joins', () => {
  test('every member has been cancelled and has ended before the cancellation comes out', () =>
    virtually(async () => {
      const log: string[] = [];
      const parent = await spawn(async () => {
        const group = new TaskGroup();
        for (const name of ['a', 'b']) {
          await group.spawn(async () => {
            try {
              await sleep(1000);
            } catch (error) {
              log.push(`${name} sees ${(error as Error).name}`);
              await sleep(2);
              log.push(`${name} ends`);
              throw error;
            }
          });
        }
        try {
          await group.join();
        } catch (error) {
          log.push(`parent sees ${(error as Error).name}`);
          throw error;
        }
      });
      await sleep(1);
      await parent.cancel();
      expect(log).toEqual([
        'a sees TaskCancelled',
        'a ends',
        'b sees TaskCancelled',
        'b ends',
        'parent sees TaskCancelled',
      ]);
    }));

  test('a timeout does the same', () =>
    virtually(async () => {
      const group = new TaskGroup();
      const member = await group.spawn(sleep, 1000);
      expect(await thrownBy(timeoutAfter(1, () => group.join()))).toBeInstanceOf(TaskTimeout);
      expect([member.terminated, member.cancelled]).toEqual([true, true]);
      // It counts as joined.
      expect(names(group.exceptions)).toEqual(['TaskCancelled']);
    }));

  test('the reaping is finished before what arrives meanwhile is delivered', () =>
    virtually(async () => {
      const log: unknown[] = [];
      const parent = await spawn(async () => {
        const group = new TaskGroup();
        const stubborn = await group.spawn(async () => {
          await disableCancellation(() => sleep(5));
          log.push('member ends');
        });
        await ignoreAfter(2, async () => {
          await timeoutAfter(1, () => group.join()).catch((error) => log.push(error.name));
          log.push(['member terminated', stubborn.terminated]);
          // The timeout of 2 expired during the reaping.
          await sleep(100);
          log.push('never here');
        });
        log.push(await sleep(0));
        await sleep(100);
      });
      await sleep(6);
      await parent.cancel();
      expect(log).toEqual(['member ends', 'TaskTimeout', ['member terminated', true], 5]);
    }));

  test('a member that is woken and a cancellation in the same turn: the member is collected, the rest is cancelled', () =>
    virtually(async () => {
      const event = new Event();
      const seen: unknown[] = [];
      const parent = await spawn(async () => {
        const group = new TaskGroup<string>();
        await group.spawn(async () => {
          await event.wait();
          return 'ended';
        });
        await group.spawn(after, 100, 'never');
        try {
          await group.join();
        } finally {
          seen.push(names(group.exceptions));
        }
      });
      await sleep(1);
      await event.set();
      // The member runs, ends, and wakes the parent; then it is cancelled before it has run.
      await sleep(0);
      await parent.cancel();
      expect(seen).toEqual([[null, 'TaskCancelled']]);
    }));
});

describe('daemons', () => {
  test('are disregarded: neither their results nor their crashes matter, and join cancels them', () =>
    noisily(async () => {
      const group = new TaskGroup<number>();
      const crasher = await group.spawn({ daemon: true }, after, 1, new Error('bad'));
      const runner = await group.spawn({ daemon: true }, sleep, 1000);
      const member = await group.spawn(after, 2, 42);
      expect([crasher.daemon, runner.daemon, member.daemon]).toEqual([true, true, false]);
      await group.join();
      expect(group.results).toEqual([42]);
      expect(group.exceptions).toEqual([null]);
      expect(group.tasks).toEqual([member]);
      expect([runner.terminated, runner.cancelled]).toEqual([true, true]);
      expect(crasher.exception).toMatchObject({ message: 'bad' });
    }));

  test('a group of daemons alone joins at once, and ends them', () =>
    virtually(async () => {
      const group = new TaskGroup();
      const daemon = await group.spawn({ daemon: true }, sleep, 1000);
      await group.join();
      expect(daemon.cancelled).toBe(true);
      expect(group.tasks).toEqual([]);
    }));

  test('one may be joined inside; the results are those of the others', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>();
      const daemon = await group.spawn({ daemon: true }, after, 1, 'daemon');
      await group.spawn(after, 2, 'member');
      expect(await daemon.join()).toBe('daemon');
      await group.join();
      expect(group.results).toEqual(['member']);
    }));

  test('cancelRemaining leaves them alone', () =>
    virtually(async () => {
      const group = new TaskGroup();
      const daemon = await group.spawn({ daemon: true }, sleep, 1000);
      await group.spawn(sleep, 1000);
      await group.cancelRemaining();
      expect(daemon.terminated).toBe(false);
      await group.join();
      expect(daemon.cancelled).toBe(true);
    }));
});

describe('who belongs to a group', () => {
  test('tasks may be adopted, ended and even joined ones too; their results count', () =>
    virtually(async () => {
      const running = await spawn(after<string>, 3, 'running');
      const ended = await spawn(after<string>, 1, 'ended');
      const joined = await spawn(after<string>, 1, 'joined');
      await sleep(1);
      await joined.join();
      const group = new TaskGroup<string>({ tasks: [running, ended] });
      await group.addTask(joined);
      await group.join();
      expect(group.results).toEqual(['running', 'ended', 'joined']);
      expect(group.tasks).toEqual([running, ended, joined]);
    }));

  test('an adopted failure counts as one', () =>
    noisily(async () => {
      const bad = await spawn(after, 1, new Error('bad'));
      await bad.wait();
      const group = new TaskGroup<unknown>({ tasks: [bad] });
      const other = await group.spawn(after, 5, 1);
      await group.join();
      expect(group.exception).toMatchObject({ message: 'bad' });
      expect(other.cancelled).toBe(true);
    }));

  test('an adopted daemon is one of the group’s daemons', () =>
    virtually(async () => {
      const daemon = await spawn({ daemon: true }, sleep, 1000);
      const ended = await spawn({ daemon: true }, add, 1, 1);
      await sleep(1);
      const group = new TaskGroup<unknown>({ tasks: [daemon, ended] });
      expect(group.tasks).toEqual([]);
      await group.join();
      expect([daemon.cancelled, ended.cancelled]).toEqual([true, false]);
    }));

  test('a task is in one group at a time', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>();
      const running = await group.spawn(after, 1, 1);
      const ended = await group.spawn(add, 1, 1);
      const free = await spawn(after, 1, 2);
      await sleep(0);
      expect(ended.terminated).toBe(true);
      const other = new TaskGroup<unknown>();
      for (const task of [running, ended]) {
        const error = await thrownBy(other.addTask(task));
        expect(error).toBeInstanceOf(RuntimeError);
        expect((error as Error).message).toContain('already belongs to a group');
        expect(await thrownBy(group.addTask(task))).toBeInstanceOf(RuntimeError);
        // All or none.
        expect(() => new TaskGroup<unknown>({ tasks: [free, task] })).toThrow(RuntimeError);
      }
      await other.addTask(free);
      await group.join();
      await other.join();
      expect(other.results).toEqual([2]);
    }));

  test('one that left its group may join another', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(add, 1, 1);
      const task = (await group.nextDone()) as Task<number>;
      const other = new TaskGroup<number>({ tasks: [task] });
      await other.join();
      expect(other.results).toEqual([2]);
      await group.join();
    }));

  test('what is no task is refused, at the call', () =>
    virtually(async () => {
      expect(() => new TaskGroup({ tasks: [add as never] })).toThrow(
        'new TaskGroup({ tasks }) wants tasks, as spawn() gives them, not the function add',
      );
      const group = new TaskGroup();
      expect(() => group.addTask({ onEnd: null } as never)).toThrow('TaskGroup.addTask() wants tasks');
      expect(() => group.spawn(add(1, 1) as never)).toThrow('TaskGroup.spawn() was given a promise');
      await group.join();
    }));

  test('a member may have a name', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>();
      const named = await group.spawn({ name: 'adder' }, add, 1, 1);
      const plain = await group.spawn(add, 1, 1);
      expect([named.name, plain.name]).toEqual(['adder', 'add']);
      await group.join();
    }));

  test('a spawned member first runs when its spawner blocks', () =>
    virtually(async () => {
      const log: string[] = [];
      const group = new TaskGroup();
      await group.spawn(async () => log.push('member'));
      log.push('spawner');
      await group.join();
      expect(log).toEqual(['spawner', 'member']);
    }));

  test('outside a task there is nobody to spawn for', async () => {
    const group = new TaskGroup();
    let task!: Task<number>;
    await virtually(async () => {
      task = await spawn(add, 1, 1);
      await task.join();
    });
    expect(await thrownBy(group.addTask(task))).toBeInstanceOf(RuntimeError);
    expect(group.tasks).toEqual([]);
    expect(await thrownBy(group.spawn(add, 1, 1))).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(group.join())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(group[Symbol.asyncDispose]())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(group.nextDone())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(group.nextResult())).toBeInstanceOf(RuntimeError);
    expect(await thrownBy(group.cancelRemaining())).toBeInstanceOf(RuntimeError);
  });
});

test('a second operation while one waits is refused, at the call', () =>
  noisily(async () => {
    const group = new TaskGroup();
    await group.spawn(sleep, 1);
    const first = sleep(2);
    for (const call of ['join', 'nextDone', 'nextResult', 'cancelRemaining'] as const) {
      expect(() => group[call]()).toThrow(TaskBusyError);
    }
    await first;
    await group.join();
  }));

describe('joining a member by itself', () => {
  test('takes it out of the group: its result is not among the results', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const one = await group.spawn(add, 1, 1);
      const two = await group.spawn(add, 2, 2);
      expect(await one.join()).toBe(2);
      expect(group.tasks).toEqual([two]);
      await group.join();
      expect(group.results).toEqual([4]);
      // It belongs to nobody now.
      const other = new TaskGroup<number>({ tasks: [one] });
      await other.join();
      expect(other.results).toEqual([2]);
    }));

  test('its failure is the joiner’s: the others go on, and the group knows nothing of it', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>();
      const bad = await group.spawn(after, 1, new TypeError('bad'));
      const good = await group.spawn(after, 2, 'good');
      const error = (await thrownBy(bad.join())) as TaskError;
      expect(error).toBeInstanceOf(TaskError);
      expect(error.cause).toBeInstanceOf(TypeError);
      // The other still runs.
      expect(() => good.result).toThrow(RuntimeError);
      expect(() => good.exception).toThrow(RuntimeError);
      await group.join();
      expect(group.results).toEqual(['good']);
      expect(group.exception).toBe(null);
      expect(good.cancelled).toBe(false);
    }));

  test('a join that is cut short leaves it in the group, which waits for it', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      const slow = await group.spawn(after, 10, 'slow');
      expect(await ignoreAfter(1, () => slow.join())).toBe(undefined);
      expect(group.tasks).toEqual([slow]);
      await group.join();
      expect(slow.terminated).toBe(true);
      expect(group.results).toEqual(['slow']);
    }));

  test('by somebody else, while the group is joined: whoever joins it explicitly has it', () =>
    noisily(async () => {
      const group = new TaskGroup<unknown>();
      const bad = await group.spawn(after, 1, new Error('bad'));
      await group.spawn(after, 2, 'good');
      const other = await spawn(async () => (await thrownBy(bad.join())) as Error);
      await sleep(0);
      await group.join();
      expect(group.results).toEqual(['good']);
      expect((await other.join()).name).toBe('TaskError');
    }));

  test('of the last one wakes who waits for the group', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const only = await group.spawn(after, 1, 1);
      const other = await spawn(() => only.join());
      await sleep(0);
      await group.join();
      expect(group.results).toEqual([]);
      expect(await other.join()).toBe(1);
    }));

  test('wait() takes no responsibility, and leaves it in the group', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const task = await group.spawn(after, 1, 1);
      await task.wait();
      expect(group.tasks).toEqual([task]);
      await group.join();
      expect(group.results).toEqual([1]);
    }));
});

describe('nextDone(), nextResult() and iteration', () => {
  test('nextDone gives members in the order they end, takes them out, and then gives null', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      for (const seconds of [3, 1, 2]) await group.spawn(after, seconds, `slept ${seconds}`);
      const results: unknown[] = [];
      for (let task = await group.nextDone(); task !== null; task = await group.nextDone()) {
        results.push(task.result, group.tasks.length);
      }
      expect(results).toEqual(['slept 1', 2, 'slept 2', 1, 'slept 3', 0]);
      expect(await group.nextDone()).toBe(null);
      await group.join();
      expect(group.results).toEqual([]);
    }));

  test('nextResult gives the value of the next one, throws its own error, and complains when none is left', () =>
    noisily(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(after, 1, 1);
      await group.spawn(after<number>, 2, new RangeError('bad'));
      await group.spawn(after, 3, 3);
      expect(await group.nextResult()).toBe(1);
      expect(await thrownBy(group.nextResult())).toMatchObject({ name: 'RangeError', message: 'bad' });
      expect(await group.nextResult()).toBe(3);
      expect(await thrownBy(group.nextResult())).toBeInstanceOf(RuntimeError);
      await group.join();
      expect(group.exceptions).toEqual([]);
    }));

  test('iteration gives them as they end, and leaves no results', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      for (const seconds of [3, 1, 2]) await group.spawn(after, seconds, `slept ${seconds}`);
      const order: string[] = [];
      for await (const task of group) order.push(task.result);
      expect(order).toEqual(['slept 1', 'slept 2', 'slept 3']);
      await group.join();
      expect(group.results).toEqual([]);
    }));

  test('a failure that is collected cancels nobody and throws nothing', () =>
    noisily(async () => {
      const group = new TaskGroup<string>();
      await group.spawn(after<string>, 1, new Error('bad'));
      const good = await group.spawn(after, 2, 'good');
      const seen: unknown[] = [];
      for await (const task of group) seen.push(task.exception);
      expect(names(seen)).toEqual(['Error', null]);
      expect(good.cancelled).toBe(false);
      await group.join();
      expect(group.exception).toBe(null);
    }));

  test('iteration that is left early leaves the rest to join', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      for (const n of [1, 2, 3]) await group.spawn(after, n, n);
      for await (const task of group) if (task.result === 1) break;
      await group.join();
      expect(group.results).toEqual([2, 3]);
    }));

  test('what ended before is there at once', () =>
    virtually(async () => {
      const log: string[] = [];
      const group = new TaskGroup<number>();
      await group.spawn(add, 1, 1);
      await group.spawn(add, 2, 2);
      await sleep(0);
      const other = await spawn(async () => log.push('other'));
      await group.nextDone();
      await group.nextResult();
      log.push('collected');
      await other.join();
      expect(log).toEqual(['collected', 'other']);
      await group.join();
    }));

  test('a cancelled nextDone has taken nothing', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(after, 2, 1);
      expect(await thrownBy(timeoutAfter(1, () => group.nextDone()))).toBeInstanceOf(TaskTimeout);
      expect(await thrownBy(timeoutAfter(0.5, () => group.nextResult()))).toBeInstanceOf(TaskTimeout);
      expect(await group.nextResult()).toBe(1);
      await group.join();
    }));

  test('who was chosen keeps the member, even if cancelled before it ran', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(after, 1, 1);
      const got: unknown[] = [];
      const collector = await spawn(async () => {
        got.push((await group.nextDone())?.result);
        await sleep(100);
      });
      await sleep(1);
      // The member ends in this turn, after this task; then the collector is ready, and cancelled.
      await sleep(0);
      expect(collector.state).toBe('READY');
      await collector.cancel();
      expect(got).toEqual([1]);
      await group.join();
    }));

  test('several may wait: first come, first served, and a newcomer overtakes nobody', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const got: string[] = [];
      const collector = async (name: string) => {
        got.push(`${name} ${(await group.nextDone())?.result ?? 'nothing'}`);
      };
      for (const n of [1, 2, 3]) await group.spawn(after, n, n);
      const others = [await spawn(collector, 'a'), await spawn(collector, 'b')];
      // Spawned to run right after the member has ended, before the collector that was chosen.
      const overtaker = await spawn(async () => {
        await sleep(1);
        await collector('late');
      });
      for (const task of [...others, overtaker]) await task.join();
      expect(got).toEqual(['a 1', 'b 2', 'late 3']);
      await group.join();
    }));

  test('of two that end at once, the one that waits gets the first, and then the second', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const event = new Event();
      for (const n of [1, 2]) await group.spawn(() => event.wait().then(() => n));
      const collector = await spawn(async () => [await group.nextResult(), await group.nextResult()]);
      await sleep(1);
      await event.set();
      expect(await collector.join()).toEqual([1, 2]);
      await group.join();
    }));

  test('a newcomer takes its place behind who has been chosen, even if there is one for it, too', () =>
    virtually(async () => {
      const got: string[] = [];
      const group = new TaskGroup<number>();
      const event = new Event();
      for (const n of [1, 2]) await group.spawn(() => event.wait().then(() => n));
      const late = await group.spawn(after, 10, 3);
      const collector = async (who: string) => {
        got.push(`${who} ${await group.nextResult()}`);
      };
      const first = await spawn(collector, 'first');
      await sleep(1);
      await event.set();
      // Runs when both members have ended, and before the one that waits for them.
      const newcomer = await spawn(collector, 'newcomer');
      await newcomer.join();
      await first.join();
      expect(got).toEqual(['first 1', 'newcomer 2']);
      await late.cancel();
      await group.join();
    }));

  test('the last member is reserved for who waited: a newcomer is told that there is none', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const event = new Event();
      await group.spawn(() => event.wait().then(() => 1));
      const first = await spawn(() => group.nextResult());
      await sleep(1);
      await event.set();
      const newcomer = await spawn(() => group.nextDone());
      expect([await newcomer.join(), await first.join()]).toEqual([null, 1]);
      await group.join();
    }));

  test('after join() there is none, though some ended before', () =>
    virtually(async () => {
      const group = new TaskGroup<number>({ wait: 'any' });
      for (let i = 0; i < 3; i++) await group.spawn(add, i, i);
      await sleep(1);
      await group.join();
      expect(await group.nextDone()).toBe(null);
    }));

  test('an adopted task that had ended unjoined is nobody’s complaint once it has been collected', () =>
    virtually(async () => {
      const ended = await spawn(add, 1, 1);
      await sleep(1);
      const group = new TaskGroup<number>({ tasks: [ended] });
      expect(await group.nextResult()).toBe(2);
      await group.join();
    }));

  test('when the last member ends nobody goes on waiting', () =>
    virtually(async () => {
      const group = new TaskGroup<number>();
      const got: unknown[] = [];
      const collector = async () => {
        got.push((await group.nextDone())?.result);
      };
      await group.spawn(after, 1, 1);
      const collectors = [await spawn(collector), await spawn(collector), await spawn(collector)];
      for (const task of collectors) await task.join();
      expect(got.sort()).toEqual([1, undefined, undefined]);
      await group.join();
    }));

  test('a member may collect the others, and is told when only itself is left', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>();
      const seen: unknown[] = [];
      const collector = await group.spawn(async () => {
        for await (const task of group) seen.push(task.result);
        seen.push('alone');
      });
      for (const n of [2, 1]) await group.spawn(after, n, n);
      await collector.join();
      expect(seen).toEqual([1, 2, 'alone']);
      await group.join();
    }));

  test('a member that was chosen for somebody who ended without taking it goes to the next', () =>
    noisily(async () => {
      const group = new TaskGroup<number>();
      const member = await group.spawn(after, 1, 1);
      const other = await group.spawn(after, 10, 10);
      const careless = await forgetful(() => group.nextDone());
      const careful = await spawn(() => group.nextResult());
      await sleep(1);
      expect([member.terminated, careless.task.state]).toEqual([true, 'READY']);
      await careless.end();
      expect(await careful.join()).toBe(1);
      expect(other.terminated).toBe(false);
      await group.join();
    }));

  test('also when no other member is left', () =>
    noisily(async () => {
      const group = new TaskGroup<number>();
      await group.spawn(after, 1, 1);
      const careless = await forgetful(() => group.nextDone());
      const careful = await spawn(() => group.nextResult());
      await sleep(1);
      await careless.end();
      expect(await careful.join()).toBe(1);
      await group.join();
    }));
});

describe('cancelRemaining()', () => {
  test('asks all first and waits afterwards, so that their clean-ups overlap; they leave the group', () =>
    virtually(async () => {
      const log: string[] = [];
      const group = new TaskGroup<unknown>();
      const member = async (name: string, seconds: number) => {
        try {
          await sleep(1000);
        } finally {
          log.push(`${name} stops`);
          await sleep(seconds);
          log.push(`${name} ends`);
        }
      };
      const done = await group.spawn(add, 1, 1);
      await group.spawn(member, 'a', 3);
      await group.spawn(member, 'b', 1);
      await group.spawn(member, 'c', 2);
      await sleep(1);
      await group.cancelRemaining();
      log.push(`back at ${await sleep(0)}`);
      expect(log).toEqual(['a stops', 'b stops', 'c stops', 'b ends', 'c ends', 'a ends', 'back at 4']);
      expect(group.tasks).toEqual([done]);
      await group.join();
      expect(group.results).toEqual([2]);
    }));

  test('new members may be spawned afterwards', () =>
    virtually(async () => {
      const group = new TaskGroup<unknown>();
      await group.spawn(sleep, 1000);
      await group.cancelRemaining();
      await group.spawn(add, 1, 1);
      await group.join();
      expect(group.results).toEqual([2]);
    }));

  test('cut short, it has asked all of them; join waits for them', () =>
    virtually(async () => {
      const group = new TaskGroup();
      const slow = await group.spawn(() => disableCancellation(() => sleep(5)));
      const other = await group.spawn(sleep, 1000);
      expect(await thrownBy(timeoutAfter(1, () => group.cancelRemaining()))).toBeInstanceOf(TaskTimeout);
      expect([slow.cancelled, other.cancelled, slow.terminated]).toEqual([true, true, false]);
      await group.join();
      expect(slow.terminated).toBe(true);
    }));

  test('called by a member it spares that one', () =>
    virtually(async () => {
      const group = new TaskGroup<string>();
      const other = await group.spawn(after, 1000, 'other');
      await group.spawn(async () => {
        await sleep(1);
        await group.cancelRemaining();
        return 'survivor';
      });
      await group.join();
      expect(group.results).toEqual(['survivor']);
      expect(other.cancelled).toBe(true);
    }));
});

describe('await using', () => {
  test('disposal cancels and awaits what join() has not already waited for', () =>
    virtually(async () => {
      let tasks: Task[] = [];
      {
        await using group = new TaskGroup<unknown>();
        tasks = [await group.spawn(sleep, 1000), await group.spawn({ daemon: true }, sleep, 1000)];
        await sleep(1);
      }
      expect(tasks.map((task) => [task.terminated, task.cancelled])).toEqual([
        [true, true],
        [true, true],
      ]);
    }));

  test('after join() it has nothing left to do', () =>
    virtually(async () => {
      let group!: TaskGroup<number>;
      {
        await using scoped = new TaskGroup<number>();
        group = scoped;
        await scoped.spawn(after, 5, 5);
        await scoped.join();
      }
      expect(group.results).toEqual([5]);
    }));

  test('an error in the block ends the members, and comes out', () =>
    virtually(async () => {
      let member!: Task;
      const block = async () => {
        await using group = new TaskGroup();
        member = await group.spawn(sleep, 1000);
        await sleep(1);
        throw new TypeError('in the block');
      };
      expect(await thrownBy(block())).toMatchObject({ name: 'TypeError' });
      expect([member.terminated, member.cancelled]).toEqual([true, true]);
    }));

  test('a cancellation of the block ends the members first', () =>
    virtually(async () => {
      let member!: Task;
      const owner = await spawn(async () => {
        await using group = new TaskGroup();
        member = await group.spawn(sleep, 1000);
        await sleep(1000);
      });
      await sleep(1);
      await owner.cancel();
      expect([member.terminated, member.cancelled]).toEqual([true, true]);
    }));

  test('a forgotten await in the block: the members are asked to stop all the same', async () => {
    const log = recorder();
    await noisily(
      async () => {
        const members: Task[] = [];
        const block = async () => {
          await using group = new TaskGroup();
          members.push(await group.spawn(sleep, 1000), await group.spawn({ daemon: true }, sleep, 1000));
          void sleep(5);
        };
        expect(await thrownBy(block())).toBeInstanceOf(TaskBusyError);
        expect(members.map((member) => member.cancelled)).toEqual([true, true]);
      },
      { logger: log },
    );
    expect(log.of('warn').join()).toContain('never awaited');
  });
});

test('a task that is never joined but is in a group is nobody’s complaint', () =>
  virtually(async () => {
    const group = new TaskGroup<number>();
    await group.spawn(add, 1, 1);
    await group.spawn(after, 1, 2);
    await group.join();
  }));

describe('everywhere and in every order', () => {
  for (const wait of ['all', 'any', 'object', null] as const) {
    test(`no member survives a group that waits for ${wait}, whatever is interrupted`, async () => {
      let members: Task[] = [];
      let group!: TaskGroup<unknown>;
      let joined = false;
      const program = async () => {
        members = [];
        joined = false;
        group = new TaskGroup<unknown>({ wait });
        for (const seconds of [2, 1, 3]) members.push(await group.spawn(after, seconds, seconds));
        members.push(await group.spawn({ daemon: true }, sleep, 1000));
        await sleep(0.5);
        const error = await group.join().catch((error: unknown) => error);
        joined = true;
        expect(members.every((task) => task.terminated)).toBe(true);
        expect(group.exceptions).toHaveLength(3);
        if (error !== undefined) throw error;
      };
      const operations = await cancelEverywhere(program, ({ kind, error }) => {
        if (error instanceof Error && !(error instanceof CancelledError)) throw error;
        if (kind === 'none' && !joined) throw new Error('not joined');
        if (joined) for (const task of members) expect(task.onEnd).toBe(null);
      });
      expect(operations).toBeGreaterThan(4);
      await explore(program, { seeds: 30 });
    });
  }

  test('nextDone gives each member to exactly one collector', async () => {
    let got: unknown[] = [];
    const program = async () => {
      got = [];
      const group = new TaskGroup<number>();
      for (let i = 0; i < 6; i++) await group.spawn(after, i % 3, i);
      const collectors = new TaskGroup();
      for (let i = 0; i < 2; i++) {
        await collectors.spawn(async () => {
          for (let task = await group.nextDone(); task !== null; task = await group.nextDone()) {
            if (!task.failed) got.push(task.result);
          }
        });
      }
      await collectors.join();
      await group.join();
      for (const task of group.tasks) if (!task.failed) got.push(task.result);
    };
    await explore(
      async () => {
        await program();
        expect(got.sort()).toEqual([0, 1, 2, 3, 4, 5]);
      },
      { seeds: 50 },
    );
    await cancelEverywhere(program, () => expect(new Set(got).size).toBe(got.length));
  });
});

describe('whom a group cancels is told why', () => {
  const causeOf = (task: Task) => (task.exception as TaskCancelled).cause;

  test('the failure of another member', () =>
    noisily(async () => {
      const failure = new RangeError('the first');
      const group = new TaskGroup();
      await group.spawn(after, 1, failure);
      const other = await group.spawn(sleep, 1000);
      await group.join();
      expect(causeOf(other)).toBe(failure);
    }));

  test('what has cut the waiting short', () =>
    virtually(async () => {
      const group = new TaskGroup();
      const member = await group.spawn(sleep, 1000);
      const timeout = await thrownBy(timeoutAfter(1, () => group.join()));
      expect(timeout).toBeInstanceOf(TaskTimeout);
      expect(causeOf(member)).toBe(timeout);
    }));

  test('the error of the block', () =>
    virtually(async () => {
      let member!: Task;
      const failure = new RangeError('in the block');
      await thrownBy(
        taskGroup(async (group) => {
          member = await group.spawn(sleep, 1000);
          throw failure;
        }),
      );
      expect(causeOf(member)).toBe(failure);
    }));

  test('nothing, when the others are no longer wanted', () =>
    virtually(async () => {
      const group = new TaskGroup<number>({ wait: 'any' });
      await group.spawn(after, 1, 1);
      const other = await group.spawn(sleep, 1000);
      await group.join();
      expect('cause' in (other.exception as TaskCancelled)).toBe(false);
    }));
});

test('a thousand members', () =>
  virtually(async () => {
    const group = new TaskGroup<number>();
    for (let i = 0; i < 1000; i++) await group.spawn(after, i % 10, i);
    await group.join();
    expect(group.results).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  }));

test('a group joined by two tasks at once ends for both', () =>
  virtually(async () => {
    const group = new TaskGroup<number>();
    await group.spawn(after, 2, 2);
    await group.spawn({ daemon: true }, sleep, 1000);
    const other = await spawn(() => group.join());
    await group.join();
    await other.join();
    expect(group.results).toEqual([2]);
  }));

test('run() by itself: a group that is left over is ended with the run', async () => {
  let member!: Task;
  await run(async () => {
    const group = new TaskGroup();
    member = await group.spawn(sleep, 1000);
  });
  expect([member.terminated, member.cancelled]).toEqual([true, true]);
});
