/*
 * The TLS handshake: Node's TLSSocket made over a connection, as client or as server, what the certificates are held against, and
 * what has gone wrong, in sentences, until hands are shaken.
 *
 * It must not know handles nor tasks, nor what is sent afterwards.
 */

import type { Socket as NetSocket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { type SystemError, systemError } from '../io/system.ts';
import { certificateError, connectionError, type Peer } from './error.ts';
import { type ServerNameHook, type Terms, tls } from './terms.ts';

/** One side of a connection to be. */
export interface Side {
  serverSide: boolean;
  /** What the server is called; null if nobody says. */
  hostname: string | null;
  terms: Terms;
  alpnProtocols: readonly string[] | null;
  serverNameHook: ServerNameHook | null;
  /** Seconds until the handshake is given up; null for never. */
  limit: number | null;
}

/** Who must know what becomes of a handshake. */
export interface HandshakeListener {
  /** Hands are shaken, and the certificates are good. */
  secured(): void;
  /** It has come to nothing. */
  failed(error: Error): void;
  /** Node has complained, as it does in the event of that name. */
  complained(error: SystemError): void;
}

export class Handshake {
  readonly socket: TLSSocket;
  readonly #side: Side;
  readonly #listener: HandshakeListener;
  /** A client's hands are shaken, and the certificate is being looked at. */
  #shaken = false;
  #certificate: PeerCertificate | null = null;
  #timer: NodeJS.Timeout | undefined;

  /** Begins it. Nobody is told of anything before the caller has gone on. */
  constructor(raw: NetSocket, side: Side, listener: HandshakeListener) {
    this.#side = side;
    this.#listener = listener;
    this.socket = side.serverSide ? this.#serve(raw) : this.#call(raw);
    if (side.limit !== null) {
      this.#timer = setTimeout(this.#onTimeout, side.limit * 1000);
      this.#timer.unref();
    }
    // Node tells of an end once only, and of this one it has told whoever read before.
    if (raw.readableEnded || raw.destroyed) process.nextTick(this.#onGone);
  }

  #call(raw: NetSocket): TLSSocket {
    const { terms, hostname, alpnProtocols } = this.#side;
    const { isIP } = process.getBuiltinModule('node:net');
    const socket = tls().connect({
      socket: raw,
      secureContext: terms.secureContext,
      rejectUnauthorized: terms.verify,
      checkServerIdentity: (host, certificate) => {
        this.#certificate = certificate;
        return terms.checkHostname ? terms.checkIdentity(host, certificate) : undefined;
      },
      // An address is no server name, but it is in certificates.
      ...(hostname === null ? {} : { host: hostname }),
      ...(hostname === null || isIP(hostname) ? {} : { servername: hostname }),
      ...(alpnProtocols === null ? {} : { ALPNProtocols: [...alpnProtocols] }),
    });
    // Node looks at the certificate itself, and has forgotten it when it says what is wrong.
    socket.prependListener('secure', () => {
      this.#shaken = true;
      if (terms.verify && verifyError(socket) !== null) this.#certificate = socket.getPeerCertificate();
    });
    socket.once('secureConnect', () => {
      this.#certificate = null;
      this.#onSecure();
    });
    return socket;
  }

  #serve(raw: NetSocket): TLSSocket {
    const { terms, alpnProtocols, serverNameHook } = this.#side;
    const { TLSSocket } = tls();
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: terms.secureContext,
      requestCert: terms.ask,
      rejectUnauthorized: terms.require,
      ...(alpnProtocols === null ? {} : { ALPNProtocols: [...alpnProtocols] }),
      ...(serverNameHook === null ? {} : { SNICallback: serverNameHook }),
    });
    socket.once('secure', () => {
      const failure = terms.verify ? verifyClient(socket, terms.require) : null;
      if (failure === null) return this.#onSecure();
      this.#certificate = socket.getPeerCertificate();
      this.#listener.failed(certificateError(failure, this.peer));
    });
    // What is wrong once hands are shaken Node tells its own servers only.
    socket.on('_tlsError', (error: SystemError) => this.#listener.complained(error));
    return socket;
  }

  readonly #onSecure = (): void => {
    this.stop();
    this.#listener.secured();
  };

  readonly #onGone = (): void => {
    this.#listener.failed(connectionError(systemError('ECONNRESET', 'handshake'), this.peer));
  };

  readonly #onTimeout = (): void => {
    this.#listener.failed(connectionError(systemError('ETIMEDOUT', 'handshake'), this.peer));
  };

  /** It is over, one way or the other: the time no longer runs. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The other side. */
  get peer(): Peer {
    const { serverSide, hostname } = this.#side;
    return {
      client: serverSide,
      name: serverSide ? 'the client' : (hostname ?? 'the server'),
      certificate: this.#certificate,
    };
  }

  /** What has gone wrong before it was done. */
  refusal(error: SystemError): Error {
    // Node refuses a certificate between `secure` and `secureConnect`.
    if (this.#shaken && error.code !== 'ERR_TLS_DH_PARAM_SIZE') return certificateError(error, this.peer);
    return connectionError(error, this.peer);
  }
}

/** What OpenSSL thinks of the other side's certificate, which it lets pass. Node shows it for its own clients and servers only. */
function verifyError(socket: TLSSocket): Error | null {
  const { ssl } = socket as unknown as { ssl: { verifyError(): Error | null | undefined } };
  return ssl.verifyError() ?? null;
}

/** The same for a client's, which need not have one if that is not required. */
function verifyClient(socket: TLSSocket, required: boolean): Error | null {
  if (!required && !socket.getPeerCertificate()?.raw) return null;
  return verifyError(socket);
}
