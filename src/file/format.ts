/*
 * What the options of `aopen` mean. Knows no files.
 */

import { describe } from '../base/callable.ts';
import { NotSupportedError } from '../errors.ts';
import { type Codec, codecFor, type Errors } from './codec.ts';
import type { Mode } from './mode.ts';
import { checkNewline, type Newline, NewlineMode } from './newline.ts';

/** Options of `aopen()`. */
export interface FileOptions {
  /** How text is encoded: any name that TextDecoder knows, and Python's `utf-8-sig`. Default UTF-8. */
  encoding?: string | null | undefined;
  /** How lines end. Default: any way, read as `\n`. */
  newline?: Newline | null | undefined;
  /** What to do about bytes that mean nothing in this encoding, and characters it has no bytes for. Default `'strict'`: an error. */
  errors?: Errors | null | undefined;
}

/** How text becomes bytes and bytes text. */
export interface TextFormat {
  readonly codec: Codec;
  readonly newline: NewlineMode;
}

const OPTIONS = ['encoding', 'newline', 'errors'];

/**
 * How the options of a file are to be understood.
 * @throws TypeError for options of the wrong type, and those that there are not
 * @throws RangeError for values that mean nothing, and for options that a binary file does not have
 * @throws NotSupportedError for a text file to be written in an encoding that Node cannot write
 */
export function formatOf(mode: Mode, options: FileOptions): TextFormat | null {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined)
    throw new TypeError(`aopen() has no option '${unknown}'. It knows ${OPTIONS.join(', ')}.`);
  const { encoding = null, errors = null } = options;
  for (const [name, value] of Object.entries({ encoding, errors })) {
    if (value !== null && typeof value !== 'string')
      throw new TypeError(`aopen({ ${name} }) wants a string, not ${describe(value)}.`);
  }
  const newline = checkNewline(options.newline);
  if (mode.binary) {
    for (const [name, value] of Object.entries({ encoding, newline, errors })) {
      if (value === null) continue;
      const mended = mode.text.replace('b', '');
      throw new RangeError(
        `aopen(): a binary file has no ${name}. Leave it out, or open in mode '${mended}'.`,
      );
    }
    return null;
  }
  if (errors !== null && errors !== 'strict' && errors !== 'replace')
    throw new RangeError(`aopen({ errors }) is 'strict' or 'replace', not ${describe(errors)}.`);
  const codec = codecFor(encoding ?? 'utf-8', errors ?? 'strict');
  if (mode.writable && codec.widest === 0)
    throw new NotSupportedError(
      `Node cannot write ${codec.name}. Write utf-8, or encode it yourself and open in mode 'wb'.`,
    );
  return { codec, newline: new NewlineMode(newline) };
}
