// Other people's TLS at the other end, in both roles: curl and openssl, where the machine has them.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { openConnection, run, sleep } from 'curio';
import type { Socket } from 'curio/io';
import { CERT_REQUIRED, type SSLSocket } from 'curio/ssl';
import { checkOutput, DEVNULL, PIPE, Popen, run as runProgram } from 'curio/subprocess';
import { describe, expect, test } from 'vitest';
import { onEachDriver } from '../kit/drivers.ts';
import { recorder } from '../kit/recorder.ts';
import { clientContext, echo, pem, serverContext, tlsServer } from '../kit/tls.ts';

const has = (program: string, argument: string) => {
  try {
    execFileSync(program, [argument], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** A page for whoever asks. */
const page = (body: string | Buffer) => async (client: Socket) => {
  for await (const line of client.asStream()) if (String(line).trim() === '') break;
  await client.sendall('HTTP/1.0 200 OK\r\n\r\n');
  await client.sendall(body);
};

onEachDriver('TLS with other programs', () => {
  describe.runIf(has('curl', '--version'))('curl', () => {
    test('gets a large page, whole and to its end', () =>
      run(async () => {
        const body = randomBytes(2_000_000);
        const [server, port] = await tlsServer(page(body));
        const got = await checkOutput(['curl', '-sS', '--cacert', pem('ca'), `https://localhost:${port}/`]);
        expect(got.equals(body)).toBe(true);
        await server.cancel();
      }));

    test('agrees on a protocol', () =>
      run(async () => {
        const agreed: (string | null)[] = [];
        const context = serverContext();
        context.setAlpnProtocols(['http/1.1']);
        const [server, port] = await tlsServer(async (client: SSLSocket) => {
          await page('fine')(client);
          agreed.push(client.selectedAlpnProtocol(), client.serverHostname);
        }, context);
        expect(
          String(await checkOutput(['curl', '-sS', '--cacert', pem('ca'), `https://localhost:${port}/`])),
        ).toBe('fine');
        expect(agreed).toEqual(['http/1.1', 'localhost']);
        await server.cancel();
      }));

    test('that does not trust the server is dropped; the next one is served', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        const [server, port] = await tlsServer(page('fine'));
        const url = `https://localhost:${port}/`;
        const distrusting = await runProgram(['curl', '-sS', url], { stdout: PIPE, stderr: PIPE });
        expect(distrusting.returncode).toBe(60);
        expect(String(await checkOutput(['curl', '-sS', '--cacert', pem('ca'), url]))).toBe('fine');
        await server.cancel();
      });
      expect(logger.lines).toHaveLength(1);
      expect(logger.of('warn')[0]).toMatch(/^Client .* was dropped\. TLS failed: .*the client/);
    });

    test('shows its certificate where one is demanded', async () => {
      const logger = recorder();
      await run({ logger }, async () => {
        const context = serverContext();
        context.loadVerifyLocations(pem('ca'));
        context.verifyMode = CERT_REQUIRED;
        const names: unknown[] = [];
        const [server, port] = await tlsServer(async (client: SSLSocket) => {
          await page('welcome')(client);
          names.push(client.getpeercert()?.subject.CN);
        }, context);
        const command = ['curl', '-sS', '--cacert', pem('ca'), `https://localhost:${port}/`];
        const without = await runProgram(command, { stdout: PIPE, stderr: PIPE });
        expect(without.returncode).not.toBe(0);
        const shown = ['--cert', pem('client'), '--key', pem('client-key')];
        expect(String(await checkOutput([...command, ...shown]))).toBe('welcome');
        expect(names).toHaveLength(1);
        expect(names[0]).toEqual(expect.any(String));
        await server.cancel();
      });
      expect(logger.of('error')).toEqual([]);
    });
  });

  describe.runIf(has('openssl', 'version'))('openssl', () => {
    for (const version of ['-tls1_2', '-tls1_3']) {
      test(`s_client ${version} talks to a server`, () =>
        run({ logger: recorder() }, async () => {
          const [server, port] = await tlsServer(echo);
          await using client = new Popen(
            ['openssl', 's_client', '-quiet', version, '-verify_return_error', '-CAfile', pem('ca')].concat(
              '-servername',
              'localhost',
              '-connect',
              `127.0.0.1:${port}`,
            ),
            { stdin: PIPE, stdout: PIPE, stderr: DEVNULL },
          );
          await client.stdin.write('hello\n');
          expect(String(await client.stdout.readline())).toBe('hello\n');
          client.kill();
          await client.wait();
          await server.cancel();
        }));
    }

    test('s_server is talked to, and chooses its protocol', () =>
      run(async () => {
        await using server = new Popen(
          ['openssl', 's_server', '-rev', '-accept', '0', '-cert', pem('localhost')].concat(
            '-key',
            pem('localhost-key'),
            '-alpn',
            'second,first',
          ),
          { stdin: PIPE, stdout: PIPE, stderr: DEVNULL },
        );
        // It says where: ACCEPT 0.0.0.0:37251
        let port = 0;
        for await (const line of server.stdout) {
          port = Number(/^ACCEPT .*:(\d+)/.exec(String(line))?.[1] ?? 0);
          if (port > 0) break;
        }
        const client = await openConnection('127.0.0.1', port, {
          ssl: clientContext(),
          serverHostname: 'localhost',
          alpnProtocols: ['first', 'second'],
        });
        expect(client.selectedAlpnProtocol()).toBe('second');
        await client.sendall('hello\n');
        expect(String(await client.asStream().readline())).toBe('olleh\n');
        await client.close();
        server.kill();
        await sleep(0);
      }));
  });
});
