// What holds for every place where one task waits for something outside, whatever it is: what happens first decides, what has come is
// never lost, and the place is free again afterwards. What comes from outside is brought about by hand here, so that it comes at
// exactly that moment.

import { EventEmitter } from 'node:events';
import { rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { sleep, spawn } from 'curio';
import { FileStream, type Socket } from 'curio/io';
import { AF_UNIX, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET, socket, socketpair } from 'curio/socket';
import { readWait, writeWait } from 'curio/traps';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PortTransport } from '../../src/channel/port.ts';
import { waitFor } from '../../src/file/wait.ts';
import { driver } from '../../src/io/choice.ts';
import { POLLIN } from '../../src/io/posix/epoll.ts';
import type { Home } from '../../src/io/posix/home.ts';
import { Exit } from '../../src/subprocess/exit.ts';
import { enter, type TaskRecord } from '../../src/traps.ts';
import { onPosix } from '../kit/drivers.ts';
import { forgetful } from '../kit/forgetful.ts';
import { type Place, testFirstDecides, testTurnAtShutdown, testTurnInNextRun } from '../kit/place.ts';
import { noisily } from '../kit/virtual.ts';
import { posix } from '../native/addon.ts';

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

/** Where data are received that come as `told` says. */
const whenData = (told: (sock: Socket) => void) => async (): Promise<Place> => {
  const [a, b] = socketpair();
  closedAtEnd(a, b);
  return {
    wait: () => b.recv(1),
    give: async () => {
      await a.sendall('x');
      told(b);
    },
    left: () => unread(b),
  };
};

/** Where a task waits for room. */
const whenRoom = (wait: (sock: Socket) => Promise<unknown>) => async (): Promise<Place> => {
  const [a, b] = fullPair();
  return {
    wait: () => wait(a),
    give: async () => {
      await empty(b);
      tell(a, 'writer');
    },
  };
};

const posixPlaces: Record<string, () => Promise<Place>> = {
  'Socket.recv': whenData((sock) => tell(sock, 'reader')),
  'Socket.recv, received before its turn': whenData((sock) => {
    const handle = sock.readiness as unknown as { event(mask: number): void; home: Home };
    handle.event(POLLIN);
    handle.home.inbox.receive();
  }),
  'Socket.accept': async () => {
    const path = join(tmpdir(), `curio-waiting-${process.pid}`);
    const server = socket(AF_UNIX, SOCK_STREAM);
    closedAtEnd(server);
    server.bind(path);
    onTestFinished(() => rmSync(path));
    server.listen(5);
    return {
      wait: async () => closedAtEnd((await server.accept())[0]),
      give: async () => {
        const client = socket(AF_UNIX, SOCK_STREAM);
        closedAtEnd(client);
        await client.connect(path);
        tell(server, 'reader');
      },
      left: () => unread(server),
    };
  },
  'Socket.send': whenRoom((sock) => sock.send('x')),
  'Socket.sendall': whenRoom((sock) => sock.sendall('x')),
  'readWait of a socket': async () => {
    const [a, b] = socketpair();
    closedAtEnd(a, b);
    return {
      wait: () => readWait(b),
      give: async () => {
        await a.sendall('x');
        tell(b, 'reader');
      },
    };
  },
  'writeWait of a socket': whenRoom((sock) => writeWait(sock)),
  'readWait of a descriptor': async () => {
    const [input, output] = posix.pipe() as [number, number];
    onTestFinished(() => {
      posix.close(input);
      posix.close(output);
    });
    return {
      wait: () => readWait(input),
      give: () => {
        writeSync(output, 'x');
        driver().readiness(input, false)?.reader.wake();
      },
    };
  },
};

const places: Record<string, () => Promise<Place>> = {
  'FileStream.read of a stream of Node’s': async () => {
    const stream = new Readable({ read() {} });
    const file = new FileStream(stream);
    return {
      wait: () => file.read(1),
      give: () => stream.push('x'),
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
      give: () => ipc.emit('message', 'x'),
    };
  },
  'Popen.wait': async () => {
    const exit = new Exit();
    return { wait: () => exit.wait('Popen.wait()'), give: () => exit.ended(0) };
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
      give: async () => {
        finish('x');
        await null;
        await null;
      },
    };
  },
};

function holdsFor(name: string, make: () => Promise<Place>): void {
  // Node itself waits for its pool.
  const keepsAlive = !name.includes('pool');
  describe(name, () => {
    testFirstDecides('come', make, async (place, untaken) => {
      // The place is free, and what was not taken is there for the next one.
      const next = await spawn(() => place.wait());
      await sleep(0);
      if (untaken === 0) await place.give();
      await next.join();
    });

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
        await place.give();
        await place.give();
        await waiter.join();
        expect(turns).toBe(1);
        const { keepAlive } = (enter() as TaskRecord).core;
        const held = keepAlive.held;
        const next = await spawn(wait);
        await sleep(0);
        if (next.terminated) return;
        expect([held, keepAlive.held]).toEqual([false, keepsAlive]);
        await place.give();
        await next.join();
        expect(keepAlive.held).toBe(false);
      }));

    test('one that was chosen and ends without taking: the place is free, and nothing is lost', () =>
      noisily(async () => {
        const place = await make();
        const careless = await forgetful(() => place.wait());
        await sleep(1);
        await place.give();
        expect(careless.task.state).toBe('READY');
        await careless.end();
        if (place.left) expect(place.left()).toBe(1);
        await place.wait();
        if (place.left) expect(place.left()).toBe(0);
      }));

    testTurnInNextRun(make);

    testTurnAtShutdown('had come', make, () => {});
  });
}

for (const [name, make] of Object.entries(places)) holdsFor(name, make);

onPosix('on the posix driver', () => {
  for (const [name, make] of Object.entries(posixPlaces)) holdsFor(name, make);
});
