/*
 * `curio/socket`: the socket module of the seeds, for `import { socket, AF_INET, … } from 'curio/socket'`.
 */

import { type Address, endpoint } from './io/address.ts';
import { driver } from './io/choice.ts';
import { AF_INET, AF_UNIX, AF_UNSPEC, SOCK_STREAM } from './io/constants.ts';
import { candidates } from './io/dns.ts';
import { Socket } from './io/socket.ts';
import { attach } from './io/system.ts';
import { enterComposite, refused } from './traps.ts';

export type { Address } from './io/address.ts';
export * from './io/constants.ts';
export { Socket };

/**
 * Makes a socket, or an object for the descriptor `fileno`. Does not block.
 * @throws NotSupportedError on the portable driver, for what Node has no sockets for
 * @see Reference manual, "socket module"
 * @example
 * const sock = socket(AF_INET, SOCK_STREAM);
 */
export function socket(
  family = AF_INET,
  type = SOCK_STREAM,
  proto = 0,
  fileno: number | null = null,
): Socket {
  return new Socket(
    fileno === null ? driver().open(family, type, proto) : driver().adopt(fileno, family, type, proto),
  );
}

/**
 * Two sockets that are connected to each other. Does not block.
 * @throws NotSupportedError on the portable driver
 * @see Reference manual, "socket module"
 */
export function socketpair(family = AF_UNIX, type = SOCK_STREAM, proto = 0): [Socket, Socket] {
  const [a, b] = driver().pair(family, type, proto);
  return [new Socket(a), new Socket(b)];
}

/** Options of `createConnection()`. */
export interface CreateConnectionOptions {
  /** The local address to connect from. */
  sourceAddress?: Address | null;
}

/**
 * Connects to a TCP server by name or literal, trying its addresses one after the other. Blocks.
 *
 * **Cancellation:** nothing is left behind.
 * @throws an Error with a code such as `ECONNREFUSED`, `ENOTFOUND`
 * @see Reference manual, "socket module"
 */
export function createConnection(
  address: Address,
  { sourceAddress = null }: CreateConnectionOptions = {},
): Promise<Socket> {
  const { host, port } = endpoint(address, AF_INET, 'createConnection()');
  if (enterComposite('createConnection()') === null) return refused('createConnection()');
  return connectToAny(host as string, port, sourceAddress);
}

async function connectToAny(host: string, port: number, source: Address | null): Promise<Socket> {
  const failures: unknown[] = [];
  for (const { family, address } of await candidates(host, AF_UNSPEC)) {
    const sock = socket(family, SOCK_STREAM);
    try {
      if (source !== null) sock.bind(source);
      await sock.connect([address, port]);
      return sock;
    } catch (error) {
      sock.closeNow();
      if (typeof (error as { errno?: unknown }).errno !== 'number') throw error;
      failures.push(error);
    }
  }
  const [first] = failures;
  if (failures.length > 1) attach(first, 'errors', failures);
  throw first;
}
