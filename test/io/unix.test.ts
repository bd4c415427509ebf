// Unix sockets: streams on each driver, and what only the posix driver has: datagrams, pairs, passed descriptors.

import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  NotSupportedError,
  openUnixConnection,
  run,
  sleep,
  spawn,
  timeoutAfter,
  unixServer,
  unixServerSocket,
} from 'curio';
import type { Socket } from 'curio/io';
import {
  AF_UNIX,
  CMSG_LEN,
  CMSG_SPACE,
  fromfd,
  MSG_CTRUNC,
  SCM_RIGHTS,
  SO_PEERCRED,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
  socket,
  socketpair,
} from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { afterAll, expect, test } from 'vitest';
import { drain, on, onEachDriver } from '../kit/drivers.ts';

const folder = mkdtempSync(join(tmpdir(), 'curio-unix-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const freshPath = () => join(folder, `socket-${count++}`);

onEachDriver('Unix stream sockets', () => {
  test('a server and its client', () =>
    run(async () => {
      const path = freshPath();
      const sock = unixServerSocket(path);
      await sock.ready();
      expect(sock.getsockname()).toBe(path);
      const { runServer } = await import('curio');
      const server = await spawn(runServer, sock, async (client: Socket) => {
        await client.sendall(await client.recv(100));
      });
      const client = await openUnixConnection(path);
      await client.sendall('hello');
      expect(String(await drain(client))).toBe('hello');
      await client.close();
      await server.cancel();
    }));

  test('both ends know the path, which the client has none of', () =>
    run(async () => {
      const path = freshPath();
      const sock = unixServerSocket(path);
      await sock.ready();
      const client = await openUnixConnection(path);
      const [peer, address] = await sock.accept();
      expect([client.getsockname(), client.getpeername()]).toEqual(['', path]);
      expect([peer.getsockname(), peer.getpeername(), address]).toEqual([path, '', '']);
      for (const each of [client, peer, sock]) await each.close();
    }));

  test('a path that is too long is neither connected to nor bound, nor is a part of it', () =>
    run(async () => {
      const longest = `${freshPath()}-`.padEnd(process.platform === 'linux' ? 107 : 103, 'x');
      const sock = unixServerSocket(longest);
      await sock.ready();
      for (const path of [`${longest}y`, `${longest}${'y'.repeat(200)}`]) {
        const refusal = { code: 'ENAMETOOLONG', address: path };
        await expect(openUnixConnection(path)).rejects.toMatchObject({ ...refusal, syscall: 'connect' });
        await expect(unixServer(path, () => {})).rejects.toMatchObject({ ...refusal, syscall: 'bind' });
      }
      await (await openUnixConnection(longest)).close();
      await sock.close();
    }));

  test('a path with a zero byte in it, or none at all, leads nowhere', () =>
    run(async () => {
      const path = freshPath();
      const sock = unixServerSocket(path);
      await sock.ready();
      for (const wrong of [`${path}\0behind`, '']) {
        const refusal = { code: 'EINVAL', syscall: 'connect' };
        await expect(openUnixConnection(wrong)).rejects.toMatchObject(refusal);
      }
      await expect(unixServer(`${path}-2\0behind`, () => {})).rejects.toMatchObject({ code: 'EINVAL' });
      expect(existsSync(`${path}-2`)).toBe(false);
      await sock.close();
    }));

  test('nobody listens without a path', () =>
    run(async () => {
      await using sock = socket(AF_UNIX, SOCK_STREAM);
      expect(() => sock.listen(1)).toThrow(/^listen EINVAL/);
    }));

  test('the path must not exist, and is not removed by the server', () =>
    run(async () => {
      const path = freshPath();
      const server = await spawn(unixServer, path, () => {});
      while (!existsSync(path)) await sleep(0.001);
      await server.cancel();
      expect(existsSync(path)).toBe(true);
      await expect(unixServer(path, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
      expect(existsSync(path)).toBe(true);
      await expect(openUnixConnection(path)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      await expect(openUnixConnection(`${path}-not`)).rejects.toMatchObject({ code: 'ENOENT' });
    }));

  test('a folder is no path to bind to', () =>
    run(async () => {
      const path = freshPath();
      mkdirSync(path);
      await expect(unixServer(path, () => {})).rejects.toMatchObject({ code: 'EADDRINUSE' });
    }));
});

on('posix', 'Unix sockets', () => {
  test('a pair is connected, and both ends speak', () =>
    run(async () => {
      const [a, b] = socketpair();
      await a.sendall('to b');
      await b.sendall('to a');
      expect(String(await b.recv(100))).toBe('to b');
      expect(String(await a.recv(100))).toBe('to a');
      expect(a.getpeername()).toBe('');
      await a.close();
      expect(await b.recv(100)).toHaveLength(0);
      await expect(b.sendall('x')).rejects.toMatchObject({ code: 'EPIPE' });
      await b.close();
    }));

  test('datagrams between paths', () =>
    run(async () => {
      const [here, there] = [freshPath(), freshPath()];
      const a = socket(AF_UNIX, SOCK_DGRAM);
      const b = socket(AF_UNIX, SOCK_DGRAM);
      a.bind(here);
      b.bind(there);
      await a.sendto('hello', there);
      const [data, from] = await b.recvfrom(100);
      expect([String(data), from]).toEqual(['hello', here]);
      await a.close();
      await b.close();
    }));

  test('a datagram larger than any buffer of the driver’s arrives whole', () =>
    run(async () => {
      const [a, b] = socketpair(AF_UNIX, SOCK_SEQPACKET);
      await a.send(Buffer.alloc(150_000, 'x'));
      expect(await b.recv(200_000)).toHaveLength(150_000);
      await a.close();
      await b.close();
    }));

  test('a server whose line is full is tried again until there is room', () =>
    run({ clock: new VirtualClock({ patience: 0.01 }) }, async () => {
      const path = freshPath();
      const server = socket(AF_UNIX, SOCK_STREAM);
      server.bind(path);
      server.listen(0);
      const clients: Socket[] = [];
      const connecting = await spawn(async () => {
        for (let i = 0; i < 4; i++) clients.push(await openUnixConnection(path));
      });
      await sleep(1);
      expect(connecting.terminated).toBe(false);
      for (let i = 0; i < 4; i++) await (await server.accept())[0].close();
      await connecting.join();
      for (const client of clients) await client.close();
      await server.close();
    }));

  test('descriptors cross with a message', () =>
    run(async () => {
      const path = freshPath();
      writeFileSync(path, 'secret of the file');
      const fd = openSync(path, 'r');
      const [a, b] = socketpair();
      const sent = await a.sendmsg(
        ['one ', Buffer.from('message')],
        [[SOL_SOCKET, SCM_RIGHTS, new Int32Array([fd])]],
      );
      expect(sent).toBe(11);
      closeSync(fd);
      const [data, ancillary, flags] = await b.recvmsg(100, CMSG_SPACE(4));
      expect(String(data)).toBe('one message');
      expect(flags & MSG_CTRUNC).toBe(0);
      const [level, type, bytes] = ancillary[0]!;
      expect([level, type, bytes.length]).toEqual([SOL_SOCKET, SCM_RIGHTS, 4]);
      const received = bytes.readInt32LE();
      const text = Buffer.alloc(100);
      expect(text.toString('latin1', 0, readSync(received, text))).toBe('secret of the file');
      closeSync(received);
      await a.close();
      await b.close();
    }));

  test('a small message keeps no room for a large one', () =>
    run(async () => {
      const [a, b] = socketpair(AF_UNIX, SOCK_DGRAM);
      const room = 1_000_000;
      const receivers = [
        () => b.recv(room),
        async () => (await b.recvfrom(room))[0],
        async () => (await b.recvmsg(room))[0],
        () => b.blocking((sock) => sock.recv(room)),
      ];
      for (const receive of receivers) {
        await a.send('a few bytes');
        const data = await receive();
        expect(String(data)).toBe('a few bytes');
        expect(data.buffer.byteLength).toBeLessThan(room / 10);
      }
      await a.close();
      await b.close();
    }));

  test('what is no message is refused at the call', () =>
    run(async () => {
      const [a, b] = socketpair();
      for (const wrong of [null, 5, Buffer.from('x')] as never[])
        expect(() => a.sendmsg(wrong)).toThrow(/^Socket\.sendmsg\(\) wants a list of buffers, not /);
      expect(() => a.sendmsg([5 as never])).toThrow(/^Socket\.sendmsg\(\) wants bytes: /);
      for (const wrong of ['x', [[1, 1]], [SOL_SOCKET, SCM_RIGHTS, Buffer.alloc(4)]] as never[])
        expect(() => a.sendmsg(['x'], wrong)).toThrow(/^Socket\.sendmsg\(\) wants ancillary data such as /);
      await a.close();
      await b.close();
    }));

  test('recvmsgInto fills several buffers, and sendmsg finds an address', () =>
    run(async () => {
      const [here, there] = [freshPath(), freshPath()];
      const a = socket(AF_UNIX, SOCK_DGRAM);
      const b = socket(AF_UNIX, SOCK_DGRAM);
      a.bind(here);
      b.bind(there);
      await a.sendmsg(['hello ', 'world'], [], 0, there);
      const [x, y] = [Buffer.alloc(4), Buffer.alloc(20)];
      const [n, ancillary, , from] = await b.recvmsgInto([x, y]);
      expect([n, String(x), y.toString('latin1', 0, 7), ancillary, from]).toEqual([
        11,
        'hell',
        'o world',
        [],
        here,
      ]);
      await a.close();
      await b.close();
    }));

  test('sendmsg and recvmsgInto take more buffers than the operating system does, and it is still one message', () =>
    run(async () => {
      const [a, b] = socketpair(AF_UNIX, SOCK_DGRAM);
      const words = Array.from({ length: 5000 }, (_, i) => `${i},`);
      const text = words.join('');
      expect(await a.sendmsg(words)).toBe(text.length);
      await a.sendmsg(['next'], [], 0);
      const targets = Array.from({ length: 5000 }, (_, i) => Buffer.alloc((i * 7) % 11));
      const [n, ancillary, , from] = await b.recvmsgInto(targets);
      expect([n, ancillary, from]).toEqual([text.length, [], null]);
      expect(Buffer.concat(targets).toString('latin1', 0, n)).toBe(text);
      // Less than there is room for leaves the rest of the buffers as they are.
      for (const target of targets) target.fill('-');
      expect((await b.recvmsgInto(targets))[0]).toBe(4);
      expect(Buffer.concat(targets).toString('latin1', 0, 8)).toBe('next----');
      await a.close();
      await b.close();
    }));

  test('a stream that a descriptor came along with is read to its end, without waiting for more', () =>
    run(async () => {
      const [a, b] = socketpair();
      const fd = openSync('/dev/null', 'r');
      await a.sendmsg(['with'], [[SOL_SOCKET, SCM_RIGHTS, Buffer.from(new Int32Array([fd]).buffer)]]);
      await a.sendall('more');
      closeSync(fd);
      // Linux ends a receive where descriptors came along, although there is more.
      let text = '';
      while (text.length < 8) text += await timeoutAfter(1, () => b.recv(100));
      expect(text).toBe('withmore');
      await a.close();
      await b.close();
    }));

  test('options as bytes: who is at the other end', () =>
    run(async () => {
      const [a, b] = socketpair();
      const credentials = a.getsockopt(SOL_SOCKET, SO_PEERCRED, 12);
      expect(credentials.readInt32LE(0)).toBe(process.pid);
      await a.close();
      await b.close();
    }));

  test('fromfd duplicates, dup duplicates, detach gives away', () =>
    run(async () => {
      const [a, b] = socketpair();
      const copy = fromfd(a.fileno(), AF_UNIX, SOCK_STREAM);
      const other = a.dup();
      expect(new Set([a.fileno(), copy.fileno(), other.fileno()]).size).toBe(3);
      const fd = a.detach();
      expect(a.fileno()).toBe(-1);
      await a.close();
      await copy.sendall('1');
      await other.sendall('2');
      const back = socket(AF_UNIX, SOCK_STREAM, 0, fd);
      await back.sendall('3');
      for (const sock of [copy, other, back]) await sock.close();
      expect(String(await drain(b))).toBe('123');
      await b.close();
    }));

  test('a closed copy hears nothing of what reaches the original, and a socket with its number nothing of it', () =>
    run(async () => {
      const [a, b] = socketpair();
      const copy = b.dup();
      const waiting = await spawn(() => copy.recv(10));
      await sleep(0);
      await waiting.cancel();
      const fd = copy.fileno();
      await copy.close();
      const [c, d] = socketpair();
      expect([c.fileno(), d.fileno()]).toContain(fd);
      const reader = await spawn(() => (c.fileno() === fd ? c : d).recv(10));
      await sleep(0);
      await a.sendall('for b');
      expect(String(await b.recv(10))).toBe('for b');
      await sleep(0.01);
      expect(reader.state).toBe('READ_WAIT');
      await reader.cancel();
      for (const sock of [a, b, c, d]) await sock.close();
    }));
});

on('portable', 'what Node has no way to do', () => {
  test('is refused by name', () =>
    run(async () => {
      expect(() => socketpair()).toThrow(NotSupportedError);
      expect(() => socket(AF_UNIX, SOCK_DGRAM)).toThrow(/socket\(family=1, type=2\)/);
      expect(() => fromfd(0, AF_UNIX, SOCK_STREAM)).toThrow(NotSupportedError);
      const sock = socket(AF_UNIX, SOCK_STREAM);
      await expect(sock.recvmsg(10)).rejects.toBeInstanceOf(NotSupportedError);
      await expect(sock.sendmsg(['x'])).rejects.toBeInstanceOf(NotSupportedError);
      for (const call of [
        () => sock.fileno(),
        () => sock.dup(),
        () => sock.detach(),
        () => sock.blocking(),
        () => sock.setsockopt(SOL_SOCKET, 999, 1),
        () => sock.getsockopt(SOL_SOCKET, 999),
      ]) {
        expect(call).toThrow(NotSupportedError);
      }
      await sock.close();
    }));
});

test('the room of control messages is what the addon says', async () => {
  const { posix, available } = await import('../native/addon.ts');
  if (!available) return expect(CMSG_SPACE(0)).toBe(CMSG_LEN(0));
  for (let length = 0; length < 40; length++) {
    expect([CMSG_LEN(length), CMSG_SPACE(length)]).toEqual([posix.cmsgLen(length), posix.cmsgSpace(length)]);
  }
});
