// Certificates and keys as text.

import { X509Certificate } from 'node:crypto';
import { derCertToPemCert, pemCertToDerCert, SSLError } from 'curio/ssl';
import { expect, test } from 'vitest';
import { pemText } from '../kit/tls.ts';

test('a certificate goes from PEM to bytes and back', () => {
  const pem = pemText('localhost');
  const der = pemCertToDerCert(pem);
  expect(der).toEqual(new X509Certificate(pem).raw);
  expect(derCertToPemCert(der)).toBe(pem);
});

test('of several the first is taken', () => {
  expect(pemCertToDerCert(pemText('chained'))).toEqual(new X509Certificate(pemText('chained')).raw);
});

test('text without a certificate is an SSLError that says what PEM looks like', () => {
  expect(() => pemCertToDerCert('hello')).toThrow(SSLError);
  expect(() => pemCertToDerCert(pemText('localhost-key'))).toThrow(
    /no certificate in the text.*BEGIN CERTIFICATE/,
  );
});

test('a certificate that cannot be read is an SSLError with its cause', () => {
  const broken = pemText('localhost').replace(/[A-Za-z]{20}/, 'AAAAAAAAAAAAAAAAAAAA');
  let error: SSLError | undefined;
  try {
    pemCertToDerCert(broken);
  } catch (caught) {
    error = caught as SSLError;
  }
  expect(error).toBeInstanceOf(SSLError);
  expect(error?.message).toMatch(/^A certificate in the text cannot be read/);
  expect(error?.cause).toBeInstanceOf(Error);
});
