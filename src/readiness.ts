/*
 * Waiting for descriptors and sockets until they are readable or writable: the traps of the reference manual that do so, and
 * where the I/O driver tells them how. It must not know the driver.
 */

import { describe } from './base/callable.ts';
import { ReadResourceBusy, RuntimeError, WriteResourceBusy } from './errors.ts';
import type { Task } from './task.ts';
import {
  admit,
  begin,
  callingTask,
  note,
  pass,
  refuse,
  refused,
  type TaskRecord,
  type TaskState,
  title,
  type WaitSlot,
} from './traps.ts';

/** Whatever can be waited for until it is readable or writable: a descriptor, or an object that has one. */
export type FileLike = number | { fileno(): number } | { readonly readiness: Readiness };

/** The two places where tasks wait for a socket or descriptor. */
export interface Readiness {
  readonly reader: WaitSlot;
  readonly writer: WaitSlot;
  /** True if a wait in this direction would be over at once. */
  poll(direction: 'reader' | 'writer'): boolean;
}

/**
 * Waits until there is something to read. Blocks (`READ_WAIT`).
 *
 * **Cancellation:** nothing has been read, and the next waiter starts afresh.
 * @throws ReadResourceBusy if another task already waits to read
 * @throws NotSupportedError for a bare descriptor on the portable driver
 * @throws Error with the code `EBADF` if it is closed meanwhile (of a bare descriptor that is noticed within 0.1 s)
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function readWait(file: FileLike): Promise<void> {
  return ioWait(file, 'reader', 'readWait', 'READ_WAIT');
}

/**
 * Waits until something can be written. Blocks (`WRITE_WAIT`).
 *
 * **Cancellation:** nothing has been written.
 * @throws WriteResourceBusy if another task already waits to write
 * @throws NotSupportedError for a bare descriptor on the portable driver
 * @throws Error with the code `EBADF` if it is closed meanwhile (of a bare descriptor that is noticed within 0.1 s)
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function writeWait(file: FileLike): Promise<void> {
  return ioWait(file, 'writer', 'writeWait', 'WRITE_WAIT');
}

/**
 * The tasks that wait on `file`: `[reader, writer]`, null where there is none. Does not block.
 * @see Reference manual, "Low-level Traps and Scheduling"
 */
export function ioWaiting(
  file: FileLike,
): Promise<[reader: Task<unknown> | null, writer: Task<unknown> | null]> {
  const task = admit();
  if (task === null) return refused('ioWaiting()');
  let readiness: Readiness | null;
  try {
    readiness = knownReadiness(file);
  } catch (error) {
    // swallows: nothing; operations reject.
    return refuse(error);
  }
  const waiting = (slot: WaitSlot | undefined) => (slot?.task ?? null) as Task<unknown> | null;
  return pass(task, [waiting(readiness?.reader), waiting(readiness?.writer)]);
}

/** How the I/O driver finds the readiness of a bare descriptor; with `create` it begins to watch it. */
type FindReadiness = (fd: number, create: boolean) => Readiness | null;

let findReadiness: FindReadiness | null = null;

/** The I/O driver registers itself here, so that the wall need not know it. */
export function provideReadiness(find: FindReadiness): void {
  findReadiness = find;
}

function knownReadiness(file: FileLike): Readiness | null {
  if (hasReadiness(file)) return file.readiness;
  // -1 is one that is closed, and nobody waits for it.
  return findReadiness?.(descriptorOf(file, 'ioWaiting', -1), false) ?? null;
}

function hasReadiness(file: FileLike): file is { readonly readiness: Readiness } {
  return typeof file === 'object' && file !== null && 'readiness' in file;
}

/** @throws TypeError for what has none */
function descriptorOf(file: number | { fileno(): number }, name: string, least = 0): number {
  const fd =
    typeof file === 'number' ? file : typeof file?.fileno === 'function' ? file.fileno() : Number.NaN;
  if (Number.isInteger(fd) && fd >= least) return fd;
  throw new TypeError(`${name}() wants a descriptor or an object with fileno(), not ${describe(file)}.`);
}

function ioWait(
  file: FileLike,
  direction: 'reader' | 'writer',
  name: string,
  state: TaskState,
): Promise<void> {
  const task = callingTask();
  if (task === undefined) return refused(`${name}()`);
  const refusal = begin(task, `${name}()`);
  if (refusal !== null) return refusal;
  let readiness: Readiness | null;
  try {
    readiness = readinessOf(file, name);
  } catch (error) {
    // swallows: nothing; operations reject.
    return refuse(error);
  }
  note(task, name, [file]);
  if (readiness[direction].task !== null) return refuse(busy(readiness, direction));
  if (readiness.poll(direction)) return pass(task, undefined);
  return task.core.suspend(task, state, readiness[direction]);
}

function readinessOf(file: FileLike, name: string): Readiness {
  if (hasReadiness(file)) return file.readiness;
  const readiness = findReadiness?.(descriptorOf(file, name), true);
  if (readiness) return readiness;
  throw new RuntimeError(`${name}() needs an I/O driver: import 'curio/io' or 'curio/socket' first.`);
}

function busy(readiness: Readiness, direction: 'reader' | 'writer'): Error {
  const holder = title(readiness[direction].task as TaskRecord);
  return direction === 'reader'
    ? new ReadResourceBusy(`${holder} is already waiting to read here. One task reads at a time.`)
    : new WriteResourceBusy(`${holder} is already waiting to write here. One task writes at a time.`);
}
