/*
 * Names of hosts and services, both ways, in Node's own resolver: its thread pool asks the
 * system as Python does, and the calling task waits cancellably.
 */

import { comingOutHere } from '../base/stack.ts';
import { futureWait } from '../traps.ts';
import { type Address, type Endpoint, literal, literalKind } from './address.ts';
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  AI_CANONNAME,
  AI_NUMERICHOST,
  AI_PASSIVE,
  IPPROTO_TCP,
  IPPROTO_UDP,
  NI_DGRAM,
  NI_NAMEREQD,
  NI_NUMERICHOST,
  NI_NUMERICSERV,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
} from './constants.ts';
import { systemError } from './system.ts';

type Dns = typeof import('node:dns');

/** Loaded when first needed: importing it costs more than all of Curio. */
function dns(): Dns {
  return process.getBuiltinModule('node:dns');
}

/** Node's number for a family: 4, 6, or 0 for either. */
function kindOf(family: number): 0 | 4 | 6 {
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : 0;
}

/** True if this endpoint's host is a name that must be looked up. */
export function needsLookup(to: Endpoint, family: number): boolean {
  return kindOf(family) !== 0 && literal(to.host as string, family) === null;
}

/** The endpoint with its host as a literal. Blocks only for a name. */
export async function resolved(to: Endpoint, family: number): Promise<Endpoint> {
  return kindOf(family) === 0 ? to : { ...to, host: await lookup(to.host as string, family) };
}

/** One address of a host. */
export interface Candidate {
  family: number;
  host: string;
}

/** The literal for a host in a family. Blocks only for a name. */
export async function lookup(host: string, family: number): Promise<string> {
  const known = literal(host, family);
  if (known !== null) return known;
  return (await comingOutHere(futureWait(dns().promises.lookup(host, { family: kindOf(family) })))).address;
}

/** Every address of a host, in the system's order of preference. Blocks only for a name. */
export async function candidates(host: string, family: number): Promise<Candidate[]> {
  const kind = literalKind(host);
  if (kind !== 0) return [{ family: kind === 6 ? AF_INET6 : AF_INET, host }];
  const options = { family: kindOf(family), all: true, verbatim: true } as const;
  const found = await comingOutHere(futureWait(dns().promises.lookup(host, options)));
  return found.map((entry) => ({ family: entry.family === 6 ? AF_INET6 : AF_INET, host: entry.address }));
}

/** What `getaddrinfo` gives for each address. */
export type AddressInfo = [family: number, type: number, proto: number, canonname: string, address: Address];

const PROTOCOLS: readonly [type: number, proto: number][] = [
  [SOCK_STREAM, IPPROTO_TCP],
  [SOCK_DGRAM, IPPROTO_UDP],
  [SOCK_RAW, 0],
];

export async function getaddrinfo(
  host: string | null,
  port: number | string | null,
  family: number,
  type: number,
  proto: number,
  flags: number,
): Promise<AddressInfo[]> {
  const protocols = PROTOCOLS.filter(
    ([t, p]) => (type === 0 || t === type) && (proto === 0 || p === proto || t === SOCK_RAW),
  );
  const transport = type === SOCK_DGRAM ? 'udp' : 'tcp';
  const number = typeof port === 'string' ? await serviceNumber(port, transport) : (port ?? 0);
  const hosts = await hostsFor(host, family, flags);
  const canonical = (flags & AI_CANONNAME) === 0 ? '' : (host ?? '');
  return hosts.flatMap((candidate, i) =>
    protocols.map(([t, p], j): AddressInfo => {
      const address: Address =
        candidate.family === AF_INET6 ? [candidate.host, number, 0, 0] : [candidate.host, number];
      return [candidate.family, t, t === SOCK_RAW ? proto : p, i + j === 0 ? canonical : '', address];
    }),
  );
}

async function hostsFor(host: string | null, family: number, flags: number): Promise<Candidate[]> {
  const wanted = (candidate: Candidate) => family === AF_UNSPEC || candidate.family === family;
  if (host === null || host === '') {
    const passive = (flags & AI_PASSIVE) !== 0;
    const both: Candidate[] = [
      { family: AF_INET6, host: passive ? '::' : '::1' },
      { family: AF_INET, host: passive ? '0.0.0.0' : '127.0.0.1' },
    ];
    return (passive ? both.reverse() : both).filter(wanted);
  }
  const numeric = literalKind(host) !== 0;
  if (!numeric && (flags & AI_NUMERICHOST) !== 0) throw notFound(host);
  const found = (await candidates(host, family)).filter(wanted);
  if (found.length === 0) throw notFound(host);
  return found;
}

function notFound(name: string): Error {
  const error = systemError('ENOTFOUND', 'getaddrinfo', name);
  Reflect.set(error, 'hostname', name);
  return error;
}

/** The port of a service: a number in words, or a name in the system's list. */
async function serviceNumber(service: string, transport: string): Promise<number> {
  if (/^\d+$/.test(service) && Number(service) <= 65535) return Number(service);
  const list = await serviceList();
  for (const line of list.split('\n')) {
    const [name, where = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const [port, by] = where.split('/');
    if (by === transport && (name === service || aliases.includes(service))) return Number(port);
  }
  throw notFound(service);
}

async function serviceList(): Promise<string> {
  const { readFile } = process.getBuiltinModule('node:fs').promises;
  try {
    return await futureWait(readFile('/etc/services', 'utf8'));
  } catch (error) {
    // A system without the list knows no names.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return '';
  }
}

export async function gethostbyname(host: string): Promise<string> {
  if (literalKind(host) === 6) throw notFound(host);
  return lookup(host, AF_INET);
}

export async function gethostbynameEx(
  host: string,
): Promise<[hostname: string, aliases: string[], addresses: string[]]> {
  if (literalKind(host) === 6) throw notFound(host);
  const known = literal(host, AF_INET);
  if (known !== null) return [host, [], [known]];
  const found = await candidates(host, AF_INET);
  return [host, [], found.map((candidate) => candidate.host)];
}

export async function gethostbyaddr(
  address: string,
): Promise<[hostname: string, aliases: string[], addresses: string[]]> {
  const host = literalKind(address) === 0 ? (await candidates(address, AF_UNSPEC))[0]!.host : address;
  const { hostname } = await comingOutHere(futureWait(dns().promises.lookupService(host, 0)));
  if (hostname === host) throw notFound(address);
  return [hostname, [], [host]];
}

export async function getnameinfo(
  [host, port]: readonly [string, number, ...number[]],
  flags: number,
): Promise<[host: string, service: string]> {
  let hostname = host;
  let service = String(port);
  if ((flags & NI_NUMERICHOST) === 0 || (flags & NI_NUMERICSERV) === 0) {
    try {
      const found = await comingOutHere(futureWait(dns().promises.lookupService(host, port)));
      if ((flags & NI_NUMERICHOST) === 0) hostname = found.hostname;
      if ((flags & (NI_NUMERICSERV | NI_DGRAM)) === 0) service = found.service;
    } catch (error) {
      const unknown = (error as NodeJS.ErrnoException).code === 'ENOTFOUND';
      if (!unknown || (flags & NI_NAMEREQD) !== 0) throw error;
    }
  }
  return [hostname, service];
}

export async function getfqdn(name: string): Promise<string> {
  const asked = name === '' || name === '0.0.0.0' || name === '::' ? systemName() : name;
  try {
    const [hostname] = await gethostbyaddr(asked);
    return hostname;
  } catch (error) {
    // Nobody knows more about it than the caller.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return asked;
  }
}

export function systemName(): string {
  return process.getBuiltinModule('node:os').hostname();
}
