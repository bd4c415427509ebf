// The socket module: its constants, connections by name, and names of hosts and services.

import { hostname } from 'node:os';
import * as curio from 'curio';
import { gather, openConnection, run, TaskTimeout, timeoutAfter } from 'curio';
import * as io from 'curio/io';
import * as module from 'curio/socket';
import {
  AF_INET,
  AF_INET6,
  AI_NUMERICHOST,
  AI_PASSIVE,
  createConnection,
  EOFError,
  getaddrinfo,
  getfqdn,
  gethostbyaddr,
  gethostbyname,
  gethostbynameEx,
  gethostname,
  getnameinfo,
  IPPROTO_TCP,
  NI_NUMERICHOST,
  NI_NUMERICSERV,
  SOCK_DGRAM,
  SOCK_STREAM,
  Socket,
  socket,
  TCP_NODELAY,
} from 'curio/socket';
import { describe, expect, test } from 'vitest';
import { listener, onEachDriver } from './kit/drivers.ts';
import { available, posix } from './native/addon.ts';

test('Socket and the errors are those of the other modules', () => {
  expect(Socket).toBe(io.Socket);
  expect(EOFError).toBe(curio.EOFError);
});

describe.runIf(available)('constants', () => {
  test('are the platform’s own', () => {
    const table = Object.entries(posix.constants).filter(([name]) => !/^(E?POLL|O_NONBLOCK)/.test(name));
    const exported = module as unknown as Record<string, number>;
    expect(table.length).toBeGreaterThan(200);
    expect(Object.fromEntries(table.map(([name]) => [name, exported[name]]))).toEqual(
      Object.fromEntries(table),
    );
  });
});

onEachDriver('connections by name', () => {
  test('createConnection binds the local end it is told', () =>
    run(async () => {
      const [server, address] = await listener();
      const [probe, free] = await listener();
      await probe.close();
      const [, [client, peer]] = await gather([
        async () => {
          const sock = await createConnection(address, { sourceAddress: free });
          expect(sock.getsockname()).toEqual(free);
          expect(await sock.recv(10)).toHaveLength(0);
          await sock.close();
        },
        async () => {
          const [sock, from] = await server.accept();
          await sock.close();
          return [sock, from] as const;
        },
      ]);
      expect(client).toBeInstanceOf(Socket);
      expect(peer).toEqual(free);
      await server.close();
    }));

  test('localhost is found, whichever family the server has', () =>
    run(async () => {
      for (const host of ['127.0.0.1', '::1']) {
        const server = socket(host === '::1' ? AF_INET6 : AF_INET, SOCK_STREAM);
        server.bind([host, 0]);
        server.listen(5);
        await server.ready();
        const [, port] = server.getsockname() as [string, number];
        const client = await openConnection(host, port);
        const [peer, address] = await server.accept();
        expect((address as [string, number])[0]).toBe(host);
        expect(client.getpeername()).toEqual(server.getsockname());
        for (const sock of [client, peer, server]) await sock.close();
      }
    }));

  test('a host with two addresses is reached at the one that answers', () =>
    run(async () => {
      const { connectToFirst } = await import('../src/io/eyeballs.ts');
      const [server, address] = await listener();
      const [, port] = address as [string, number];
      const hosts = [
        { family: AF_INET6, host: '::1' },
        { family: AF_INET, host: '127.0.0.1' },
      ];
      const client = await connectToFirst(hosts, port, null);
      expect(client.getpeername()).toEqual(address);
      await client.close();
      await server.close();
      const error = await connectToFirst(hosts, port, null).catch((e) => e);
      expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '::1' });
      expect(error.errors).toHaveLength(2);
    }));

  test('an address that does not answer costs a quarter of a second, and leaves nothing behind', () =>
    run(async () => {
      const { connectToFirst } = await import('../src/io/eyeballs.ts');
      const [server, address] = await listener();
      const [, port] = address as [string, number];
      // Nobody routes the first one; where the system says so at once, no time is lost either.
      const hosts = [
        { family: AF_INET, host: '192.0.2.1' },
        { family: AF_INET, host: '127.0.0.1' },
      ];
      const client = await timeoutAfter(5, () => connectToFirst(hosts, port, null));
      expect(client.getpeername()).toEqual(address);
      await client.close();
      await server.close();
    }));

  test('what only has colons is no address of IPv6, but a name that does not resolve', () =>
    run(async () => {
      for (const host of ['[::1]', 'localhost:80', 'http://localhost', '127.0.0.1:80', 'dead:80'])
        await expect(openConnection(host, 80)).rejects.toMatchObject({ code: 'ENOTFOUND', hostname: host });
    }));

  test('a name that does not resolve is ENOTFOUND', () =>
    run(async () => {
      await expect(openConnection('no-such-host.invalid', 80)).rejects.toMatchObject({ code: 'ENOTFOUND' });
      expect(() => socket().bind(['no-such-host.invalid', 80])).toThrow(/gethostbyname/);
    }));

  test('options of a TCP socket can be set and read', () =>
    run(async () => {
      const [server, address] = await listener();
      const sock = socket();
      sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, true);
      expect(sock.getsockopt(IPPROTO_TCP, TCP_NODELAY)).toBe(1);
      await sock.connect(address);
      expect(sock.getsockopt(IPPROTO_TCP, TCP_NODELAY)).toBe(1);
      sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 0);
      expect(sock.getsockopt(IPPROTO_TCP, TCP_NODELAY)).toBe(0);
      await sock.close();
      await server.close();
    }));
});

describe('names', () => {
  test('getaddrinfo finds every way to a service', () =>
    run(async () => {
      expect(await getaddrinfo('127.0.0.1', 80, AF_INET, SOCK_STREAM)).toEqual([
        [AF_INET, SOCK_STREAM, IPPROTO_TCP, '', ['127.0.0.1', 80]],
      ]);
      expect(await getaddrinfo('::1', '53', 0, SOCK_DGRAM)).toEqual([
        [AF_INET6, SOCK_DGRAM, 17, '', ['::1', 53, 0, 0]],
      ]);
      expect(await getaddrinfo('127.0.0.1', 80)).toHaveLength(3);
      expect((await getaddrinfo(null, 1, AF_INET, SOCK_STREAM, 0, AI_PASSIVE))[0]![4]).toEqual([
        '0.0.0.0',
        1,
      ]);
      expect((await getaddrinfo(null, 1, AF_INET, SOCK_STREAM))[0]![4]).toEqual(['127.0.0.1', 1]);
      const local = await getaddrinfo('localhost', 80, 0, SOCK_STREAM);
      expect(local.map(([, , , , [host]]) => host)).toContain('127.0.0.1');
    }));

  test('getaddrinfo fails for what does not exist', () =>
    run(async () => {
      await expect(getaddrinfo('no-such-host.invalid', 80)).rejects.toMatchObject({ code: 'ENOTFOUND' });
      await expect(getaddrinfo('127.0.0.1', 'no such service')).rejects.toMatchObject({ code: 'ENOTFOUND' });
      await expect(getaddrinfo('localhost', 80, 0, 0, 0, AI_NUMERICHOST)).rejects.toMatchObject({
        code: 'ENOTFOUND',
      });
      await expect(getaddrinfo('127.0.0.1', '70000')).rejects.toMatchObject({ code: 'ENOTFOUND' });
      expect(() => getaddrinfo(5 as never, 80)).toThrow(TypeError);
      expect(() => getaddrinfo('127.0.0.1', {} as never)).toThrow(
        'getaddrinfo() wants a number as port, not',
      );
      expect(() => getaddrinfo('127.0.0.1', 70000)).toThrow(
        'getaddrinfo() wants a port from 0 to 65535, not 70000.',
      );
      const asOptions = { family: AF_INET } as never;
      expect(() => getaddrinfo('127.0.0.1', 80, asOptions)).toThrow('wants a number as family, not');
    }));

  test('hosts by name and address', () =>
    run(async () => {
      expect(await gethostbyname('localhost')).toBe('127.0.0.1');
      expect(await gethostbyname('127.0.0.2')).toBe('127.0.0.2');
      expect(await gethostbynameEx('localhost')).toEqual(['localhost', [], ['127.0.0.1']]);
      expect(await gethostbyaddr('127.0.0.1')).toEqual(['localhost', [], ['127.0.0.1']]);
      await expect(gethostbyname('no-such-host.invalid')).rejects.toMatchObject({ code: 'ENOTFOUND' });
      // They are about IPv4.
      await expect(gethostbyname('::1')).rejects.toMatchObject({ code: 'ENOTFOUND' });
      await expect(gethostbynameEx('::1')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    }));

  test('this machine’s own name', () =>
    run(async () => {
      expect(await gethostname()).toBe(hostname());
      expect((await getfqdn()).length).toBeGreaterThan(0);
      expect(await getfqdn('no-such-host.invalid')).toBe('no-such-host.invalid');
    }));

  test('addresses in words and numbers', () =>
    run(async () => {
      expect(await getnameinfo(['127.0.0.1', 80], NI_NUMERICHOST | NI_NUMERICSERV)).toEqual([
        '127.0.0.1',
        '80',
      ]);
      expect((await getnameinfo(['127.0.0.1', 80]))[0]).toBe('localhost');
    }));

  test('a look-up is left at once when its time is up', () =>
    run(async () => {
      const look = timeoutAfter(0, () => gethostbyname('name.invalid'));
      await expect(look).rejects.toBeInstanceOf(TaskTimeout);
    }));
});
