// native/readiness.c: edge-triggered events in batches, under tokens.

import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  accepted,
  available,
  c,
  closeAll,
  connected,
  Events,
  failure,
  listener,
  ok,
  posix,
  recv,
  send,
  streamPair,
} from './addon.ts';

const here = fileURLToPath(import.meta.url);
let token = 1;

describe.runIf(available)('watching', () => {
  test('tells at once what is ready already', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    send(b, 'x');
    ok(posix.watch(a, ++token));
    const [mask] = await events.next(token);
    expect(mask).toBe(c.EPOLLIN | c.EPOLLOUT);
    closeAll(a, b);
  });

  test('tells what became ready, once', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    ok(posix.watch(a, ++token));
    expect(await events.next(token)).toEqual([c.EPOLLOUT]);
    await events.settled();
    expect(events.take(token)).toEqual([]);

    send(b, 'one');
    expect((await events.next(token))[0] & c.EPOLLIN).toBe(c.EPOLLIN);
    await events.settled();
    expect(events.take(token), 'unread data is no new edge').toEqual([]);

    send(b, 'two');
    expect((await events.next(token))[0] & c.EPOLLIN, 'more data is').toBe(c.EPOLLIN);
    expect(recv(a)).toBe('onetwo');
    closeAll(a, b);
  });

  test('tells that there is room again', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    const much = Buffer.alloc(1 << 20);
    ok(posix.watch(a, ++token));
    await events.next(token);
    while (posix.send(a, much, 0, much.length) > 0);
    await events.settled();
    events.take(token);
    while (posix.recv(b, much, 0, much.length) > 0);
    expect((await events.next(token))[0] & c.EPOLLOUT).toBe(c.EPOLLOUT);
    closeAll(a, b);
  });

  test('tells the end of the other side, half and whole', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    ok(posix.watch(a, ++token));
    await events.next(token);
    ok(posix.shutdown(b, c.SHUT_WR));
    expect((await events.next(token))[0] & c.EPOLLRDHUP).toBe(c.EPOLLRDHUP);
    closeAll(b);
    expect((await events.next(token))[0] & c.EPOLLHUP).toBe(c.EPOLLHUP);
    closeAll(a);
  });

  test('tells how a connection attempt ended', async () => {
    const events = new Events();
    const [server, port] = listener();
    closeAll(server);
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    if (failure(posix.connect(fd, c.AF_INET, '127.0.0.1', port)) === 'EINPROGRESS') {
      ok(posix.watch(fd, ++token));
      expect((await events.next(token))[0] & c.EPOLLERR).toBe(c.EPOLLERR);
      expect(failure(posix.socketError(fd))).toBe('ECONNREFUSED');
    }
    closeAll(fd);
  });

  test('tells of callers', async () => {
    const events = new Events();
    const [server, port] = listener();
    ok(posix.watch(server, ++token));
    const clients = [connected(port), connected(port)];
    await events.next(token);
    const peers = [ok(posix.accept(server)), ok(posix.accept(server))];
    expect(failure(posix.accept(server))).toBe('EAGAIN');
    closeAll(server, ...clients, ...peers);
  });

  test('tells of urgent data, at whose mark a recv stops short', async () => {
    const events = new Events();
    const [server, port] = listener();
    const client = connected(port);
    const peer = accepted(server);
    ok(posix.watch(peer, ++token));
    await events.next(token);
    send(client, 'before');
    send(client, '!', c.MSG_OOB);
    send(client, 'after');
    await events.settled();
    expect(events.take(token).at(-1)! & c.EPOLLPRI).toBe(c.EPOLLPRI);
    expect(recv(peer)).toBe('before');
    expect(recv(peer, 1, c.MSG_OOB)).toBe('!');
    expect(recv(peer)).toBe('after');
    closeAll(server, client, peer);
  });

  test('works for pipes and datagrams', async () => {
    const events = new Events();
    const [r, w] = ok(posix.pipe()) as [number, number];
    ok(posix.watch(r, ++token));
    ok(posix.write(w, Buffer.from('x'), 0, 1));
    expect(await events.next(token)).toEqual([c.EPOLLIN]);
    closeAll(w);
    expect((await events.next(token))[0] & c.EPOLLHUP).toBe(c.EPOLLHUP);
    closeAll(r);

    const [a, b] = ok(posix.socketpair(c.AF_UNIX, c.SOCK_DGRAM)) as [number, number];
    ok(posix.watch(a, ++token));
    await events.next(token);
    send(b, 'datagram');
    expect((await events.next(token))[0] & c.EPOLLIN).toBe(c.EPOLLIN);
    closeAll(a, b);
  });

  test('of two ends of one description is per descriptor', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    const again = ok(posix.dup(a));
    ok(posix.watch(a, ++token));
    const first = token;
    ok(posix.watch(again, ++token));
    expect([await events.next(first), await events.next(token)]).toEqual([[c.EPOLLOUT], [c.EPOLLOUT]]);
    closeAll(a, again, b);
  });

  test('cannot be asked for a file, a closed descriptor, or twice', () => {
    new Events();
    const file = openSync(here, 'r');
    const [a, b] = streamPair();
    expect(failure(posix.watch(file, 1))).toBe('EPERM');
    expect(failure(posix.watch(-1, 1))).toBe('EBADF');
    expect(posix.watch(a, 1)).toBe(0);
    expect(failure(posix.watch(a, 2))).toBe('EEXIST');
    expect(posix.unwatch(a)).toBe(0);
    expect(failure(posix.unwatch(a))).toBe('ENOENT');
    expect(failure(posix.rewatch(a, 1))).toBe('ENOENT');
    closeSync(file);
    closeAll(a, b);
  });
});

describe.runIf(available)('tokens', () => {
  test('come back as they were given, whatever 32 bits they are', async () => {
    const events = new Events();
    for (const each of [0x7fffffff, -1, -0x80000000]) {
      const [a, b] = streamPair();
      ok(posix.watch(a, each));
      await events.next(each);
      closeAll(a, b);
    }
    const [a, b] = streamPair();
    ok(posix.watch(a, 0xfffffff0));
    await events.next(-16);
    closeAll(a, b);
  });

  test('tell a reused descriptor number from the one before', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    ok(posix.watch(a, ++token));
    const before = token;
    send(b, 'for the first');
    closeAll(a, b);
    const [a2, b2] = streamPair();
    expect(a2).toBe(a);
    ok(posix.watch(a2, ++token));
    expect(await events.next(token)).toEqual([c.EPOLLOUT]);
    expect(events.take(before)).toEqual([]);
    closeAll(a2, b2);
  });

  test('of a closed descriptor go on while a duplicate lives, unless it was unwatched', async () => {
    const events = new Events();
    for (const unwatched of [false, true]) {
      const [a, b] = streamPair();
      const again = ok(posix.dup(a));
      ok(posix.watch(a, ++token));
      await events.next(token);
      if (unwatched) ok(posix.unwatch(a));
      closeAll(a);
      send(b, 'x');
      await events.settled();
      expect(events.take(token).length).toBe(unwatched ? 0 : 1);
      closeAll(again, b);
    }
  });

  test('change with rewatch, which tells again what is ready', async () => {
    const events = new Events();
    const [a, b] = streamPair();
    ok(posix.watch(a, ++token));
    const before = token;
    await events.next(before);
    ok(posix.rewatch(a, ++token));
    expect(await events.next(token)).toEqual([c.EPOLLOUT]);
    ok(posix.rewatch(a, ++token, c.EPOLLIN | c.EPOLLET));
    send(b, 'x');
    expect(await events.next(token)).toEqual([c.EPOLLIN]);
    expect(events.take(before)).toEqual([]);
    closeAll(a, b);
  });
});

describe.runIf(available)('batches', () => {
  test('hold what the array has room for, and the rest comes in the next turns', async () => {
    const events = new Events(4);
    const pairs = Array.from({ length: 10 }, streamPair);
    const first = token + 1;
    for (const [a] of pairs) ok(posix.watch(a, ++token));
    for (let each = first; each <= token; each++) await events.next(each);
    expect(events.batches.length).toBeGreaterThanOrEqual(3);
    closeAll(...pairs.flat());
  });

  test('let timers run in between, however many events there are', async () => {
    const area = new Int32Array(2);
    const [a, b] = streamPair();
    let turns = 0;
    ok(
      posix.onEvents(() => {
        turns++;
        posix.rewatch(a, 1); // ready again, for ever
      }, area),
    );
    ok(posix.watch(a, 1));
    // On a machine that stands still for a moment there may be several timers between two turns.
    while (turns < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    ok(posix.unwatch(a));
    closeAll(a, b);
  });

  test('that find no room in the array come next, after the microtasks of those before', async () => {
    const area = new Int32Array(4);
    const order: string[] = [];
    const pairs = Array.from({ length: 3 }, () => streamPair());
    posix.ref();
    await new Promise<void>((resolve) => {
      const deliver = (count: number): void => {
        order.push(`${count} events`);
        void Promise.resolve().then(() => order.push('microtask'));
        setImmediate(() => order.push('immediate'));
        if (count === 1) setImmediate(resolve);
      };
      ok(posix.onEvents(deliver, area));
      for (const [a] of pairs) ok(posix.watch(a, ++token));
    });
    posix.unref();
    expect(order).toEqual(['2 events', 'microtask', '1 events', 'microtask', 'immediate', 'immediate']);
    closeAll(...pairs.flat());
  });

  test('come on after a callback that throws', async () => {
    const area = new Int32Array(2);
    const pairs = [streamPair(), streamPair()];
    const caught: unknown[] = [];
    const before = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => caught.push(error));
    posix.ref();
    try {
      await new Promise<void>((resolve) => {
        let calls = 0;
        const deliver = (): void => {
          if (++calls === 2) setImmediate(resolve);
          throw new Error(`call ${calls}`);
        };
        ok(posix.onEvents(deliver, area));
        for (const [a] of pairs) ok(posix.watch(a, ++token));
      });
    } finally {
      posix.unref();
      process.removeAllListeners('uncaughtException');
      for (const listener of before) process.on('uncaughtException', listener);
    }
    expect(caught.map((error) => (error as Error).message)).toEqual(['call 1', 'call 2']);
    closeAll(...pairs.flat());
  });

  test('into an array that was detached are dropped, and a new array brings later ones', async () => {
    const area = new Int32Array(8);
    ok(posix.onEvents(() => expect.unreachable(), area));
    structuredClone(area.buffer, { transfer: [area.buffer] });
    const [a, b] = streamPair();
    ok(posix.watch(a, ++token));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const events = new Events();
    expect(await events.next(token)).toEqual([c.EPOLLOUT]);
    closeAll(a, b);
  });

  test('run the microtasks they cause before the loop goes on', async () => {
    const area = new Int32Array(8);
    const order: string[] = [];
    const [a, b] = streamPair();
    await new Promise<void>((resolve) => {
      const deliver = (): void => {
        order.push('event');
        setImmediate(() => {
          order.push('immediate');
          resolve();
        });
        void Promise.resolve().then(() => order.push('microtask'));
      };
      ok(posix.onEvents(deliver, area));
      ok(posix.watch(a, ++token));
    });
    expect(order).toEqual(['event', 'microtask', 'immediate']);
    closeAll(a, b);
  });
});
