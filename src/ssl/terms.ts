/*
 * On what terms a connection is made: what a context says about one of its two sides. `SSLContext` gives them, and so
 * does what stands here for the contexts of Node's own that users bring along.
 *
 * It must not know how a connection is made or waited for.
 */

import type { PeerCertificate, SecureContext, SecureContextOptions, TlsOptions } from 'node:tls';
import { describe, isOptions } from '../base/callable.ts';
import { contextError } from './error.ts';

type Tls = typeof import('node:tls');

/** Loaded when first needed: it is not free. */
export const tls = (): Tls => process.getBuiltinModule('node:tls');

/** What a server picks a certificate by: the name the client asks for. It gives a context, or `done` an error. */
export type ServerNameHook = (
  name: string,
  done: (error: Error | null, context?: SecureContext) => void,
) => void;

/** What holds for one side of a connection. */
export interface Terms {
  secureContext: SecureContext;
  /** Ask the client for a certificate. Servers are always asked. */
  ask: boolean;
  /** A client without a certificate is refused. */
  require: boolean;
  /** A certificate that nobody trusted vouches for is refused. */
  verify: boolean;
  /** So is one of another host. */
  checkHostname: boolean;
  checkIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
  alpnProtocols: readonly string[] | null;
}

/** What gives terms. */
export interface Context {
  /** Seconds that a client may take for the handshake; null for no limit. */
  readonly handshakeTimeout: number | null;
  /** @internal Which side it may be used on, and that it has what that side needs. @throws RangeError */
  mayBe(serverSide: boolean, operation: string): void;
  /** @internal */
  terms(serverSide: boolean): Terms;
  /** @internal How to pick another context by the name that a client asks for; null if there is only this one. */
  serverNameHook(sock: object): ServerNameHook | null;
}

/** Seconds that a client may take for the handshake, by default. */
export const HANDSHAKE_TIMEOUT = 30;

/** A context of Node's own, or the options for one. */
export type RawContext = SecureContext | (SecureContextOptions & TlsOptions & RawClientOptions);

/** What Node's clients understand besides. */
interface RawClientOptions {
  checkServerIdentity?(host: string, certificate: PeerCertificate): Error | undefined;
}

/** A context of Node's own as one of ours. It means what it means to Node: clients verify, servers do if they ask. */
export class NodeContext implements Context {
  readonly #raw: RawContext;
  #secureContext: SecureContext | null = null;
  readonly handshakeTimeout: number | null;

  /** @throws SSLError if Node cannot make a context of it */
  constructor(raw: RawContext) {
    this.#raw = raw;
    const { handshakeTimeout } = raw as TlsOptions;
    this.handshakeTimeout = handshakeTimeout === undefined ? HANDSHAKE_TIMEOUT : handshakeTimeout / 1000;
    if (isSecureContext(raw)) {
      this.#secureContext = raw;
      return;
    }
    try {
      this.#secureContext = tls().createSecureContext(raw);
    } catch (cause) {
      // swallows: nothing waits here.
      throw contextError('Node cannot make a TLS context of these options', cause as Error);
    }
  }

  mayBe(): void {}

  terms(serverSide: boolean): Terms {
    const options = (isSecureContext(this.#raw) ? {} : this.#raw) as TlsOptions & RawClientOptions;
    const rejects = options.rejectUnauthorized !== false;
    const asks = options.requestCert === true;
    const verify = serverSide ? asks && rejects : rejects;
    return {
      secureContext: this.#secureContext as SecureContext,
      ask: asks,
      require: asks && rejects,
      verify,
      checkHostname: verify && !serverSide,
      checkIdentity: options.checkServerIdentity ?? tls().checkServerIdentity,
      alpnProtocols: Array.isArray(options.ALPNProtocols) ? (options.ALPNProtocols as string[]) : null,
    };
  }

  serverNameHook(): ServerNameHook | null {
    const hook = (this.#raw as TlsOptions).SNICallback;
    return typeof hook === 'function' ? (hook as ServerNameHook) : null;
  }
}

function isSecureContext(value: object): value is SecureContext {
  return typeof (value as { context?: unknown }).context === 'object' && !isOptions(value);
}

/** A context for what stands as `ssl` in options. @throws TypeError */
export function contextOf(value: unknown, operation: string): Context {
  if (typeof value === 'object' && value !== null) {
    if (typeof (value as Partial<Context>).terms === 'function') return value as Context;
    if (isSecureContext(value) || isOptions(value)) return new NodeContext(value as RawContext);
  }
  throw new TypeError(
    `${operation}: ssl is an SSLContext of curio/ssl, or a context or options of Node’s tls, not ${describe(value)}.`,
  );
}

/** @throws TypeError for what ALPN has no room for */
export function checkAlpn(protocols: unknown, operation: string): readonly string[] {
  const list =
    typeof protocols === 'object' && protocols !== null && Symbol.iterator in protocols
      ? [...(protocols as Iterable<unknown>)]
      : null;
  const fits = (name: unknown) =>
    typeof name === 'string' && name.length > 0 && Buffer.byteLength(name) <= 255;
  if (list?.every(fits)) return list as string[];
  throw new TypeError(
    `${operation} wants a list of protocol names of 1 to 255 bytes, such as ['h2', 'http/1.1'], not ${describe(protocols)}.`,
  );
}
