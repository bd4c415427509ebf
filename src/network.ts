/*
 * Servers and connections: what most programs want of sockets. Everything here is written
 * with what users have too: sockets and tasks.
 */

import { type Callable, callable, describe, functionName } from './base/callable.ts';
import { NotSupportedError } from './errors.ts';
import type { Address } from './io/address.ts';
import { endpoint, literalKind } from './io/address.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOCK_STREAM,
  SOL_SOCKET,
} from './io/constants.ts';
import { lookup } from './io/names.ts';
import { Socket } from './io/socket.ts';
import { type Handler, secureHandler, serveClients } from './serving.ts';
import { createConnection, socket } from './socket.ts';
import { type ClientOptions, clientPlan, connected, serverPlan, type TlsContext } from './ssl/connection.ts';
import type { SSLSocket } from './ssl/socket.ts';
import { elsewhere, enterComposite, handled, refused } from './traps.ts';

/** What serves one client: its socket is closed when the handler ends. */
export type ClientHandler = Callable<[client: Socket, address: Address], unknown>;

/** The same for a server with `ssl`. */
export type TlsClientHandler = Callable<[client: SSLSocket, address: Address], unknown>;

/** The handler of either, as far as the compiler can tell where it does not see whether there is `ssl`: a method's parameters may be narrower. */
type AnyClientHandler = { serve(client: Socket, address: Address): unknown }['serve'];

// Discussion: a function that is handed on, as in `spawn(tcpServer, …)`, is to the compiler its last signature only. So each
// server has one more, that is all the others in one.
type ServerCall<Where extends unknown[], Options> =
  | [...where: Where, handler: ClientHandler, options?: Options]
  | [...where: Where, handler: AnyClientHandler, options: Options & { ssl: TlsContext }];

/** Options of every server. */
export interface ServerOptions {
  /** How many clients may stand in line. Default 100. */
  backlog?: number | undefined;
  /** A context of `curio/ssl` with a certificate: clients speak TLS. */
  ssl?: TlsContext | null | undefined;
}

/** Options of `tcpServer()` and `tcpServerSocket()`. */
export interface TcpServerOptions extends ServerOptions {
  /** `AF_INET` or `AF_INET6`. Default: what the host is a literal of, else `AF_INET`. */
  family?: number | undefined;
  /** Let the port be bound again at once after a restart (`SO_REUSEADDR`). Default true. */
  reuseAddress?: boolean | undefined;
  /**
   * Share the port with other sockets that ask for it too (`SO_REUSEPORT`). Default false. Where that cannot be had (the portable driver
   * before Node 22.12), it is ignored with a warning.
   */
  reusePort?: boolean | undefined;
}

/** Options of `openUnixConnection()`. */
export interface UnixConnectionOptions extends ClientOptions {}

/** Options of `openConnection()`. */
export interface ConnectionOptions extends UnixConnectionOptions {
  /** The local address to connect from. */
  sourceAddr?: Address | undefined;
}

// ---- Connections --------------------------------------------------------------------------

/**
 * Connects to a server, trying its addresses one after the other. Blocks.
 *
 * With `ssl` the connection speaks TLS, and hands have been shaken; the certificate is checked against `serverHostname`, by default the
 * host.
 *
 * **Cancellation:** nothing is left behind.
 * @throws an Error with a code such as `ECONNREFUSED`, `ENOTFOUND`
 * @throws SSLError if the handshake fails
 * @see Reference manual, "High Level Networking"
 * @example
 * await using sock = await openConnection('localhost', 25000);
 * await using safe = await openConnection('www.python.org', 443, { ssl: true });
 */
export function openConnection(
  host: string,
  port: number,
  options: ConnectionOptions & { ssl: true | TlsContext },
): Promise<SSLSocket>;
export function openConnection(host: string, port: number, options?: ConnectionOptions): Promise<Socket>;
export function openConnection(host: string, port: number, options: ConnectionOptions = {}): Promise<Socket> {
  const there = elsewhere();
  if (there !== null) return there.call('openConnection', [host, port, options]) as Promise<Socket>;
  endpoint([host, port], AF_INET, 'openConnection()');
  const plan = clientPlan(options, host, 'openConnection()');
  if (enterComposite('openConnection()') === null) return refused('openConnection()');
  const connecting = createConnection([host, port], { sourceAddress: options.sourceAddr });
  return handled(plan === null ? connecting : connected(connecting, plan));
}

/**
 * Connects to a server on a Unix socket. Blocks. With `ssl` the connection speaks TLS; a context that checks host names needs
 * `serverHostname` then.
 *
 * **Cancellation:** nothing is left behind.
 * @throws an Error with a code such as `ENOENT`, `ECONNREFUSED`
 * @throws SSLError if the handshake fails
 * @see Reference manual, "High Level Networking"
 */
export function openUnixConnection(
  path: string,
  options: UnixConnectionOptions & { ssl: true | TlsContext },
): Promise<SSLSocket>;
export function openUnixConnection(path: string, options?: UnixConnectionOptions): Promise<Socket>;
export function openUnixConnection(path: string, options: UnixConnectionOptions = {}): Promise<Socket> {
  const there = elsewhere();
  if (there !== null) return there.call('openUnixConnection', [path, options]) as Promise<Socket>;
  endpoint(path, AF_UNIX, 'openUnixConnection()');
  const plan = clientPlan(options, null, 'openUnixConnection()');
  if (enterComposite('openUnixConnection()') === null) return refused('openUnixConnection()');
  const connecting = connectUnix(path);
  return handled(plan === null ? connecting : connected(connecting, plan));
}

async function connectUnix(path: string): Promise<Socket> {
  const sock = socket(AF_UNIX, SOCK_STREAM);
  try {
    await sock.connect(path);
  } catch (error) {
    await sock.close();
    throw error;
  }
  return sock;
}

// ---- Servers ------------------------------------------------------------------------------

/**
 * Serves TCP clients until it is cancelled: a task of its own runs `handler(client, address)` for each. Blocks.
 *
 * When a handler ends its client's socket is closed; one that crashes is logged, and ends that client only. If it ends because its client
 * has broken the connection (`ECONNRESET`, `EPIPE`), that is a warning of one line. Out of descriptors (`EMFILE`), the server waits and
 * goes on.
 *
 * With `ssl` clients speak TLS: hands are shaken in the handler's first read or write. A client that fails to, or takes longer than the
 * context's `handshakeTimeout`, is dropped with a warning.
 *
 * **Cancellation:** no further client is accepted, the handlers are cancelled and have ended.
 * @param host `''` for every interface
 * @throws an Error with a code such as `EADDRINUSE`
 * @see Reference manual, "High Level Networking"
 * @example
 * await run(tcpServer, '', 25000, echoClient);
 */
export function tcpServer(
  host: string,
  port: number,
  handler: TlsClientHandler,
  options: TcpServerOptions & { ssl: TlsContext },
): Promise<void>;
export function tcpServer(
  host: string,
  port: number,
  handler: ClientHandler,
  options?: TcpServerOptions,
): Promise<void>;
export function tcpServer(...call: ServerCall<[host: string, port: number], TcpServerOptions>): Promise<void>;
export function tcpServer(
  host: string,
  port: number,
  handler: ClientHandler | TlsClientHandler,
  options: TcpServerOptions = {},
): Promise<void> {
  const there = elsewhere();
  if (there !== null) return there.call('tcpServer', [host, port, handler, options]) as Promise<void>;
  endpoint([host, port], AF_INET, 'tcpServer()');
  const family = familyOf(host, options, 'tcpServer()');
  const serve = clientHandler(handler, 'tcpServer', options);
  if (enterComposite('tcpServer()') === null) return refused('tcpServer()');
  return handled(serveTcp(host, port, serve, { ...options, family }));
}

async function serveTcp(
  host: string,
  port: number,
  handler: Handler,
  options: TcpServerOptions & { family: number },
): Promise<void> {
  await serveClients(tcpServerSocket(await lookup(host, options.family), port, options), handler);
}

/**
 * Serves clients on a Unix socket until it is cancelled; else as `tcpServer`. The path must not exist, and is not removed. Blocks.
 *
 * **Cancellation:** no further client is accepted, the handlers are cancelled and have ended.
 * @throws an Error with a code such as `EADDRINUSE`
 * @see Reference manual, "High Level Networking"
 */
export function unixServer(
  path: string,
  handler: TlsClientHandler,
  options: ServerOptions & { ssl: TlsContext },
): Promise<void>;
export function unixServer(path: string, handler: ClientHandler, options?: ServerOptions): Promise<void>;
export function unixServer(...call: ServerCall<[path: string], ServerOptions>): Promise<void>;
export function unixServer(
  path: string,
  handler: ClientHandler | TlsClientHandler,
  options: ServerOptions = {},
): Promise<void> {
  const there = elsewhere();
  if (there !== null) return there.call('unixServer', [path, handler, options]) as Promise<void>;
  endpoint(path, AF_UNIX, 'unixServer()');
  const serve = clientHandler(handler, 'unixServer', options);
  if (enterComposite('unixServer()') === null) return refused('unixServer()');
  return handled(serveUnix(path, serve, options));
}

async function serveUnix(path: string, handler: Handler, options: ServerOptions): Promise<void> {
  await serveClients(unixServerSocket(path, options), handler);
}

/**
 * Serves clients of a listening socket that the caller has prepared, until it is cancelled; else as `tcpServer`. The socket is
 * closed at the end. Blocks.
 *
 * **Cancellation:** no further client is accepted, the handlers are cancelled and have ended.
 * @see Reference manual, "High Level Networking"
 */
export function runServer(
  sock: Socket,
  handler: TlsClientHandler,
  options: { ssl: TlsContext },
): Promise<void>;
export function runServer(
  sock: Socket,
  handler: ClientHandler,
  options?: { ssl?: TlsContext | null },
): Promise<void>;
export function runServer(...call: ServerCall<[sock: Socket], { ssl?: TlsContext | null }>): Promise<void>;
export function runServer(
  sock: Socket,
  handler: ClientHandler | TlsClientHandler,
  options: { ssl?: TlsContext | null } = {},
): Promise<void> {
  const there = elsewhere();
  if (there !== null) return there.call('runServer', [sock, handler, options]) as Promise<void>;
  const serve = clientHandler(handler, 'runServer', options);
  if (!(sock instanceof Socket)) throw new TypeError(`runServer() wants a Socket, not ${describe(sock)}.`);
  if (enterComposite('runServer()') === null) return refused('runServer()');
  return handled(serveClients(sock, serve));
}

/**
 * A TCP socket, bound and listening, for `runServer()`. Does not block, and so looks no names up but `localhost`. On the portable driver
 * it is bound a little later: `await sock.ready()`.
 *
 * @throws an Error with a code such as `EADDRINUSE`; the socket is closed then
 * @see Reference manual, "High Level Networking"
 */
export function tcpServerSocket(host: string, port: number, options: TcpServerOptions = {}): Socket {
  const there = elsewhere();
  if (there !== null) return there.call('tcpServerSocket', [host, port, options]) as Socket;
  endpoint([host, port], AF_INET, 'tcpServerSocket()');
  const { backlog = 100, reuseAddress = true, reusePort = false } = options;
  const sock = socket(familyOf(host, options, 'tcpServerSocket()'), SOCK_STREAM);
  return listening(sock, [host, port], backlog, () => {
    if (reuseAddress) sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
    if (reusePort) sharePort(sock);
  });
}

/** Lets others listen on the same port, where that is possible; where not, all goes on but for that. */
function sharePort(sock: Socket): void {
  try {
    sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1);
  } catch (error) {
    if (!(error instanceof NotSupportedError)) throw error;
    process.emitWarning(`reusePort is ignored: ${error.message}`, 'CurioWarning');
  }
}

/**
 * A Unix socket, bound and listening, for `runServer()`. Does not block. On the portable driver it is bound a little later: `await sock.ready()`.
 * @throws an Error with a code such as `EADDRINUSE`; the socket is closed then
 * @see Reference manual, "High Level Networking"
 */
export function unixServerSocket(path: string, { backlog = 100 }: ServerOptions = {}): Socket {
  const there = elsewhere();
  if (there !== null) return there.call('unixServerSocket', [path, { backlog }]) as Socket;
  return listening(socket(AF_UNIX, SOCK_STREAM), path, backlog, () => {});
}

function listening(sock: Socket, address: Address, backlog: number, prepare: () => void): Socket {
  try {
    prepare();
    sock.bind(address);
    sock.listen(backlog);
  } catch (error) {
    sock.closeNow();
    throw error;
  }
  return sock;
}

/** @throws TypeError for a family that is none of TCP's, or not that of the literal */
function familyOf(host: string, { family }: TcpServerOptions, who: string): number {
  const kind = literalKind(host);
  if (family === undefined || family === null) return kind === 6 ? AF_INET6 : AF_INET;
  if (family !== AF_INET && family !== AF_INET6)
    throw new TypeError(
      `${who} wants AF_INET or AF_INET6 of curio/socket as family, not ${describe(family)}.`,
    );
  if (kind !== 0 && (kind === 6) !== (family === AF_INET6)) {
    const [is, wanted] = kind === 6 ? ['IPv6', 'AF_INET6'] : ['IPv4', 'AF_INET'];
    throw new TypeError(
      `${who}: ${JSON.stringify(host)} is an address of ${is}. Give family: ${wanted}, or leave it out.`,
    );
  }
  return family;
}

function clientHandler(
  handler: ClientHandler | TlsClientHandler,
  who: 'tcpServer' | 'unixServer' | 'runServer',
  options: { ssl?: unknown },
): Handler {
  const before = { tcpServer: 'host, port, ', unixServer: 'path, ', runServer: 'sock, ' }[who];
  const run = callable(handler, who, before, ')') as Handler['run'];
  const plan = serverPlan(options.ssl, `${who}()`);
  return { run: plan === null ? run : secureHandler(run, plan), name: functionName(handler) };
}
