/*
 * The names of Python's ssl module for protocols, purposes and what is demanded of a certificate. Values are Node's where
 * Node has some.
 */

/** No certificate is asked for (server), or whatever comes is taken (client). */
export const CERT_NONE = 0;
/** A client need not show a certificate, but if it does it must be a good one. For clients the same as `CERT_REQUIRED`. */
export const CERT_OPTIONAL = 1;
/** The other side must show a certificate that somebody trusted vouches for. */
export const CERT_REQUIRED = 2;

export type VerifyMode = typeof CERT_NONE | typeof CERT_OPTIONAL | typeof CERT_REQUIRED;

/** For either side; nothing is verified until it is asked for. */
export const PROTOCOL_TLS = 'TLS';
/** For clients: certificate and host name are verified. */
export const PROTOCOL_TLS_CLIENT = 'TLS_CLIENT';
/** For servers. */
export const PROTOCOL_TLS_SERVER = 'TLS_SERVER';

export type Protocol = typeof PROTOCOL_TLS | typeof PROTOCOL_TLS_CLIENT | typeof PROTOCOL_TLS_SERVER;

/** Whom a context will authenticate: `SERVER_AUTH` makes one for clients, `CLIENT_AUTH` one for servers. */
export const Purpose = Object.freeze({ SERVER_AUTH: 'SERVER_AUTH', CLIENT_AUTH: 'CLIENT_AUTH' } as const);
export type Purpose = (typeof Purpose)[keyof typeof Purpose];

/** Versions of the protocol, for `minimumVersion` and `maximumVersion`. */
export const TLSVersion = Object.freeze({
  MINIMUM_SUPPORTED: 'TLSv1',
  TLSv1: 'TLSv1',
  TLSv1_1: 'TLSv1.1',
  TLSv1_2: 'TLSv1.2',
  TLSv1_3: 'TLSv1.3',
  MAXIMUM_SUPPORTED: 'TLSv1.3',
} as const);
export type TLSVersion = (typeof TLSVersion)[keyof typeof TLSVersion];
