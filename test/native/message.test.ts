// native/message.c: several buffers at once, ancillary data, descriptors passed over a Unix socket.

import { describe, expect, test } from 'vitest';
import type { Ancillary } from '../../native/posix.js';
import { available, bytes, c, closeAll, failure, ok, posix, recv, send, streamPair } from './addon.ts';

const rights = (...fds: number[]): Ancillary => [
  c.SOL_SOCKET,
  c.SCM_RIGHTS,
  new Uint8Array(new Int32Array(fds).buffer),
];

function descriptors(ancillary: Ancillary[]): number[] {
  return ancillary.flatMap(([, , data]) => {
    const copy = Uint8Array.from(data);
    return [...new Int32Array(copy.buffer, 0, copy.length >> 2)];
  });
}

type Received = [bytes: number, ancillary: Ancillary[], flags: number, address: unknown];

describe.runIf(available)('messages', () => {
  test('gather and scatter', () => {
    const [a, b] = streamPair();
    expect(posix.sendmsg(a, [bytes('one '), bytes(''), bytes('two')])).toBe(7);
    const parts = [Buffer.alloc(2), Buffer.alloc(0), Buffer.alloc(20)];
    expect(posix.recvmsg(b, parts, 0)).toEqual([7, [], 0, null]);
    expect(parts[0].toString()).toBe('on');
    expect(parts[2].toString('latin1', 0, 5)).toBe('e two');
    expect(failure(posix.recvmsg(b, parts, 0))).toBe('EAGAIN');
    closeAll(a, b);
  });

  test('carry descriptors, which arrive close-on-exec and alive', () => {
    const [a, b] = streamPair();
    const [c1, c2] = streamPair();
    expect(posix.sendmsg(a, [bytes('!')], [rights(c1, c2)])).toBe(1);
    closeAll(c1, c2);
    const [n, ancillary, flags, address] = ok(
      posix.recvmsg(b, [Buffer.alloc(8)], posix.cmsgSpace(8)),
    ) as Received;
    expect([n, flags, address]).toEqual([1, 0, null]);
    expect(ancillary).toHaveLength(1);
    expect(ancillary[0].slice(0, 2)).toEqual([c.SOL_SOCKET, c.SCM_RIGHTS]);
    const [d1, d2] = descriptors(ancillary);
    send(d1, 'passed');
    expect(recv(d2)).toBe('passed');
    closeAll(a, b, d1, d2);
  });

  test('that carry descriptors end a stream’s recv early: short does not mean empty', () => {
    const [a, b] = streamPair();
    ok(posix.sendmsg(a, [bytes('first')], [rights(a)]));
    send(a, 'second');
    expect(recv(b)).toBe('first');
    expect(recv(b)).toBe('second');
    closeAll(a, b);
  });

  test('say when ancillary data was cut, and lose no descriptor on the way', () => {
    const [a, b] = streamPair();
    ok(posix.sendmsg(a, [bytes('!')], [rights(a, a, a, a)]));
    const [, ancillary, flags] = ok(posix.recvmsg(b, [Buffer.alloc(1)], posix.cmsgLen(8))) as Received;
    expect(flags & c.MSG_CTRUNC).toBe(c.MSG_CTRUNC);
    const arrived = descriptors(ancillary);
    expect(arrived).toHaveLength(2);
    closeAll(a, b, ...arrived);
  });

  test('carry several control messages', () => {
    const [a, b] = streamPair();
    ok(posix.setsockopt(b, c.SOL_SOCKET, c.SO_PASSCRED, 1));
    const ids = new Int32Array([process.pid, process.getuid!(), process.getgid!()]);
    const credentials: Ancillary = [c.SOL_SOCKET, c.SCM_CREDENTIALS, new Uint8Array(ids.buffer)];
    ok(posix.sendmsg(a, [bytes('!')], [credentials, rights(a)]));
    const [, ancillary] = ok(posix.recvmsg(b, [Buffer.alloc(1)], 256)) as Received;
    const kinds = new Map(ancillary.map(([, type, data]) => [type, data]));
    expect([...kinds.keys()].sort()).toEqual([c.SCM_RIGHTS, c.SCM_CREDENTIALS].sort());
    expect([...new Int32Array(Uint8Array.from(kinds.get(c.SCM_CREDENTIALS)!).buffer)]).toEqual([...ids]);
    closeAll(a, b, ...descriptors(ancillary.filter(([, type]) => type === c.SCM_RIGHTS)));
  });

  test('name a destination and a sender, and say when they were cut', () => {
    const [one, two] = [0, 1].map(() => {
      const fd = ok(posix.socket(c.AF_INET, c.SOCK_DGRAM));
      ok(posix.bind(fd, c.AF_INET, '127.0.0.1', 0));
      return fd;
    });
    const [, port] = posix.getsockname(two) as [string, number];
    const parts = [bytes('da'), bytes('ta')];
    expect(posix.sendmsg(one, parts, [], 0, c.AF_INET, '127.0.0.1', port)).toBe(4);
    expect(posix.recvmsg(two, [Buffer.alloc(3)], 0)).toEqual([3, [], c.MSG_TRUNC, posix.getsockname(one)]);
    expect(failure(posix.sendmsg(one, parts, undefined, 0, c.AF_INET, 'name', 1))).toBe('EINVAL');
    closeAll(one, two);
  });

  test('tell the packet’s own address with IP_PKTINFO', () => {
    const fd = ok(posix.socket(c.AF_INET, c.SOCK_DGRAM));
    ok(posix.bind(fd, c.AF_INET, '0.0.0.0', 0));
    ok(posix.setsockopt(fd, c.IPPROTO_IP, c.IP_PKTINFO, 1));
    const [, port] = posix.getsockname(fd) as [string, number];
    ok(posix.sendto(fd, bytes('x'), 0, 1, 0, c.AF_INET, '127.0.0.1', port));
    const [, ancillary] = ok(posix.recvmsg(fd, [Buffer.alloc(1)], 128)) as Received;
    expect(ancillary[0].slice(0, 2)).toEqual([c.IPPROTO_IP, c.IP_PKTINFO]);
    expect([...ancillary[0][2].subarray(8, 12)]).toEqual([127, 0, 0, 1]);
    closeAll(fd);
  });

  test('that the kernel refuses are negative results', () => {
    const [a, b] = streamPair();
    expect(failure(posix.sendmsg(a, [bytes('x')], [rights(-1)]))).toBe('EBADF');
    const many = Array.from({ length: 2000 }, () => bytes('x'));
    expect(failure(posix.sendmsg(a, many))).toBe('EMSGSIZE');
    expect(posix.sendmsg(a, [])).toBe(0);
    closeAll(a, b);
  });

  test('are safe from getters that pull a buffer away', () => {
    const [a, b] = streamPair();
    const victim = new Uint8Array(1 << 20);
    const trap = [victim];
    Object.defineProperty(trap, 1, {
      get() {
        structuredClone(victim.buffer, { transfer: [victim.buffer] });
        return new Uint8Array(4);
      },
    });
    send(a, 'data');
    expect((ok(posix.recvmsg(b, trap, 0)) as Received)[0]).toBe(4);
    const thrower = [new Uint8Array(1)];
    Object.defineProperty(thrower, 1, {
      get() {
        throw new Error('from the getter');
      },
    });
    expect(() => posix.recvmsg(b, thrower, 0)).toThrow('from the getter');
    closeAll(a, b);
  });

  test('need the room the platform says', () => {
    expect(posix.cmsgLen(0)).toBe(16);
    expect(posix.cmsgLen(4)).toBe(20);
    expect(posix.cmsgSpace(4)).toBe(24);
  });
});
