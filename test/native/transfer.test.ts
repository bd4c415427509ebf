// native/transfer.c: bytes through streams, datagrams, pipes and files, and the scratch area.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available, bytes, c, closeAll, failure, ok, posix, recv, send, streamPair } from './addon.ts';

describe.runIf(available)('streams', () => {
  test('would block when there is nothing, end when the peer has closed', () => {
    const [a, b] = streamPair();
    expect(failure(posix.recv(a, Buffer.alloc(1), 0, 1))).toBe('EAGAIN');
    closeAll(b);
    expect(recv(a)).toBe('');
    expect(failure(send(a, 'x'))).toBe('EPIPE');
    closeAll(a);
  });

  test('fill exactly the part of the buffer that was named', () => {
    const [a, b] = streamPair();
    send(a, 'abcdef');
    const area = Buffer.from('..........');
    expect(posix.recv(b, area, 3, 4)).toBe(4);
    expect(area.toString()).toBe('...abcd...');
    expect(posix.recv(b, area.subarray(5), 4, 1)).toBe(1);
    expect(area.toString()).toBe('...abcd..e');
    expect(posix.recv(b, area, 10, 0)).toBe(0);
    expect(posix.send(b, bytes('0123456789'), 4, 3)).toBe(3);
    expect(recv(a)).toBe('456');
    closeAll(a, b);
  });

  test('send all of a buffer of which no part is named', () => {
    const [a, b] = streamPair();
    expect(posix.send(a, bytes('whole'))).toBe(5);
    expect(recv(b)).toBe('whole');
    expect(() => posix.send(a, 'text' as never)).toThrow(TypeError);
    expect(() => (posix.send as (...args: unknown[]) => number)(a, bytes('x'), 0)).toThrow(TypeError);
    closeAll(a, b);
  });

  test('honour flags', () => {
    const [a, b] = streamPair();
    send(a, 'peek');
    expect(recv(b, 10, c.MSG_PEEK)).toBe('peek');
    expect(recv(b, 10)).toBe('peek');
    closeAll(a, b);
  });

  test('take what fits and no more', () => {
    const [a, b] = streamPair();
    const much = Buffer.alloc(10_000_000, 'x');
    const taken = posix.send(a, much, 0, much.length);
    expect(taken).toBeGreaterThan(0);
    expect(taken).toBeLessThan(much.length);
    let read = 0;
    for (let n = 1; n > 0; ) {
      n = posix.recv(b, much, 0, much.length);
      if (n > 0) read += n;
    }
    expect(read).toBe(taken);
    closeAll(a, b);
  });

  test('accept buffers of every kind of memory', () => {
    const [a, b] = streamPair();
    const shared = new Uint8Array(new SharedArrayBuffer(4));
    const tiny = new Uint8Array(4);
    const clamped = new Uint8ClampedArray(4);
    for (const area of [shared, tiny, clamped as unknown as Uint8Array]) {
      send(a, 'data');
      expect(posix.recv(b, area, 0, 4)).toBe(4);
      expect(Buffer.from(area).toString()).toBe('data');
    }
    closeAll(a, b);
  });

  test('find a detached buffer empty', () => {
    const [a, b] = streamPair();
    const area = new Uint8Array(16);
    structuredClone(area.buffer, { transfer: [area.buffer] });
    expect(() => posix.recv(b, area, 0, 16)).toThrow(RangeError);
    expect(posix.recv(b, area, 0, 0)).toBeLessThanOrEqual(0);
    closeAll(a, b);
  });
});

describe.runIf(available)('receives in a row', () => {
  const requests = (...pairs: number[]) => Int32Array.from(pairs);

  test('put one message behind the other, and tell of each how long it is and where', () => {
    posix.scratch(64);
    const [a, b] = streamPair();
    const [x, y] = streamPair();
    send(a, 'hello');
    send(x, 'you there');
    const asked = requests(b, 64, y, 3, 99);
    const target = Buffer.alloc(64, '.');
    expect(posix.recvEach(asked, 2, target, 8, 64)).toBe(2);
    expect([...asked]).toEqual([5, 8, 3, 16, 99]);
    expect(target.toString('latin1', 0, 24)).toBe('........hello...you.....');
    expect(recv(y)).toBe(' there');
    closeAll(a, b, x, y);
  });

  test('go on after one that fails, would block or has ended', () => {
    posix.scratch(64);
    const [a, b] = streamPair();
    const [x, y] = streamPair();
    const [p, q] = streamPair();
    closeAll(x);
    send(p, 'data');
    const asked = requests(b, 10, -1, 10, y, 10, q, 10);
    expect(posix.recvEach(asked, 4, Buffer.alloc(10), 0, 64)).toBe(4);
    expect(failure(asked[0]!)).toBe('EAGAIN');
    expect(failure(asked[2]!)).toBe('EBADF');
    expect([asked[4], asked[6]]).toEqual([0, 4]);
    closeAll(a, b, y, p, q);
  });

  test('stop at what has no room, and leave it in the scratch area', () => {
    const area = posix.scratch(64) as Buffer;
    const pairs = [streamPair(), streamPair(), streamPair()];
    for (const [a] of pairs) send(a, 'message');
    const asked = requests(...pairs.flatMap(([, b]) => [b, 64]));
    const target = Buffer.alloc(9);
    expect(posix.recvEach(asked, 3, target, 0, 64)).toBe(2);
    expect([...asked.subarray(0, 4)]).toEqual([7, 0, 7, -1]);
    expect(area.toString('latin1', 0, 7)).toBe('message');
    expect(recv(pairs[2]![1])).toBe('message');
    closeAll(...pairs.flat());
  });

  test('stop at what is longer than may lie with others, and leave it in the scratch area', () => {
    const area = posix.scratch(64) as Buffer;
    const pairs = [streamPair(), streamPair(), streamPair()];
    for (const [i, [a]] of pairs.entries()) send(a, 'x'.repeat(i + 2));
    const asked = requests(...pairs.flatMap(([, b]) => [b, 64]));
    expect(posix.recvEach(asked, 3, Buffer.alloc(64), 0, 2)).toBe(2);
    expect([...asked.subarray(0, 4)]).toEqual([2, 0, 3, -1]);
    expect(area.toString('latin1', 0, 3)).toBe('xxx');
    expect(recv(pairs[2]![1])).toBe('xxxx');
    closeAll(...pairs.flat());
  });

  test('receive no more than the scratch area takes', () => {
    posix.scratch(4);
    const [a, b] = streamPair();
    send(a, 'abcdef');
    const asked = requests(b, 1000);
    expect(posix.recvEach(asked, 1, Buffer.alloc(100), 0, 64)).toBe(1);
    expect([...asked]).toEqual([4, 0]);
    expect(recv(b)).toBe('ef');
    closeAll(a, b);
  });

  test('take nothing for a negative number of bytes', () => {
    posix.scratch(64);
    const [a, b] = streamPair();
    send(a, 'x');
    const asked = requests(b, -5);
    expect(posix.recvEach(asked, 1, Buffer.alloc(100), 0, 64)).toBe(1);
    expect(asked[0]).toBe(0);
    expect(recv(b)).toBe('x');
    closeAll(a, b);
  });

  test('refuse what does not fit together', () => {
    posix.scratch(64);
    const target = Buffer.alloc(8);
    expect(() => posix.recvEach(requests(1, 1), 2, target, 0, 64)).toThrow(RangeError);
    expect(() => posix.recvEach(requests(1, 1), 1, target, 9, 64)).toThrow(RangeError);
    expect(() => posix.recvEach(requests(1, 1), 1, target, 0, -1)).toThrow(RangeError);
    expect(() => posix.recvEach(new Uint32Array(2) as never, 1, target, 0, 64)).toThrow(TypeError);
    expect(() => posix.recvEach(requests(1, 1), 1, 'x' as never, 0, 64)).toThrow(TypeError);
    expect(posix.recvEach(requests(), 0, target, 0, 64)).toBe(0);
  });
});

describe.runIf(available)('the scratch area', () => {
  test('receives and sends at an offset', () => {
    const [a, b] = streamPair();
    const area = ok(posix.scratch(32)) as Buffer;
    expect(area).toEqual(Buffer.alloc(32));
    send(a, 'through');
    expect(posix.recvScratch(b, 8, 24)).toBe(7);
    expect(area.toString('latin1', 8, 15)).toBe('through');
    expect(posix.sendScratch(b, 8, 3)).toBe(3);
    expect(recv(a)).toBe('thr');
    expect(failure(posix.recvScratch(b, 0, 32))).toBe('EAGAIN');
    for (const [offset, length] of [
      [33, 0],
      [0, 33],
      [32, 1],
      [-1, 1],
    ]) {
      expect(() => posix.recvScratch(b, offset, length)).toThrow(RangeError);
      expect(() => posix.sendScratch(b, offset, length)).toThrow(RangeError);
    }
    closeAll(a, b);
  });

  test('is replaced, and the old one stays valid for who holds it', () => {
    const [a, b] = streamPair();
    const old = ok(posix.scratch(16)) as Buffer;
    send(a, 'old');
    posix.recvScratch(b, 0, 16);
    const fresh = ok(posix.scratch(16)) as Buffer;
    send(a, 'new');
    posix.recvScratch(b, 0, 16);
    expect(old.toString('latin1', 0, 3)).toBe('old');
    expect(fresh.toString('latin1', 0, 3)).toBe('new');
    closeAll(a, b);
  });

  test('survives JavaScript giving its memory away', () => {
    const [a, b] = streamPair();
    let area: Buffer | null = ok(posix.scratch(1 << 20)) as Buffer;
    const memory = area.buffer as ArrayBuffer & { transfer?: () => ArrayBuffer };
    if (typeof memory.transfer === 'function') {
      memory.transfer();
      expect(area.length).toBe(0);
    }
    area = null;
    (globalThis as { gc?: () => void }).gc?.();
    send(a, 'still there');
    expect(posix.recvScratch(b, 0, 1 << 20)).toBe(11);
    expect(posix.sendScratch(b, 0, 11)).toBe(11);
    closeAll(a, b);
  });
});

describe.runIf(available)('datagrams', () => {
  test.each(['127.0.0.1', '::1'])('tell who sent them, over %s', (host) => {
    const family = host.includes(':') ? c.AF_INET6 : c.AF_INET;
    const [one, two] = [0, 1].map(() => {
      const fd = ok(posix.socket(family, c.SOCK_DGRAM));
      ok(posix.bind(fd, family, host, 0));
      return fd;
    });
    const [from, to] = [one, two].map((fd) => posix.getsockname(fd) as [string, number]);
    const data = bytes('datagram');
    expect(posix.sendto(one, data, 0, 8, 0, family, host, to[1])).toBe(8);
    expect(posix.sendto(one, data, 4, 4, undefined, family, host, to[1])).toBe(4);
    const area = Buffer.alloc(100);
    expect(posix.recvfrom(two, area, 0, 100)).toBe(8);
    expect(posix.lastAddress()).toEqual(from);
    expect(posix.recvfrom(two, area, 0, 3, c.MSG_TRUNC)).toBe(4);
    expect(area.toString('latin1', 0, 8)).toBe('graagram');
    expect(failure(posix.recvfrom(two, area, 0, 100))).toBe('EAGAIN');
    expect(posix.lastAddress()).toBe(null);
    expect(failure(posix.sendto(one, data, 0, 8, 0, family, 'nowhere', 1))).toBe('EINVAL');
    closeAll(one, two);
  });

  test('may be empty', () => {
    const [a, b] = ok(posix.socketpair(c.AF_UNIX, c.SOCK_DGRAM)) as [number, number];
    expect(posix.send(a, Buffer.alloc(0), 0, 0)).toBe(0);
    expect(posix.recv(b, Buffer.alloc(4), 0, 4)).toBe(0);
    expect(failure(posix.recv(b, Buffer.alloc(4), 0, 4))).toBe('EAGAIN');
    closeAll(a, b);
  });

  test('that are too large are refused whole', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_DGRAM));
    const data = Buffer.alloc(70_000);
    expect(failure(posix.sendto(fd, data, 0, data.length, 0, c.AF_INET, '127.0.0.1', 9))).toBe('EMSGSIZE');
    closeAll(fd);
  });

  test('go to Unix names', () => {
    const name = `\0curio-datagram-${process.pid}`;
    const to = ok(posix.socket(c.AF_UNIX, c.SOCK_DGRAM));
    const from = ok(posix.socket(c.AF_UNIX, c.SOCK_DGRAM));
    ok(posix.bind(to, c.AF_UNIX, name));
    ok(posix.bind(from, c.AF_UNIX, `${name}-from`));
    expect(posix.sendto(from, bytes('x'), 0, 1, 0, c.AF_UNIX, name)).toBe(1);
    expect(posix.recvfrom(to, Buffer.alloc(1), 0, 1)).toBe(1);
    expect(posix.lastAddress()).toBe(`${name}-from`);
    closeAll(to, from);
  });

  test('to a port where nobody listens come back as an error on a connected socket', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_DGRAM));
    ok(posix.bind(fd, c.AF_INET, '127.0.0.1', 0));
    const dead = ok(posix.socket(c.AF_INET, c.SOCK_DGRAM));
    ok(posix.bind(dead, c.AF_INET, '127.0.0.1', 0));
    const [, port] = posix.getsockname(dead) as [string, number];
    closeAll(dead);
    ok(posix.connect(fd, c.AF_INET, '127.0.0.1', port));
    send(fd, 'x');
    posix.poll(fd, c.POLLIN, 5000);
    expect(failure(posix.recv(fd, Buffer.alloc(1), 0, 1))).toBe('ECONNREFUSED');
    closeAll(fd);
  });
});

describe.runIf(available)('read and write', () => {
  test('work on pipes', () => {
    const [r, w] = ok(posix.pipe()) as [number, number];
    expect(failure(posix.read(r, Buffer.alloc(1), 0, 1))).toBe('EAGAIN');
    expect(posix.write(w, bytes('in a pipe'), 3, 6)).toBe(6);
    const area = Buffer.alloc(10);
    expect(posix.read(r, area, 1, 9)).toBe(6);
    expect(area.toString('latin1', 1, 7)).toBe('a pipe');
    expect(failure(posix.recv(r, area, 0, 1))).toBe('ENOTSOCK');
    closeAll(w);
    expect(posix.read(r, area, 0, 1)).toBe(0);
    closeAll(r);
  });

  test('to a pipe nobody reads are EPIPE, and no signal', () => {
    const [r, w] = ok(posix.pipe()) as [number, number];
    closeAll(r);
    expect(failure(posix.write(w, bytes('x'), 0, 1))).toBe('EPIPE');
    closeAll(w);
  });

  test('work on files', () => {
    const folder = mkdtempSync(join(tmpdir(), 'curio-'));
    const path = join(folder, 'file');
    const fd = openSync(path, 'w+');
    expect(posix.write(fd, bytes('content'), 0, 7)).toBe(7);
    closeSync(fd);
    expect(readFileSync(path, 'latin1')).toBe('content');
    rmSync(folder, { recursive: true });
  });
});
