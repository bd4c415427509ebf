// UDP on each driver, and what both can set on such a socket.

import { CancelledError, ReadResourceBusy, run, sleep, spawn, TaskTimeout, timeoutAfter } from 'curio';
import type { Socket } from 'curio/io';
import {
  type Address,
  AF_INET,
  AF_INET6,
  IP_ADD_MEMBERSHIP,
  IP_MULTICAST_LOOP,
  IP_TTL,
  IPPROTO_IP,
  MSG_PEEK,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_TYPE,
  SOCK_DGRAM,
  SOL_SOCKET,
  socket,
} from 'curio/socket';
import { VirtualClock } from 'curio/testing';
import { readWait, writeWait } from 'curio/traps';
import { expect, test } from 'vitest';
import { onEachDriver } from '../kit/drivers.ts';
import { type LinkLocal, linkLocal } from '../kit/link-local.ts';
import { recorder } from '../kit/recorder.ts';

const patient = () => ({ clock: new VirtualClock({ patience: 0.02 }) });

async function bound(
  family = AF_INET,
  where: Address = [family === AF_INET ? '127.0.0.1' : '::1', 0],
): Promise<[Socket, Address]> {
  const sock = socket(family, SOCK_DGRAM);
  sock.bind(where);
  await sock.ready();
  return [sock, sock.getsockname()];
}

onEachDriver('UDP', () => {
  test('echo, in its order', async () => {
    const log: string[] = [];
    await run(async () => {
      const [server, address] = await bound();
      const serving = await spawn(async () => {
        log.push('server waits');
        const [data, from] = await server.recvfrom(1000);
        log.push(`server got ${data}`);
        await server.sendto(data, from);
        await server.close();
        log.push('server closed');
      });
      await sleep(0);
      log.push('client start');
      const client = socket(AF_INET, SOCK_DGRAM);
      log.push('client sends');
      expect(await client.sendto('hello', address)).toBe(5);
      const [reply, from] = await client.recvfrom(1000);
      expect(from).toEqual(address);
      log.push(`client got ${reply}`);
      await client.close();
      log.push('client closed');
      await serving.join();
    });
    expect(log).toEqual([
      'server waits',
      'client start',
      'client sends',
      'server got hello',
      'server closed',
      'client got hello',
      'client closed',
    ]);
  });

  test('recvfrom honours timeout and cancellation, and loses nothing by them', () =>
    run(patient(), async () => {
      const [server, address] = await bound();
      await expect(timeoutAfter(1, () => server.recvfrom(100))).rejects.toBeInstanceOf(TaskTimeout);
      const task = await spawn(() => server.recvfrom(100));
      await sleep(0);
      await task.cancel();
      expect(task.exception).toBeInstanceOf(CancelledError);
      const client = socket(AF_INET, SOCK_DGRAM);
      await client.sendto('x', address);
      expect(String((await server.recvfrom(100))[0])).toBe('x');
      await client.close();
      await server.close();
    }));

  test('datagrams keep their borders, and what does not fit is cut off', () =>
    run(async () => {
      const [server, address] = await bound();
      const client = socket(AF_INET, SOCK_DGRAM);
      for (const text of ['first', '', 'third one']) await client.sendto(text, address);
      expect(String((await server.recvfrom(100))[0])).toBe('first');
      expect((await server.recvfrom(100))[0]).toHaveLength(0);
      const buffer = Buffer.alloc(5);
      const [n, from] = await server.recvfromInto(buffer);
      expect([n, String(buffer), (from as [string, number])[0]]).toEqual([5, 'third', '127.0.0.1']);
      await client.close();
      await server.close();
    }));

  test('a datagram can be looked at before it is taken', () =>
    run(async () => {
      const [server, address] = await bound();
      const client = socket(AF_INET, SOCK_DGRAM);
      await client.sendto('twice', address);
      const [peeked] = await server.recvfrom(100, MSG_PEEK);
      expect(String(peeked)).toBe('twice');
      peeked.fill(0);
      expect(String(await server.recv(100))).toBe('twice');
      await client.close();
      await server.close();
    }));

  test('a connected socket sends and receives without addresses, and knows its peer', () =>
    run(async () => {
      const [server, address] = await bound();
      const client = socket(AF_INET, SOCK_DGRAM);
      await client.connect(address);
      expect(client.getpeername()).toEqual(address);
      await client.send('ping');
      const [data, from] = await server.recvfrom(100);
      expect(String(data)).toBe('ping');
      expect(from).toEqual(client.getsockname());
      await server.sendto('pong', 0, from);
      expect(String(await client.recv(100))).toBe('pong');
      await client.close();
      await server.close();
    }));

  test('sendto looks names up', () =>
    run(async () => {
      const [server, address] = await bound();
      const client = socket(AF_INET, SOCK_DGRAM);
      await client.sendto('x', ['localhost', (address as [string, number])[1]]);
      expect(String((await server.recvfrom(100))[0])).toBe('x');
      await expect(client.sendto('x', ['no such host.invalid', 1])).rejects.toMatchObject({
        code: 'ENOTFOUND',
      });
      await client.close();
      await server.close();
    }));

  test('works over IPv6', () =>
    run(async () => {
      const [server, address] = await bound(AF_INET6);
      expect(address).toEqual(['::1', expect.any(Number), 0, 0]);
      const client = socket(AF_INET6, SOCK_DGRAM);
      await client.sendto('six', address);
      const [data, from] = await server.recvfrom(100);
      expect([String(data), (from as [string, number])[0]]).toEqual(['six', '::1']);
      await client.close();
      await server.close();
    }));

  test.skipIf(linkLocal === undefined)('an address of the local link goes with its interface', () =>
    run(async () => {
      const { address, scopeid } = linkLocal as LinkLocal;
      const [server, at] = await bound(AF_INET6, [address, 0, 0, scopeid]);
      expect(at).toEqual([address, at[1], 0, scopeid]);
      const client = socket(AF_INET6, SOCK_DGRAM);
      await client.connect(at);
      expect(client.getpeername()).toEqual(at);
      await client.send('connected');
      const [data, from] = await server.recvfrom(100);
      expect([String(data), from]).toEqual(['connected', [address, from[1], 0, scopeid]]);
      await server.sendto('addressed', from);
      expect(String(await client.recv(100))).toBe('addressed');
      for (const sock of [client, server]) await sock.close();
    }),
  );

  test('one task waits to read and another to write, and the reader can be cancelled', () =>
    run(async () => {
      const [sock] = await bound();
      const reader = await spawn(() => readWait(sock));
      const writer = await spawn(() => writeWait(sock));
      await writer.join();
      expect(reader.state).toBe('READ_WAIT');
      await expect(sock.recvfrom(10)).rejects.toBeInstanceOf(ReadResourceBusy);
      await reader.cancel();
      await sock.close();
    }));

  test('closing wakes the reader with EBADF, and a datagram too large is EMSGSIZE', () =>
    run({ logger: recorder() }, async () => {
      const [sock, address] = await bound();
      const reader = await spawn(() => sock.recvfrom(10));
      await sleep(0);
      await expect(sock.sendto(Buffer.alloc(70_000), address)).rejects.toMatchObject({ code: 'EMSGSIZE' });
      await sock.close();
      await reader.wait();
      expect(reader.exception).toMatchObject({ code: 'EBADF' });
      await expect(sock.sendto('x', address)).rejects.toMatchObject({ code: 'EBADF' });
    }));

  test('a port in use is EADDRINUSE', () =>
    run(async () => {
      const [first, address] = await bound();
      const second = socket(AF_INET, SOCK_DGRAM);
      const attempt = async () => {
        second.bind(address);
        await second.ready();
      };
      await expect(attempt()).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await first.close();
      await second.close();
    }));

  test('a flood that nobody receives is dropped, and only a little of it is kept', () =>
    run(async () => {
      const [server, address] = await bound();
      const client = socket(AF_INET, SOCK_DGRAM);
      const datagram = Buffer.alloc(60_000);
      for (let i = 0; i < 500; i++) {
        await client.sendto(datagram, address);
        if (i % 10 === 0) await sleep(0);
      }
      await server.recvfrom(65_536);
      let received = 1;
      while ((await timeoutAfter(0.1, () => server.recvfrom(65_536)).catch(() => null)) !== null) received++;
      expect(received).toBeLessThan(100);
      await client.close();
      await server.close();
    }));

  test('options can be set and read', () =>
    run(async () => {
      const sock = socket(AF_INET, SOCK_DGRAM);
      sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
      sock.bind(['127.0.0.1', 0]);
      await sock.ready();
      sock.setsockopt(SOL_SOCKET, SO_BROADCAST, true);
      sock.setsockopt(SOL_SOCKET, SO_RCVBUF, 50_000);
      sock.setsockopt(IPPROTO_IP, IP_TTL, 7);
      sock.setsockopt(IPPROTO_IP, IP_MULTICAST_LOOP, 1);
      sock.setsockopt(IPPROTO_IP, IP_ADD_MEMBERSHIP, Buffer.from([224, 0, 0, 114, 127, 0, 0, 1]));
      expect(sock.getsockopt(SOL_SOCKET, SO_TYPE)).toBe(SOCK_DGRAM);
      expect(sock.getsockopt(SOL_SOCKET, SO_BROADCAST)).toBe(1);
      expect(sock.getsockopt(SOL_SOCKET, SO_RCVBUF)).toBeGreaterThanOrEqual(50_000);
      expect(sock.getsockopt(IPPROTO_IP, IP_TTL)).toBe(7);
      await sock.close();
    }));
});
