import { openConnection, run } from 'curio';
import { TLSVersion } from 'curio/ssl';
import { describe, expect, test } from 'vitest';
import { drain, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import { answers, clientContext, echo, pem, pemText, serverContext, tlsServer } from '../kit/tls.ts';
import { thrownBy } from '../kit/virtual.ts';

/** For runs in which handshakes are meant to fail. */
const quiet = () => ({ logger: recorder() });

onEachDriver('TLS', (_driver) => {
  describe('agreements', () => {
    test('ALPN: the best of the server’s that the client offers, told on both sides', () =>
      run(async () => {
        const context = serverContext();
        context.setAlpnProtocols(['h2', 'http/1.1']);
        const [server, port] = await tlsServer(async (client) => {
          await client.doHandshake();
          await client.sendall(String(client.selectedAlpnProtocol()));
        }, context);
        const offers: [string[] | undefined, string | null][] = [
          [['http/1.1', 'h2'], 'h2'],
          [['http/1.1'], 'http/1.1'],
          [undefined, null],
        ];
        for (const [alpnProtocols, chosen] of offers) {
          await using sock = await openConnection('localhost', port, { ssl: clientContext(), alpnProtocols });
          expect(sock.selectedAlpnProtocol()).toBe(chosen);
          expect(String(await drain(sock))).toBe(String(chosen));
        }
        const ssl = clientContext();
        ssl.setAlpnProtocols(['http/1.1']);
        await using sock = await openConnection('localhost', port, { ssl });
        expect(sock.selectedAlpnProtocol()).toBe('http/1.1');
        await server.cancel();
      }));

    test('no ALPN protocol in common is an SSLError', () =>
      run(quiet(), async () => {
        const context = serverContext();
        context.setAlpnProtocols(['h2']);
        const [server, port] = await tlsServer(echo, context);
        const error = await thrownBy(
          openConnection('localhost', port, { ssl: clientContext(), alpnProtocols: ['smtp'] }),
        );
        expect(error).toMatchObject({
          code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
          message: 'TLS failed: localhost and this side have no ALPN protocol in common.',
        });
        await server.cancel();
      }));

    test('versions: the newest in common; none is an SSLError', () =>
      run(quiet(), async () => {
        const context = serverContext();
        context.maximumVersion = TLSVersion.TLSv1_2;
        const [server, port] = await tlsServer(echo, context);
        await using sock = await openConnection('localhost', port, { ssl: clientContext() });
        expect(sock.version()).toBe('TLSv1.2');
        await answers(sock);
        const ssl = clientContext();
        ssl.minimumVersion = TLSVersion.TLSv1_3;
        expect(await thrownBy(openConnection('localhost', port, { ssl }))).toMatchObject({
          name: 'SSLError',
          message: expect.stringContaining(
            'have no version of TLS in common. minimumVersion and maximumVersion',
          ),
        });
        await server.cancel();
      }));

    test('changes of a context hold for later connections', () =>
      run(async () => {
        const context = serverContext();
        const [server, port] = await tlsServer(echo, context);
        const ssl = clientContext();
        const versions = [];
        for (const version of [TLSVersion.TLSv1_3, TLSVersion.TLSv1_2]) {
          context.maximumVersion = version;
          await using sock = await openConnection('localhost', port, { ssl });
          versions.push(sock.version());
        }
        expect(versions).toEqual(['TLSv1.3', 'TLSv1.2']);
        await server.cancel();
      }));

    test('the cipher, and the certificate as an object and as bytes', () =>
      run(async () => {
        const context = serverContext('rsa', 'rsa-key');
        context.maximumVersion = TLSVersion.TLSv1_2;
        context.setCiphers('ECDHE-RSA-AES128-GCM-SHA256');
        const [server, port] = await tlsServer(echo, context);
        await using sock = await openConnection('localhost', port, { ssl: clientContext() });
        expect(sock.cipher()).toEqual(['ECDHE-RSA-AES128-GCM-SHA256', expect.stringMatching(/^TLSv1/), 128]);
        expect(sock.getpeercert()).toMatchObject({
          subject: { CN: 'localhost' },
          issuer: { CN: 'Curio test authority' },
        });
        const der = sock.getpeercert(true) as Buffer;
        expect(pemText('rsa')).toContain(der.toString('base64').slice(0, 60));
        expect(sock.compression()).toBeNull();
        expect(sock.sessionReused).toBe(false);
        expect(() => sock.unwrap()).toThrow(/Node cannot go back.*shutdown\(SHUT_WR\)/);
        await server.cancel();
      }));

    test('two kinds of certificate in one context, each for those who want it', () =>
      run(async () => {
        const context = serverContext();
        context.loadCertChain(pem('rsa'), pem('rsa-key'));
        context.maximumVersion = TLSVersion.TLSv1_2;
        const [server, port] = await tlsServer(echo, context);
        for (const kind of ['ECDSA', 'RSA']) {
          const ssl = clientContext();
          ssl.setCiphers(`ECDHE-${kind}-AES128-GCM-SHA256`);
          await using sock = await openConnection('localhost', port, { ssl });
          expect(sock.cipher()?.[0]).toBe(`ECDHE-${kind}-AES128-GCM-SHA256`);
        }
        await server.cancel();
      }));
  });

  describe('server names', () => {
    test('pick a context by the name they are called', () =>
      run(quiet(), async () => {
        const example = serverContext('example');
        const context = serverContext();
        const asked: string[] = [];
        context.sniCallback = (_sock, name, own) => {
          asked.push(name);
          expect(own).toBe(context);
          return name === 'example.com' ? example : undefined;
        };
        const [server, port] = await tlsServer(echo, context);
        const ssl = clientContext();
        for (const serverHostname of ['example.com', 'localhost']) {
          await using sock = await openConnection('127.0.0.1', port, { ssl, serverHostname });
          await answers(sock);
        }
        // An address is no server name: nobody is asked, but the certificate has it.
        await using third = await openConnection('127.0.0.1', port, { ssl });
        await answers(third);
        expect(asked).toEqual(['example.com', 'localhost']);
        await server.cancel();
      }));

    test('may pick it later, or by setting `sock.context`', () =>
      run(quiet(), async () => {
        const example = serverContext('example');
        const context = serverContext();
        const [server, port] = await tlsServer(echo, context);
        const options = { ssl: clientContext(), serverHostname: 'example.com' };
        context.setServernameCallback(async () => {
          await new Promise((resolve) => setTimeout(resolve, 5));
          return example;
        });
        await using one = await openConnection('127.0.0.1', port, options);
        await answers(one);
        context.setServernameCallback((sock) => {
          sock.context = example;
        });
        await using two = await openConnection('127.0.0.1', port, options);
        await answers(two);
        await server.cancel();
      }));

    test('a sniCallback that throws, rejects or gives nonsense ends its handshake only', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        const context = serverContext();
        const [server, port] = await tlsServer(echo, context);
        const ssl = clientContext();
        const callbacks = [
          () => {
            throw new Error('sni broke');
          },
          async () => {
            throw new Error('sni broke later');
          },
          () => 5,
          () => Promise.reject(),
          () => {
            throw null;
          },
        ];
        for (const callback of callbacks) {
          context.sniCallback = callback;
          const error = await thrownBy(openConnection('localhost', port, { ssl }));
          expect(error).toMatchObject({ name: 'SSLError', code: 'ECONNRESET' });
        }
        context.sniCallback = null;
        await using sock = await openConnection('localhost', port, { ssl });
        await answers(sock);
        await server.cancel();
      });
      const said = logger.of('warn');
      expect(logger.lines).toHaveLength(said.length);
      expect(said).toEqual([
        expect.stringMatching(/^Client 127\.0\.0\.1:\d+ was dropped\. TLS failed: .*sni broke\.$/),
        expect.stringMatching(/sni broke later/),
        expect.stringMatching(/sniCallback gives an SSLContext or nothing, not 5/),
        expect.stringMatching(/sniCallback has thrown undefined/),
        expect.stringMatching(/sniCallback has thrown null/),
      ]);
    });
  });
});
