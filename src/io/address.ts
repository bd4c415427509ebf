/*
 * Socket addresses as users write them, and what of a host can be known without
 * asking anybody: literals, '' for every interface, 'localhost'. Names are
 * resolved in dns.ts. Knows no driver.
 */

import { describe } from '../base/callable.ts';
import { AF_INET, AF_INET6, AF_UNIX } from './constants.ts';
import { systemError } from './system.ts';

/** `[host, port]`, for IPv6 also `[host, port, flowinfo, scopeid]`; for Unix sockets a path (bytes if it is no UTF-8). */
export type Address =
  | readonly [host: string, port: number]
  | readonly [host: string, port: number, flowinfo: number, scopeid: number]
  | string
  | Buffer;

/** An address taken apart. `host` is the path of a Unix socket. */
export interface Endpoint {
  host: string | Uint8Array;
  port: number;
  flowinfo: number;
  scopeid: number;
}

/**
 * Takes an address apart.
 * @throws TypeError if it is none
 * @throws RangeError for a port that cannot be
 */
export function endpoint(address: unknown, family: number, operation: string): Endpoint {
  if (family !== AF_INET && family !== AF_INET6) {
    if (typeof address === 'string' || address instanceof Uint8Array)
      return { host: address, port: 0, flowinfo: 0, scopeid: 0 };
    const wanted = family === AF_UNIX ? 'a path, such as "/tmp/socket"' : 'the bytes of a sockaddr';
    throw new TypeError(`${operation} wants ${wanted}, not ${describe(address)}.`);
  }
  const [host, port, flowinfo = 0, scopeid = 0] = Array.isArray(address) ? (address as unknown[]) : [];
  if (typeof host === 'string' && typeof port === 'string') {
    throw new TypeError(`${operation} wants a number as port, not ${describe(port)}.`);
  }
  if (typeof host !== 'string' || typeof port !== 'number') {
    throw new TypeError(`${operation} wants an address such as ['127.0.0.1', 25000], not ${show(address)}.`);
  }
  checkPort(port, operation);
  if (!Number.isInteger(flowinfo) || !Number.isInteger(scopeid)) {
    throw new TypeError(`${operation} wants whole numbers as flowinfo and scopeid, not ${show(address)}.`);
  }
  return { host, port, flowinfo: flowinfo as number, scopeid: scopeid as number };
}

/** @throws RangeError for a port that cannot be */
export function checkPort(port: number, operation: string): void {
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return;
  throw new RangeError(`${operation} wants a port from 0 to 65535, not ${port}.`);
}

function show(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(describe).join(', ')}]` : describe(value);
}

const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const IPV6 = /^(?=.*:.*:)[\da-f:.]+(?:%.+)?$/i;

/** 4 or 6 for what looks like a literal of that kind, else 0. */
export function literalKind(host: string): 0 | 4 | 6 {
  if (IPV6.test(host)) return 6;
  return IPV4.test(host) ? 4 : 0;
}

/** The literal that a host stands for in a family; null for a name that must be looked up. */
export function literal(host: string, family: number): string | null {
  if (host === '') return family === AF_INET6 ? '::' : '0.0.0.0';
  if (host === 'localhost') return family === AF_INET6 ? '::1' : '127.0.0.1';
  if (host === '<broadcast>' && family === AF_INET) return '255.255.255.255';
  return literalKind(host) === 0 ? null : host;
}

/**
 * The endpoint with a literal for its host, for operations that are synchronous and so cannot look a name up.
 * @throws an Error with the code ENOTFOUND for a name
 */
export function literalEndpoint(address: unknown, family: number, operation: string): Endpoint {
  const parts = endpoint(address, family, operation);
  if (family !== AF_INET && family !== AF_INET6) return parts;
  const name = parts.host as string;
  const host = literal(name, family);
  if (host === null) {
    const error = systemError('ENOTFOUND', operation, address as Address);
    error.message +=
      `; ${operation} does not block and so looks no names up: give it what ` +
      `(await gethostbyname(${JSON.stringify(name)})) of curio/socket gives`;
    throw error;
  }
  parts.host = host;
  return parts;
}

/** An address as it stands in messages: `127.0.0.1:80`, `[::1]:80`, a path. */
export function addressText(address: Address): string {
  if (typeof address === 'string') return address.replace(/^\0/, '@');
  if (address instanceof Uint8Array) return JSON.stringify(Buffer.from(address).toString('latin1'));
  const [host, port] = address;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
