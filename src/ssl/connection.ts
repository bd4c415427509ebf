/*
 * The ways to a TLS connection: what `ssl` means in the options of connections and servers, and the module's own
 * functions.
 */

import { describe } from '../base/callable.ts';
import type { Address } from '../io/address.ts';
import type { Socket } from '../io/socket.ts';
import { createConnection } from '../socket.ts';
import { timeoutAfter } from '../time.ts';
import { enterComposite, refused } from '../traps.ts';
import { CERT_NONE, Purpose, type VerifyMode } from './constants.ts';
import { createDefaultContext, type SSLContext } from './context.ts';
import { derCertToPemCert } from './pem.ts';
import {
  handshaken,
  type Plan,
  planOf,
  type SSLSocket,
  secured,
  type WrapOptions,
  type Wrappable,
  wrap,
} from './socket.ts';
import { type Context, contextOf, type RawContext } from './terms.ts';

/** What may stand as `ssl` in options: a context, or one of Node's own, or the options for one. */
export type TlsContext = SSLContext | RawContext;

/** The TLS part of a connection's options. */
export interface ClientOptions {
  /** True for the default context, or a context. */
  ssl?: boolean | TlsContext | null | undefined;
  /** The name to check the server's certificate against. Default: the host. */
  serverHostname?: string | null | undefined;
  /** Protocols to offer by ALPN, best first. */
  alpnProtocols?: Iterable<string> | null | undefined;
}

/**
 * What a connection's options ask for; null for a plain one.
 * @param host what to check the certificate against if nothing is said; null if there is no such name
 * @throws TypeError, RangeError for what can never work
 */
export function clientPlan(options: ClientOptions, host: string | null, operation: string): Plan | null {
  const { ssl, serverHostname, alpnProtocols } = options;
  if (ssl === undefined || ssl === null || ssl === false) {
    if (serverHostname !== undefined && serverHostname !== null) {
      throw new RangeError(
        `${operation}: serverHostname is what a TLS certificate is checked against. Give ssl too, or leave it out.`,
      );
    }
    if (alpnProtocols !== undefined && alpnProtocols !== null) {
      throw new RangeError(`${operation}: alpnProtocols are for TLS. Give ssl too, or leave them out.`);
    }
    return null;
  }
  const context = ssl === true ? createDefaultContext() : contextOf(ssl, operation);
  return planOf(context, { serverHostname: serverHostname ?? host, alpnProtocols }, operation);
}

/** Puts TLS on a connection that is being made, and waits for the handshake. If that fails, the connection is closed. */
export async function connected(connecting: Promise<Socket>, plan: Plan): Promise<SSLSocket> {
  return handshaken(secured(await connecting, plan), true);
}

/**
 * What a server's options ask for; null for a plain one. Hands are shaken in the first read or write of the client's handler.
 * @throws TypeError, RangeError for what can never work
 */
export function serverPlan(ssl: unknown, operation: string): Plan | null {
  if (ssl === undefined || ssl === null || ssl === false) return null;
  if (ssl === true) {
    throw new TypeError(
      `${operation}: ssl cannot be true, since a server needs a certificate. ` +
        'Write createDefaultContext(Purpose.CLIENT_AUTH), and loadCertChain() on what it gives.',
    );
  }
  return planOf(contextOf(ssl, operation), { serverSide: true, doHandshakeOnConnect: false }, operation);
}

/** Options of the module's `wrapSocket()`. */
export interface WrapSocketOptions extends WrapOptions {
  /** The context to use. Without one, what follows makes one. */
  context?: TlsContext | undefined;
  certfile?: string | undefined;
  keyfile?: string | undefined;
  password?: string | undefined;
  /** What is demanded of the other side's certificate. Default: a client verifies it, a server asks for none. */
  certReqs?: VerifyMode | undefined;
  /** A file with those to trust. Default: those that Node trusts by itself. */
  caCerts?: string | undefined;
  ciphers?: string | undefined;
}

/**
 * Puts TLS on a socket, as `SSLContext.wrapSocket` does, with a context made of the options. Blocks (`WRITE_WAIT`) until the handshake
 * is done.
 *
 * **Cancellation:** the connection is closed.
 * @throws SSLError if the handshake fails
 * @throws RangeError without a `serverHostname` to check, unless `certReqs` says what is checked
 * @see Reference manual, "ssl module"
 */
export function wrapSocket(sock: Wrappable, options: WrapSocketOptions = {}): Promise<SSLSocket> {
  const operation = 'wrapSocket()';
  const context = options.context === undefined ? contextFor(options) : contextOf(options.context, operation);
  return wrap(sock, context, options, operation);
}

function contextFor(options: WrapSocketOptions): Context {
  const {
    serverSide = false,
    certfile,
    keyfile,
    password,
    certReqs,
    caCerts,
    ciphers,
    serverHostname,
  } = options;
  const purpose = serverSide ? Purpose.CLIENT_AUTH : Purpose.SERVER_AUTH;
  const context = createDefaultContext(purpose, { cafile: caCerts });
  if (certfile !== undefined) context.loadCertChain({ certfile, keyfile, password });
  if (ciphers !== undefined) context.setCiphers(ciphers);
  if (certReqs !== undefined) {
    context.checkHostname = !serverSide && certReqs !== CERT_NONE && serverHostname != null;
    context.verifyMode = certReqs;
  }
  return context;
}

/** Options of `getServerCertificate()`. */
export interface ServerCertificateOptions {
  /** A file with those to trust; without one, any certificate will do. */
  caCerts?: string | undefined;
  /** What to call the server. Default: the host. */
  serverHostname?: string | undefined;
  /** Seconds to wait. Default: for as long as it takes. */
  timeout?: number | null | undefined;
}

/**
 * Connects to a server, and gives its certificate in PEM. Unless `caCerts` is given nobody vouches for it. Blocks.
 *
 * **Cancellation:** nothing is left behind.
 * @param address `[host, port]`
 * @throws SSLError, or an Error with a code such as `ECONNREFUSED`
 * @throws TaskTimeout if it takes longer than `timeout`
 * @see Reference manual, "ssl module"
 */
export function getServerCertificate(
  address: Address,
  options: ServerCertificateOptions = {},
): Promise<string> {
  const operation = 'getServerCertificate()';
  if (!Array.isArray(address)) {
    throw new TypeError(`${operation} wants [host, port], not ${describe(address)}.`);
  }
  const { caCerts, timeout = null } = options;
  const context = createDefaultContext(Purpose.SERVER_AUTH, { cafile: caCerts });
  context.checkHostname = false;
  if (caCerts === undefined) context.verifyMode = CERT_NONE;
  const plan = planOf(context, { serverHostname: options.serverHostname ?? address[0] }, operation);
  if (enterComposite(operation) === null) return refused(operation);
  return timeoutAfter(timeout, () => fetchCertificate(address, plan));
}

async function fetchCertificate(address: Address, plan: Plan): Promise<string> {
  const sock = await connected(createConnection(address), plan);
  try {
    const der = sock.getpeercert(true) as Buffer;
    return derCertToPemCert(der);
  } finally {
    sock.closeNow();
  }
}
