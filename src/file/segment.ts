/*
 * A piece of decoded text: whole characters, never ending between `\r` and `\n`. It finds lines and counts
 * characters in itself; where it comes from is not its business.
 */

import type { NewlineMode } from './newline.ts';

const NEWLINE = 10;
const RETURN = 13;
const NOWHERE = Number.POSITIVE_INFINITY;

export class Segment {
  readonly text: string;
  /** How many bytes it was decoded from. */
  readonly size: number;
  /** Those bytes, where a codec cannot do without. */
  readonly bytes: Buffer | null;
  /** The state of the codec before them. */
  readonly state: number;
  /** True if only the mode's `terminator` ends a line here, and nothing is translated. */
  readonly simple: boolean;
  private readonly newline: NewlineMode;
  /** True if each unit is a character; null if that is not known yet. */
  private single: boolean | null = null;
  private nextNewline = -1;
  private nextReturn = -1;

  constructor(text: string, size: number, bytes: Buffer | null, state: number, newline: NewlineMode) {
    this.text = text;
    this.size = size;
    this.bytes = bytes;
    this.state = state;
    this.newline = newline;
    this.simple = !newline.universal || !text.includes('\r');
  }

  /** Where the line ends that `from` is in, after its newline; -1 if not here. */
  lineEnd(from: number): number {
    if (this.simple) {
      const { terminator } = this.newline;
      const at = this.text.indexOf(terminator, from);
      return at < 0 ? -1 : at + terminator.length;
    }
    // Looked for once, not for each line: either may be rare.
    if (this.nextNewline < from) this.nextNewline = this.find('\n', from);
    if (this.nextReturn < from) this.nextReturn = this.find('\r', from);
    if (this.nextNewline < this.nextReturn) return this.nextNewline + 1;
    if (this.nextReturn === NOWHERE) return -1;
    return this.nextReturn + (this.nextNewline === this.nextReturn + 1 ? 2 : 1);
  }

  private find(character: string, from: number): number {
    const at = this.text.indexOf(character, from);
    return at < 0 ? NOWHERE : at;
  }

  private get isSingle(): boolean {
    if (this.single === null)
      this.single = !(this.newline.translating && !this.simple) && !/[\ud800-\udbff]/.test(this.text);
    return this.single;
  }

  /** The units of the character at `at`: two for a pair of surrogates, and for `\r\n` where that is read as one. */
  private width(at: number): number {
    const code = this.text.codePointAt(at)!;
    if (code !== RETURN || !this.newline.translating) return code > 0xffff ? 2 : 1;
    return this.text.charCodeAt(at + 1) === NEWLINE ? 2 : 1;
  }

  /** The unit `count` characters after `from`, but not after `stop`. */
  forward(from: number, stop: number, count: number): number {
    if (this.isSingle) return Math.min(stop, from + count);
    let at = from;
    for (let left = count; at < stop && left > 0; left--) at += this.width(at);
    return at;
  }

  /** How many characters that is. */
  characters(from: number, to: number): number {
    if (this.isSingle) return to - from;
    let count = 0;
    for (let at = from; at < to; at += this.width(at)) count++;
    return count;
  }

  /** A part as it is handed out. */
  part(from: number, to?: number): string {
    const part = this.text.slice(from, to);
    return this.simple ? part : this.newline.read(part);
  }
}
