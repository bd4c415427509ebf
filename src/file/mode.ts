/*
 * Python's file modes: what `'r+b'` means, and what is wrong with `'rw'`. Knows no files.
 */

import { constants } from 'node:fs';

/** What a mode asks for. */
export interface Mode {
  /** As it was written. */
  readonly text: string;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly append: boolean;
  readonly binary: boolean;
  /** For open(2). */
  readonly flags: number;
}

/** What each first letter lets `+` add to, and how the file is made. */
const kinds: Record<string, { read: boolean; flags: number }> = {
  r: { read: true, flags: 0 },
  w: { read: false, flags: constants.O_CREAT | constants.O_TRUNC },
  x: { read: false, flags: constants.O_CREAT | constants.O_EXCL },
  a: { read: false, flags: constants.O_CREAT | constants.O_APPEND },
};

/** @throws RangeError for what is no mode of Python's `open()` */
export function parseMode(mode: string): Mode {
  const letters = new Set(mode);
  if (letters.size < mode.length || /[^rwxabt+]/.test(mode)) throw invalid(mode, 'each letter once');
  if (letters.has('b') && letters.has('t')) throw invalid(mode, 'text (t) or binary (b), not both');
  const [kind, other] = [...letters].filter((letter) => letter in kinds);
  if (kind === undefined || other !== undefined) throw invalid(mode, 'exactly one of r, w, x and a');
  const { read, flags } = kinds[kind]!;
  const both = letters.has('+');
  const access = both ? constants.O_RDWR : read ? constants.O_RDONLY : constants.O_WRONLY;
  return {
    text: mode,
    readable: read || both,
    writable: !read || both,
    append: kind === 'a',
    binary: letters.has('b'),
    flags: access | flags,
  };
}

function invalid(mode: string, rule: string): RangeError {
  return new RangeError(
    `'${mode}' is no file mode. A mode is r, w, x or a, with + for both directions and b for binary: ${rule}.`,
  );
}
