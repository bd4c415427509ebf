// Bad input: whatever is given to the wrong place is a clear error that says what to write instead, at once, and the kernel
// goes on.

import {
  abortable,
  BoundedSemaphore,
  Condition,
  checkCancellation,
  clock,
  currentSignal,
  currentTask,
  disableCancellation,
  Event,
  gather,
  ignoreAfter,
  Kernel,
  LifoQueue,
  Lock,
  PriorityQueue,
  Queue,
  Result,
  RLock,
  RuntimeError,
  run,
  Semaphore,
  SignalEvent,
  setCancellation,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskGroup,
  taskGroup,
  timeoutAfter,
  UniversalEvent,
  UniversalQueue,
  UniversalResult,
  wait,
  workerLimits,
} from 'curio';
import { flightRecorder, longblock } from 'curio/debug';
import { instantiateCoroutine } from 'curio/meta';
import { SchedFIFO } from 'curio/sched';
import { VirtualClock } from 'curio/testing';
import { describe, expect, test } from 'vitest';
import { recorder } from './kit/recorder.ts';

class Oops extends Error {}

const quiet = () => ({ clock: new VirtualClock(), logger: recorder() });

/** Runs `main` while another task ticks; afterwards both must have got on. */
async function andGoesOn(main: () => Promise<unknown>): Promise<void> {
  let ticks = 0;
  const result = await run(quiet(), async () => {
    await spawn({ daemon: true }, async () => {
      for (;;) {
        await sleep(1);
        ticks++;
      }
    });
    await main();
    const before = ticks;
    await sleep(3.5);
    expect(ticks - before).toBeGreaterThanOrEqual(3);
    return 'went on';
  });
  expect(result).toBe('went on');
}

/**
 * Everything that takes a function: what it is called, what comes before the function, how to call it, and, if the function
 * gets no arguments that way, what the call ends with.
 */
const takers: [name: string, leading: string, call: (fn: never) => unknown, closing?: string][] = [
  ['spawn', '', (fn) => spawn(fn)],
  ['spawn', '', (fn) => spawn({ daemon: true }, fn)],
  ['timeoutAfter', 'seconds, ', (fn) => timeoutAfter(1, fn)],
  ['ignoreAfter', 'seconds, ', (fn) => ignoreAfter(1, fn)],
  ['ignoreAfter', 'seconds, ', (fn) => ignoreAfter({ timeoutResult: 1 }, 1, fn)],
  ['TimeoutScope.run', '', (fn) => timeoutAfter(1).run(fn)],
  ['disableCancellation', '', (fn) => disableCancellation(fn)],
  ['abortable', '', (fn) => abortable(fn), ')'],
  ['gather', '[', (fn) => gather([fn]), '])'],
  ['taskGroup', '', (fn) => taskGroup(fn), ')'],
  ['TaskGroup.spawn', '', (fn) => new TaskGroup().spawn(fn)],
  ['Lock.with', '', (fn) => new Lock().with(fn)],
  ['RLock.with', '', (fn) => new RLock().with(fn)],
  ['Semaphore.with', '', (fn) => new Semaphore().with(fn)],
  ['instantiateCoroutine', '', (fn) => instantiateCoroutine(fn)],
];

const runners: typeof takers = [
  ['run', '', (fn) => run(fn)],
  ['run', '', (fn) => run({}, fn)],
  ['run', '', (fn) => new Kernel().run(fn)],
  ['run', '', (fn) => new Kernel().run({ shutdown: true }, fn)],
];

const label = ([name]: (typeof takers)[number], i: number) => `${name}() #${i}`;

describe.each(takers.map((taker, i) => [label(taker, i), ...taker] as const))(
  '%s',
  (_, name, leading, call, closing) => {
    const end = closing ?? ')';
    const thrown = (value: unknown): TypeError => {
      try {
        call(value as never);
      } catch (error) {
        expect(error).toBeInstanceOf(TypeError);
        return error as TypeError;
      }
      throw new Error(`${name}() took ${String(value)}`);
    };

    test('refuses a promise at the call, and says what to write instead', async () => {
      await andGoesOn(async () => {
        const { message } = thrown(Promise.resolve());
        expect(message).toContain(`${name}() was given a promise`);
        const right = closing === undefined ? 'fn, arg)' : `() => fn(arg)${end}`;
        expect(message).toContain(
          `Write ${name}(${leading}${right} instead of ${name}(${leading}fn(arg)${end}`,
        );
        expect(message).toContain(`${name}(${leading}() => wait(promise)${end}`);
      });
    });

    test('refuses a class, and says how to construct one', async () => {
      class Worker {}
      await andGoesOn(async () => {
        expect(thrown(Worker).message).toContain(`Write ${name}(${leading}() => new Worker(...)${end}`);
      });
    });

    test('refuses what is no function, and says what it was', async () => {
      await andGoesOn(async () => {
        for (const [value, text] of [
          [5, '5'],
          ['text', '"text"'],
          [null, 'null'],
          [new Map(), 'an instance of Map'],
          [[], 'an array'],
        ]) {
          expect(thrown(value).message).toContain(
            `${name}() wants a function, not ${text}. Write ${name}(${leading}${closing === undefined ? 'fn, ...args)' : `() => fn(arg)${end}`}.`,
          );
        }
      });
    });
  },
);

describe.each(runners.map((runner, i) => [label(runner, i), ...runner] as const))(
  '%s',
  (_, name, _leading, call) => {
    test('refuses promises, classes and what is no function, outside tasks, at the call', () => {
      expect(() => call(Promise.resolve() as never)).toThrow(
        `Write ${name}(fn, arg) instead of ${name}(fn(arg))`,
      );
      expect(() => call(Map as never)).toThrow('new Map(...)');
      expect(() => call(5 as never)).toThrow('wants a function, not 5');
    });
  },
);

test('a promise is refused before the call behind it can make trouble: its rejection is still the caller’s', async () => {
  const failing = Promise.reject(new Oops('of the promise'));
  expect(() => run(failing as never)).toThrow(TypeError);
  await expect(failing).rejects.toThrow('of the promise');
});

describe('seconds', () => {
  const takers: [string, (seconds: never) => unknown][] = [
    ['sleep', (seconds) => sleep(seconds)],
    ['timeoutAfter', (seconds) => timeoutAfter(seconds, () => 1)],
    ['timeoutAfter', (seconds) => timeoutAfter(seconds)],
    ['ignoreAfter', (seconds) => ignoreAfter(seconds, () => 1)],
    ['ignoreAfter', (seconds) => ignoreAfter(seconds)],
  ];

  test.each(takers)('that are no number are refused at the call by %s()', async (name, call) => {
    await andGoesOn(async () => {
      for (const bad of [Number.NaN, '1', undefined, {}, 5n, new Date()]) {
        expect(() => call(bad as never), String(bad)).toThrow(TypeError);
        if (typeof bad !== 'object')
          expect(() => call(bad as never)).toThrow(`${name}() wants a number of seconds, not `);
      }
    });
  });

  test('that come after the function are pointed out', () => {
    expect(() => timeoutAfter((() => 1) as never, 5 as never)).toThrow(
      /seconds first: timeoutAfter\(seconds, fn, \.\.\.args\)/,
    );
  });
});

/** Operations of every kind, on fresh objects. */
function operations(task: Task): Record<string, () => unknown> {
  const group = new TaskGroup();
  return {
    sleep: () => sleep(1),
    clock: () => clock(),
    spawn: () => spawn(() => 1),
    currentTask: () => currentTask(),
    timeoutAfter: () => timeoutAfter(1, () => 1),
    'TimeoutScope.run': () => timeoutAfter(1).run(() => 1),
    ignoreAfter: () => ignoreAfter(1, () => 1),
    disableCancellation: () => disableCancellation(() => 1),
    'disableCancellation ': () => disableCancellation(),
    checkCancellation: () => checkCancellation(),
    setCancellation: () => setCancellation(null),
    wait: () => wait(Promise.resolve()),
    abortable: () => abortable(() => 1),
    currentSignal: () => currentSignal(),
    gather: () => gather([() => 1]),
    taskGroup: () => taskGroup(() => {}),
    'TaskGroup.spawn': () => group.spawn(() => 1),
    'TaskGroup.addTask': () => group.addTask(task as never),
    'TaskGroup.join': () => group.join(),
    'TaskGroup.nextDone': () => group.nextDone(),
    'TaskGroup.nextResult': () => group.nextResult(),
    'TaskGroup.cancelRemaining': () => group.cancelRemaining(),
    'Task.join': () => task.join(),
    'Task.wait': () => task.wait(),
    'Task.cancel': () => task.cancel(),
    'Event.wait': () => new Event().wait(),
    'Event.set': () => new Event().set(),
    'Result.unwrap': () => new Result().unwrap(),
    'Result.setValue': () => new Result().setValue(1),
    'Result.setException': () => new Result().setException(1),
    'Lock.acquire': () => new Lock().acquire(),
    'Lock.release': () => new Lock().release(),
    'Lock.with': () => new Lock().with(() => 1),
    'RLock.acquire': () => new RLock().acquire(),
    'RLock.release': () => new RLock().release(),
    'RLock.with': () => new RLock().with(() => 1),
    'Semaphore.acquire': () => new Semaphore().acquire(),
    'Semaphore.release': () => new Semaphore().release(),
    'Semaphore.with': () => new Semaphore().with(() => 1),
    'BoundedSemaphore.acquire': () => new BoundedSemaphore().acquire(),
    'Condition.acquire': () => new Condition().acquire(),
    'Condition.release': () => new Condition().release(),
    'Condition.wait': () => new Condition().wait(),
    'Condition.waitFor': () => new Condition().waitFor(() => true),
    'Condition.notify': () => new Condition().notify(),
    'Condition.notifyAll': () => new Condition().notifyAll(),
    'Condition.with': () => new Condition().with(() => 1),
    'Queue.get': () => new Queue().get(),
    'Queue.put': () => new Queue().put(1),
    'Queue.join': () => new Queue().join(),
    'Queue.taskDone': () => new Queue().taskDone(),
    'PriorityQueue.get': () => new PriorityQueue().get(),
    'LifoQueue.put': () => new LifoQueue().put(1),
    'SignalEvent.wait': () => {
      using event = new SignalEvent('SIGUSR2');
      return event.wait();
    },
    suspend: () => new SchedFIFO().suspend('X'),
    wake: () => new SchedFIFO().wake(),
  };
}

/** What a call throws or rejects with. */
async function failure(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it was not refused');
}

async function endedTask(): Promise<Task> {
  return run(quiet(), async () => {
    const task = await spawn({ name: 'ended' }, async () => 5);
    await task.join();
    return task;
  });
}

describe('outside a task', () => {
  test('every operation is refused, and told to start one with run(fn)', async () => {
    for (const [name, call] of Object.entries(operations(await endedTask()))) {
      const error = await failure(call);
      expect(error, name).toBeInstanceOf(RuntimeError);
      expect(error.message, name).toMatch(
        / was called outside a task\. Start one with run\(fn\), and call it there\.$/,
      );
    }
  });

  test('… by a rejection, save where nothing is returned that could be rejected', async () => {
    for (const [name, call] of Object.entries(operations(await endedTask()))) {
      let answer: unknown;
      try {
        answer = call();
      } catch {
        expect(['currentSignal', 'disableCancellation '], name).toContain(name);
        continue;
      }
      expect(answer, name).toBeInstanceOf(Promise);
      await (answer as Promise<unknown>).catch(() => {});
    }
  });

  test('universal classes may be used', async () => {
    const queue = new UniversalQueue<number>();
    await queue.put(1);
    expect(await queue.get()).toBe(1);
    const event = new UniversalEvent();
    await event.set();
    await event.wait();
    const result = new UniversalResult<number>();
    await result.setValue(5);
    expect(await result.unwrap()).toBe(5);
  });
});

describe('on behalf of a task that has ended', () => {
  test('every operation is refused, with the name of the task and what to do', async () => {
    let errors!: Promise<Map<string, Error>>;
    await andGoesOn(async () => {
      const ended = await spawn({ name: 'ended' }, async () => 5);
      await ended.join();
      const task = await spawn({ name: 'gone' }, async () => {
        errors = new Promise((resolve, reject) => {
          setImmediate(async () => {
            const found = new Map<string, Error>();
            for (const [name, call] of Object.entries(operations(ended)))
              found.set(name, await failure(call));
            resolve(found);
          });
          setTimeout(() => reject(new Error('an operation hangs')), 5000).unref();
        });
      });
      await task.join();
      await wait(errors);
    });
    for (const [name, error] of await errors) {
      expect(error, name).toBeInstanceOf(RuntimeError);
      expect(error.message, name).toMatch(
        /on behalf of Task\(id=\d+, name='gone'\), which has ended\. .*spawn\(\) it\./,
      );
    }
  });
});

describe('run()', () => {
  test('inside a task is refused, and told of spawn; the task goes on', async () => {
    await andGoesOn(async () => {
      const error = await failure(() => run(async () => 1));
      expect(error).toBeInstanceOf(RuntimeError);
      expect(error.message).toBe('run() was called inside a task. Tasks start others with spawn(fn).');
      const own = new Kernel();
      expect((await failure(() => own.run(async () => 1))).message).toContain('spawn(fn)');
    });
  });

  test('of a kernel that was shut down is refused, and told to make a new one', async () => {
    const kernel = new Kernel();
    await kernel.run({ shutdown: true });
    const error = await failure(() => kernel.run(async () => 1));
    expect(error).toBeInstanceOf(RuntimeError);
    expect(error.message).toBe('This kernel has been shut down. Make a new Kernel.');
  });

  test('of a kernel that runs is refused, and told of spawn', async () => {
    const kernel = new Kernel(quiet());
    const running = kernel.run(() => sleep(1));
    const error = await failure(() => kernel.run(async () => 1));
    expect(error.message).toBe(
      'This kernel is already running. Start further tasks inside it with spawn(fn).',
    );
    await running;
  });
});

describe('a task', () => {
  test('that joins itself, waits for itself or cancels itself is told why that cannot be, and what to do', async () => {
    await andGoesOn(async () => {
      const self = await currentTask();
      for (const [name, call] of Object.entries({
        'Task.join()': () => self.join(),
        'Task.wait()': () => self.wait(),
      })) {
        const error = await failure(call);
        expect(error).toBeInstanceOf(RuntimeError);
        expect(error.message).toMatch(
          new RegExp(`Task\\(id=${self.id}, .*called ${name.replace(/[()]/g, '\\$&')} on itself`),
        );
      }
      const error = await failure(() => self.cancel());
      expect(error.message).toMatch(/cancelled itself.*await task\.cancel\(\{ blocking: false \}\)/);
    });
  });

  test('that has no result yet is told to be joined first', async () => {
    await andGoesOn(async () => {
      const task = await spawn(async () => 5);
      expect(() => task.result).toThrow(
        /has not ended, so it has no result yet\. Write await task\.join\(\) first\./,
      );
      await task.join();
    });
  });

  test('that is cancelled with something else than an error is refused at the call', async () => {
    await andGoesOn(async () => {
      const task = await spawn(() => sleep(1));
      await sleep(0);
      expect(() => task.cancel({ exc: 'text' as never })).toThrow(
        /cancelled with an error class or an error, not with "text"/,
      );
      expect(() => task.cancel({ exc: Map as never })).toThrow(/not with the class Map/);
      expect(() => task.cancel({ exc: (() => {}) as never })).toThrow(/not with the function exc/);
      expect(() => task.cancel(TaskCancelled as never)).toThrow(
        'Task.cancel() takes options, such as { exc: MyError }, not the class TaskCancelled.',
      );
      await task.join();
    });
  });

  test('that is cancelled with a frozen error gets that very error', async () => {
    await andGoesOn(async () => {
      const frozen = Object.freeze(new TaskCancelled('frozen'));
      const task = await spawn({ daemon: true }, () => sleep(1));
      await sleep(0);
      await task.cancel({ exc: frozen });
      expect(task.exception).toBe(frozen);
    });
  });
});

describe('releasing what is not held', () => {
  const cases: Record<string, [() => unknown, RegExp]> = {
    'a lock': [() => new Lock().release(), /Lock\.release\(\).*nobody holds/],
    'an RLock': [() => new RLock().release(), /RLock\.release\(\).*nobody holds/],
    'a condition': [() => new Condition().release(), /release\(\).*nobody holds/],
    'a bounded semaphore': [
      () => new BoundedSemaphore(2).release(),
      /more often than acquire\(\); its bound is 2/,
    ],
  };

  test.each(Object.entries(cases))('is refused for %s, and says so', async (_, [call, message]) => {
    await andGoesOn(async () => {
      const error = await failure(call);
      expect(error).toBeInstanceOf(RuntimeError);
      expect(error.message).toMatch(message);
    });
  });

  test('is refused for an RLock that another task holds, and names that task', async () => {
    await andGoesOn(async () => {
      const lock = new RLock();
      const holder = await spawn({ daemon: true }, async () => {
        await lock.acquire();
        await sleep(1e6);
      });
      await sleep(0);
      const error = await failure(() => lock.release());
      expect(error).toBeInstanceOf(RuntimeError);
      expect(error.message).toContain(`Task(id=${holder.id}`);
      expect(lock.locked()).toBe(true);
    });
  });

  test('is refused for notifying without the lock, and for one taskDone too many', async () => {
    await andGoesOn(async () => {
      for (const call of [
        () => new Condition().notify(),
        () => new Condition().notifyAll(),
        () => new Condition().wait(),
      ]) {
        const error = await failure(call);
        expect(error).toBeInstanceOf(RuntimeError);
        expect(error.message).toMatch(
          /without holding the lock\. Write await using _ = await condition\.acquire\(\) first\./,
        );
      }
      expect(await failure(() => new Queue().taskDone())).toBeInstanceOf(RuntimeError);
    });
  });
});

describe('arguments of constructors', () => {
  test('that make no sense are refused at once', () => {
    const bad: [string, () => unknown][] = [
      ['Queue', () => new Queue(-1)],
      ['Queue', () => new Queue(Number.NaN)],
      ['Queue', () => new Queue('5' as never)],
      ['PriorityQueue', () => new PriorityQueue(0, 5 as never)],
      ['Semaphore', () => new Semaphore(-1)],
      ['Semaphore', () => new Semaphore(1.5)],
      ['Semaphore', () => new Semaphore('1' as never)],
      ['TaskGroup', () => new TaskGroup({ wait: 'most' as never })],
      ['Condition', () => new Condition({} as never)],
      ['UniversalQueue', () => new UniversalQueue({ maxsize: -1 })],
      ['longblock', () => longblock(0.1 as never)],
      ['flightRecorder', () => flightRecorder(5 as never)],
      ['flightRecorder', () => flightRecorder({ directory: 5 as never })],
      [
        'workerLimits',
        () => {
          workerLimits.threads = 0;
        },
      ],
      [
        'workerLimits',
        () => {
          workerLimits.processes = Number.NaN;
        },
      ],
    ];
    for (const [name, make] of bad) {
      try {
        make();
      } catch (error) {
        expect(error instanceof TypeError || error instanceof RangeError, name).toBe(true);
        continue;
      }
      throw new Error(`${name} took it`);
    }
  });
});

describe('an exception anywhere in user code', () => {
  test('leaves nobody stuck: in tasks, comparators, predicates, thenables, abort listeners and finalizers', async () => {
    await andGoesOn(async () => {
      const queue = new PriorityQueue<number>(0, () => {
        throw new Oops('comparator');
      });
      await queue.put(1);
      await expect(queue.put(2)).rejects.toThrow('comparator');
      expect(await queue.get()).toBe(1);

      const condition = new Condition();
      await expect(
        condition.with(() =>
          condition.waitFor(() => {
            throw new Oops('predicate');
          }),
        ),
      ).rejects.toThrow('predicate');
      expect(condition.locked()).toBe(false);

      const lock = new Lock();
      await expect(
        lock.with(() => {
          throw new Oops('in with');
        }),
      ).rejects.toThrow('in with');
      expect(lock.locked()).toBe(false);

      await expect(
        taskGroup(async (group) => {
          await group.spawn(() => sleep(1e6));
          throw new Oops('in a body');
        }),
      ).rejects.toThrow('in a body');

      await expect(
        timeoutAfter(5, () => {
          throw new Oops('in timeoutAfter');
        }),
      ).rejects.toThrow('in timeoutAfter');
      expect(await sleep(10)).toBeGreaterThan(9);
    });
  });

  test('is what cancelling with a class whose constructor throws gives, and the task is not cancelled', async () => {
    class Explosive extends Error {
      constructor() {
        super();
        throw new Oops('constructor');
      }
    }
    await andGoesOn(async () => {
      const task = await spawn(() => sleep(1));
      await sleep(0);
      expect((await failure(() => task.cancel({ exc: Explosive }))).message).toBe('constructor');
      expect(task.cancelled).toBe(false);
      await task.join();
    });
  });

  test('in a subclass of Task that cannot be made is an error of spawn', async () => {
    const { Task: Base } = await import('curio');
    let broken = false;
    class Fragile<T> extends Base<T> {
      constructor(...args: ConstructorParameters<typeof Base<T>>) {
        super(...args);
        if (broken) throw new Oops('no more tasks');
      }
    }
    await run({ ...quiet(), taskClass: Fragile as typeof Base }, async () => {
      broken = true;
      expect((await failure(() => spawn(() => 1))).message).toBe('no more tasks');
      broken = false;
      expect(await (await spawn(() => 1)).join()).toBe(1);
    });
    broken = true;
    expect(
      (await failure(() => run({ ...quiet(), taskClass: Fragile as typeof Base }, () => 1))).message,
    ).toBe('no more tasks');
  });
});
