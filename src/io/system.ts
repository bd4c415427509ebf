/*
 * Errors of the operating system in the form Node gives them: `code`, negative
 * `errno`, `syscall`, and the address where there is one.
 */

import { constants } from 'node:os';
import { CancelledError, RuntimeError } from '../errors.ts';
import type { Address } from './address.ts';

/** An error of the operating system, as Node's own modules throw it. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
}

const numbers = constants.errno as unknown as Record<string, number | undefined>;

/** The positive number of an error code, 0 if this platform has none. */
export function errorNumber(code: string): number {
  return numbers[code] ?? 0;
}

/** Makes an Error such as `connect ECONNREFUSED 127.0.0.1:80`. */
export function systemError(code: string, syscall: string, address?: Address | null): SystemError {
  const where = address === undefined || address === null ? '' : ` ${shown(address)}`;
  const error = new Error(`${syscall} ${code}${where}`) as SystemError;
  error.errno = -errorNumber(code);
  error.code = code;
  error.syscall = syscall;
  if (Array.isArray(address)) {
    error.address = address[0];
    error.port = address[1];
  } else if (typeof address === 'string') error.address = address;
  return error;
}

// As Node writes it, without brackets around IPv6.
function shown(address: Address): string {
  return Array.isArray(address) ? `${address[0]}:${address[1]}` : String(address);
}

/** What waiting for a closed socket or stream ends with. */
export function closedError(syscall: string): SystemError {
  const error = systemError('EBADF', syscall);
  error.message += ': it has been closed';
  return error;
}

/** How far an operation came that was cut short. */
export type Progress = Partial<
  Pick<CancelledError, 'bytesRead' | 'bytesSent' | 'bytesWritten' | 'linesRead'>
>;

/** Adds to an error how far an interrupted operation had come. */
export function attach(error: unknown, name: string, value: unknown): void {
  if (typeof error === 'object' && error !== null) Reflect.set(error, name, value);
}

/** Rejects as `refusal` does; a cancellation that came before the operation could begin tells where that leaves its user. */
export async function refusedAt(refusal: Promise<never>, progress: () => Progress): Promise<never> {
  try {
    return await refusal;
  } catch (error) {
    if (error instanceof CancelledError) Object.assign(error, progress());
    throw error;
  }
}

export function notTls(): RuntimeError {
  return new RuntimeError(
    'This is no TLS socket: there is no handshake to do. Wrap it with an SSLContext of curio/ssl.',
  );
}
