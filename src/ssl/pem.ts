/*
 * Certificates and keys as files and text: PEM in, PEM out. Reading is synchronous, since it happens while a program
 * sets itself up.
 *
 * It must not know what the certificates are for.
 */

import { describe } from '../base/callable.ts';
import { contextError, SSLError } from './error.ts';

const files = () => process.getBuiltinModule('node:fs');

/** A certificate with the ones that vouch for it, and its key. */
export interface Chain {
  cert: string;
  key: string;
  passphrase: string | undefined;
}

/** A certificate chain as files. */
export interface ChainFiles {
  /** The certificate in PEM, followed by those that vouch for it. */
  certfile: string;
  /** The key in PEM. Default: the certificate's file has it, too. */
  keyfile?: string | null | undefined;
  /** What the key is encrypted with. */
  password?: string | null | undefined;
}

/** A certificate chain as PEM text. */
export interface ChainText {
  cert: string | Uint8Array;
  /** Default: the certificate's text has it, too. */
  key?: string | Uint8Array | null | undefined;
  /** What the key is encrypted with. */
  password?: string | null | undefined;
}

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

/** Reads what `loadCertChain` was given. @throws an Error with a code such as `ENOENT` */
export function readChain(source: ChainFiles | ChainText): Chain {
  const { password } = source;
  if (password !== undefined && password !== null && typeof password !== 'string') {
    throw new TypeError(`loadCertChain() wants a string as password, not ${describe(password)}.`);
  }
  const passphrase = password ?? undefined;
  if ('certfile' in source) {
    const cert = files().readFileSync(source.certfile, 'utf8');
    return { cert, key: source.keyfile ? files().readFileSync(source.keyfile, 'utf8') : cert, passphrase };
  }
  const cert = textOf(source.cert, 'cert');
  return { cert, key: source.key ? textOf(source.key, 'key') : cert, passphrase };
}

function textOf(pem: unknown, what: string): string {
  if (typeof pem === 'string') return pem;
  if (pem instanceof Uint8Array)
    return Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString('latin1');
  throw new TypeError(
    `loadCertChain() wants files, or { cert, key } as PEM text; ${what} is ${describe(pem)}.`,
  );
}

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;

/** @throws SSLError if there is no key in a chain */
export function requireKey({ key }: Chain, source: ChainFiles | ChainText): void {
  if (PRIVATE_KEY.test(key)) return;
  const where =
    'certfile' in source
      ? (source.keyfile ?? source.certfile)
      : source.key
        ? 'key'
        : 'cert, and key is not given';
  const advice =
    'certfile' in source && !source.keyfile
      ? " Name its file too: loadCertChain('certificate.pem', 'key.pem')."
      : '';
  throw new SSLError(`There is no key in ${where}: PEM has a line of BEGIN PRIVATE KEY.${advice}`, {
    code: 'ERR_OSSL_PEM_NO_START_LINE',
    library: 'PEM',
  });
}

/** The certificates in a PEM text, or the one that some bytes are. @throws SSLError if there are none, or not good ones */
export function certificatesIn(data: string | Uint8Array, where: string): string[] {
  const text = typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
  const found: string[] = text.match(CERTIFICATE) ?? [];
  if (found.length === 0 && typeof data !== 'string') found.push(derCertToPemCert(data));
  if (found.length === 0) {
    throw new SSLError(
      `There is no certificate in ${where}: PEM has lines of BEGIN CERTIFICATE and END CERTIFICATE.`,
      {
        code: 'ERR_OSSL_PEM_NO_START_LINE',
        library: 'PEM',
      },
    );
  }
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  for (const pem of found) {
    try {
      new X509Certificate(pem);
    } catch (cause) {
      // swallows: nothing waits here; what cannot be read is an error that says where it is.
      throw contextError(`A certificate in ${where} cannot be read`, cause as Error);
    }
  }
  return found;
}

/** The certificates in a file. */
export function certificatesInFile(file: string): string[] {
  return certificatesIn(files().readFileSync(file, 'utf8'), file);
}

/** The certificates in a folder's files; files without any are passed over. */
export function certificatesInFolder(folder: string): string[] {
  const { readdirSync, readFileSync, statSync } = files();
  const found = readdirSync(folder)
    .sort()
    .map((name) => `${folder}/${name}`)
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
    .flatMap((file) => readFileSync(file, 'latin1').match(CERTIFICATE) ?? []);
  // The usual way to make such a folder gives each file a second name.
  return [...new Set<string>(found)];
}

/** Those that Node trusts by itself, NODE_EXTRA_CA_CERTS included. */
export function defaultCertificates(): readonly string[] {
  const { getCACertificates, rootCertificates } = process.getBuiltinModule('node:tls') as {
    getCACertificates?(type: string): string[];
    rootCertificates: readonly string[];
  };
  if (getCACertificates !== undefined) return getCACertificates('default');
  const extra = process.env.NODE_EXTRA_CA_CERTS;
  return extra ? [...rootCertificates, ...certificatesInFile(extra)] : rootCertificates;
}

/**
 * A certificate's bytes as PEM.
 * @see Reference manual, "ssl module"
 */
export function derCertToPemCert(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/**
 * The bytes of the first certificate of a PEM text.
 * @throws SSLError if there is none
 * @see Reference manual, "ssl module"
 */
export function pemCertToDerCert(pem: string): Buffer {
  const [first] = certificatesIn(pem, 'the text');
  return Buffer.from((first as string).replace(/-----[^-]+-----/g, ''), 'base64');
}
