// What holds for every place where one task waits for something outside, whatever it is: what happens first decides, what has come is
// never lost, and the place is free again afterwards. What comes from outside is brought about by hand here, so that it comes at
// exactly that moment.

import { EventEmitter } from 'node:events';
import { rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Kernel, sleep, spawn, timeoutAfter } from 'curio';
import { FileStream, type Socket } from 'curio/io';
import { AF_UNIX, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET, socket, socketpair } from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { readWait, writeWait } from 'curio/traps';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PortTransport } from '../../src/channel/port.ts';
import { waitFor } from '../../src/file/wait.ts';
import { tryRecv } from '../../src/io/attempts.ts';
import { driver } from '../../src/io/choice.ts';
import type { Slot } from '../../src/io/slot.ts';
import { Exit } from '../../src/subprocess/exit.ts';
import { enter, type TaskRecord } from '../../src/traps.ts';
import { onPosix } from '../kit/drivers.ts';
import { forgetful } from '../kit/forgetful.ts';
import { recorder } from '../kit/recorder.ts';
import { noisily } from '../kit/virtual.ts';
import { posix } from '../native/addon.ts';

interface Place {
  /** Waits until something comes. */
  wait(): Promise<unknown>;
  /** Something comes, and who waits is chosen. */
  come(): unknown;
  /** How much is there for the next one; null where nothing is ever left. */
  left(): number | null;
}

/** What the poller does when the system tells it of something. */
function tell(sock: Socket, direction: 'reader' | 'writer'): void {
  sock.readiness[direction].wake();
}

const unread = (sock: Socket) => (sock.readiness.poll('reader') ? 1 : 0);

function closedAtEnd(...sockets: Socket[]): void {
  onTestFinished(() => {
    for (const sock of sockets) sock.closeNow();
  });
}

/** A pair of which one end has no more room. */
function fullPair(): [Socket, Socket] {
  const [a, b] = socketpair();
  closedAtEnd(a, b);
  a.setsockopt(SOL_SOCKET, SO_SNDBUF, 4096);
  for (const size of [4096, 1]) {
    while (posix.send(a.fileno(), Buffer.alloc(size), 0, size, 0) > 0);
  }
  return [a, b];
}

async function empty(sock: Socket): Promise<void> {
  while (unread(sock) > 0) await sock.recv(1e6);
}

const posixPlaces: Record<string, () => Promise<Place>> = {
  'Socket.recv': async () => {
    const [a, b] = socketpair();
    closedAtEnd(a, b);
    return {
      wait: () => b.recv(1),
      come: async () => {
        await a.sendall('x');
        tell(b, 'reader');
      },
      left: () => unread(b),
    };
  },
  'Socket.recv, received before its turn': async () => {
    const [a, b] = socketpair();
    closedAtEnd(a, b);
    return {
      wait: () => b.recv(1),
      come: async () => {
        await a.sendall('x');
        (b.readiness.reader as Slot).readyFor(tryRecv);
      },
      left: () => unread(b),
    };
  },
  'Socket.accept': async () => {
    const path = join(tmpdir(), `curio-waiting-${process.pid}`);
    const server = socket(AF_UNIX, SOCK_STREAM);
    closedAtEnd(server);
    server.bind(path);
    onTestFinished(() => rmSync(path));
    server.listen(5);
    return {
      wait: async () => closedAtEnd((await server.accept())[0]),
      come: async () => {
        const client = socket(AF_UNIX, SOCK_STREAM);
        closedAtEnd(client);
        await client.connect(path);
        tell(server, 'reader');
      },
      left: () => unread(server),
    };
  },
  'Socket.send': async () => {
    const [a, b] = fullPair();
    return {
      wait: () => a.send('x'),
      come: async () => {
        await empty(b);
        tell(a, 'writer');
      },
      left: () => null,
    };
  },
  'Socket.sendall': async () => {
    const [a, b] = fullPair();
    return {
      wait: () => a.sendall('x'),
      come: async () => {
        await empty(b);
        tell(a, 'writer');
      },
      left: () => null,
    };
  },
  'readWait of a socket': async () => {
    const [a, b] = socketpair();
    closedAtEnd(a, b);
    return {
      wait: () => readWait(b),
      come: async () => {
        await a.sendall('x');
        tell(b, 'reader');
      },
      left: () => null,
    };
  },
  'writeWait of a socket': async () => {
    const [a, b] = fullPair();
    return {
      wait: () => writeWait(a),
      come: async () => {
        await empty(b);
        tell(a, 'writer');
      },
      left: () => null,
    };
  },
  'readWait of a descriptor': async () => {
    const [input, output] = posix.pipe() as [number, number];
    onTestFinished(() => {
      posix.close(input);
      posix.close(output);
    });
    return {
      wait: () => readWait(input),
      come: () => {
        writeSync(output, 'x');
        driver().readiness(input, false)?.reader.wake();
      },
      left: () => null,
    };
  },
};

const places: Record<string, () => Promise<Place>> = {
  'FileStream.read of a stream of Node’s': async () => {
    const stream = new Readable({ read() {} });
    const file = new FileStream(stream);
    return {
      wait: () => file.read(1),
      come: () => stream.push('x'),
      left: () => null,
    };
  },
  'what a Connection of a process waits in': async () => {
    const ipc = Object.assign(new EventEmitter(), {
      connected: true,
      channel: null,
      send() {},
      disconnect() {},
    });
    const transport = new PortTransport(ipc);
    return {
      wait: () => transport.take(1000),
      come: () => ipc.emit('message', 'x'),
      left: () => null,
    };
  },
  'Popen.wait': async () => {
    const exit = new Exit();
    return { wait: () => exit.wait('Popen.wait()'), come: () => exit.ended(0), left: () => null };
  },
  'a call of Node’s thread pool': async () => {
    let finish!: (value: string) => void;
    const call = new Promise<string>((resolve) => {
      finish = resolve;
    });
    let left = 0;
    return {
      wait: () =>
        waitFor(
          enter() as TaskRecord,
          'AsyncFile.read()',
          () => call,
          () => left++,
        ),
      come: async () => {
        finish('x');
        await null;
        await null;
      },
      left: () => null,
    };
  },
};

type Happening = 'come' | 'cancel' | 'timeout';

/** All the orders of several things. */
function orders<T>(things: T[]): T[][] {
  if (things.length < 2) return [things];
  return things.flatMap((first, i) =>
    orders(things.filter((_, j) => j !== i)).map((rest) => [first, ...rest]),
  );
}

const subsets: Happening[][] = [
  ['come'],
  ['cancel'],
  ['timeout'],
  ['come', 'cancel'],
  ['come', 'timeout'],
  ['cancel', 'timeout'],
  ['come', 'cancel', 'timeout'],
];

function holdsFor(name: string, make: () => Promise<Place>): void {
  // Node itself waits for its pool.
  const keepsAlive = !name.includes('pool');
  describe(name, () => {
    for (const happenings of subsets.flatMap(orders)) {
      test(`${happenings.join(', then ')}, in one turn: the first decides, and nothing is lost`, async () => {
        const clock = new VirtualClock();
        const log = recorder();
        const limit = 10;
        await noisily(
          async () => {
            const place = await make();
            const ends: string[] = [];
            const waiter = await spawn(async () => {
              try {
                await timeoutAfter(limit, async () => {
                  await place.wait();
                  ends.push('come');
                  // Whatever came afterwards is delivered here.
                  await sleep(1);
                });
              } catch (error) {
                ends.push((error as Error).name);
                throw error;
              }
              ends.push('end');
            });
            // A timeout that comes first expires on its own; a later one is overdue when the kernel looks.
            await sleep(happenings[0] === 'timeout' ? limit : 1);
            for (const what of happenings) {
              if (what === 'come') await place.come();
              else if (what === 'cancel') await waiter.cancel({ blocking: false });
              else if (what !== happenings[0]) clock.advance(limit);
            }
            await waiter.wait();
            const [first, ...later] = happenings;
            const interruption = { come: '', cancel: 'TaskCancelled', timeout: 'TaskTimeout' };
            if (first !== 'come') expect(ends).toEqual([interruption[first!]]);
            else if (later.includes('cancel')) expect(ends).toEqual(['come', 'TaskCancelled']);
            else expect(ends).toEqual(['come', later.length > 0 ? 'TaskTimeout' : 'end']);
            const came = happenings.includes('come') ? 1 : 0;
            const left = place.left();
            if (left !== null) expect(left + (first === 'come' ? 1 : 0)).toBe(came);
            // The place is free, and what was not taken is there for the next one.
            const next = await spawn(() => place.wait());
            await sleep(0);
            if (came === 0 || first === 'come') await place.come();
            await next.join();
          },
          { clock, logger: log },
        );
        expect(log.of('error')).toEqual([]);
      });
    }

    test('told of twice before its turn: it is woken once, and the next one keeps the process alive', () =>
      noisily(async () => {
        const place = await make();
        let turns = 0;
        const wait = async () => {
          await place.wait();
          turns++;
        };
        const waiter = await spawn(wait);
        await sleep(1);
        await place.come();
        await place.come();
        await waiter.join();
        expect(turns).toBe(1);
        const { keepAlive } = (enter() as TaskRecord).core;
        const held = keepAlive.held;
        const next = await spawn(wait);
        await sleep(0);
        if (next.terminated) return;
        expect([held, keepAlive.held]).toEqual([false, keepsAlive]);
        await place.come();
        await next.join();
        expect(keepAlive.held).toBe(false);
      }));

    test('one that was chosen and ends without taking: the place is free, and nothing is lost', () =>
      noisily(async () => {
        const place = await make();
        const careless = await forgetful(() => place.wait());
        await sleep(1);
        await place.come();
        expect(careless.task.state).toBe('READY');
        await careless.end();
        if (place.left() !== null) expect(place.left()).toBe(1);
        await place.wait();
        if (place.left() !== null) expect(place.left()).toBe(0);
      }));

    test('the kernel stops between its choice and its turn: it goes on in the next run', async () => {
      const seen: string[] = [];
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder() });
      await kernel.run(async () => {
        const place = await make();
        await spawn({ daemon: true }, async () => {
          await place.wait();
          seen.push('has it');
        });
        await sleep(1);
        await place.come();
      });
      expect(seen).toEqual([]);
      await kernel.run(() => sleep(1));
      expect(seen).toEqual(['has it']);
      await kernel.run({ shutdown: true });
    });

    test('shutdown between its choice and its turn: it has what had come, and is cancelled afterwards', async () => {
      const seen: string[] = [];
      const kernel = new Kernel({ clock: new VirtualClock(), logger: recorder() });
      await kernel.run({ shutdown: true }, async () => {
        const place = await make();
        await spawn(async () => {
          await place.wait();
          seen.push('has it');
          try {
            await sleep(1);
          } catch (error) {
            seen.push((error as Error).name);
            throw error;
          }
        });
        await sleep(1);
        await place.come();
      });
      expect(seen).toEqual(['has it', 'TaskCancelled']);
    });
  });
}

for (const [name, make] of Object.entries(places)) holdsFor(name, make);

onPosix('on the posix driver', () => {
  for (const [name, make] of Object.entries(posixPlaces)) holdsFor(name, make);
});
