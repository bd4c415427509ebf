// What becomes of certificates that are no good, servers' and clients', on each driver.

import { openConnection, run } from 'curio';
import {
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  createDefaultContext,
  SSLCertVerificationError,
  SSLError,
  TLSVersion,
} from 'curio/ssl';
import { describe, expect, onTestFinished, test } from 'vitest';
import { drain, onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import {
  answers,
  clientContext,
  echo,
  pem,
  pemText,
  serverContext,
  tlsServer,
  trustingContext,
} from '../kit/tls.ts';
import { thrownBy } from '../kit/virtual.ts';

/** For runs in which handshakes are meant to fail. */
const quiet = () => ({ logger: recorder() });

onEachDriver('TLS', (_driver) => {
  describe('certificates', () => {
    /** What a client that verifies says to a server with this certificate. */
    async function verdict(
      certificate: string,
      key: string,
      { ssl = clientContext(), host = 'localhost', serverHostname = undefined as string | undefined } = {},
    ): Promise<SSLCertVerificationError> {
      return run(quiet(), async () => {
        const [server, port] = await tlsServer(echo, serverContext(certificate, key));
        const error = await thrownBy(openConnection(host, port, { ssl, serverHostname }));
        await server.cancel();
        expect(error).toBeInstanceOf(SSLCertVerificationError);
        expect(error).toBeInstanceOf(SSLError);
        expect(error).toMatchObject({ reason: 'CERTIFICATE_VERIFY_FAILED', library: 'X509' });
        expect((error as Error).cause).toBeInstanceOf(Error);
        return error as SSLCertVerificationError;
      });
    }

    test('self-signed: how to trust it', async () => {
      const error = await verdict('self-signed', 'self-signed-key');
      expect(error.code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
      expect(error.verifyMessage).toBe('is self-signed, and is not among those trusted here');
      expect(error.message).toBe(
        'The certificate of localhost is self-signed, and is not among those trusted here. If it is the right one, trust it: ' +
          "context.loadVerifyLocations('its.pem'). (ssl.getServerCertificate([host, port]) fetches it.) " +
          'For a test: context.checkHostname = false, then context.verifyMode = CERT_NONE.',
      );
    });

    test('a refusal shows the line that connected', () =>
      run(quiet(), async () => {
        async function connectsHere(): Promise<void> {
          await openConnection('localhost', port, { ssl: clientContext() });
        }
        const [server, port] = await tlsServer(echo, serverContext('self-signed', 'self-signed-key'));
        const error = await thrownBy(connectsHere());
        await server.cancel();
        expect(error).toMatchObject({ stack: expect.stringMatching(/connectsHere.*verification\.test\.ts/) });
      }));

    test('of somebody else: for whom it is', async () => {
      const error = await verdict('example', 'localhost-key');
      expect(error.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
      expect(error.message).toBe(
        'The certificate of the server is not for localhost, but for example.com, *.example.org. Either this is the wrong ' +
          'server, or it is to be called by one of these names: serverHostname is what its certificate is checked against.',
      );
      const other = await verdict('localhost', 'localhost-key', { serverHostname: 'example.com' });
      expect(other.verifyMessage).toMatch(/^is not for example.com, but for localhost, 127\.0\.0\.1, /);
      const nameless = await verdict('client', 'client-key');
      expect(nameless.message).toMatch(/is not accepted|but for no host at all/);
    });

    test('of an unknown authority: which one', async () => {
      const error = await verdict('localhost', 'localhost-key', { ssl: createDefaultContext() });
      expect(error.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      expect(error.message).toMatch(
        /^The certificate of localhost was signed by Curio test authority, which is not trusted here\. Trust .*loadVerifyLocations/,
      );
    });

    test('of an authority in between that the server does not show', async () => {
      const error = await verdict('chained', 'localhost-key', { ssl: clientContext('self-signed') });
      expect(error.message).toMatch(/which is not trusted here/);
      await run(async () => {
        const [server, port] = await tlsServer(echo, serverContext('chained'));
        await using sock = await openConnection('localhost', port, { ssl: clientContext() });
        await answers(sock);
        await server.cancel();
      });
    });

    test('expired, or not valid yet: since or until when, and the clock', async () => {
      const expired = await verdict('expired', 'localhost-key');
      expect(expired.code).toBe('CERT_HAS_EXPIRED');
      expect(expired.message).toMatch(/has expired on Jan {2}1 00:00:00 2002 GMT\. .*it says \d{4}-/);
      const future = await verdict('future', 'localhost-key');
      expect(future.code).toBe('CERT_NOT_YET_VALID');
      expect(future.message).toMatch(/is not valid yet, but from Jan {2}1 00:00:00 2119 GMT on\. /);
    });

    test('self-signed, but trusted, are fine', () =>
      run(async () => {
        const [server, port] = await tlsServer(echo, serverContext('self-signed', 'self-signed-key'));
        await using sock = await openConnection('localhost', port, { ssl: clientContext('self-signed') });
        await answers(sock);
        expect(sock.getpeercert()?.subject.CN).toBe('localhost');
        await server.cancel();
      }));

    test('are not looked at if that is switched off, and the host name alone may be, too', () =>
      run(quiet(), async () => {
        const [server, port] = await tlsServer(echo, serverContext('expired'));
        await using unchecked = await openConnection('localhost', port, { ssl: trustingContext() });
        await answers(unchecked);
        await server.cancel();
        const [other, otherPort] = await tlsServer(echo, serverContext('example'));
        const context = clientContext();
        context.checkHostname = false;
        await using sock = await openConnection('localhost', otherPort, { ssl: context });
        await answers(sock);
        await other.cancel();
        const [stranger, strangerPort] = await tlsServer(
          echo,
          serverContext('self-signed', 'self-signed-key'),
        );
        expect(await thrownBy(openConnection('localhost', strangerPort, { ssl: context }))).toBeInstanceOf(
          SSLError,
        );
        await stranger.cancel();
      }));

    test('are checked against the host if no other name is given, an address included', () =>
      run(quiet(), async () => {
        const [server, port] = await tlsServer(echo);
        await using sock = await openConnection('127.0.0.1', port, { ssl: clientContext() });
        await answers(sock);
        await server.cancel();
        const [other, otherPort] = await tlsServer(echo, serverContext('example'));
        const error = await thrownBy(openConnection('127.0.0.1', otherPort, { ssl: clientContext() }));
        expect(error).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
        expect((error as Error).message).toContain('is not for 127.0.0.1, but for example.com');
        await other.cancel();
      }));

    test('`ssl: true` verifies, whatever NODE_TLS_REJECT_UNAUTHORIZED says', () =>
      run(quiet(), async () => {
        const [server, port] = await tlsServer(echo);
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
        onTestFinished(() => {
          delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
        });
        expect(await thrownBy(openConnection('localhost', port, { ssl: true }))).toMatchObject({
          code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        });
        await server.cancel();
      }));

    test('with options of Node’s mean what they mean to Node', () =>
      run(quiet(), async () => {
        const [server, port] = await tlsServer(echo);
        await using sock = await openConnection('localhost', port, { ssl: { rejectUnauthorized: false } });
        await answers(sock);
        expect(await thrownBy(openConnection('localhost', port, { ssl: {} }))).toBeInstanceOf(SSLError);
        const checkServerIdentity = () => new Error('I do not like it');
        const ssl = { ca: pemText('ca'), checkServerIdentity };
        expect((await thrownBy(openConnection('localhost', port, { ssl }))) as Error).toMatchObject({
          message: expect.stringContaining('I do not like it'),
        });
        expect(() => openConnection('localhost', port, { ssl: { cert: 'nonsense' } })).toThrow(SSLError);
        await server.cancel();
      }));
  });

  describe('clients’ certificates', () => {
    const withCertificate = (certificate: string, key: string) => {
      const context = clientContext();
      context.loadCertChain(pem(certificate), pem(key));
      return context;
    };

    /** A server that tells each client what it is called. */
    const whoIsThere = (verifyMode: 0 | 1 | 2, options = {}) => {
      const context = serverContext();
      context.verifyMode = verifyMode;
      context.loadVerifyLocations(pem('ca'));
      return tlsServer(
        async (client) => {
          await client.doHandshake();
          await client.sendall(String(client.getpeercert()?.subject.CN ?? 'nobody'));
        },
        Object.assign(context, options),
      );
    };

    test('are shown if they are asked for', () =>
      run(async () => {
        for (const mode of [CERT_OPTIONAL, CERT_REQUIRED] as const) {
          const [server, port] = await whoIsThere(mode);
          await using sock = await openConnection('localhost', port, {
            ssl: withCertificate('client', 'client-key'),
          });
          expect(String(await drain(sock))).toBe('alice');
          await server.cancel();
        }
        const [server, port] = await whoIsThere(CERT_NONE);
        await using sock = await openConnection('localhost', port, {
          ssl: withCertificate('client', 'client-key'),
        });
        expect(String(await drain(sock))).toBe('nobody');
        await server.cancel();
      }));

    test('need not be there with CERT_OPTIONAL', () =>
      run(async () => {
        const [server, port] = await whoIsThere(CERT_OPTIONAL);
        await using sock = await openConnection('localhost', port, { ssl: clientContext() });
        expect(String(await drain(sock))).toBe('nobody');
        await server.cancel();
      }));

    test('must be there with CERT_REQUIRED: both sides are told', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        const [server, port] = await whoIsThere(CERT_REQUIRED);
        const ssl = clientContext();
        // With TLS 1.3 a client is done before the server has looked: it hears of it when it reads.
        const late = await openConnection('localhost', port, { ssl });
        expect(await thrownBy(drain(late))).toMatchObject({
          name: 'SSLError',
          reason: 'TLSV13_ALERT_CERTIFICATE_REQUIRED',
          message: expect.stringContaining("wants a certificate of this side: context.loadCertChain('"),
        });
        await late.close();
        ssl.maximumVersion = TLSVersion.TLSv1_2;
        expect(await thrownBy(openConnection('localhost', port, { ssl }))).toBeInstanceOf(SSLError);
        await server.cancel();
      });
      expect(logger.lines).toHaveLength(2);
      for (const line of logger.lines) {
        expect(line).toMatch(/^warn: Client .* has shown no certificate, and verifyMode is CERT_REQUIRED\.$/);
      }
    });

    test('must be good ones, and the handler does not get to see others', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        for (const mode of [CERT_OPTIONAL, CERT_REQUIRED]) {
          let seen = false;
          const context = serverContext();
          context.verifyMode = mode;
          context.loadVerifyLocations(pem('ca'));
          const [server, port] = await tlsServer(async (client) => {
            await client.recv(100);
            seen = true;
          }, context);
          const stranger = await openConnection('localhost', port, {
            ssl: withCertificate('self-signed', 'self-signed-key'),
          });
          await stranger.sendall('let me in').catch(() => {});
          await drain(stranger).catch(() => {});
          await stranger.close();
          await server.cancel();
          expect(seen).toBe(false);
        }
      });
      expect(logger.lines).toHaveLength(2);
      for (const line of logger.lines)
        expect(line).toMatch(/^warn: .*The certificate of the client is self-signed/);
    });

    test('nobody is trusted with a server’s certificate unless it is said who is', () =>
      run(quiet(), async () => {
        const context = serverContext();
        context.verifyMode = CERT_REQUIRED;
        const [server, port] = await tlsServer(echo, context);
        const sock = await openConnection('localhost', port, {
          ssl: withCertificate('client', 'client-key'),
        });
        await sock.sendall('x').catch(() => {});
        expect(await drain(sock).catch(() => Buffer.alloc(0))).toHaveLength(0);
        await sock.close();
        await server.cancel();
      }));
  });
});
