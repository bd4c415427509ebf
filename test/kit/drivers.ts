// Runs tests on each I/O driver this machine has, and makes what they all need: a listening socket, a connected pair.

import type { Socket } from 'curio/io';
import { type Address, AF_INET, SO_REUSEADDR, SOCK_STREAM, SOL_SOCKET, socket } from 'curio/socket';
import { afterAll, beforeAll, describe } from 'vitest';
import { chooseDriver } from '../../src/io/choice.ts';
import { loadAddon } from '../../src/io/posix/addon.ts';

export type DriverName = 'posix' | 'portable';

const loaded = loadAddon().posix !== null;

/** The drivers that can run here. Without a compiler the posix one's tests are left out. */
export const drivers: DriverName[] = loaded ? ['posix', 'portable'] : ['portable'];

export const onPosix = describe.runIf(loaded);

/** A group of tests, once on each driver. */
export function onEachDriver(title: string, tests: (driver: DriverName) => void): void {
  for (const name of drivers) on(name, `${title} (${name} driver)`, tests);
}

/** A group of tests that only this driver can pass. */
export function on(name: DriverName, title: string, tests: (driver: DriverName) => void): void {
  describe.runIf(drivers.includes(name))(title, () => {
    beforeAll(() => chooseDriver(name));
    afterAll(() => chooseDriver(''));
    tests(name);
  });
}

/** A TCP socket that listens on a free port of the loopback, and its address. Called in a task. */
export async function listener(host = '127.0.0.1', backlog = 16): Promise<[Socket, Address]> {
  const sock = socket(AF_INET, SOCK_STREAM);
  sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  try {
    sock.bind([host, 0]);
    sock.listen(backlog);
    await sock.ready();
    return [sock, sock.getsockname()];
  } catch (error) {
    await sock.close();
    throw error;
  }
}

/** Two connected TCP sockets: the client's, and the server's for it. Called in a task. */
export async function connectedPair(): Promise<[client: Socket, server: Socket]> {
  const [server, address] = await listener();
  const client = socket(AF_INET, SOCK_STREAM);
  try {
    await client.connect(address);
    const [peer] = await server.accept();
    return [client, peer];
  } catch (error) {
    await client.close();
    throw error;
  } finally {
    await server.close();
  }
}

/** Everything until the end of input. */
export async function drain(sock: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (;;) {
    const chunk = await sock.recv(100_000);
    if (chunk.length === 0) return Buffer.concat(chunks);
    chunks.push(chunk);
  }
}
