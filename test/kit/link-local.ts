// An IPv6 address of the local link, if this machine has one.

import { networkInterfaces } from 'node:os';

export interface LinkLocal {
  address: string;
  scopeid: number;
}

export const linkLocal: LinkLocal | undefined = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .flatMap(({ address, scopeid }) => (scopeid ? [{ address, scopeid }] : []))[0];
