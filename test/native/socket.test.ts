// native/socket.c and native/address.c: a socket's life, its names in every family, its options.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  accepted,
  available,
  c,
  closeAll,
  connected,
  failure,
  listener,
  ok,
  posix,
  recv,
  send,
} from './addon.ts';

describe.runIf(available)('sockets', () => {
  test('are non-blocking and close-on-exec from birth', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    expect(posix.getFlags(fd) & c.O_NONBLOCK).toBe(c.O_NONBLOCK);
    const [a, b] = ok(posix.socketpair(c.AF_UNIX, c.SOCK_DGRAM, 0)) as [number, number];
    expect(posix.getFlags(a) & c.O_NONBLOCK).toBe(c.O_NONBLOCK);
    expect(posix.getFlags(b) & c.O_NONBLOCK).toBe(c.O_NONBLOCK);
    closeAll(fd, a, b);
  });

  test('of an unknown family or protocol are a negative result', () => {
    expect(failure(posix.socket(9999, c.SOCK_STREAM))).toBe('EAFNOSUPPORT');
    expect(failure(posix.socket(c.AF_INET, c.SOCK_STREAM, c.IPPROTO_UDP))).toBe('EPROTONOSUPPORT');
    expect(failure(posix.socketpair(c.AF_INET, c.SOCK_STREAM))).toBe('ENOTSUP');
  });

  test('connect and accept over IPv4, and both ends know both names', () => {
    const [server, port] = listener();
    const client = connected(port);
    const peer = accepted(server);
    const name = posix.getsockname(client);
    expect(posix.lastAddress()).toEqual(name);
    expect(posix.getpeername(peer)).toEqual(name);
    expect(posix.getpeername(client)).toEqual(['127.0.0.1', port]);
    send(client, 'hello');
    posix.poll(peer, c.POLLIN, 5000);
    expect(recv(peer)).toBe('hello');
    closeAll(server, client, peer);
  });

  test('connect and accept over IPv6', () => {
    const [server, port] = listener('::1');
    const client = connected(port, '::1');
    const peer = accepted(server);
    expect(posix.lastAddress()).toEqual(posix.getsockname(client));
    expect(posix.getpeername(client)).toEqual(['::1', port, 0, 0]);
    closeAll(server, client, peer);
  });

  test('take the zone of a link-local literal', () => {
    const fd = ok(posix.socket(c.AF_INET6, c.SOCK_DGRAM));
    expect(posix.connect(fd, c.AF_INET6, '::1%lo', 9)).toBe(0);
    expect((posix.getpeername(fd) as unknown[])[0]).toBe('::1');
    expect(failure(posix.connect(fd, c.AF_INET6, 'fe80::1%nosuchzone', 9))).toBe('ENXIO');
    closeAll(fd);
  });

  test('are refused where nobody listens', () => {
    const [server, port] = listener();
    closeAll(server);
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    const result = posix.connect(fd, c.AF_INET, '127.0.0.1', port);
    if (failure(result) === 'EINPROGRESS') {
      posix.poll(fd, c.POLLOUT, 5000);
      expect(failure(posix.socketError(fd))).toBe('ECONNREFUSED');
      expect(posix.socketError(fd)).toBe(0);
    } else {
      expect(failure(result)).toBe('ECONNREFUSED');
    }
    closeAll(fd);
  });

  test('cannot bind an address in use, nor one that is not ours, nor a name', () => {
    const [server, port] = listener();
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    expect(failure(posix.bind(fd, c.AF_INET, '127.0.0.1', port))).toBe('EADDRINUSE');
    expect(failure(posix.bind(fd, c.AF_INET, '192.0.2.1', 0))).toBe('EADDRNOTAVAIL');
    expect(failure(posix.bind(fd, c.AF_INET, 'localhost', 0))).toBe('EINVAL');
    expect(failure(posix.bind(fd, c.AF_INET, '127.0.0.1\0x', 0))).toBe('EINVAL');
    expect(failure(posix.bind(fd, c.AF_INET, '1'.repeat(5000), 0))).toBe('EINVAL');
    expect(failure(posix.bind(fd, 9999, 'x'))).toBe('EAFNOSUPPORT');
    closeAll(server, fd);
  });

  test('accept nothing when nobody calls', () => {
    const [server] = listener();
    expect(failure(posix.accept(server))).toBe('EAGAIN');
    expect(posix.lastAddress()).toBe(null);
    closeAll(server);
  });

  test('share a port with SO_REUSEPORT', () => {
    const one = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    const two = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    for (const fd of [one, two]) ok(posix.setsockopt(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1));
    ok(posix.bind(one, c.AF_INET, '127.0.0.1', 0));
    ok(posix.listen(one, 1));
    const port = (posix.getsockname(one) as [string, number])[1];
    expect(posix.bind(two, c.AF_INET, '127.0.0.1', port)).toBe(0);
    expect(posix.listen(two, 1)).toBe(0);
    closeAll(one, two);
  });

  test('read and write options, as numbers and as bytes', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    expect(posix.getsockopt(fd, c.IPPROTO_TCP, c.TCP_NODELAY)).toBe(0);
    expect(posix.setsockopt(fd, c.IPPROTO_TCP, c.TCP_NODELAY, 1)).toBe(0);
    expect(posix.getsockopt(fd, c.IPPROTO_TCP, c.TCP_NODELAY)).toBe(1);
    expect(posix.getsockopt(fd, c.SOL_SOCKET, c.SO_TYPE)).toBe(c.SOCK_STREAM);

    const linger = Buffer.from(new Int32Array([1, 7]).buffer);
    expect(posix.setsockoptBytes(fd, c.SOL_SOCKET, c.SO_LINGER, linger)).toBe(0);
    expect(posix.getsockoptBytes(fd, c.SOL_SOCKET, c.SO_LINGER, 8)).toEqual(linger);
    expect((posix.getsockoptBytes(fd, c.IPPROTO_TCP, c.TCP_CONGESTION, 16) as Buffer).toString()).toMatch(
      /^[a-z]+/,
    );

    expect(failure(posix.getsockopt(fd, c.SOL_SOCKET, 9999))).toBe('ENOPROTOOPT');
    expect(failure(posix.setsockopt(fd, c.SOL_SOCKET, 9999, 1))).toBe('ENOPROTOOPT');
    expect(failure(posix.getsockoptBytes(fd, c.SOL_SOCKET, 9999, 4))).toBe('ENOPROTOOPT');
    expect(failure(posix.getsockoptBytes(fd, c.SOL_SOCKET, c.SO_LINGER, 1e9))).toBe('EINVAL');
    closeAll(fd);
  });

  test('give options that are negative without looking like an error', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    const value = posix.getsockopt(fd, c.SOL_SOCKET, c.SO_INCOMING_CPU);
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value | 0).toBeGreaterThanOrEqual(-1);
    ok(posix.setsockopt(fd, c.SOL_SOCKET, c.SO_PRIORITY, 3));
    expect(posix.getsockopt(fd, c.SOL_SOCKET, c.SO_PRIORITY)).toBe(3);
    closeAll(fd);
  });

  test('shut down one direction', () => {
    const [a, b] = ok(posix.socketpair(c.AF_UNIX, c.SOCK_STREAM)) as [number, number];
    expect(posix.shutdown(a, c.SHUT_WR)).toBe(0);
    expect(recv(b)).toBe('');
    expect(failure(send(a, 'x'))).toBe('EPIPE');
    expect(send(b, 'back')).toBe(4);
    expect(recv(a)).toBe('back');
    expect(failure(posix.shutdown(a, 99))).toBe('EINVAL');
    closeAll(a, b);
  });

  test('that are closed answer EBADF everywhere', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_STREAM));
    closeAll(fd);
    const area = Buffer.alloc(1);
    const results = [
      posix.close(fd),
      posix.listen(fd, 1),
      posix.accept(fd),
      posix.bind(fd, c.AF_INET, '127.0.0.1', 0),
      posix.connect(fd, c.AF_INET, '127.0.0.1', 1),
      posix.getsockname(fd),
      posix.getpeername(fd),
      posix.getsockopt(fd, c.SOL_SOCKET, c.SO_TYPE),
      posix.setsockopt(fd, c.SOL_SOCKET, c.SO_KEEPALIVE, 1),
      posix.socketError(fd),
      posix.shutdown(fd, c.SHUT_RD),
      posix.recv(fd, area, 0, 1),
      posix.send(fd, area, 0, 1),
      posix.recvfrom(fd, area, 0, 1),
      posix.sendto(fd, area, 0, 1, 0, c.AF_INET, '127.0.0.1', 1),
      posix.recvmsg(fd, [area], 0),
      posix.sendmsg(fd, [area]),
      posix.read(fd, area, 0, 1),
      posix.write(fd, area, 0, 1),
      posix.dup(fd),
      posix.getFlags(fd),
      posix.setNonblocking(fd, true),
      posix.poll(fd, c.POLLIN, 0),
    ];
    for (const result of results) expect(failure(result)).toBe('EBADF');
  });
});

describe.runIf(available)('Unix sockets', () => {
  function connectBoth(path: string | Uint8Array): unknown[] {
    const server = ok(posix.socket(c.AF_UNIX, c.SOCK_STREAM));
    ok(posix.bind(server, c.AF_UNIX, path));
    ok(posix.listen(server, 1));
    const client = ok(posix.socket(c.AF_UNIX, c.SOCK_STREAM));
    expect(posix.connect(client, c.AF_UNIX, path)).toBe(0);
    const peer = ok(posix.accept(server));
    const names = [posix.getsockname(server), posix.getpeername(client), posix.lastAddress()];
    closeAll(server, client, peer);
    return names;
  }

  test('have paths', () => {
    const folder = mkdtempSync(join(tmpdir(), 'curio-'));
    const path = join(folder, 'sö');
    expect(connectBoth(path)).toEqual([path, path, '']);
    const odd = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);
    expect(connectBoth(odd)).toEqual([odd, odd, '']);
    rmSync(folder, { recursive: true });
  });

  test('have abstract names, zeros and all', () => {
    const name = `\0curio\0${process.pid}`;
    expect(connectBoth(name)).toEqual([name, name, '']);
    const odd = Buffer.from([0, 0xc0, 0x80, ...Buffer.from(String(process.pid))]);
    expect(connectBoth(odd)).toEqual([odd, odd, '']);
  });

  test('get a name from the kernel when bound to none', () => {
    const fd = ok(posix.socket(c.AF_UNIX, c.SOCK_DGRAM));
    ok(posix.bind(fd, c.AF_UNIX, ''));
    expect(posix.getsockname(fd)).toMatch(/^\0[0-9a-f]{5}$/);
    closeAll(fd);
  });

  test('refuse names that are too long or have a zero inside', () => {
    const fd = ok(posix.socket(c.AF_UNIX, c.SOCK_STREAM));
    expect(failure(posix.bind(fd, c.AF_UNIX, `/${'x'.repeat(107)}`))).toBe('ENAMETOOLONG');
    expect(failure(posix.bind(fd, c.AF_UNIX, 'x'.repeat(100_000)))).toBe('ENAMETOOLONG');
    expect(failure(posix.bind(fd, c.AF_UNIX, Buffer.alloc(109)))).toBe('ENAMETOOLONG');
    expect(failure(posix.bind(fd, c.AF_UNIX, 'a\0b'))).toBe('EINVAL');
    expect(failure(posix.connect(fd, c.AF_UNIX, '/no/such/socket'))).toBe('ENOENT');
    closeAll(fd);
  });
});

describe.runIf(available)('other families', () => {
  test('go by the bytes of their sockaddr', () => {
    const fd = ok(posix.socket(c.AF_NETLINK, c.SOCK_RAW, 0));
    const any = Buffer.alloc(12);
    any.writeUInt16LE(c.AF_NETLINK, 0);
    expect(posix.bind(fd, c.AF_NETLINK, any)).toBe(0);
    const name = posix.getsockname(fd) as Buffer;
    expect(name.length).toBe(12);
    expect(name.readUInt16LE(0)).toBe(c.AF_NETLINK);
    expect(failure(posix.bind(fd, c.AF_NETLINK, Buffer.alloc(1)))).toBe('EINVAL');
    expect(failure(posix.bind(fd, c.AF_NETLINK, Buffer.alloc(500)))).toBe('EINVAL');
    expect(failure(posix.bind(fd, c.AF_NETLINK, Buffer.alloc(12)))).toBe('EAFNOSUPPORT');
    closeAll(fd);
  });
});

describe.runIf(available)('arguments', () => {
  test('of the wrong type are a TypeError that names them', () => {
    const loose = posix as unknown as Record<string, (...args: unknown[]) => unknown>;
    expect(() => loose.socket()).toThrow(/domain must be a 32-bit integer/);
    expect(() => loose.recv(1.5, Buffer.alloc(1), 0, 1)).toThrow(TypeError);
    expect(() => loose.recv(Number.NaN, Buffer.alloc(1), 0, 1)).toThrow(/fd must be a 32-bit integer/);
    expect(() => loose.recv(2 ** 32, Buffer.alloc(1), 0, 1)).toThrow(TypeError);
    expect(() => loose.recv(0, 'text', 0, 1)).toThrow(/buffer must be a Uint8Array/);
    expect(() => loose.recv(0, new Uint16Array(4), 0, 1)).toThrow(TypeError);
    expect(() => loose.recv(0, new DataView(new ArrayBuffer(4)), 0, 1)).toThrow(TypeError);
    expect(() => loose.bind(0, c.AF_INET, 7, 0)).toThrow(/host must be a string/);
    expect(() => loose.bind(0, c.AF_UNIX, 7)).toThrow(/address must be a Uint8Array/);
    expect(() => loose.bind(0, c.AF_INET, '127.0.0.1', '80')).toThrow(/port must be a 32-bit integer/);
    expect(() => loose.setNonblocking(0, 1)).toThrow(/on must be a boolean/);
    expect(() => loose.recvmsg(0, Buffer.alloc(4), 0)).toThrow(/buffers must be an array/);
    expect(() => loose.recvmsg(0, ['x'], 0)).toThrow(/each buffer must be a Uint8Array/);
    expect(() => loose.sendmsg(0, [], [1])).toThrow(/each ancillary item/);
    expect(() => loose.sendmsg(0, [], [[1, 1, 'x']])).toThrow(/ancillary data must be a Uint8Array/);
    expect(() => loose.onEvents(1, new Int32Array(2))).toThrow(/callback must be a function/);
    expect(() => loose.onEvents(() => {}, new Float32Array(2))).toThrow(/events must be an Int32Array/);
    expect(() => loose.watch(0)).toThrow(/token must be a 32-bit integer/);
    expect(() => loose.scratch(undefined)).toThrow(TypeError);
  });

  test('outside their range are a RangeError', () => {
    const area = Buffer.alloc(8);
    for (const [offset, length] of [
      [9, 0],
      [0, 9],
      [4, 5],
      [-1, 1],
      [0, -1],
      [0, 2 ** 63],
      [0.5, 1],
    ]) {
      expect(() => posix.recv(0, area, offset, length)).toThrow(RangeError);
      expect(() => posix.sendto(0, area, offset, length, 0, c.AF_INET, '127.0.0.1', 9)).toThrow(RangeError);
    }
    expect(() => posix.bind(0, c.AF_INET, '127.0.0.1', 65536)).toThrow(/port is out of range/);
    expect(() => posix.scratch(0)).toThrow(RangeError);
    expect(() => posix.scratch(2 ** 40)).toThrow(RangeError);
    expect(() => posix.recvmsg(0, [], 2 ** 30)).toThrow(RangeError);
    expect(() => posix.cmsgSpace(2 ** 30)).toThrow(RangeError);
  });
});
