// What a context takes, and what it refuses. That it is obeyed is tested where connections are made.

import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { run, ssl as sslOfCurio } from 'curio';
import { socket } from 'curio/socket';
import * as ssl from 'curio/ssl';
import {
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  createDefaultContext,
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  Purpose,
  SSLContext,
  SSLError,
  TLSVersion,
  type WrapOptions,
} from 'curio/ssl';
import { expect, onTestFinished, test } from 'vitest';
import { clientContext, pem, pemText, serverContext } from '../kit/tls.ts';

function thrown(fn: () => unknown): unknown {
  try {
    fn();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}

test('`import { ssl } from "curio"` is the same as `import * as ssl from "curio/ssl"`', () => {
  expect(sslOfCurio.SSLContext).toBe(ssl.SSLContext);
});

test('the default context verifies certificate and host name; one for servers asks for no certificate', () => {
  const client = createDefaultContext();
  expect([client.verifyMode, client.checkHostname, client.protocol]).toEqual([
    CERT_REQUIRED,
    true,
    PROTOCOL_TLS_CLIENT,
  ]);
  expect(createDefaultContext(Purpose.SERVER_AUTH).verifyMode).toBe(CERT_REQUIRED);
  const server = createDefaultContext(Purpose.CLIENT_AUTH);
  expect([server.verifyMode, server.checkHostname, server.protocol]).toEqual([
    CERT_NONE,
    false,
    PROTOCOL_TLS_SERVER,
  ]);
  expect(new SSLContext(PROTOCOL_TLS_CLIENT).checkHostname).toBe(true);
  const any = new SSLContext();
  expect([any.verifyMode, any.checkHostname]).toEqual([CERT_NONE, false]);
});

test('purposes and protocols that are none are TypeErrors that name those there are', () => {
  expect(() => createDefaultContext({ cafile: 'x' } as never)).toThrow(
    /Purpose.SERVER_AUTH.*Purpose.CLIENT_AUTH.*not an object/,
  );
  expect(() => new SSLContext('TLSv1' as never)).toThrow(/PROTOCOL_TLS_CLIENT.*"TLSv1"/);
});

test('verification is turned off host name first, as in Python', () => {
  const context = createDefaultContext();
  expect(() => {
    context.verifyMode = CERT_NONE;
  }).toThrow(
    new RangeError(
      'verifyMode cannot be CERT_NONE while the host name is to be checked. Write context.checkHostname = false first.',
    ),
  );
  expect(context.verifyMode).toBe(CERT_REQUIRED);
  context.checkHostname = false;
  context.verifyMode = CERT_NONE;
  expect([context.verifyMode, context.checkHostname]).toEqual([CERT_NONE, false]);
});

test('checking the host name turns verification on', () => {
  const context = new SSLContext();
  context.checkHostname = true;
  expect(context.verifyMode).toBe(CERT_REQUIRED);
  context.verifyMode = CERT_OPTIONAL;
  expect(context.verifyMode).toBe(CERT_OPTIONAL);
});

test('a verifyMode, version or protocol list that is none is a TypeError', () => {
  const context = new SSLContext();
  expect(() => {
    context.verifyMode = 3 as never;
  }).toThrow(TypeError);
  expect(() => {
    context.minimumVersion = 'TLSv9' as never;
  }).toThrow(/minimumVersion.*TLSVersion.TLSv1_2.*"TLSv9"/);
  for (const protocols of ['h2', ['h2', ''], ['x'.repeat(256)], [5], null]) {
    expect(() => context.setAlpnProtocols(protocols as never)).toThrow(/setAlpnProtocols\(\) wants a list/);
  }
});

test('versions have Node’s defaults, and can be set', () => {
  const context = new SSLContext();
  expect([context.minimumVersion, context.maximumVersion]).toEqual(['TLSv1.2', 'TLSv1.3']);
  context.minimumVersion = TLSVersion.TLSv1_3;
  context.maximumVersion = TLSVersion.MAXIMUM_SUPPORTED;
  expect([context.minimumVersion, context.maximumVersion]).toEqual(['TLSv1.3', 'TLSv1.3']);
});

test('loadCertChain takes files, a file with both, and text, and each kind of key once', () => {
  const context = new SSLContext(PROTOCOL_TLS_SERVER);
  context.loadCertChain(pem('localhost'), pem('localhost-key'));
  context.loadCertChain({ certfile: pem('rsa'), keyfile: pem('rsa-key') });
  new SSLContext().loadCertChain(pem('localhost-with-key'));
  new SSLContext().loadCertChain({ certfile: pem('localhost-with-key') });
  new SSLContext().loadCertChain({ cert: pemText('localhost'), key: Buffer.from(pemText('localhost-key')) });
  new SSLContext().loadCertChain({ cert: pemText('localhost-with-key') });
  new SSLContext().loadCertChain(pem('localhost'), pem('localhost-encrypted-key'), 'secret');
  new SSLContext().loadCertChain({
    certfile: pem('localhost'),
    keyfile: pem('localhost-encrypted-key'),
    password: 'secret',
  });
});

test('a key that is not the certificate’s, or locked, is an SSLError; a missing file is the system’s error', () => {
  const context = new SSLContext();
  const mismatch = thrown(() => context.loadCertChain(pem('localhost'), pem('client-key'))) as SSLError;
  expect(mismatch).toBeInstanceOf(SSLError);
  expect([mismatch.reason, mismatch.library]).toEqual(['KEY_VALUES_MISMATCH', 'X509']);
  expect(mismatch.message).toContain(`in ${pem('localhost')} and ${pem('client-key')} cannot be used`);
  for (const password of ['wrong', undefined]) {
    expect(
      thrown(() => context.loadCertChain(pem('localhost'), pem('localhost-encrypted-key'), password)),
    ).toBeInstanceOf(SSLError);
  }
  expect(thrown(() => context.loadCertChain(pem('localhost-key')))).toMatchObject({
    code: 'ERR_OSSL_PEM_NO_START_LINE',
  });
  expect(thrown(() => context.loadCertChain(pem('nowhere')))).toMatchObject({
    code: 'ENOENT',
    path: pem('nowhere'),
  });
});

test('a chain without a key says where there is none, and what to write', () => {
  const context = new SSLContext();
  const code = 'ERR_OSSL_PEM_NO_START_LINE';
  expect(thrown(() => context.loadCertChain(pem('localhost')))).toMatchObject({
    code,
    message:
      `There is no key in ${pem('localhost')}: PEM has a line of BEGIN PRIVATE KEY. ` +
      "Name its file too: loadCertChain('certificate.pem', 'key.pem').",
  });
  expect(thrown(() => context.loadCertChain(pem('localhost'), pem('localhost')))).toMatchObject({
    code,
    message: `There is no key in ${pem('localhost')}: PEM has a line of BEGIN PRIVATE KEY.`,
  });
  const cert = pemText('localhost');
  expect(thrown(() => context.loadCertChain({ cert, key: undefined }))).toMatchObject({
    code,
    message: 'There is no key in cert, and key is not given: PEM has a line of BEGIN PRIVATE KEY.',
  });
});

test('what loadCertChain cannot use is a TypeError that says what it wants', () => {
  const context = new SSLContext();
  for (const source of [undefined, null, 5, {}, { key: 'x' }]) {
    expect(() => context.loadCertChain(source as never)).toThrow(
      /wants the names of files, \{ certfile, keyfile \}, or \{ cert, key \}/,
    );
  }
  expect(() => context.loadCertChain({ cert: 5 } as never)).toThrow(/cert is 5/);
  expect(() => context.loadCertChain(pem('localhost'), pem('localhost-key'), 5 as never)).toThrow(
    /string as password/,
  );
});

test('whom to trust comes as a file, text, bytes or a folder', () => {
  const folder = mkdtempSync(`${tmpdir()}/curio-ca-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  copyFileSync(pem('ca'), `${folder}/ca.pem`);
  symlinkSync('ca.pem', `${folder}/1a2b3c4d.0`);
  writeFileSync(`${folder}/README`, 'no certificate\n');
  const context = new SSLContext();
  context.loadVerifyLocations(pem('ca'));
  context.loadVerifyLocations(null, folder);
  context.loadVerifyLocations(null, null, pemText('ca'));
  context.loadVerifyLocations({ capath: folder, cadata: ssl.pemCertToDerCert(pemText('ca')) });
  expect(() => context.loadVerifyLocations({})).toThrow(/wants a file: cafile, capath or cadata/);
  expect(thrown(() => context.loadVerifyLocations(`${folder}/README`))).toMatchObject({
    code: 'ERR_OSSL_PEM_NO_START_LINE',
  });
  expect(() => context.loadVerifyLocations(`${folder}/README`)).toThrow(
    `There is no certificate in ${folder}/README`,
  );
  expect(thrown(() => context.loadVerifyLocations({ cadata: Buffer.from('no DER') }))).toBeInstanceOf(
    SSLError,
  );
  expect(
    thrown(() => createDefaultContext(Purpose.SERVER_AUTH, { cafile: `${folder}/nowhere` })),
  ).toMatchObject({ code: 'ENOENT' });
});

test('ciphers that nobody knows are an SSLError', () => {
  const context = new SSLContext();
  context.setCiphers('ECDHE+AESGCM');
  expect(thrown(() => context.setCiphers('NOSUCH'))).toMatchObject({
    name: 'SSLError',
    reason: 'NO_CIPHER_MATCH',
    library: 'SSL',
  });
  expect(() => context.setCiphers(5 as never)).toThrow(TypeError);
});

test('a context for one side refuses to be the other, and a server’s wants a certificate', () =>
  run(async () => {
    await using sock = socket();
    const wrap = (context: SSLContext, options: WrapOptions) => void context.wrapSocket(sock, options);
    expect(() => wrap(createDefaultContext(), { serverSide: true })).toThrow(
      /this context is for clients.*Purpose.CLIENT_AUTH/,
    );
    expect(() => wrap(serverContext(), { serverHostname: 'localhost' })).toThrow(
      /this context is for servers.*createDefaultContext\(\)/,
    );
    expect(() => wrap(createDefaultContext(Purpose.CLIENT_AUTH), { serverSide: true })).toThrow(
      /needs a certificate.*loadCertChain/,
    );
    expect(() => wrap(clientContext(), {})).toThrow(/whose certificate is it to be\? Give serverHostname/);
    expect(() => wrap(serverContext(), { serverSide: true, serverHostname: 'x' })).toThrow(
      /serverHostname is for clients/,
    );
    expect(() => wrap(clientContext(), { serverHostname: 5 as never })).toThrow(
      /wants a name as serverHostname, not 5/,
    );
  }));
