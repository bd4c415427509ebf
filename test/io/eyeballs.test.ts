// Connecting to a host with several addresses, one of which does not answer: who wins, and what a cancellation anywhere leaves
// behind. And cancelled look-ups of names, which come before that.

import dns from 'node:dns';
import { gather, run, sleep, spawn, TaskCancelled } from 'curio';
import type { Socket } from 'curio/io';
import {
  AF_INET,
  createConnection,
  getaddrinfo,
  getfqdn,
  gethostbyaddr,
  gethostbyname,
  gethostbynameEx,
  getnameinfo,
  SOCK_STREAM,
  socket,
} from 'curio/socket';
import { cancelEverywhere, VirtualClock } from 'curio/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { connectToFirst } from '../../src/io/eyeballs.ts';
import { leavesNothingOpen } from '../kit/descriptors.ts';
import { listener, onEachDriver } from '../kit/drivers.ts';
import { available, closeAll, ok, posix } from '../native/addon.ts';

/** Lets nobody ever answer at a port of 127.0.0.2: its line is full. Gives what ends that, or null if the port is taken there. */
function silence(port: number): (() => void) | null {
  const fds = Array.from({ length: 4 }, () => ok(posix.socket(AF_INET, SOCK_STREAM, 0)));
  const [server, ...clients] = fds as [number, ...number[]];
  const close = () => closeAll(...fds);
  if (posix.bind(server, AF_INET, '127.0.0.2', port) !== 0) {
    close();
    return null;
  }
  ok(posix.listen(server, 0));
  for (const client of clients) posix.connect(client, AF_INET, '127.0.0.2', port);
  return close;
}

/** Runs `program` with a server at 127.0.0.1, and nobody who answers at the same port of 127.0.0.2. */
async function besideSilence<T>(program: (server: Socket, port: number) => Promise<T>): Promise<T> {
  for (;;) {
    const [server, address] = await listener();
    await using _server = server;
    const [, port] = address as [string, number];
    const close = silence(port);
    if (close === null) continue;
    try {
      return await program(server, port);
    } finally {
      close();
    }
  }
}

const hosts = ['127.0.0.2', '127.0.0.1'].map((host) => ({ family: AF_INET, host }));

describe.runIf(available)('a host whose first address does not answer', () => {
  onEachDriver('is reached', () => {
    test('at the second, after a quarter of a second, and the first attempt is given up', () =>
      leavesNothingOpen(() => {
        const clock = new VirtualClock();
        return run({ clock }, () =>
          besideSilence(async (server, port) => {
            const before = clock.now();
            await using client = await connectToFirst(hosts, port, null);
            expect(client.getpeername()).toEqual(['127.0.0.1', port]);
            expect(clock.now() - before).toBe(0.25);
            await using _peer = (await server.accept())[0];
          }),
        );
      }));

    test('or by nobody, if it is cancelled, and then nothing is left open', async () => {
      const hit = new Set<string>();
      await leavesNothingOpen(() =>
        cancelEverywhere(
          () =>
            besideSilence(async (_server, port) => {
              await using client = await connectToFirst(hosts, port, null);
              return client.getpeername();
            }),
          ({ operation, kind }) => hit.add(`${operation} ${kind}`),
        ),
      );
      expect([...hit]).toEqual(
        expect.arrayContaining(['cancel', 'timeout', 'cancel after wake-up'].map((it) => `WRITE_WAIT ${it}`)),
      );
    });
  });
});

describe('a look-up that takes its time', () => {
  afterEach(() => void vi.restoreAllMocks());

  const lookUps: Record<string, () => Promise<unknown>> = {
    getaddrinfo: () => getaddrinfo('name.example', 80),
    gethostbyname: () => gethostbyname('name.example'),
    gethostbynameEx: () => gethostbynameEx('name.example'),
    gethostbyaddr: () => gethostbyaddr('192.0.2.1'),
    getnameinfo: () => getnameinfo(['192.0.2.1', 80]),
    getfqdn: () => getfqdn('name.example'),
    createConnection: () => createConnection(['name.example', 80]),
    'Socket.connect': async () => {
      await using sock = socket();
      await sock.connect(['name.example', 80]);
    },
  };

  test.each(Object.entries(lookUps))('%s is left at once by a cancellation', (_name, lookUp) =>
    run(async () => {
      const never = () => new Promise<never>(() => {});
      vi.spyOn(dns.promises, 'lookup').mockImplementation(never);
      vi.spyOn(dns.promises, 'lookupService').mockImplementation(never);
      const looking = await spawn(lookUp);
      await sleep(0);
      expect(looking.state).toBe('FUTURE_WAIT');
      await gather([() => looking.cancel()]);
      expect(looking.exception).toBeInstanceOf(TaskCancelled);
    }),
  );
});
