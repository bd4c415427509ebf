/*
 * The interface that an IPv6 address of the local link belongs to. Sockets call it by its number, Node by its name, behind a `%`; on
 * Windows Node, too, by its number.
 */

import type { Endpoint } from '../address.ts';

/** The host as Node wants to have it. */
export function zonedHost({ host, scopeid }: Endpoint): string {
  const literal = host as string;
  return scopeid === 0 || literal.includes('%') ? literal : `${literal}%${zoneNamed(scopeid)}`;
}

function zoneNamed(scopeid: number): string {
  const at = zones().find((zone) => zone.scopeid === scopeid);
  return process.platform === 'win32' || at === undefined ? String(scopeid) : at.name;
}

/** The number of an interface; 0 if there is none of that name. */
export function zoneNumber(name: string): number {
  return Number(name) || (zones().find((zone) => zone.name === name)?.scopeid ?? 0);
}

/** The interfaces that have an address of the local link. */
function zones(): { name: string; scopeid: number }[] {
  const interfaces = Object.entries(process.getBuiltinModule('node:os').networkInterfaces());
  return interfaces.flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ scopeid }) => (scopeid ? [{ name, scopeid }] : [])),
  );
}
