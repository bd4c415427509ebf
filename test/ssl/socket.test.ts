// Putting TLS on a socket, on each driver.

import { once } from 'node:events';
import { openConnection, run, sleep, spawn } from 'curio';
import type { Socket } from 'curio/io';
import { createConnection, MSG_PEEK, SHUT_WR, socket } from 'curio/socket';
import { createDefaultContext, SSLContext, SSLError } from 'curio/ssl';
import { readWait } from 'curio/traps';
import { describe, expect, test } from 'vitest';
import { connectedPair, drain, listener, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import { answers, clientContext, echo, nodePlain, nodeServer, serverContext, tlsServer } from '../kit/tls.ts';
import { thrownBy } from '../kit/virtual.ts';

/** For runs in which handshakes are meant to fail. */
const quiet = () => ({ logger: recorder() });

onEachDriver('TLS', (_driver) => {
  describe('wrapSocket', () => {
    test('on a connected socket shakes hands, and takes the socket over', () =>
      run(async () => {
        const [server, port] = await tlsServer(echo);
        const plain = await createConnection(['localhost', port]);
        await using sock = await clientContext().wrapSocket(plain, { serverHostname: 'localhost' });
        expect(sock.version()).toBe('TLSv1.3');
        await answers(sock);
        expect(await thrownBy(plain.recv(1))).toMatchObject({ code: 'EBADF' });
        await plain.close();
        await answers(sock, 'still open');
        await server.cancel();
      }));

    test('with doHandshakeOnConnect false leaves the handshake to doHandshake, or to the first use', () =>
      run(async () => {
        const [server, port] = await tlsServer(echo);
        const context = clientContext();
        const options = { serverHostname: 'localhost', doHandshakeOnConnect: false };
        await using one = await context.wrapSocket(await createConnection(['localhost', port]), options);
        expect(one.version()).toBeNull();
        await one.doHandshake();
        expect(one.version()).toBe('TLSv1.3');
        await one.doHandshake();
        await using two = await context.wrapSocket(await createConnection(['localhost', port]), options);
        await answers(two);
        await server.cancel();
      }));

    test('on a socket that is not connected yet shakes hands in connect', () =>
      run(quiet(), async () => {
        const [server, port] = await tlsServer(echo);
        const options = { serverHostname: 'localhost' };
        await using sock = await clientContext().wrapSocket(socket(), options);
        expect(await thrownBy(sock.doHandshake())).toMatchObject({ code: 'ENOTCONN' });
        expect(sock.version()).toBeNull();
        await sock.connect(['127.0.0.1', port]);
        await answers(sock);
        expect(await thrownBy(sock.connect(['127.0.0.1', port]))).toMatchObject({ code: 'EISCONN' });
        await using bad = await createDefaultContext().wrapSocket(socket(), options);
        expect(await thrownBy(bad.connect(['127.0.0.1', port]))).toBeInstanceOf(SSLError);
        await using refused = await clientContext().wrapSocket(socket(), options);
        await server.cancel();
        expect(await refused.connectEx(['127.0.0.1', port])).toBeGreaterThan(0);
      }));

    test('on a socket that is not connected yet sends nothing in the clear, and gives out nothing that has come so', () =>
      run(async () => {
        const [listening, address] = await listener();
        await using plain = socket();
        await using sock = await clientContext().wrapSocket(plain, { serverHostname: 'localhost' });
        const stream = sock.asStream();
        // Connected behind its back, or by a connect() that was given up.
        await plain.connect(address);
        await using peer = (await listening.accept())[0];
        await listening.close();
        await peer.sendall('220 ready');
        await readWait(plain);
        const operations = [
          () => sock.send('secret'),
          () => sock.sendall('secret'),
          () => sock.sendto('secret', address),
          () => stream.write('secret'),
          () => sock.recv(100),
          () => sock.recvInto(Buffer.alloc(100)),
          () => sock.recvfrom(100),
          () => sock.recvfromInto(Buffer.alloc(100)),
          () => sock.recv(100, MSG_PEEK),
          () => stream.read(),
          () => sock.makefile('rb').readline(),
        ];
        for (const operation of operations) {
          expect(await thrownBy(operation()), String(operation)).toMatchObject({
            code: 'ENOTCONN',
            message: expect.stringContaining('there is no TLS connection yet'),
          });
        }
        await plain.shutdown(SHUT_WR);
        expect(await drain(peer)).toHaveLength(0);
        await plain.close();
        expect(await thrownBy(sock.recv(100))).toMatchObject({ code: 'EBADF' });
      }));

    test('sends nothing in the clear after a connect that was given up and has come about', () =>
      run(async () => {
        const [listening, address] = await listener();
        const sock = await clientContext().wrapSocket(socket(), { serverHostname: 'localhost' });
        const connecting = await spawn(() => sock.connect(address));
        await sleep(0);
        await connecting.cancel();
        await using peer = (await listening.accept())[0];
        await listening.close();
        expect(await thrownBy(sock.sendall('secret'))).toMatchObject({ code: 'ENOTCONN' });
        await sock.close();
        expect(await drain(peer)).toHaveLength(0);
      }));

    test('on a listening socket gives clients that speak TLS', () =>
      run(quiet(), async () => {
        const plain = socket();
        plain.bind(['127.0.0.1', 0]);
        plain.listen();
        await plain.ready();
        const [, port] = plain.getsockname() as [string, number];
        await using listening = await serverContext().wrapSocket(plain, { serverSide: true });
        const serve = await spawn(async () => {
          const [client] = await listening.accept();
          await using sock = client;
          expect(sock.version()).toBe('TLSv1.3');
          await echo(sock);
        });
        const sock = await openConnection('localhost', port, { ssl: clientContext() });
        await answers(sock);
        await sock.close();
        await serve.join();
        // A client whose handshake fails comes out of accept; the next one is served.
        const accepting = await spawn(() => listening.accept());
        (await nodePlain(port)).end('hello\n');
        await accepting.wait();
        expect(accepting.exception).toBeInstanceOf(SSLError);
        expect(() => clientContext().wrapSocket(plain, { serverSide: true })).toThrow(/for clients/);
        const either = new SSLContext();
        expect(await thrownBy(either.wrapSocket(plain))).toMatchObject({
          message: expect.stringContaining(
            'this socket listens, and so is a server’s. Write { serverSide: true }',
          ),
        });
      }));

    test('refuses what is no connection', () =>
      run(async () => {
        const context = new SSLContext();
        const closed = socket();
        await closed.close();
        expect(await thrownBy(context.wrapSocket(closed))).toMatchObject({ code: 'EBADF' });
        const { SOCK_DGRAM, AF_INET } = await import('curio/socket');
        await using udp = socket(AF_INET, SOCK_DGRAM);
        expect(() => context.wrapSocket(udp)).toThrow(/only a stream socket can carry TLS/);
        expect(() => context.wrapSocket('nonsense' as never)).toThrow(TypeError);
      }));

    test('takes a socket of Node’s', () =>
      run(async () => {
        const [server, port] = await tlsServer(echo);
        const node = await nodePlain(port);
        await using sock = await clientContext().wrapSocket(node, { serverHostname: 'localhost' });
        await answers(sock);
        await server.cancel();
      }));

    test('goes on where plain text has ended, though the peer’s first bytes of TLS have come along', () =>
      run(async () => {
        const [server, port] = await (async () => {
          const listening = socket();
          listening.bind(['127.0.0.1', 0]);
          listening.listen();
          await listening.ready();
          const [, port] = listening.getsockname() as [string, number];
          const server = await spawn(async () => {
            const [client] = await listening.accept();
            await listening.close();
            expect(String(await client.recv(9))).toBe('STARTTLS\n');
            // By now the greeting of the client may be there, read ahead or not.
            await sleep(0.02);
            await using sock = await serverContext().wrapSocket(client, { serverSide: true });
            await echo(sock);
          });
          return [server, port] as const;
        })();
        const plain = await createConnection(['127.0.0.1', port]);
        await plain.sendall('STARTTLS\n');
        const sock = await clientContext().wrapSocket(plain, { serverHostname: 'localhost' });
        await answers(sock);
        await sock.close();
        await server.join();
      }));

    test('goes on with what the socket’s stream has read ahead, for that is TLS', () =>
      run(async () => {
        const [plain, peer] = await connectedPair();
        const client = await spawn(async () => {
          await plain.sendall('STARTTLS\n');
          await using sock = await clientContext().wrapSocket(plain, { serverHostname: 'localhost' });
          await answers(sock);
        });
        // Now the client's greeting is there too.
        await sleep(0.05);
        const stream = peer.asStream();
        expect(String(await stream.readline())).toBe('STARTTLS\n');
        await using sock = await serverContext().wrapSocket(peer, { serverSide: true });
        expect(sock.asStream() === stream).toBe(false);
        await echo(sock);
        await client.join();
      }));

    test('does not take for a message what somebody has slipped in before TLS began', () =>
      run(quiet(), async () => {
        const [plain, peer] = await connectedPair();
        await plain.sendall('STARTTLS\nDELETE EVERYTHING\n');
        expect(String(await peer.asStream().readline())).toBe('STARTTLS\n');
        const client = await spawn(() => clientContext().wrapSocket(plain, { serverHostname: 'localhost' }));
        expect(await thrownBy(serverContext().wrapSocket(peer, { serverSide: true }))).toBeInstanceOf(
          SSLError,
        );
        await client.wait();
      }));

    test.each([true, false])(
      'does not give out as a message what a client sent before it reset the connection (handshake: %s)',
      (doHandshakeOnConnect) =>
        run(quiet(), async () => {
          const [listening, [, port]] = (await listener()) as [Socket, [string, number]];
          const client = await nodePlain(port);
          const [peer] = await listening.accept();
          await listening.close();
          client.write('DELETE EVERYTHING\n');
          client.resetAndDestroy();
          if (!client.closed) await once(client, 'close');
          const options = { serverSide: true, doHandshakeOnConnect };
          const wrapped = serverContext().wrapSocket(peer, options);
          const receiving = doHandshakeOnConnect ? wrapped : wrapped.then((sock) => sock.recv(100));
          expect(await thrownBy(receiving)).toBeInstanceOf(SSLError);
          await peer.close();
        }),
    );

    test('does not give out as a message what a server sent before it reset the connection', () =>
      run(quiet(), async () => {
        const port = await nodeServer((sock) => {
          sock.write('220 ready\n250 password accepted\n');
          sock.once('data', () => sock.resetAndDestroy());
        });
        await using plain = await createConnection(['127.0.0.1', port]);
        expect(String(await plain.recv(10))).toBe('220 ready\n');
        await plain.sendall('STARTTLS\n');
        // By now the reset is there too.
        await sleep(0.05);
        const wrapped = clientContext().wrapSocket(plain, { serverHostname: 'localhost' });
        expect(await thrownBy(wrapped)).toBeInstanceOf(SSLError);
      }));

    test.each(['end', 'resetAndDestroy'] as const)('fails on a connection that is over: %s', (over) =>
      run(quiet(), async () => {
        const [listening, [, port]] = (await listener()) as [Socket, [string, number]];
        const client = await nodePlain(port);
        const [peer] = await listening.accept();
        await listening.close();
        client.write('STARTTLS\n');
        expect(String(await peer.recv(9))).toBe('STARTTLS\n');
        client[over]();
        // By now that is known here, read ahead or not.
        await sleep(0.05);
        expect(await thrownBy(serverContext().wrapSocket(peer, { serverSide: true }))).toMatchObject({
          name: 'SSLError',
          message: 'TLS failed: the client closed the connection in the middle of the handshake.',
        });
        client.destroy();
      }),
    );

    test('works inside TLS', () =>
      run(async () => {
        const context = serverContext();
        const [server, port] = await tlsServer(async (client) => {
          await using inner = await context.wrapSocket(client, { serverSide: true });
          await echo(inner);
        }, context);
        const outer = await openConnection('localhost', port, { ssl: clientContext() });
        await using inner = await clientContext().wrapSocket(outer, { serverHostname: 'localhost' });
        await answers(inner);
        await server.cancel();
      }));
  });
});
