/*
 * What is known of a file that has just been opened: by `aopen()`, or by somebody else, who hands it over.
 */

import { fstatSync, type PathLike } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { describe } from '../base/callable.ts';
import { type DeviceInfo, deviceInfo } from './device.ts';
import { type FileOptions, formatOf, type TextFormat } from './format.ts';
import { type Mode, parseMode } from './mode.ts';

/** A file that has just been opened. */
export interface Opened {
  readonly name: PathLike;
  readonly mode: Mode;
  readonly format: TextFormat | null;
  readonly info: DeviceInfo;
}

/** What a file that was opened elsewhere is like. */
export function found(handle: FileHandle, text: string, options: FileOptions): Opened {
  const mode = parseMode(text);
  const format = formatOf(mode, options);
  if (typeof handle?.fd !== 'number') {
    throw new TypeError(
      `new AsyncFile() wants what open() of node:fs/promises gives, not ${describe(handle)}. To open a path, write aopen(path).`,
    );
  }
  return { name: `fd ${handle.fd}`, mode, format, info: deviceInfo(handle.fd, fstatSync(handle.fd)) };
}
