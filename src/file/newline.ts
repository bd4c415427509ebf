/*
 * Newlines as Python's `open(newline=…)` has them: where a line ends, and what a newline becomes on its way in and
 * out. Knows texts, not files.
 */

import { EOL } from 'node:os';
import { describe } from '../base/callable.ts';

/**
 * How lines end. Null or undefined: `\n`, `\r` and `\r\n` all end a line and are read as `\n`; what is written gets the
 * platform's own. `''`: all three end a line, nothing is changed. Any other: only that ends a line when reading, and `\n` is
 * written as that.
 */
export type Newline = '' | '\n' | '\r' | '\r\n';

export class NewlineMode {
  /** True if `\n`, `\r` and `\r\n` all end a line. */
  readonly universal: boolean;
  /** True if all of them are read as `\n`. */
  readonly translating: boolean;
  /** What ends a line if no `\r` is there. */
  readonly terminator: string;
  /** True if a `\r` at the end of a piece may be half a newline. */
  readonly splittable: boolean;
  /** What `\n` is written as. */
  readonly #written: string;

  constructor(newline: Newline | null) {
    this.universal = newline === null || newline === '';
    this.translating = newline === null;
    this.terminator = newline === null || newline === '' ? '\n' : newline;
    this.splittable = this.universal || newline === '\r\n';
    this.#written = newline === null ? EOL : newline === '' ? '\n' : newline;
  }

  read(text: string): string {
    return this.translating && text.includes('\r') ? text.replaceAll(/\r\n?/g, '\n') : text;
  }

  write(text: string): string {
    return this.#written === '\n' ? text : text.replaceAll('\n', this.#written);
  }
}

/**
 * @throws TypeError for what is no string
 * @throws RangeError for what is no newline
 */
export function checkNewline(value: unknown): Newline | null {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string')
    throw new TypeError(`A newline is null, '', '\\n', '\\r' or '\\r\\n', not ${describe(value)}.`);
  if (!['', '\n', '\r', '\r\n'].includes(value))
    throw new RangeError(`A newline is null, '', '\\n', '\\r' or '\\r\\n', not ${JSON.stringify(value)}.`);
  return value as Newline;
}
