// Fairness: tasks that never sleep, and tasks whose operations never have to wait, starve neither I/O nor timers nor signals.
// A task that does starve them hangs these tests, and the watchdog ends them.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import {
  abortable,
  Condition,
  clock,
  currentTask,
  disableCancellation,
  Event,
  gather,
  ignoreAfter,
  Kernel,
  Lock,
  Queue,
  Result,
  run,
  Semaphore,
  SignalEvent,
  sleep,
  spawn,
  type Task,
  TaskCancelled,
  TaskGroup,
  TaskTimeout,
  taskGroup,
  timeoutAfter,
  UniversalEvent,
  UniversalQueue,
  UniversalResult,
  wait,
} from 'curio';
import { aopen } from 'curio/file';
import { FileStream } from 'curio/io';
import { SchedFIFO } from 'curio/sched';
import { AF_INET, getaddrinfo, gethostname, SOCK_DGRAM, socket, socketpair } from 'curio/socket';
import { Popen } from 'curio/subprocess';
import { ioWaiting, schedulerWake } from 'curio/traps';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { drivers } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';

const folder = mkdtempSync(join(tmpdir(), 'curio-fairness-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Set by something of Node's, outside any task. */
let outside = false;
beforeEach(() => {
  outside = false;
});

const byTimer = () =>
  setTimeout(() => {
    outside = true;
  }, 1);
describe('an endless loop of', () => {
  const queue = new Queue<number>();
  const lock = new Lock();
  const semaphore = new Semaphore(1);
  const event = new Event();
  const scheduler = new SchedFIFO();

  const steps: Record<string, () => Promise<unknown>> = {
    'sleep(0)': () => sleep(0),
    'put() on an unbounded queue': async () => {
      await queue.put(1);
      if (queue.size() > 100_000) while (!queue.empty()) await queue.get();
    },
    'put() and get()': async () => {
      await queue.put(1);
      await queue.get();
    },
    'acquire() and release() of a free lock': async () => {
      await lock.acquire();
      await lock.release();
    },
    'a free semaphore': () => semaphore.with(() => 1),
    'set() and wait() of an event that is set': async () => {
      await event.set();
      await event.wait();
    },
    'clock()': () => clock(),
    'currentTask()': () => currentTask(),
    'schedulerWake()': () => schedulerWake(scheduler),
    'timeoutAfter() around something that does not block': () => timeoutAfter(1, () => queue.put(1)),
    'timeoutAfter() around nothing': () => timeoutAfter(1, () => 1),
    'ignoreAfter() around nothing': () => ignoreAfter(1, async () => {}),
    'disableCancellation() around nothing': () => disableCancellation(() => 1),
    'gather() of nothing': () => gather([]),
    'a taskGroup() in which nothing happens': () => taskGroup(() => {}),
    'join() of an empty group': () => new TaskGroup().join(),
    'cancelRemaining() of an empty group': () => new TaskGroup().cancelRemaining(),
    'leaving an empty group': async () => {
      await using _ = new TaskGroup();
    },
    'wait() for what has settled': () => wait(Promise.resolve()),
    'abortable() around nothing': () => abortable(() => 1),
    'spawn() and join()': async () => (await spawn(() => 1)).join(),
    'spawn() alone': () => spawn({ daemon: true }, () => 1),
  };

  for (const [name, step] of Object.entries(steps)) {
    test(`${name} lets timers fire`, async () => {
      await run(async () => {
        byTimer();
        while (!outside) await step();
      });
      while (!queue.empty()) await run(() => queue.get());
    });

    test(`${name} lets another task sleep and wake, and can be cancelled by it`, async () => {
      await run({ logger: recorder() }, async () => {
        const task = await spawn(async () => {
          for (;;) await step();
        });
        await sleep(0.001);
        await task.cancel();
        expect(task.terminated).toBe(true);
      });
    });

    test(`${name} can be ended by a timeout`, async () => {
      await run({ logger: recorder() }, async () => {
        const endless = async () => {
          for (;;) await step();
        };
        await expect(timeoutAfter(0.001, endless)).rejects.toThrow(TaskTimeout);
      });
    });

    test(`${name} does not hold up a shutdown`, async () => {
      await run({ logger: recorder() }, async () => {
        await spawn(async () => {
          for (;;) await step();
        });
        await sleep(0.001);
      });
    });
  }

  test('operations that fail at once lets timers fire', async () => {
    await run({ logger: { debug() {}, info() {}, warn() {}, error() {} } }, async () => {
      const failed = await spawn(() => {
        throw new Error('failed');
      });
      await failed.wait();
      const result = new Result<number>();
      await result.setException(new Error('failed'));
      byTimer();
      while (!outside) {
        await failed.join().catch(() => {});
        await result.unwrap().catch(() => {});
        await lock.release().catch(() => {});
      }
    });
  });
});

describe('tasks that never sleep', () => {
  test('and bounce an item between two queues let a third have ten turns', async () => {
    await run(async () => {
      const [there, back] = [new Queue<number>(), new Queue<number>()];
      const bouncer = async (from: Queue<number>, to: Queue<number>) => {
        for (;;) await to.put(await from.get());
      };
      const bouncers = [await spawn(bouncer, there, back), await spawn(bouncer, back, there)];
      await there.put(1);
      let turns = 0;
      const third = await spawn(async () => {
        for (let i = 0; i < 10; i++) {
          await sleep(0);
          turns++;
        }
        return 'finished';
      });
      expect(await third.join()).toBe('finished');
      expect(turns).toBe(10);
      for (const task of bouncers) {
        await task.cancel();
        expect(task.terminated).toBe(true);
      }
    });
  });

  test('let sockets be read and written', async () => {
    const server = createServer((socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as { port: number };
      const echoed = await run(async () => {
        const spinner = await spawn(async () => {
          for (;;) await sleep(0);
        });
        const client = connect(port, '127.0.0.1');
        await wait(once(client, 'connect'));
        let text = '';
        for (let i = 0; i < 5; i++) {
          client.write(`${i}`);
          const [data] = await wait(once(client, 'data'));
          text += String(data);
        }
        client.destroy();
        await spinner.cancel();
        return text;
      });
      expect(echoed).toBe('01234');
    } finally {
      server.close();
    }
  });

  test('let signals arrive', async () => {
    using event = new SignalEvent('SIGUSR2');
    await run(async () => {
      const spinner = await spawn(async () => {
        for (;;) await sleep(0);
      });
      process.kill(process.pid, 'SIGUSR2');
      await event.wait();
      await spinner.cancel();
    });
  });

  test('in one kernel let the tasks of another have their turns', async () => {
    let stop = false;
    const spinner = run(async () => {
      while (!stop) await sleep(0);
    });
    await run(async () => {
      for (let i = 0; i < 50; i++) await sleep(0);
      await sleep(0.001);
    });
    stop = true;
    await spinner;
  });
});

describe('a task that does operations which need not wait', () => {
  test('goes on alone for hundreds of them, and then yields', async () => {
    await run(async () => {
      const queue = new Queue<number>();
      const seen: number[] = [];
      await spawn({ daemon: true }, async () => {
        for (;;) {
          seen.push(queue.size());
          await sleep(0);
        }
      });
      for (let i = 0; i < 5000; i++) await queue.put(i);
      // "About a thousand in a row", each time.
      expect(seen.length).toBeGreaterThanOrEqual(3);
      expect(seen.length).toBeLessThanOrEqual(10);
      for (const [i, size] of seen.entries()) {
        const since = size - (i === 0 ? 0 : seen[i - 1]!);
        expect(since).toBeGreaterThanOrEqual(500);
        expect(since).toBeLessThanOrEqual(2000);
      }
    });
  });

  test('gets what the operation was to give when it comes back from yielding', async () => {
    await run(async () => {
      const queue = new Queue<number>();
      for (let i = 0; i < 3000; i++) await queue.put(i);
      for (let i = 0; i < 3000; i++) expect(await queue.get()).toBe(i);
    });
  });

  test('loses nothing when it is cancelled, wherever in the thousand that comes', async () => {
    for (const step of [1, 7, 250, 999, 1000, 1001]) {
      await run(async () => {
        const queue = new Queue<number>();
        const total = 3000;
        for (let i = 0; i < total; i++) await queue.put(i);
        const taken: number[] = [];
        const task: Task<void> = await spawn(async () => {
          for (;;) {
            taken.push(await queue.get());
            if (taken.length === step) await task.cancel({ blocking: false });
          }
        });
        await task.wait();
        expect(task.exception).toBeInstanceOf(TaskCancelled);
        const rest: number[] = [];
        while (!queue.empty()) rest.push(await queue.get());
        expect([...taken, ...rest]).toEqual(Array.from({ length: total }, (_, i) => i));
      });
    }
  });

  test('loses nothing if it is cancelled while it yields', async () => {
    await run(async () => {
      const queue = new Queue<number>();
      const total = 2500;
      for (let i = 0; i < total; i++) await queue.put(i);
      const taken: number[] = [];
      const task: Task<void> = await spawn(async () => {
        for (;;) taken.push(await queue.get());
      });
      // Its first turn ends in the middle of the queue.
      await sleep(0);
      expect(taken.length).toBeGreaterThan(0);
      expect(taken.length).toBeLessThan(total);
      await task.cancel();
      const rest: number[] = [];
      while (!queue.empty()) rest.push(await queue.get());
      expect([...taken, ...rest]).toEqual(Array.from({ length: total }, (_, i) => i));
    });
  });
});

describe('a task whose operations never have to wait', () => {
  async function ended(): Promise<Popen> {
    const process = new Popen(['true']);
    await process.wait();
    return process;
  }

  type Step = (round: number) => Promise<unknown>;
  const steps: [string, () => Step | Promise<Step>][] = [
    [
      'items of a universal queue',
      () => {
        const queue = new UniversalQueue<number>();
        return async (round) => {
          await queue.put(round);
          if ((await queue.get()) !== round) throw new Error('an item is missing');
        };
      },
    ],
    [
      'a universal event that is set',
      () => {
        const event = new UniversalEvent();
        void event.set();
        return () => event.wait();
      },
    ],
    [
      'a universal result that is there',
      () => {
        const result = new UniversalResult<number>();
        void result.setValue(1);
        return () => result.unwrap();
      },
    ],
    [
      'a condition that holds',
      () => {
        const condition = new Condition();
        return async (round) => {
          if (round === 0) await condition.acquire();
          await condition.waitFor(() => true);
        };
      },
    ],
    ['the addresses of what is one already', () => () => getaddrinfo('127.0.0.1', 80)],
    ['the name of this machine', () => gethostname],
    ['who waits on a descriptor', () => () => ioWaiting(0)],
    [
      'a socket that is bound',
      async () => {
        const sock = socket();
        sock.bind(['127.0.0.1', 0]);
        sock.listen();
        await sock.ready();
        return () => sock.ready();
      },
    ],
    [
      'a process that has ended',
      async () =>
        (
          (process) => () =>
            process.wait()
        )(await ended()),
    ],
    [
      'what a process that has ended has said',
      async () =>
        (
          (process) => () =>
            process.communicate()
        )(await ended()),
    ],
  ];

  test.each(steps)('lets others have their turns, and can be cancelled: %s', (_, prepare) =>
    run(async () => {
      const step = await prepare();
      let done = 0;
      const task = await spawn(async () => {
        while (done < 20_000) await step(done++);
      });
      await sleep(0);
      expect(done).toBeLessThan(2000);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(TaskCancelled);
    }),
  );
});

describe('a task that sends or receives and never has to wait for it', () => {
  /** Goes on until it is stopped: tells how often, and what stopped it. */
  async function stopped(step: () => Promise<unknown>): Promise<{ done: number; error: unknown }> {
    let done = 0;
    const task = await spawn(async () => {
      while (done < 20_000) {
        await step();
        done++;
      }
    });
    await sleep(0);
    await task.cancel();
    return { done, error: task.exception };
  }

  /** A stream that is never full. */
  function sinkOf(pieces: Buffer[]): Writable {
    return new Writable({
      write(piece, _, done) {
        pieces.push(piece);
        done();
      },
    });
  }

  test('can be cancelled while it writes, and knows that nothing of the last piece is written', () =>
    run(async () => {
      const pieces: Buffer[] = [];
      await using stream = new FileStream(sinkOf(pieces));
      const { done, error } = await stopped(() => stream.write('piece'));
      expect(error).toBeInstanceOf(TaskCancelled);
      expect(error).toHaveProperty('bytesWritten', 0);
      expect(pieces).toHaveLength(done);
    }));

  test('can be cancelled in writelines(), which tells how much is written', () =>
    run(async () => {
      const pieces: Buffer[] = [];
      await using stream = new FileStream(sinkOf(pieces));
      function* lines() {
        for (let i = 0; i < 20_000; i++) yield `line ${i}\n`;
      }
      const { error } = await stopped(() => stream.writelines(lines()));
      expect(error).toBeInstanceOf(TaskCancelled);
      expect(error).toHaveProperty('bytesWritten', Buffer.concat(pieces).length);
    }));

  const buffered: [string, (stream: FileStream) => Promise<unknown>, object][] = [
    ['read', (stream) => stream.read(1), {}],
    ['readExactly', (stream) => stream.readExactly(1), { bytesRead: expect.any(Buffer) }],
    ['readinto', (stream) => stream.readinto(Buffer.alloc(1)), { bytesRead: Buffer.alloc(0) }],
    ['readline', (stream) => stream.readline(), {}],
    ['iteration', (stream) => stream[Symbol.asyncIterator]().next(), {}],
  ];

  test.each(buffered)('can be cancelled while it reads what has come already: %s', (_, step, told) =>
    run(async () => {
      await using stream = new FileStream(Readable.from([Buffer.alloc(20_001, '\n')], { objectMode: false }));
      await stream.readline();
      const { done, error } = await stopped(() => step(stream));
      expect(error).toBeInstanceOf(TaskCancelled);
      expect(error).toMatchObject(told);
      expect(await stream.readall()).toHaveLength(20_000 - done);
    }),
  );

  test('runs out of time in operations on a file that has nothing to wait for', () =>
    run(async () => {
      const path = join(folder, 'file');
      writeFileSync(path, 'some\nlines\n');
      await using file = await aopen(path, 'r+');
      await file.readline();
      const steps: [() => Promise<unknown>, object][] = [
        [() => file.tell(), {}],
        [() => file.read(0), {}],
        [() => file.readline(0), {}],
        [() => file.flush(), {}],
        [() => file.seek(5), {}],
        [() => file.write(''), { bytesWritten: 0 }],
        [() => file.writelines([]), { bytesWritten: 0 }],
      ];
      for (const [step, told] of steps) {
        const { error } = await stopped(step);
        expect(error, String(step)).toBeInstanceOf(TaskCancelled);
        expect(error).toMatchObject(told);
      }
      expect(await file.readline()).toBe('lines\n');
    }));

  test('can be cancelled while it has nothing to write', () =>
    run(async () => {
      await using stream = new FileStream(sinkOf([]));
      const { error } = await stopped(() => stream.writelines([]));
      expect(error).toBeInstanceOf(TaskCancelled);
      expect(error).toHaveProperty('bytesWritten', 0);
    }));

  test.runIf(drivers.includes('posix'))(
    'can be cancelled while it receives, and leaves the rest to others',
    () =>
      run(async () => {
        const [a, b] = socketpair();
        await using _b = b;
        await a.sendall('x'.repeat(20_000));
        await a.close();
        const { done, error } = await stopped(() => b.recv(1));
        expect(error).toBeInstanceOf(TaskCancelled);
        expect(await b.asStream().readall()).toHaveLength(20_000 - done);
      }),
  );

  test.runIf(drivers.includes('posix'))('runs out of time while it sends datagrams', () =>
    run(async () => {
      const [a, b] = [socket(AF_INET, SOCK_DGRAM), socket(AF_INET, SOCK_DGRAM)];
      await using _a = a;
      await using _b = b;
      b.bind(['127.0.0.1', 0]);
      const address = b.getsockname();
      // This it has waited in, and it is over.
      await sleep(0.001);
      const sending = timeoutAfter(0, async () => {
        for (let i = 0; i < 5000; i++) await a.sendto('x', address);
      });
      await expect(sending).rejects.toEqual(new TaskTimeout('The timeout expired.'));
    }),
  );
});

describe('tasks whose steps take long', () => {
  test('give the event loop its turn after a few of them', async () => {
    const perTurn: number[] = [];
    let steps = 0;
    let watching = true;
    const watch = () => {
      perTurn.push(steps);
      steps = 0;
      if (watching) setImmediate(watch);
    };
    await using kernel = new Kernel();
    await kernel.run(async () => {
      const worker = async () => {
        for (let i = 0; i < 150; i++) {
          const until = performance.now() + 1;
          while (performance.now() < until);
          steps++;
          await sleep(0);
        }
      };
      setImmediate(watch);
      const tasks = [await spawn(worker), await spawn(worker)];
      for (const task of tasks) await task.join();
    });
    watching = false;
    // The first bursts are as long as if steps were short; then they adapt.
    expect(Math.max(...perTurn.slice(4))).toBeLessThan(50);
  });
});

afterEach(() => {
  expect(process.listenerCount('SIGUSR2')).toBe(0);
});
