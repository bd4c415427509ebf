// What tests of TLS need: the certificates of test/kit/certificates, contexts made of them, a server. It must not know Curio's
// insides.

import { readFileSync } from 'node:fs';
import { type AddressInfo, connect as connectPlain, createServer, type Socket as NetSocket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as NodeOptions, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { runServer, spawn, type Task, type TlsClientHandler, tcpServerSocket } from 'curio';
import type { Socket } from 'curio/io';
import { createDefaultContext, Purpose, type SSLContext, type SSLSocket, type TlsContext } from 'curio/ssl';
import { expect, onTestFinished } from 'vitest';

const folder = fileURLToPath(new URL('./certificates/', import.meta.url));

/** The path of a certificate or key, such as `localhost`, `localhost-key`. */
export const pem = (name: string): string => `${folder}${name}.pem`;

/** What is in it. */
export const pemText = (name: string): string => readFileSync(pem(name), 'utf8');

/** A server's context with a certificate of localhost, or another one. */
export function serverContext(certificate = 'localhost', key = 'localhost-key'): SSLContext {
  const context = createDefaultContext(Purpose.CLIENT_AUTH);
  context.loadCertChain(pem(certificate), pem(key));
  return context;
}

/** A client's context that trusts the tests' authority, or somebody else. */
export function clientContext(authority = 'ca'): SSLContext {
  return createDefaultContext(Purpose.SERVER_AUTH, { cafile: pem(authority) });
}

/** One that takes whatever it is shown. */
export function trustingContext(): SSLContext {
  const context = createDefaultContext();
  context.checkHostname = false;
  context.verifyMode = 0;
  return context;
}

/** A server on a free port, in a task of its own. */
export async function tlsServer(
  handler: TlsClientHandler,
  ssl: TlsContext = serverContext(),
): Promise<[server: Task, port: number]> {
  const sock = tcpServerSocket('127.0.0.1', 0);
  try {
    await sock.ready();
    const [, port] = sock.getsockname() as [string, number];
    return [await spawn(runServer, sock, handler as never, { ssl }), port];
  } catch (error) {
    await sock.close();
    throw error;
  }
}

export async function echo(client: SSLSocket): Promise<void> {
  for (;;) {
    const data = await client.recv(10_000);
    if (data.length === 0) return;
    await client.sendall(data);
  }
}

/** Sends a message to an echo, and expects it back. */
export async function answers(sock: Socket, text = 'hello'): Promise<void> {
  await sock.sendall(text);
  expect(String(await sock.recv(1000))).toBe(text);
}

/** A client of Node's own, with hands shaken. */
export function nodeTls(port: number, options: NodeOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const sock = connectTls({
      port,
      host: '127.0.0.1',
      ca: pemText('ca'),
      servername: 'localhost',
      ...options,
    });
    sock.once('secureConnect', () => resolve(sock));
    sock.once('error', reject);
  });
}

/** A connection of Node's own that speaks no TLS. */
export function nodePlain(port: number): Promise<NetSocket> {
  return new Promise((resolve, reject) => {
    const sock = connectPlain(port, '127.0.0.1', () => resolve(sock));
    sock.once('error', reject);
  });
}

/** A server of Node's own that speaks no TLS, until the test ends. Gives its port. */
export async function nodeServer(onClient: (sock: NetSocket) => void): Promise<number> {
  const clients: NetSocket[] = [];
  const server = createServer((sock) => {
    clients.push(sock.on('error', () => {}));
    onClient(sock);
  });
  onTestFinished(() => {
    server.close();
    for (const sock of clients) sock.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}
