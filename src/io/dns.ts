/*
 * Looking names up, in Node's own resolver (its thread pool), while the calling task waits
 * cancellably. What curio/socket shows of it is in socket.ts one floor up.
 */

import { futureWait } from '../traps.ts';
import { type Endpoint, literal, literalKind } from './address.ts';
import { AF_INET, AF_INET6, AF_UNSPEC } from './constants.ts';

type Dns = typeof import('node:dns');

/** Loaded when first needed: importing it costs more than all of Curio. */
export function dns(): Dns {
  return process.getBuiltinModule('node:dns');
}

/** Node's number for a family: 4, 6, or 0 for either. */
export function kindOf(family: number): 0 | 4 | 6 {
  return family === AF_INET ? 4 : family === AF_INET6 ? 6 : 0;
}

/** The family of an address as Node's resolver gives it. */
export function familyOf(kind: number): number {
  return kind === 6 ? AF_INET6 : kind === 4 ? AF_INET : AF_UNSPEC;
}

/** True if this endpoint's host is a name that must be looked up. */
export function needsLookup(to: Endpoint, family: number): boolean {
  return kindOf(family) !== 0 && literal(to.host as string, family) === null;
}

/** The literal for a host in a family. Blocks only for a name. */
export async function lookup(host: string, family: number): Promise<string> {
  const known = literal(host, family);
  if (known !== null) return known;
  return (await futureWait(dns().promises.lookup(host, { family: kindOf(family) }))).address;
}

/** Every address of a host, in the order to try them. Blocks only for a name. */
export async function candidates(
  host: string,
  family: number,
): Promise<{ family: number; address: string }[]> {
  const kind = literalKind(host);
  if (kind !== 0) return [{ family: familyOf(kind), address: host }];
  if (host === '') return [{ family: AF_INET, address: '127.0.0.1' }];
  const found = await futureWait(dns().promises.lookup(host, { family: kindOf(family), all: true }));
  return found.map((entry) => ({ family: familyOf(entry.family), address: entry.address }));
}

/** The endpoint with its host as a literal. Blocks only for a name. */
export async function resolved(to: Endpoint, family: number): Promise<Endpoint> {
  if (kindOf(family) === 0) return to;
  return { ...to, host: await lookup(to.host as string, family) };
}
