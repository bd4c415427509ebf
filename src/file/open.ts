/*
 * Opening files.
 */

import type { PathLike } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { describe } from '../base/callable.ts';
import { systemError } from '../io/system.ts';
import {
  elsewhere,
  enterComposite,
  fail,
  handled,
  outsideTasks,
  refused,
  type TaskRecord,
} from '../traps.ts';
import { AsyncFile } from './async-file.ts';
import { deviceInfo } from './device.ts';
import { type FileOptions, formatOf } from './format.ts';
import { parseMode } from './mode.ts';
import type { Opened } from './opened.ts';
import { waitFor } from './wait.ts';

const OPEN = 'aopen()';

/** What a new file may be used for, before the process's own mask. */
const PERMISSIONS = 0o666;

/** A mode with a `b` in it: the file is one of bytes. */
export type BinaryMode = `${string}b${string}`;
/** What is known of a file before it is open. */
type Wanted = Omit<Opened, 'info'>;
type Kind = 'r' | 'w' | 'x' | 'a';
/** A mode without a `b`: the file is one of text. */
export type TextMode = Kind | `${Kind}+` | `${Kind}t` | `${Kind}t+` | `${Kind}+t`;

/**
 * Opens a file. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the file is not left open; it may have been made, or emptied.
 *
 * Pipes and terminals are better opened as a `FileStream`: each read of one that has nothing to say keeps a thread of Node's pool waiting, and the process
 * from ending.
 *
 * @param mode as in Python: `r`, `w` (empty it), `x` (make it, it must not exist) or `a` (append); with `+` for both directions; with `b` for bytes
 * @throws RangeError for what is no mode, encoding or newline
 * @throws NotSupportedError for writing an encoding that Node cannot write
 * @throws an Error with a code such as `ENOENT`, `EACCES`, `EEXIST`, `EISDIR`
 * @see Reference manual, "Files"
 * @example
 * await using file = await aopen('notes.txt');
 * for await (const line of file) console.log(line.trimEnd());
 */
export function aopen(path: PathLike, mode: BinaryMode, options?: FileOptions): Promise<AsyncFile<Buffer>>;
export function aopen(path: PathLike, mode?: TextMode, options?: FileOptions): Promise<AsyncFile<string>>;
export function aopen(path: PathLike, mode: string, options?: FileOptions): Promise<AsyncFile>;
export function aopen(path: PathLike, mode = 'r', options: FileOptions = {}): Promise<AsyncFile> {
  const there = elsewhere();
  if (there !== null) return there.call('aopen', [path, mode, options]) as Promise<AsyncFile>;
  checkArguments(path, mode, options);
  const task = enterComposite(OPEN);
  if (task === null) return refused(OPEN);
  let wanted: Wanted;
  try {
    const parsed = parseMode(mode);
    wanted = { name: path, mode: parsed, format: formatOf(parsed, options) };
  } catch (error) {
    if (error instanceof TypeError) throw error;
    // swallows: nothing; operations reject.
    return fail(task, error);
  }
  return handled(openFor(task, wanted));
}

function checkArguments(path: unknown, mode: unknown, options: unknown): void {
  if (typeof path === 'number')
    throw new TypeError(`aopen() opens a path. For the descriptor ${path} write new FileStream(${path}).`);
  if (typeof path !== 'string' && !(path instanceof Uint8Array) && !(path instanceof URL))
    throw new TypeError(`aopen() wants a path, not ${describe(path)}.`);
  if (typeof mode !== 'string')
    throw new TypeError(`aopen() wants a mode such as 'r', not ${describe(mode)}.`);
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`aopen() wants its options as an object, not ${describe(options)}.`);
}

type Opening = Promise<[handle: FileHandle, opened: Opened]>;

async function openFor(task: TaskRecord, wanted: Wanted): Promise<AsyncFile> {
  const [handle, opened] = await waitFor(task, OPEN, () => outsideTasks(() => openNow(wanted)), closeLater);
  return new AsyncFile(handle, opened);
}

async function openNow(wanted: Wanted): Opening {
  const { name, mode } = wanted;
  const { promises, fstatSync } = process.getBuiltinModule('node:fs');
  const handle = await promises.open(name, mode.flags, PERMISSIONS);
  try {
    // What is known of an open file is in memory: to ask the thread pool for it would take ten times as long.
    const stat = fstatSync(handle.fd);
    if (stat.isDirectory()) throw systemError('EISDIR', 'open', String(name));
    const info = deviceInfo(handle.fd, stat);
    if (!info.seekable && mode.readable && mode.writable) throw systemError('ESPIPE', 'open', String(name));
    return [handle, { ...wanted, info }];
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Closes a file that is being opened for nobody. */
async function closeLater(opening: Opening): Promise<void> {
  try {
    const [handle] = await opening;
    await handle.close();
  } catch {
    // swallows: nobody waits for this file; that it could not be opened or closed concerns nobody.
  }
}
