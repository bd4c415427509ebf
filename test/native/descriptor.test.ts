// native/descriptor.c and the tables: what works on any descriptor, and the platform's own values.

import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { describe, expect, test } from 'vitest';
import { available, c, closeAll, failure, ok, posix, recv, send, streamPair } from './addon.ts';

describe.runIf(available)('descriptors', () => {
  test('that were duplicated reach the same socket', () => {
    const [a, b] = streamPair();
    const again = ok(posix.dup(a));
    closeAll(a);
    send(again, 'by the copy');
    expect(recv(b)).toBe('by the copy');
    closeAll(again, b);
  });

  test('switch between blocking and not', () => {
    const [r, w] = ok(posix.pipe()) as [number, number];
    expect(posix.setNonblocking(r, false)).toBe(0);
    expect(posix.getFlags(r) & c.O_NONBLOCK).toBe(0);
    expect(posix.setNonblocking(r, false)).toBe(0);
    expect(posix.setNonblocking(r, true)).toBe(0);
    expect(posix.getFlags(r) & c.O_NONBLOCK).toBe(c.O_NONBLOCK);
    closeAll(r, w);
  });

  test('are polled, blocking for as long as was said', () => {
    const [a, b] = streamPair();
    expect(posix.poll(a, c.POLLIN, 0)).toBe(0);
    const start = performance.now();
    expect(posix.poll(a, c.POLLIN, 20)).toBe(0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(19);
    expect(posix.poll(a, c.POLLIN | c.POLLOUT, -1)).toBe(c.POLLOUT);
    send(b, 'x');
    expect(posix.poll(a, c.POLLIN)).toBe(c.POLLIN);
    closeAll(b);
    expect(posix.poll(a, c.POLLIN) & c.POLLHUP).toBe(c.POLLHUP);
    closeAll(a);
  });

  test('run out with EMFILE', () => {
    const fds: number[] = [];
    let last = 0;
    while (last >= 0 && fds.length < 20_000) {
      last = posix.socket(c.AF_UNIX, c.SOCK_STREAM);
      if (last >= 0) fds.push(last);
    }
    if (last < 0) expect(failure(last)).toBe('EMFILE');
    closeAll(...fds);
  });
});

describe.runIf(available)('the tables', () => {
  test('have the names Node has for the numbers both know', () => {
    for (const [name, number] of Object.entries(constants.errno)) {
      expect(posix.errorNames[number], name).toBe(getSystemErrorName(-number).replace(/^Unknown.*/, name));
    }
  });

  test('have the values of this platform', () => {
    expect(c).toMatchObject({
      AF_UNIX: 1,
      AF_INET: 2,
      AF_INET6: 10,
      SOCK_STREAM: 1,
      SOCK_DGRAM: 2,
      SOL_SOCKET: process.arch === 'mips' ? 65535 : 1,
      IPPROTO_TCP: 6,
      TCP_NODELAY: 1,
      SHUT_RDWR: 2,
      SCM_RIGHTS: 1,
      INADDR_ANY: 0,
      INADDR_LOOPBACK: 0x7f000001,
      INADDR_BROADCAST: 0xffffffff,
      EPOLLET: 0x80000000,
    });
    for (const value of Object.values(c)) expect(Number.isSafeInteger(value)).toBe(true);
  });
});
