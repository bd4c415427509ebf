/*
 * What TLS connections are made with: certificates, keys, whom to trust, and what to demand of the other side. A
 * context makes Node's `tls.SecureContext` when it is first used, and again after it has been changed.
 *
 * It must not know how a connection is made or waited for; that is handle.ts and socket.ts.
 */

import type { SecureContext, SecureContextOptions } from 'node:tls';
import { describe, isThenable } from '../base/callable.ts';
import { RuntimeError } from '../errors.ts';
import {
  CERT_NONE,
  CERT_OPTIONAL,
  CERT_REQUIRED,
  PROTOCOL_TLS,
  PROTOCOL_TLS_CLIENT,
  PROTOCOL_TLS_SERVER,
  type Protocol,
  Purpose,
  TLSVersion,
  type VerifyMode,
} from './constants.ts';
import { contextError } from './error.ts';
import {
  type Chain,
  type ChainFiles,
  type ChainText,
  certificatesIn,
  certificatesInFile,
  certificatesInFolder,
  defaultCertificates,
  readChain,
  requireKey,
} from './pem.ts';
import { type SSLSocket, type WrapOptions, type Wrappable, wrap } from './socket.ts';
import { type Context, checkAlpn, HANDSHAKE_TIMEOUT, type ServerNameHook, type Terms, tls } from './terms.ts';

/** Whom to trust: PEM files, a folder of them, or the certificates themselves. */
export interface VerifyLocations {
  cafile?: string | null | undefined;
  capath?: string | null | undefined;
  /** PEM text, or the bytes of one certificate. */
  cadata?: string | Uint8Array | null | undefined;
}

/**
 * Called on a server with the name that a client asks for. It may give another SSLContext for this connection, or a promise of one, or set
 * `sock.context`; an exception ends the handshake.
 */
export type SniCallback = (sock: SSLSocket, serverName: string, context: SSLContext) => unknown;

/**
 * Settings, certificates and keys of TLS connections. Changes hold for connections made afterwards.
 *
 * A new one of `PROTOCOL_TLS` verifies nothing, and trusts nobody. `createDefaultContext()` gives one that is fit for use.
 *
 * @see Reference manual, "ssl module"
 * @example
 * const context = new SSLContext(PROTOCOL_TLS_CLIENT);
 * context.loadVerifyLocations('authority.pem');
 * await using sock = await openConnection('localhost', 10000, { ssl: context });
 */
export class SSLContext implements Context {
  readonly protocol: Protocol;
  /**
   * Seconds that a client may take for the handshake with a server, then it is dropped; null for no limit. Default 30. A client of
   * ours waits for as long as it is let: use `timeoutAfter`.
   */
  handshakeTimeout: number | null = HANDSHAKE_TIMEOUT;
  /** Picks another context by the name that a client asks for, on a server. */
  sniCallback: SniCallback | null = null;

  #verifyMode: VerifyMode = CERT_NONE;
  #checkHostname = false;
  #minimum: TLSVersion | null = null;
  #maximum: TLSVersion | null = null;
  #ciphers: string | null = null;
  #alpnProtocols: readonly string[] | null = null;
  readonly #chains: Chain[] = [];
  readonly #authorities: string[] = [];
  #trustsDefaults = false;
  #secureContext: SecureContext | null = null;

  /** @param protocol which side it is for: `PROTOCOL_TLS_CLIENT`, `PROTOCOL_TLS_SERVER`, or `PROTOCOL_TLS` for either */
  constructor(protocol: Protocol = PROTOCOL_TLS) {
    if (protocol !== PROTOCOL_TLS && protocol !== PROTOCOL_TLS_CLIENT && protocol !== PROTOCOL_TLS_SERVER) {
      throw new TypeError(
        `new SSLContext() wants PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER or PROTOCOL_TLS, not ${describe(protocol)}.`,
      );
    }
    this.protocol = protocol;
    if (protocol === PROTOCOL_TLS_CLIENT) {
      this.#verifyMode = CERT_REQUIRED;
      this.#checkHostname = true;
    }
  }

  // ---- Whom to trust ----

  /** What is demanded of the other side's certificate: `CERT_NONE`, `CERT_OPTIONAL` or `CERT_REQUIRED`. */
  get verifyMode(): VerifyMode {
    return this.#verifyMode;
  }

  /** @throws RangeError for `CERT_NONE` while the host name is to be checked */
  set verifyMode(mode: number) {
    if (mode !== CERT_NONE && mode !== CERT_OPTIONAL && mode !== CERT_REQUIRED) {
      throw new TypeError(
        `verifyMode is CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED of curio/ssl, not ${describe(mode)}.`,
      );
    }
    if (mode === CERT_NONE && this.#checkHostname) {
      throw new RangeError(
        'verifyMode cannot be CERT_NONE while the host name is to be checked. Write context.checkHostname = false first.',
      );
    }
    this.#verifyMode = mode;
  }

  /** Whether a server's certificate must be one of the host that was asked for. Turned on, it turns `CERT_NONE` into `CERT_REQUIRED`. */
  get checkHostname(): boolean {
    return this.#checkHostname;
  }

  set checkHostname(check: boolean) {
    this.#checkHostname = Boolean(check);
    if (this.#checkHostname && this.#verifyMode === CERT_NONE) this.#verifyMode = CERT_REQUIRED;
  }

  /**
   * Trusts certificates: authorities', or a server's own. Does not block tasks, but reads the files synchronously.
   * @throws SSLError if there is no certificate in them
   * @throws an Error with a code such as `ENOENT`
   */
  loadVerifyLocations(
    cafile: string | null,
    capath?: string | null,
    cadata?: string | Uint8Array | null,
  ): void;
  loadVerifyLocations(locations: VerifyLocations): void;
  loadVerifyLocations(
    first: string | null | VerifyLocations,
    capath?: string | null,
    cadata?: string | Uint8Array | null,
  ): void {
    const from = typeof first === 'object' && first !== null ? first : { cafile: first, capath, cadata };
    if (!from.cafile && !from.capath && !from.cadata) {
      throw new TypeError('loadVerifyLocations() wants a file: cafile, capath or cadata.');
    }
    const found = [
      ...(from.cafile ? certificatesInFile(from.cafile) : []),
      ...(from.capath ? certificatesInFolder(from.capath) : []),
      ...(from.cadata ? certificatesIn(from.cadata, 'cadata') : []),
    ];
    this.#authorities.push(...found);
    this.#secureContext = null;
  }

  /** Trusts those that Node trusts by itself: well-known authorities, and those of NODE_EXTRA_CA_CERTS. */
  loadDefaultCerts(_purpose?: Purpose): void {
    this.#trustsDefaults = true;
    this.#secureContext = null;
  }

  // ---- What to show ----

  /**
   * Loads the certificate of this side with its key. May be called again for a key of another kind. Does not block tasks, but reads
   * the files synchronously.
   *
   * @param certfile the certificate, followed by those that vouch for it
   * @param keyfile the key; default: it is in the first file, too
   * @throws SSLError if key and certificate are not a pair, or the password is wrong
   * @throws an Error with a code such as `ENOENT`
   * @example
   * context.loadCertChain('certificate.pem', 'key.pem');
   * context.loadCertChain({ cert: await readFile('certificate.pem'), key: process.env.KEY });
   */
  loadCertChain(certfile: string, keyfile?: string | null, password?: string | null): void;
  loadCertChain(source: ChainFiles | ChainText): void;
  loadCertChain(
    first: string | ChainFiles | ChainText,
    keyfile?: string | null,
    password?: string | null,
  ): void {
    const source = typeof first === 'string' ? { certfile: first, keyfile, password } : first;
    const isSource =
      typeof source === 'object' && source !== null && ('certfile' in source || 'cert' in source);
    if (!isSource) {
      throw new TypeError(
        `loadCertChain() wants the names of files, { certfile, keyfile }, or { cert, key } as PEM text, not ${describe(first)}.`,
      );
    }
    const chain = readChain(source);
    const where = 'certfile' in source ? ` in ${source.certfile}` : '';
    certificatesIn(chain.cert, 'certfile' in source ? source.certfile : 'cert');
    requireKey(chain, source);
    const key = 'keyfile' in source && source.keyfile ? ` and ${source.keyfile}` : '';
    made(`The certificate and key${where}${key} cannot be used`, chain);
    this.#chains.push(chain);
    this.#secureContext = null;
  }

  // ---- How to speak ----

  /** The oldest version of TLS to speak. Default: Node's, TLS 1.2. */
  get minimumVersion(): TLSVersion {
    return this.#minimum ?? tls().DEFAULT_MIN_VERSION;
  }

  set minimumVersion(version: TLSVersion) {
    this.#minimum = checkVersion(version, 'minimumVersion');
    this.#secureContext = null;
  }

  /** The newest version of TLS to speak. Default: Node's, TLS 1.3. */
  get maximumVersion(): TLSVersion {
    return this.#maximum ?? tls().DEFAULT_MAX_VERSION;
  }

  set maximumVersion(version: TLSVersion) {
    this.#maximum = checkVersion(version, 'maximumVersion');
    this.#secureContext = null;
  }

  /**
   * Sets the ciphers to choose from, as OpenSSL writes them: `'ECDHE+AESGCM:!SHA1'`.
   * @throws SSLError if there is none among them
   */
  setCiphers(ciphers: string): void {
    if (typeof ciphers !== 'string')
      throw new TypeError(`setCiphers() wants a string, not ${describe(ciphers)}.`);
    made('These ciphers cannot be used', { ciphers });
    this.#ciphers = ciphers;
    this.#secureContext = null;
  }

  /** Sets the protocols to offer, or to choose from, by ALPN; best first: `['h2', 'http/1.1']`. */
  setAlpnProtocols(protocols: Iterable<string>): void {
    this.#alpnProtocols = checkAlpn(protocols, 'setAlpnProtocols()');
  }

  /** The same as setting `sniCallback`. */
  setServernameCallback(callback: SniCallback | null): void {
    this.sniCallback = callback;
  }

  // ---- Use ----

  /**
   * Puts TLS on a socket, which from now on is the result's: the socket itself is closed. Blocks (`WRITE_WAIT`) until the handshake
   * is done, if the socket is connected and `doHandshakeOnConnect` is not false.
   *
   * A socket that is not connected shakes hands in its `connect()`, and the clients of one that listens in its `accept()`.
   *
   * **Cancellation:** the connection is closed.
   * @throws SSLError if the handshake fails
   * @throws RangeError without a `serverHostname` to check
   * @see Reference manual, "ssl module"
   */
  wrapSocket(sock: Wrappable, options: WrapOptions = {}): Promise<SSLSocket> {
    return wrap(sock, this, options, 'SSLContext.wrapSocket()');
  }

  /** @internal */
  mayBe(serverSide: boolean, operation: string): void {
    const { protocol } = this;
    if (serverSide && protocol === PROTOCOL_TLS_CLIENT) {
      throw new RangeError(
        `${operation}: this context is for clients. A server needs createDefaultContext(Purpose.CLIENT_AUTH), or PROTOCOL_TLS_SERVER.`,
      );
    }
    if (!serverSide && protocol === PROTOCOL_TLS_SERVER) {
      throw new RangeError(
        `${operation}: this context is for servers. A client needs createDefaultContext(), or PROTOCOL_TLS_CLIENT.`,
      );
    }
    if (serverSide && this.#chains.length === 0 && this.sniCallback === null) {
      throw new RuntimeError(
        `${operation}: a server needs a certificate, and this context has none. Write context.loadCertChain('certificate.pem', 'key.pem').`,
      );
    }
  }

  /** @internal */
  terms(serverSide: boolean): Terms {
    this.#secureContext ??= this.#make();
    const verify = this.#verifyMode !== CERT_NONE;
    return {
      secureContext: this.#secureContext,
      ask: verify,
      require: this.#verifyMode === CERT_REQUIRED,
      verify,
      checkHostname: this.#checkHostname && !serverSide,
      checkIdentity: tls().checkServerIdentity,
      alpnProtocols: this.#alpnProtocols,
    };
  }

  #make(): SecureContext {
    return made('This context cannot be used', {
      cert: this.#chains.map(({ cert }) => cert),
      key: this.#chains.map(({ key, passphrase }) => ({ pem: key, passphrase })),
      // Node trusts its defaults if it is told of nobody at all.
      ca: this.#trustsDefaults
        ? this.#authorities.length === 0
          ? undefined
          : [...defaultCertificates(), ...this.#authorities]
        : this.#authorities,
      minVersion: this.#minimum ?? undefined,
      maxVersion: this.#maximum ?? undefined,
      ciphers: this.#ciphers ?? undefined,
      honorCipherOrder: true,
      // Without one, a client that has been verified could not come back with a ticket.
      sessionIdContext: 'curio',
    });
  }

  /** @internal */
  serverNameHook(sock: object): ServerNameHook | null {
    if (this.sniCallback === null) return null;
    return (name, done) => {
      const finish = (picked: unknown) => {
        const context = (picked ?? (sock as SSLSocket).context) as Partial<Context>;
        if (context === (this as Context)) return done(null);
        if (typeof context.terms === 'function') return done(null, context.terms(true).secureContext);
        done(new TypeError(`sniCallback gives an SSLContext or nothing, not ${describe(picked)}.`));
      };
      // To Node nothing thrown is nothing wrong, and the client would be let in.
      const fail = (error: unknown) =>
        done(error instanceof Error ? error : new TypeError(`sniCallback has thrown ${describe(error)}.`));
      try {
        const picked = this.sniCallback?.(sock as SSLSocket, name, this);
        if (!isThenable(picked)) return finish(picked);
        picked.then(finish).then(undefined, fail);
      } catch (error) {
        // swallows: nothing; the handshake fails with it.
        fail(error);
      }
    };
  }
}

/** Node's context of some options. @throws SSLError */
function made(what: string, options: SecureContextOptions & { passphrase?: string }): SecureContext {
  try {
    return tls().createSecureContext(options);
  } catch (cause) {
    // swallows: nothing waits here.
    throw contextError(what, cause as Error);
  }
}

function checkVersion(version: unknown, what: string): TLSVersion {
  if ((Object.values(TLSVersion) as unknown[]).includes(version)) return version as TLSVersion;
  throw new TypeError(
    `${what} is one of ssl.TLSVersion, such as TLSVersion.TLSv1_2, not ${describe(version)}.`,
  );
}

/**
 * A context fit for use: for clients (`Purpose.SERVER_AUTH`) one that verifies certificate and host name, against those whom Node
 * trusts by itself or those who are named; for servers (`Purpose.CLIENT_AUTH`) one that lacks a certificate only.
 *
 * @throws SSLError, or an Error with a code such as `ENOENT`, as `loadVerifyLocations` does
 * @see Reference manual, "ssl module"
 * @example
 * const context = createDefaultContext(Purpose.CLIENT_AUTH);
 * context.loadCertChain('certificate.pem', 'key.pem');
 * await run(tcpServer, '', 10000, handler, { ssl: context });
 */
export function createDefaultContext(
  purpose: Purpose = Purpose.SERVER_AUTH,
  locations: VerifyLocations = {},
): SSLContext {
  if (purpose !== Purpose.SERVER_AUTH && purpose !== Purpose.CLIENT_AUTH) {
    throw new TypeError(
      `createDefaultContext() wants Purpose.SERVER_AUTH (for a client) or Purpose.CLIENT_AUTH (for a server), not ${describe(purpose)}. ` +
        'Options come second.',
    );
  }
  const client = purpose === Purpose.SERVER_AUTH;
  const context = new SSLContext(client ? PROTOCOL_TLS_CLIENT : PROTOCOL_TLS_SERVER);
  const { cafile, capath, cadata } = locations;
  if (cafile || capath || cadata) context.loadVerifyLocations({ cafile, capath, cadata });
  else if (client) context.loadDefaultCerts(purpose);
  return context;
}
