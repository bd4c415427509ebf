/*
 * Sockets that speak TLS, and how a socket becomes one: `wrap`, behind `SSLContext.wrapSocket`, `openConnection` and the
 * servers.
 *
 * It must not know what contexts are made of, only the terms they give.
 */

import type { PeerCertificate } from 'node:tls';
import { describe } from '../base/callable.ts';
import { comesOutHere } from '../base/stack.ts';
import { NotSupportedError } from '../errors.ts';
import type { Address } from '../io/address.ts';
import { MSG_PEEK, SO_ACCEPTCONN, SOCK_STREAM, SOL_SOCKET } from '../io/constants.ts';
import type { Handle } from '../io/driver.ts';
import type { NodeSocket } from '../io/handles.ts';
import { Socket } from '../io/socket.ts';
import { closedError, type SystemError } from '../io/system.ts';
import { enterComposite, fail, pass, refused } from '../traps.ts';
import type { SSLContext } from './context.ts';
import { TlsHandle } from './handle.ts';
import type { Side } from './handshake.ts';
import { type Context, checkAlpn } from './terms.ts';
import { notConnected, unsecured } from './unsecured.ts';

/** What TLS can be put on. */
export type Wrappable = Socket | number | NodeSocket;

/** Options of `wrapSocket()`. */
export interface WrapOptions {
  /** Be the server. Default false. */
  serverSide?: boolean | undefined;
  /** What the server is called: it is told so, and its certificate is checked against it. For clients only. */
  serverHostname?: string | null | undefined;
  /** Shake hands before anything else. If false, the first read or write does, or `doHandshake()`. Default true. */
  doHandshakeOnConnect?: boolean | undefined;
  /** Protocols for ALPN instead of the context's, best first. */
  alpnProtocols?: Iterable<string> | null | undefined;
}

/** How the connections of a socket are to be made. */
export interface Plan {
  context: Context;
  serverSide: boolean;
  hostname: string | null;
  handshake: boolean;
  alpnProtocols: readonly string[] | null;
}

/**
 * A socket that speaks TLS: what `SSLContext.wrapSocket()` and `openConnection(…, { ssl })` give.
 *
 * `recv` and `send` wait for the handshake if it is not done. Flags, `dup`, `detach` and `blocking` are not to be had, and socket
 * options on the posix driver only.
 *
 * @see Reference manual, "ssl module"
 */
export class SSLSocket extends Socket {
  readonly #plan: Plan;
  /** Null before it is connected. */
  #tls: TlsHandle | null = null;
  #context: Context;

  /**
   * @internal
   * @param received what has been received of a connection already; null if there is none: what is accepted or connected later
   * speaks TLS
   */
  constructor(plain: Handle, plan: Plan, received: Buffer | null) {
    super(received === null ? unsecured(plain) : plain);
    this.#plan = plan;
    this.#context = plan.context;
    if (received !== null) this.#begin(plain, received);
  }

  #begin(plain: Handle, received: Buffer): void {
    const { context, serverSide, hostname, alpnProtocols } = this.#plan;
    const terms = context.terms(serverSide);
    const side: Side = {
      serverSide,
      hostname,
      terms,
      alpnProtocols: alpnProtocols ?? terms.alpnProtocols,
      serverNameHook: serverSide ? context.serverNameHook(this) : null,
      limit: serverSide ? context.handshakeTimeout : null,
    };
    this.#tls = new TlsHandle(plain, side, received);
    this.become(this.#tls);
  }

  /** The context it was made with. On a server, `sniCallback` may set another one. */
  get context(): SSLContext {
    return this.#context as SSLContext;
  }

  set context(context: SSLContext) {
    this.#context = context;
  }

  get serverSide(): boolean {
    return this.#plan.serverSide;
  }

  /** What the server is called: on a server, what the client has called it; null if nobody has said. */
  get serverHostname(): string | null {
    if (!this.#plan.serverSide) return this.#plan.hostname;
    return (this.#tls?.socket as { servername?: string | false } | undefined)?.servername || null;
  }

  // ---- Connecting ----

  override connect(address: Address): Promise<void> {
    const connecting = super.connect(address);
    return this.#tls === null ? this.#connected(connecting) : connecting;
  }

  async #connected(connecting: Promise<void>): Promise<void> {
    await connecting;
    this.#begin(this.readiness as Handle, this.takeUnread());
    if (this.#plan.handshake) await this.doHandshake();
  }

  override accept(): Promise<[client: SSLSocket, address: Address]> {
    return this.#accepted(super.accept());
  }

  async #accepted(accepting: Promise<[Socket, Address]>): Promise<[SSLSocket, Address]> {
    const [plain, address] = await accepting;
    const client = secured(plain, this.#plan);
    return [await handshaken(client, this.#plan.handshake), address];
  }

  override doHandshake(): Promise<void> {
    if (this.#tls !== null) return super.doHandshake();
    const task = enterComposite('Socket.doHandshake()');
    if (task === null) return refused('Socket.doHandshake()');
    return fail(
      task,
      (this.readiness as Handle).closed ? closedError('handshake') : notConnected('handshake'),
    );
  }

  /** @internal What the handshake has failed with. */
  get handshakeError(): Error | null {
    return this.#tls?.handshakeError ?? null;
  }

  // ---- What has been agreed on ----

  #agreed<T>(get: (socket: TlsHandle['socket']) => T | null | undefined): T | null {
    return this.#tls?.secure && !this.#tls.closed ? (get(this.#tls.socket) ?? null) : null;
  }

  /**
   * The certificate the other side has shown, as Node gives it, or its bytes; null if there is none. With `CERT_NONE` nobody has looked
   * whether it is a good one.
   * @throws an Error with the code `ENOTCONN` before the handshake is done
   */
  getpeercert(binaryForm?: false): PeerCertificate | null;
  getpeercert(binaryForm: true): Buffer | null;
  getpeercert(binaryForm = false): PeerCertificate | Buffer | null {
    if (!this.#tls?.secure || this.#tls.closed) throw notConnected('handshake');
    const certificate = this.#tls.socket.getPeerCertificate();
    if (!certificate?.raw) return null;
    return binaryForm ? certificate.raw : certificate;
  }

  /** The protocol that ALPN has chosen; null if none, or before the handshake is done. */
  selectedAlpnProtocol(): string | null {
    return this.#agreed((socket) => socket.alpnProtocol || null);
  }

  /** The version of TLS, such as `'TLSv1.3'`; null before the handshake is done. */
  version(): string | null {
    return this.#agreed((socket) => socket.getProtocol());
  }

  /** The cipher: OpenSSL's name, the version of TLS that brought it, and the length of its key in bits. Null before the handshake is done. */
  cipher(): [name: string, version: string, bits: number] | null {
    return this.#agreed((socket) => {
      const { name, version } = socket.getCipher();
      return [name, version, keyBits(name)];
    });
  }

  /** Null: TLS connections are not compressed. */
  compression(): null {
    return null;
  }

  /** Whether an earlier session was resumed; null before the handshake is done. */
  get sessionReused(): boolean | null {
    return this.#agreed((socket) => socket.isSessionReused());
  }

  /**
   * Cannot be done: Node closes the connection when TLS ends. `shutdown(SHUT_WR)` says goodbye to the other side.
   * @throws NotSupportedError always
   */
  unwrap(): never {
    throw new NotSupportedError(
      'SSLSocket.unwrap(): Node cannot go back from TLS to plain text on a connection. Write shutdown(SHUT_WR) to say that nothing more comes.',
    );
  }

  override toString(): string {
    return super.toString().replace('Socket(', 'SSLSocket(');
  }
}

function keyBits(cipher: string): number {
  const written = /(?:AES|CAMELLIA|ARIA)[-_]?(128|256)/i.exec(cipher);
  if (written !== null) return Number(written[1]);
  return /CHACHA20/i.test(cipher) ? 256 : /DES/i.test(cipher) ? 112 : 128;
}

// ---- Wrapping -----------------------------------------------------------------------------

/** @throws TypeError, RangeError for what can never work */
export function planOf(context: Context, options: WrapOptions, operation: string): Plan {
  const { serverSide = false, serverHostname = null, doHandshakeOnConnect = true, alpnProtocols } = options;
  context.mayBe(serverSide, operation);
  if (serverHostname !== null && (typeof serverHostname !== 'string' || serverHostname === '')) {
    throw new TypeError(`${operation} wants a name as serverHostname, not ${describe(serverHostname)}.`);
  }
  if (serverSide && serverHostname !== null) {
    throw new RangeError(
      `${operation}: serverHostname is for clients; a server is told by them what it is called.`,
    );
  }
  const plan = {
    context,
    serverSide,
    hostname: serverHostname,
    handshake: doHandshakeOnConnect,
    alpnProtocols: alpnProtocols == null ? null : checkAlpn(alpnProtocols, operation),
  };
  if (!serverSide && serverHostname === null && context.terms(false).checkHostname) {
    throw new RangeError(
      `${operation}: whose certificate is it to be? Give serverHostname, or write context.checkHostname = false.`,
    );
  }
  return plan;
}

/** Puts TLS on a connection; the handshake has only begun. If that fails, the connection is closed. */
export function secured(plain: Socket, plan: Plan): SSLSocket {
  try {
    return new SSLSocket(plain.readiness as Handle, plan, plain.takeUnread());
  } catch (error) {
    plain.closeNow();
    throw error;
  }
}

/** Waits for the handshake, if it is wanted. If that fails, or is given up, the connection is closed. */
export async function handshaken(sock: SSLSocket, wanted: boolean): Promise<SSLSocket> {
  if (!wanted) return sock;
  try {
    await sock.doHandshake();
  } catch (error) {
    sock.closeNow();
    comesOutHere(error);
    throw error;
  }
  return sock;
}

/** What `wrapSocket` does. */
export function wrap(
  sock: Wrappable,
  context: Context,
  options: WrapOptions,
  operation: string,
): Promise<SSLSocket> {
  const plan = planOf(context, options, operation);
  const plain = sock instanceof Socket ? sock : new Socket(sock);
  if (plain.type !== SOCK_STREAM) throw new TypeError(`${operation}: only a stream socket can carry TLS.`);
  const task = enterComposite(operation);
  if (task === null) return refused(operation);
  let ssl: SSLSocket;
  let connected: boolean;
  try {
    connected = isConnected(plain);
    if (connected && plain instanceof SSLSocket) return inside(plain, plan);
    if (!connected && !plan.serverSide && plain.getsockopt(SOL_SOCKET, SO_ACCEPTCONN) !== 0) {
      throw new RangeError(
        `${operation}: this socket listens, and so is a server’s. Write { serverSide: true }.`,
      );
    }
    ssl = connected ? secured(plain, plan) : new SSLSocket(plain.readiness as Handle, plan, null);
  } catch (error) {
    // swallows: nothing; operations reject.
    return fail(task, error);
  }
  return connected && plan.handshake ? handshaken(ssl, true) : pass(task, ssl);
}

/** TLS inside TLS begins when the outer one stands. */
async function inside(outer: SSLSocket, plan: Plan): Promise<SSLSocket> {
  return handshaken(secured(await handshaken(outer, true), plan), plan.handshake);
}

/** False for a socket that listens, or that still has to be connected. */
function isConnected(sock: Socket): boolean {
  try {
    sock.getpeername();
    return true;
  } catch (error) {
    if ((error as SystemError).code !== 'ENOTCONN') throw error;
    return hasBeenConnected(sock.readiness as Handle);
  }
}

/**
 * True of a connection that the other side has reset. What it sent before is still to be had, and must not be taken for something that
 * has come over TLS.
 */
function hasBeenConnected(handle: Handle): boolean {
  try {
    return handle.recv(1, MSG_PEEK) !== null;
  } catch (error) {
    // swallows: nothing; the handshake fails with it. Of what never was connected Linux says EINVAL if it is a Unix socket.
    const { code } = error as SystemError;
    return code !== 'ENOTCONN' && code !== 'EINVAL';
  }
}
