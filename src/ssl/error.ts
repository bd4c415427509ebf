/*
 * What goes wrong with TLS, in sentences: what it was, and what can be done about it. Made of the errors of Node and
 * OpenSSL, which stay reachable as `cause`.
 *
 * It must not know sockets: who the other side is comes as a name and, where there is one, a certificate.
 */

import type { PeerCertificate } from 'node:tls';
import { provideErrors } from '../base/far-errors.ts';

/** Options of `SSLError`. */
export interface SSLErrorOptions extends ErrorOptions {
  /** What programs compare, such as `'ERR_SSL_WRONG_VERSION_NUMBER'`. */
  code?: string | undefined;
  /** OpenSSL's word for it, such as `'WRONG_VERSION_NUMBER'`. */
  reason?: string | undefined;
  /** The part of OpenSSL it comes from. */
  library?: string | undefined;
}

/**
 * A TLS connection could not be made, or broke because of what was said in it. `code` is Node's, `reason` OpenSSL's
 * word for it, `cause` the original error.
 *
 * @see Reference manual, "ssl module"
 */
export class SSLError extends Error {
  static {
    Object.defineProperty(this.prototype, 'name', { value: 'SSLError', writable: true, configurable: true });
  }
  /** What programs compare: `'ERR_SSL_WRONG_VERSION_NUMBER'`, `'DEPTH_ZERO_SELF_SIGNED_CERT'`, `'ECONNRESET'`, … */
  readonly code: string;
  /** OpenSSL's word for it: `'WRONG_VERSION_NUMBER'`, `'CERTIFICATE_VERIFY_FAILED'`, … */
  readonly reason: string;
  /** The part of OpenSSL it comes from: `'SSL'`, `'X509'`, `'PEM'`. */
  readonly library: string;

  constructor(message?: string, options: SSLErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? 'ERR_SSL';
    this.reason = options.reason ?? reasonOf(this.code);
    this.library = options.library ?? 'SSL';
  }
}

/**
 * The other side's certificate is not good: nobody trusted vouches for it, its time is over, or it is somebody else's.
 * `code` tells which.
 *
 * @see Reference manual, "ssl module"
 */
export class SSLCertVerificationError extends SSLError {
  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'SSLCertVerificationError',
      writable: true,
      configurable: true,
    });
  }
  /** The complaint alone, without advice. */
  readonly verifyMessage: string;

  constructor(message?: string, options: SSLErrorOptions & { verifyMessage?: string } = {}) {
    super(message, { reason: 'CERTIFICATE_VERIFY_FAILED', ...options });
    this.verifyMessage = options.verifyMessage ?? message ?? '';
  }
}

provideErrors({ SSLError, SSLCertVerificationError });

function reasonOf(code: string): string {
  return code.replace(/^ERR_(?:SSL|OSSL(?:_X509|_PEM|_EVP)?|TLS)_/, '');
}

/** What an error of Node's or OpenSSL's may carry. */
interface Cause extends Error {
  code?: string;
  library?: string;
}

/** Who the other side of a connection is. */
export interface Peer {
  /** True if it is the client, and this side the server. */
  client: boolean;
  /** What it is called, to begin a sentence about it with. */
  name: string;
  /** What it has shown, if it has shown one and somebody looked. */
  certificate: PeerCertificate | null;
}

// ---- Certificates -------------------------------------------------------------------------

const SELF_SIGNED = 'DEPTH_ZERO_SELF_SIGNED_CERT';
const WRONG_HOST = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** The certificate has been looked at and found wanting. */
export function certificateError(cause: Cause, peer: Peer): SSLCertVerificationError {
  const code = cause.code ?? 'CERTIFICATE_VERIFY_FAILED';
  const [complaint, advice] = judgement(code, cause, peer);
  const whose = code === WRONG_HOST ? 'the server' : peer.name;
  const message = `The certificate of ${whose} ${complaint}. ${advice}`.trim();
  return new SSLCertVerificationError(message, { code, library: 'X509', verifyMessage: complaint, cause });
}

function judgement(code: string, cause: Cause, { certificate, client, name }: Peer): [string, string] {
  const authority = `of whoever ${client ? 'signs the clients’ certificates' : 'has signed it'}`;
  switch (code) {
    case SELF_SIGNED:
      return [
        'is self-signed, and is not among those trusted here',
        `If it is the right one, trust it: context.loadVerifyLocations('its.pem').${client ? '' : FETCH} ${UNCHECKED}`,
      ];
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return [
        `was signed by ${issuer(certificate)}, which is not trusted here`,
        `Trust the certificate ${authority}: context.loadVerifyLocations('authority.pem'). ` +
          'If that authority is well known, the other side has left out a certificate of its chain.',
      ];
    case 'CERT_HAS_EXPIRED':
      return [
        `has expired${certificate ? ` on ${certificate.valid_to}` : ''}`,
        `It has to be renewed, unless this machine’s clock is wrong: it says ${new Date().toISOString()}.`,
      ];
    case 'CERT_NOT_YET_VALID':
      return [
        `is not valid yet${certificate ? `, but from ${certificate.valid_from} on` : ''}`,
        `Perhaps this machine’s clock is wrong: it says ${new Date().toISOString()}.`,
      ];
    case WRONG_HOST:
      return [
        `is not for ${name}, but for ${namesIn(certificate)}`,
        'Either this is the wrong server, or it is to be called by one of these names: serverHostname is what its certificate is checked against.',
      ];
    default:
      return [`is not accepted: ${cause.message}`, client ? '' : UNCHECKED];
  }
}

const FETCH = ' (ssl.getServerCertificate([host, port]) fetches it.)';
const UNCHECKED = 'For a test: context.checkHostname = false, then context.verifyMode = CERT_NONE.';

function issuer(certificate: PeerCertificate | null): string {
  const { CN, O, OU } = certificate?.issuer ?? {};
  return String([CN, OU, O].find((name) => name) ?? 'somebody');
}

function namesIn(certificate: PeerCertificate | null): string {
  const names = certificate?.subjectaltname?.replaceAll('DNS:', '').replaceAll('IP Address:', '');
  return names || 'no host at all (it has no subjectAltName)';
}

// ---- Everything else ----------------------------------------------------------------------

const NOT_TLS =
  /_(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)$/;
const NO_VERSION =
  /_(?:UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|NO_PROTOCOLS_AVAILABLE|VERSION_TOO_LOW|VERSION_TOO_HIGH)$/;
const REFUSED =
  /_ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(?:REVOKED|EXPIRED|UNKNOWN))$/;

function sentence(code: string, cause: Cause, { client, name }: Peer): string {
  if (NOT_TLS.test(code)) {
    return `${name} does not speak TLS${client ? '' : '. Perhaps it is the wrong port, or ssl is to be left out'}`;
  }
  if (NO_VERSION.test(code)) {
    return `${name} and this side have no version of TLS in common. minimumVersion and maximumVersion of the context set what is allowed here`;
  }
  if (REFUSED.test(code)) {
    const own = client ? '' : ' (loadCertChain)';
    return `${name} does not accept the certificate of this side${own}: ${cause.message.replace(/^.*?routines:[^:]*:/, '').split(':')[0]}`;
  }
  if (/_NO_APPLICATION_PROTOCOL$/.test(code)) return `${name} and this side have no ALPN protocol in common`;
  if (/_ALERT_CERTIFICATE_REQUIRED$/.test(code))
    return `${name} wants a certificate of this side: context.loadCertChain('certificate.pem', 'key.pem')`;
  if (/_PEER_DID_NOT_RETURN_A_CERTIFICATE$/.test(code))
    return `${name} has shown no certificate, and verifyMode is CERT_REQUIRED`;
  if (/_NO_SUITABLE_SIGNATURE_ALGORITHM$|_NO_SHARED_CIPHER$|_ALERT_HANDSHAKE_FAILURE$/.test(code))
    return `${name} and this side have no cipher in common that goes with the server’s certificate, or the server has none`;
  if (code === 'ETIMEDOUT') return `${name} did not finish the handshake in time`;
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return `${name} closed the connection in the middle of the handshake`;
  return `${name}: ${cause.message.trim()}`;
}

/** An error of a connection, with what it means. */
export function connectionError(cause: Cause, peer: Peer): SSLError {
  if (cause instanceof SSLError) return cause;
  const code = cause.code ?? 'ERR_SSL';
  const message = `TLS failed: ${sentence(code, cause, peer)}.`;
  return new SSLError(message, { code, library: libraryOf(cause), cause });
}

/** An error in what a context was given. */
export function contextError(what: string, cause: Cause): SSLError {
  const code = cause.code ?? 'ERR_SSL';
  return new SSLError(`${what}: ${cause.message.trim()}.`, { code, library: libraryOf(cause), cause });
}

function libraryOf({ library }: Cause): string {
  const known = /^(SSL|x509|PEM)/i.exec(library ?? '');
  return known === null ? 'SSL' : (known[1] as string).toUpperCase();
}
