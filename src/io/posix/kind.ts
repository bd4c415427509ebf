/*
 * What follows from what a socket is, the same for all of its kind.
 */

import { AF_INET, AF_INET6, IPPROTO_TCP, SOCK_STREAM } from '../constants.ts';

export interface Kind {
  readonly family: number;
  readonly type: number;
  readonly proto: number;
  /** What comes has no boundaries: it may be received in pieces of any size. */
  readonly flows: boolean;
  /** A receive that is shorter than asked for means that nothing is left. */
  readonly drains: boolean;
}

export function kindOf(family: number, type: number, proto: number): Kind {
  // Not Unix sockets: there a receive ends where descriptors came along.
  const drains =
    type === SOCK_STREAM &&
    (family === AF_INET || family === AF_INET6) &&
    (proto === 0 || proto === IPPROTO_TCP);
  // What is no socket has none either.
  const flows = type === SOCK_STREAM || type < 0;
  return { family, type, proto, flows, drains };
}
