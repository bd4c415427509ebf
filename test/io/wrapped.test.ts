// Sockets of Node's wrapped as Curio's, which works on any driver.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket as NetSocket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { gather, run, sleep, spawn } from 'curio';
import { Socket, SocketStream } from 'curio/io';
import { AF_INET, SHUT_WR, SOCK_DGRAM, SOCK_STREAM, socket } from 'curio/socket';
import { expect, test } from 'vitest';
import { drain, onEachDriver } from '../kit/drivers.ts';
import { pemText } from '../kit/tls.ts';

/** A connection of Node's own. */
async function nodePair(): Promise<[NetSocket, NetSocket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [peer] = (await once(server, 'connection')) as [NetSocket];
  if (client.connecting) await once(client, 'connect');
  server.close();
  return [client, peer];
}

onEachDriver('wrapped', () => {
  test('a net.Socket is read, written and closed', () =>
    run(async () => {
      const [a, b] = await nodePair();
      const sock = new Socket(a);
      expect([sock.family, sock.type]).toEqual([AF_INET, SOCK_STREAM]);
      expect(sock.getpeername()).toEqual(['127.0.0.1', b.localPort]);
      b.write('hello');
      expect(String(await sock.recv(3))).toBe('hel');
      expect(String(await sock.recv(100))).toBe('lo');
      const reader = await spawn(() => sock.recv(100));
      await sleep(0);
      b.write('world');
      expect(String(await reader.join())).toBe('world');
      await sock.sendall('reply');
      await sock.close();
      const chunks = await b.toArray();
      expect(String(Buffer.concat(chunks))).toBe('reply');
      expect(a.destroyed).toBe(true);
    }));

  test('a net.Socket whose first bytes others have read loses none of the next', () =>
    run(async () => {
      const [a, b] = await nodePair();
      b.write('first');
      const [first] = (await once(a, 'data')) as [Buffer];
      expect(String(first)).toBe('first');
      await using sock = new Socket(a);
      b.write('second');
      await sleep(0.02);
      expect(String(await sock.recv(100))).toBe('second');
      b.destroy();
    }));

  test('a net.Socket that still connects is waited for', () =>
    run(async () => {
      const server = createServer((socket) => socket.end('welcome')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const sock = new SocketStream(connect((server.address() as { port: number }).port, '127.0.0.1'));
      expect(String(await sock.readall())).toBe('welcome');
      await sock.close();
      server.close();
    }));

  test('a net.Server is accepted from', () =>
    run(async () => {
      const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const sock = new Socket(server);
      const client = connect((server.address() as { port: number }).port, '127.0.0.1');
      client.end('from outside');
      const [peer, address] = await sock.accept();
      expect(address).toEqual(['127.0.0.1', client.localPort]);
      expect(String(await drain(peer))).toBe('from outside');
      await peer.close();
      await sock.close();
      expect(server.listening).toBe(false);
    }));

  test('a dgram.Socket receives and sends', () =>
    run(async () => {
      const node = createSocket('udp4').bind(0, '127.0.0.1');
      await once(node, 'listening');
      const sock = new Socket(node);
      expect([sock.family, sock.type]).toEqual([AF_INET, SOCK_DGRAM]);
      expect(sock.getsockname()).toEqual(['127.0.0.1', node.address().port]);
      const other = createSocket('udp4');
      other.send('ping', node.address().port, '127.0.0.1');
      const [data, from] = await sock.recvfrom(100);
      expect(String(data)).toBe('ping');
      await sock.sendto('pong', from);
      const [reply] = (await once(other, 'message')) as [Buffer];
      expect(String(reply)).toBe('pong');
      other.close();
      await sock.close();
    }));

  test('a dgram.Socket that is connected sends to its peer', () =>
    run(async () => {
      const other = createSocket('udp4').bind(0, '127.0.0.1');
      await once(other, 'listening');
      const node = createSocket('udp4');
      node.connect(other.address().port, '127.0.0.1');
      await once(node, 'connect');
      const sock = new Socket(node);
      expect(sock.getpeername()).toEqual(['127.0.0.1', other.address().port]);
      await sock.send('ping');
      const [data] = (await once(other, 'message')) as [Buffer];
      expect(String(data)).toBe('ping');
      other.close();
      await sock.close();
    }));

  test('what is no socket is refused', () => {
    expect(() => new Socket({} as never)).toThrow(/net\.Socket/);
    expect(() => new Socket('socket' as never)).toThrow(TypeError);
  });

  test('a tls.TLSSocket is waited for until hands are shaken, read, written and closed, on either side', () =>
    run(async () => {
      const certificate = { cert: pemText('localhost'), key: pemText('localhost-key') };
      const server = createTlsServer({ ...certificate, allowHalfOpen: true });
      const shaken = once(server, 'secureConnection');
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const plain = connectTls({ port, host: '127.0.0.1', ca: pemText('ca'), servername: 'localhost' });
      const client = new Socket(plain);
      const shaking = await spawn(() => client.doHandshake());
      await sleep(0);
      expect(shaking.state).toBe('WRITE_WAIT');
      await shaking.cancel();
      await client.doHandshake();
      const [peer] = (await shaken) as [TLSSocket];
      const other = new Socket(peer);
      const data = Buffer.alloc(3_000_000, 'tls');
      const [, received] = await gather([
        async () => {
          await client.sendall(data);
          await client.shutdown(SHUT_WR);
        },
        () => drain(other),
      ]);
      expect(received.equals(data)).toBe(true);
      await other.sendall('reply');
      await other.close();
      expect(String(await client.asStream().readall())).toBe('reply');
      await client.close();
      server.close();
      expect([plain.destroyed, peer.destroyed]).toEqual([true, true]);
    }));

  test('a tls.TLSSocket whose certificate is not trusted is an error of the handshake', () =>
    run(async () => {
      const server = createTlsServer({ cert: pemText('localhost'), key: pemText('localhost-key') });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as { port: number };
      const client = new Socket(connectTls({ port, host: '127.0.0.1', servername: 'localhost' }));
      await expect(client.doHandshake()).rejects.toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/) });
      await expect(client.recv(10)).rejects.toThrow();
      await client.close();
      server.close();
    }));

  test('doHandshake is for TLS sockets', () =>
    run(async () => {
      const [a, b] = await nodePair();
      const sock = new Socket(a);
      await expect(sock.doHandshake()).rejects.toThrow(/no TLS socket/);
      await sock.close();
      b.destroy();
      await using fresh = socket();
      await expect(fresh.doHandshake()).rejects.toThrow(/no TLS socket/);
    }));

  test('a peer that does not read stops the sender, and one that is not read is stopped', () =>
    run(async () => {
      const [a, b] = await nodePair();
      b.pause();
      const sock = new Socket(a);
      const sender = await spawn(() => sock.sendall(Buffer.alloc(30_000_000)));
      await sleep(0.05);
      expect(sender.state).toBe('WRITE_WAIT');
      expect(a.writableLength).toBeLessThanOrEqual(65_536);
      await sender.cancel();
      // Nobody receives here: Node's buffer fills, and then the operating systems' two.
      await spawn({ daemon: true }, () => sock.recv(1));
      b.write(Buffer.alloc(30_000_000));
      await sleep(0.05);
      expect(a.readableLength).toBeLessThanOrEqual(200_000);
      expect(b.writableLength).toBeGreaterThan(10_000_000);
      await sock.close();
      b.destroy();
    }));

  test('a net.Socket that others destroy while it sends is broken, not cancelled', () =>
    run(async () => {
      const [a, b] = await nodePair();
      b.pause();
      const sock = new Socket(a);
      const code = (error: { code?: string }) => error.code;
      const sender = await spawn(() => sock.sendall(Buffer.alloc(30_000_000)).catch(code));
      const reader = await spawn(() => sock.recv(1).catch(code));
      await sleep(0.05);
      expect(a.writableLength).toBeGreaterThan(0);
      const closed = once(a, 'close');
      a.destroy();
      expect(await sender.join()).toBe('EPIPE');
      expect(await reader.join()).toBe('EBADF');
      // By now Node has told what became of the write that was under way.
      await closed;
      await expect(sock.send('x')).rejects.toMatchObject({ code: 'EPIPE' });
      await expect(sock.recv(1)).rejects.toMatchObject({ code: 'EBADF' });
      await sock.close();
      b.destroy();
    }));
});
