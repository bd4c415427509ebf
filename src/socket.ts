/*
 * `curio/socket`: the socket module of the seeds, for `import { socket, AF_INET, … } from 'curio/socket'`.
 */

import { describe } from './base/callable.ts';
import { type Address, checkPort, endpoint } from './io/address.ts';
import { driver } from './io/choice.ts';
import { AF_INET, AF_UNIX, AF_UNSPEC, SOCK_STREAM } from './io/constants.ts';
import { connectToFirst } from './io/eyeballs.ts';
import * as names from './io/names.ts';
import { Socket } from './io/socket.ts';
import { admit, elsewhere, enterComposite, handled, pass, refused, takeBreath } from './traps.ts';

export * from './errors.ts';
export type { Address } from './io/address.ts';
export * from './io/constants.ts';
export type { Ancillary } from './io/driver.ts';
export type { AddressInfo } from './io/names.ts';
export { Socket };

// ---- Sockets ------------------------------------------------------------------------------

/**
 * Makes a socket, or an object for the descriptor `fileno`, which from then on is that object's. Does not block.
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
  const there = elsewhere();
  if (there !== null) return there.call('socket', [family, type, proto, fileno]) as Socket;
  if (fileno === null) return new Socket(driver().open(family, type, proto));
  return new Socket(driver().adopt(fileno, family, type, proto));
}

/**
 * Two sockets that are connected to each other. Does not block.
 * @throws NotSupportedError on the portable driver
 * @see Reference manual, "socket module"
 */
export function socketpair(family = AF_UNIX, type = SOCK_STREAM, proto = 0): [Socket, Socket] {
  const there = elsewhere();
  if (there !== null) return there.call('socketpair', [family, type, proto]) as [Socket, Socket];
  const [a, b] = driver().pair(family, type, proto);
  return [new Socket(a), new Socket(b)];
}

/**
 * A socket for a duplicate of the descriptor `fd`, which stays the caller's. Does not block.
 * @throws NotSupportedError on the portable driver
 * @see Reference manual, "socket module"
 */
export function fromfd(fd: number, family: number, type: number, proto = 0): Socket {
  return new Socket(driver().adopt(driver().dup(fd), family, type, proto));
}

/** Options of `createConnection()`. */
export interface CreateConnectionOptions {
  /** The local address to connect from. */
  sourceAddress?: Address | null | undefined;
}

/**
 * Connects to a TCP server by name or literal. If the name has several addresses they are tried one after the other, each a quarter of
 * a second after the one before, and the first that answers wins. Blocks.
 *
 * **Cancellation:** nothing is left behind.
 * @throws an Error with a code such as `ECONNREFUSED`, `ENOTFOUND`
 * @see Reference manual, "socket module"
 */
export function createConnection(
  address: Address,
  { sourceAddress = null }: CreateConnectionOptions = {},
): Promise<Socket> {
  const there = elsewhere();
  if (there !== null) return there.call('createConnection', [address, { sourceAddress }]) as Promise<Socket>;
  const { host, port } = endpoint(address, AF_INET, 'createConnection()');
  if (enterComposite('createConnection()') === null) return refused('createConnection()');
  return handled(connectByName(host as string, port, sourceAddress));
}

async function connectByName(host: string, port: number, source: Address | null): Promise<Socket> {
  const hosts = await names.candidates(host === '' ? 'localhost' : host, AF_UNSPEC);
  return connectToFirst(hosts, port, source);
}

// ---- Ancillary data -----------------------------------------------------------------------

// Of a control message: its header, and what it is aligned to.
const [HEADER, ALIGNMENT] = process.platform === 'linux' ? [16, 8] : [12, 4];

/**
 * The length of a control message with `length` bytes of data, its padding not included.
 * @see Reference manual, "socket module"
 */
export function CMSG_LEN(length: number): number {
  return Math.ceil(HEADER / ALIGNMENT) * ALIGNMENT + length;
}

/**
 * The room a control message with `length` bytes of data takes: what to give `recvmsg` as `ancbufsize`.
 * @see Reference manual, "socket module"
 */
export function CMSG_SPACE(length: number): number {
  return Math.ceil(CMSG_LEN(length) / ALIGNMENT) * ALIGNMENT;
}

// ---- Names --------------------------------------------------------------------------------

/** Starts an operation that looks something up. */
function lookUp<T>(operation: string, start: () => Promise<T>): Promise<T> {
  const task = enterComposite(operation);
  if (task === null) return refused(operation);
  // What the system need not be asked for is there at once.
  const breath = takeBreath(task, operation);
  return handled(breath === null ? start() : breath.then(start));
}

function checkName(name: unknown, operation: string): string {
  if (typeof name === 'string') return name;
  throw new TypeError(`${operation} wants the name of a host as a string, not ${describe(name)}.`);
}

/**
 * Every way to reach a service: `[family, type, proto, canonname, address]`. Blocks (`FUTURE_WAIT`) for a name.
 *
 * **Cancellation:** the caller is released at once.
 * @param host a name or literal; null or `''` for this machine (with `AI_PASSIVE`: every interface)
 * @param port a number, or the name of a service
 * @throws an Error with the code ENOTFOUND
 * @see Reference manual, "socket module"
 */
export function getaddrinfo(
  host: string | null,
  port: number | string | null,
  family = 0,
  type = 0,
  proto = 0,
  flags = 0,
): Promise<names.AddressInfo[]> {
  const there = elsewhere();
  if (there !== null)
    return there.call('getaddrinfo', [host, port, family, type, proto, flags]) as Promise<
      names.AddressInfo[]
    >;
  if (host !== null) checkName(host, 'getaddrinfo()');
  const given = { port: typeof port === 'string' ? 0 : (port ?? 0), family, type, proto, flags };
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'number') continue;
    throw new TypeError(`getaddrinfo() wants a number as ${name}, not ${describe(value)}.`);
  }
  checkPort(given.port, 'getaddrinfo()');
  return lookUp('getaddrinfo()', () => names.getaddrinfo(host, port, family, type, proto, flags));
}

/**
 * The full name of a host; of this one for `''`. If nobody knows it, the name itself. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the caller is released at once.
 * @see Reference manual, "socket module"
 */
export function getfqdn(name = ''): Promise<string> {
  const there = elsewhere();
  if (there !== null) return there.call('getfqdn', [name]) as Promise<string>;
  checkName(name, 'getfqdn()');
  return lookUp('getfqdn()', () => names.getfqdn(name));
}

/**
 * The IPv4 address of a host. Blocks (`FUTURE_WAIT`) for a name.
 *
 * **Cancellation:** the caller is released at once.
 * @throws an Error with the code ENOTFOUND
 * @see Reference manual, "socket module"
 */
export function gethostbyname(hostname: string): Promise<string> {
  const there = elsewhere();
  if (there !== null) return there.call('gethostbyname', [hostname]) as Promise<string>;
  checkName(hostname, 'gethostbyname()');
  return lookUp('gethostbyname()', () => names.gethostbyname(hostname));
}

/**
 * The IPv4 addresses of a host: `[hostname, aliases, addresses]`. Blocks (`FUTURE_WAIT`) for a name.
 *
 * **Cancellation:** the caller is released at once.
 * @throws an Error with the code ENOTFOUND
 * @see Reference manual, "socket module"
 */
export function gethostbynameEx(
  hostname: string,
): Promise<[hostname: string, aliases: string[], addresses: string[]]> {
  const there = elsewhere();
  if (there !== null)
    return there.call('gethostbynameEx', [hostname]) as Promise<[string, string[], string[]]>;
  checkName(hostname, 'gethostbynameEx()');
  return lookUp('gethostbynameEx()', () => names.gethostbynameEx(hostname));
}

/**
 * The name of this machine. Does not block.
 * @see Reference manual, "socket module"
 */
export function gethostname(): Promise<string> {
  const there = elsewhere();
  if (there !== null) return there.call('gethostname', []) as Promise<string>;
  const task = admit();
  return task === null ? refused('gethostname()') : pass(task, names.systemName());
}

/**
 * The name of the host with an address: `[hostname, aliases, addresses]`. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the caller is released at once.
 * @throws an Error with the code ENOTFOUND
 * @see Reference manual, "socket module"
 */
export function gethostbyaddr(
  address: string,
): Promise<[hostname: string, aliases: string[], addresses: string[]]> {
  const there = elsewhere();
  if (there !== null) return there.call('gethostbyaddr', [address]) as Promise<[string, string[], string[]]>;
  checkName(address, 'gethostbyaddr()');
  return lookUp('gethostbyaddr()', () => names.gethostbyaddr(address));
}

/**
 * Host and service of an address in words, or with `NI_NUMERICHOST` and `NI_NUMERICSERV` in numbers. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the caller is released at once.
 * @throws an Error with the code ENOTFOUND, with `NI_NAMEREQD` and no name
 * @see Reference manual, "socket module"
 */
export function getnameinfo(address: Address, flags = 0): Promise<[host: string, service: string]> {
  const there = elsewhere();
  if (there !== null) return there.call('getnameinfo', [address, flags]) as Promise<[string, string]>;
  const { host, port } = endpoint(address, AF_INET, 'getnameinfo()');
  return lookUp('getnameinfo()', () => names.getnameinfo([host as string, port], flags));
}
