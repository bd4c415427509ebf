/*
 * A socket that is to speak TLS and is not connected yet. It binds, listens, connects and accepts as the plain one does, and
 * carries nothing: what a task sends meanwhile, or after a connect() that was given up and has come about nevertheless, would go out
 * for everybody to read.
 */

import type { Handle } from '../io/driver.ts';
import { closedError, type SystemError, systemError } from '../io/system.ts';

type Transfer = Extract<keyof Handle, `recv${string}` | `send${string}`>;

const TRANSFERS: ReadonlySet<PropertyKey> = new Set<Transfer>([
  'recv',
  'recvInto',
  'recvfrom',
  'recvfromInto',
  'recvmsg',
  'send',
  'sendto',
  'sendmsg',
]);

/** The handle without what carries data. */
export function unsecured(plain: Handle): Handle {
  return new Proxy(plain, {
    get(_, name) {
      // Whoever waited would try again on the plain handle: every operation is to try at once, and be refused.
      if (name === 'readable') return true;
      if (TRANSFERS.has(name)) return () => refuse(plain, name as Transfer);
      const value: unknown = Reflect.get(plain, name, plain);
      return typeof value === 'function' ? value.bind(plain) : value;
    },
    set: (_, name, value) => Reflect.set(plain, name, value, plain),
  });
}

function refuse(plain: Handle, transfer: Transfer): never {
  throw plain.closed ? closedError(transfer) : notConnected(transfer);
}

/** What is wanted of a TLS connection that there is not. */
export function notConnected(syscall: string): SystemError {
  const error = systemError('ENOTCONN', syscall);
  error.message +=
    ': there is no TLS connection yet, or no more. A client has to await connect(); a server shakes hands with its first read or write, or with await sock.doHandshake()';
  return error;
}
