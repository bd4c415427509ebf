// TLS connections and servers on each driver, both sides made here or by Node; what `ssl` means in options; the module's functions.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createSecureContext } from 'node:tls';
import {
  openConnection,
  openUnixConnection,
  run,
  runServer,
  sleep,
  spawn,
  TaskTimeout,
  tcpServer,
  unixServer,
  unixServerSocket,
} from 'curio';
import { createConnection, socket } from 'curio/socket';
import {
  CERT_NONE,
  CERT_REQUIRED,
  createDefaultContext,
  getServerCertificate,
  PROTOCOL_TLS_SERVER,
  Purpose,
  SSLContext,
  SSLError,
  SSLSocket,
  type TlsContext,
  wrapSocket,
} from 'curio/ssl';
import { describe, expect, onTestFinished, test } from 'vitest';
import { program } from '../kit/child.ts';
import { drain, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import {
  answers,
  clientContext,
  echo,
  nodeServer,
  nodeTls,
  pem,
  pemText,
  serverContext,
  tlsServer,
  trustingContext,
} from '../kit/tls.ts';
import { thrownBy } from '../kit/virtual.ts';

/** For runs in which handshakes are meant to fail. */
const quiet = () => ({ logger: recorder() });

const rawServer = () => createSecureContext({ cert: pemText('localhost'), key: pemText('localhost-key') });
const rawClient = () => createSecureContext({ ca: pemText('ca') });

onEachDriver('TLS', (driver) => {
  describe('servers', () => {
    const contexts: [string, () => TlsContext][] = [
      ['an SSLContext', serverContext],
      ['a context of Node’s', rawServer],
      ['options for one', () => ({ cert: pemText('localhost'), key: pemText('localhost-key') })],
    ];
    for (const [what, context] of contexts) {
      test(`with ${what} serve clients with each kind, and Node’s own`, () =>
        run(async () => {
          const [server, port] = await tlsServer(echo, context());
          for (const ssl of [clientContext(), rawClient(), { ca: pemText('ca') }]) {
            await using sock = await openConnection('localhost', port, { ssl });
            expect(sock).toBeInstanceOf(SSLSocket);
            await answers(sock);
          }
          const node = await nodeTls(port);
          const answer = new Promise((resolve) => node.once('data', resolve));
          node.write('hello');
          expect(String(await answer)).toBe('hello');
          node.destroy();
          await server.cancel();
        }));
    }

    test('on a Unix socket need no host name', () =>
      run(async () => {
        const folder = mkdtempSync(`${tmpdir()}/curio-tls-`);
        onTestFinished(() => rmSync(folder, { recursive: true }));
        const listening = unixServerSocket(`${folder}/one`);
        await listening.ready();
        const one = await spawn(runServer, listening, echo as never, { ssl: serverContext() });
        const ssl = clientContext();
        expect(() => openUnixConnection(`${folder}/one`, { ssl })).toThrow(/Give serverHostname/);
        expect(() => openUnixConnection(`${folder}/one`, { ssl: true })).toThrow(RangeError);
        await using checked = await openUnixConnection(`${folder}/one`, { ssl, serverHostname: 'localhost' });
        await answers(checked);
        ssl.checkHostname = false;
        await using unchecked = await openUnixConnection(`${folder}/one`, { ssl });
        await answers(unchecked);
        await one.cancel();

        const two = await spawn(unixServer, `${folder}/two`, echo as never, { ssl: serverContext() });
        await sleep(0.01);
        await using third = await openUnixConnection(`${folder}/two`, { ssl: trustingContext() });
        await answers(third);
        await two.cancel();
      }));

    test('cannot have `ssl: true`, nor what is no context', () => {
      const mistakes = [
        [true, /tcpServer\(\): ssl cannot be true, since a server needs a certificate.*Purpose.CLIENT_AUTH/],
        ['yes', /ssl is an SSLContext of curio\/ssl.*not "yes"/],
        [createDefaultContext(), /this context is for clients/],
        [createDefaultContext(Purpose.CLIENT_AUTH), /needs a certificate/],
      ] as const;
      for (const [ssl, message] of mistakes) {
        expect(() => tcpServer('', 0, echo as never, { ssl } as never)).toThrow(message);
      }
      expect(() => unixServer('/nowhere', echo as never, { ssl: true } as never)).toThrow(TypeError);
      expect(() => runServer(null as never, echo as never, { ssl: true } as never)).toThrow(TypeError);
    });

    test('shake hands in the first read, or the first write', () =>
      run(async () => {
        const [server, port] = await tlsServer(async (client) => {
          expect(client.version()).toBeNull();
          expect(() => client.getpeercert()).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
          expect(() => client.getpeercert()).toThrow('await sock.doHandshake()');
          await client.sendall('welcome\n');
          expect(client.version()).toBe('TLSv1.3');
          await echo(client);
        });
        await using sock = await openConnection('localhost', port, { ssl: clientContext() });
        expect(String(await sock.recv(100))).toBe('welcome\n');
        await answers(sock);
        await server.cancel();
      }));

    test('know the name they were called, and the address of the client', () =>
      run(async () => {
        const [server, port] = await tlsServer(async (client, address) => {
          await client.doHandshake();
          await client.sendall(
            JSON.stringify([
              client.serverHostname,
              client.serverSide,
              client.getpeername(),
              address,
              client.getsockname(),
            ]),
          );
        });
        await using sock = await openConnection('127.0.0.1', port, {
          ssl: clientContext(),
          serverHostname: 'localhost',
        });
        const own = sock.getsockname();
        expect(JSON.parse(String(await drain(sock)))).toEqual([
          'localhost',
          true,
          own,
          own,
          ['127.0.0.1', port],
        ]);
        expect([sock.serverHostname, sock.serverSide]).toEqual(['localhost', false]);
        await server.cancel();
      }));
  });

  describe('options', () => {
    test('for TLS without ssl are a RangeError before anything is connected', () => {
      for (const operation of [
        (options: object) => openConnection('127.0.0.1', 1, options),
        (options: object) => openUnixConnection('/nowhere', options),
      ]) {
        expect(() => operation({ serverHostname: 'x' })).toThrow(/serverHostname is what.*Give ssl too/);
        expect(() => operation({ serverHostname: 'x', ssl: false })).toThrow(RangeError);
        expect(() => operation({ alpnProtocols: ['h2'] })).toThrow(
          /alpnProtocols are for TLS\. Give ssl too/,
        );
        expect(() => operation({ ssl: 5 })).toThrow(/ssl is an SSLContext of curio\/ssl.*not 5/);
        expect(() => operation({ ssl: serverContext() })).toThrow(/this context is for servers/);
      }
    });

    test('outside a task nothing is connected', async () => {
      expect(await thrownBy(openConnection('127.0.0.1', 1, { ssl: true }))).toMatchObject({
        code: 'ERR_CURIO_RUNTIME',
      });
      const sock = await run(async () => socket());
      expect(await thrownBy(wrapSocket(sock, { serverHostname: 'x' }))).toMatchObject({
        code: 'ERR_CURIO_RUNTIME',
      });
      sock.closeNow();
    });

    test('a server that cannot be reached is the system’s error', () =>
      run(async () => {
        const [server, port] = await tlsServer(echo);
        await server.cancel();
        expect(await thrownBy(openConnection('127.0.0.1', port, { ssl: clientContext() }))).toMatchObject({
          code: 'ECONNREFUSED',
        });
      }));

    test('a server that speaks no TLS is an SSLError that asks for the port', () =>
      run(async () => {
        const { createServer } = await import('node:net');
        const plain = createServer((sock) =>
          sock.on('error', () => {}).end('220 smtp.example.com ESMTP\r\n'),
        );
        await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
        const { port } = plain.address() as { port: number };
        expect(await thrownBy(openConnection('127.0.0.1', port, { ssl: clientContext() }))).toMatchObject({
          code: expect.stringMatching(/^ERR_SSL_/),
          message:
            'TLS failed: 127.0.0.1 does not speak TLS. Perhaps it is the wrong port, or ssl is to be left out.',
        });
      }));
  });

  describe('the module’s functions', () => {
    test('wrapSocket makes a context of its options, for both sides', () =>
      run(quiet(), async () => {
        const [server, port] = await tlsServer(echo);
        const plain = await createConnection(['localhost', port]);
        await using sock = await wrapSocket(plain, { serverHostname: 'localhost', caCerts: pem('ca') });
        await answers(sock);
        const strict = await createConnection(['localhost', port]);
        expect(await thrownBy(wrapSocket(strict, { serverHostname: 'localhost' }))).toBeInstanceOf(SSLError);
        expect(() => wrapSocket(strict)).toThrow(/Give serverHostname/);
        await using lax = await wrapSocket(await createConnection(['localhost', port]), {
          certReqs: CERT_NONE,
        });
        await answers(lax);
        await using nameless = await wrapSocket(await createConnection(['localhost', port]), {
          certReqs: CERT_REQUIRED,
          caCerts: pem('ca'),
        });
        await answers(nameless);
        await using given = await wrapSocket(await createConnection(['localhost', port]), {
          context: clientContext(),
          serverHostname: 'localhost',
        });
        await answers(given);
        await server.cancel();
      }));

    test('getServerCertificate gives the certificate in PEM, good or not', () =>
      run(quiet(), async () => {
        for (const [certificate, key] of [
          ['localhost', 'localhost-key'],
          ['expired', 'localhost-key'],
          ['self-signed', 'self-signed-key'],
        ]) {
          const [server, port] = await tlsServer(echo, serverContext(certificate, key));
          expect(await getServerCertificate(['localhost', port])).toBe(pemText(certificate!));
          await server.cancel();
        }
        const [server, port] = await tlsServer(echo);
        expect(await getServerCertificate(['127.0.0.1', port], { caCerts: pem('ca') })).toBe(
          pemText('localhost'),
        );
        expect(
          await thrownBy(getServerCertificate(['127.0.0.1', port], { caCerts: pem('self-signed') })),
        ).toBeInstanceOf(SSLError);
        await server.cancel();
        expect(() => getServerCertificate('localhost' as never)).toThrow(/wants \[host, port\]/);
      }));

    test('getServerCertificate gives up after its timeout', () =>
      run(async () => {
        const port = await nodeServer(() => {});
        expect(await thrownBy(getServerCertificate(['127.0.0.1', port], { timeout: 0.02 }))).toBeInstanceOf(
          TaskTimeout,
        );
      }));
  });

  test('a server’s own PROTOCOL_TLS context serves and connects', () =>
    run(async () => {
      const context = new SSLContext();
      context.loadCertChain(pem('localhost'), pem('localhost-key'));
      const [server, port] = await tlsServer(echo, context);
      await using sock = await openConnection('localhost', port, { ssl: context });
      await answers(sock);
      expect(new SSLContext(PROTOCOL_TLS_SERVER).verifyMode).toBe(CERT_NONE);
      await server.cancel();
    }));

  test(`${driver}: options and descriptor are those of the connection, where there are some`, () =>
    run(async () => {
      const { IPPROTO_TCP, TCP_NODELAY } = await import('curio/socket');
      const [server, port] = await tlsServer(echo);
      await using sock = await openConnection('localhost', port, { ssl: clientContext() });
      if (driver === 'posix') {
        expect(sock.fileno()).toBeGreaterThan(2);
        sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        expect(sock.getsockopt(IPPROTO_TCP, TCP_NODELAY)).not.toBe(0);
        await answers(sock);
      } else
        expect(() => sock.fileno()).toThrow(expect.objectContaining({ code: 'ERR_CURIO_NOT_SUPPORTED' }));
      for (const refused of [() => sock.dup(), () => sock.detach(), () => sock.blocking()]) {
        expect(refused).toThrow(expect.objectContaining({ code: 'ERR_CURIO_NOT_SUPPORTED' }));
      }
      expect(() => sock.getsockopt(IPPROTO_TCP, 9999)).toThrow();
      expect(String(sock)).toMatch(/^SSLSocket\(family=2, type=1, fd=open\)$/);
      await sock.close();
      if (driver === 'posix') expect(sock.fileno()).toBe(-1);
      await server.cancel();
    }));
});

test('`ssl: true` trusts those whom Node trusts, NODE_EXTRA_CA_CERTS included', async () => {
  await run(async () => {
    const [server, port] = await tlsServer(echo);
    const { said, complaint, code } = await program('tls-client', {
      args: [String(port)],
      env: { NODE_EXTRA_CA_CERTS: pem('ca') },
    });
    expect(complaint).toBe('');
    expect(said).toEqual([
      'default: hello',
      'with another: hello',
      'wrong host: ERR_TLS_CERT_ALTNAME_INVALID',
    ]);
    expect(code).toBe(0);
    await server.cancel();
  });
});
