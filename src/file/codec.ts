/*
 * Encodings, piece by piece: where the last complete character ends, what the bytes mean, how many bytes the first
 * so many units of a text came from; and the other direction, for the encodings Node can write.
 *
 * A codec remembers nothing between two calls. What must be known at the beginning of a piece is a small number, its
 * `state`. Knows no files and no newlines.
 */

import { isAscii, isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';

/** What to do about bytes that mean nothing, and characters that have no bytes. */
export type Errors = 'strict' | 'replace';

const EMPTY = Buffer.alloc(0);

export abstract class Codec {
  abstract readonly name: string;
  readonly errors: Errors;
  /** Bytes that say at the beginning of a file how it is encoded. */
  readonly mark: Buffer = EMPTY;
  /** True if a byte 10 is always a newline, and so always the end of a character. */
  readonly newlineIsByte: boolean = true;
  /** Bytes of a unit that is one ASCII character. */
  readonly unit: number = 1;
  /** True if `measure` wants to see the bytes. */
  readonly measuresBytes: boolean = false;
  /** The most bytes a unit of text can take; 0 if this encoding cannot be written. */
  readonly widest: number = 0;

  constructor(errors: Errors) {
    this.errors = errors;
  }

  /** How many bytes at the beginning of a file are no text, and the state after them; null if more bytes must be seen first. */
  prologue(_bytes: Buffer, _final: boolean): { length: number; state: number } | null {
    return { length: 0, state: 0 };
  }

  /** Where the last complete character of the piece ends. */
  abstract complete(bytes: Buffer, state: number): number;

  /** What the piece means; null if it does not mean anything, which is never so when errors are replaced. */
  abstract decode(bytes: Buffer, state: number): string | null;

  /** The state after a piece. */
  after(_bytes: Buffer, state: number): number {
    return state;
  }

  /** The number of bytes of the piece that gave the first `units` units of `text`. */
  abstract measure(text: string, units: number, bytes: Buffer | null, state: number): number;

  /** How much of a piece that cannot be decoded can. */
  validPart(bytes: Buffer, state: number): number {
    let good = 0;
    let bad = bytes.length + 1;
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      const part = bytes.subarray(0, middle);
      if (this.decode(part.subarray(0, this.complete(part, state)), state) === null) bad = middle;
      else good = middle;
    }
    return this.complete(bytes.subarray(0, good), state);
  }

  /** Where the first character stands that cannot be encoded; -1 if all can. */
  unencodable(_text: string): number {
    return -1;
  }

  /** Encodes into `target`, which has room, and gives the number of bytes. */
  write(_text: string, _target: Buffer, _at: number): number {
    throw new RangeError(`${this.name} cannot be written.`);
  }
}

/** Where the first surrogate stands that is not one of a pair; -1 if there is none. */
function loneSurrogate(text: string): number {
  // Every Node that Curio runs on has it; the types of ES2022 do not.
  if ((text as unknown as { isWellFormed(): boolean }).isWellFormed()) return -1;
  return text.search(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/);
}

/** With U+FFFD for each surrogate that is not one of a pair. */
function wellFormed(text: string): string {
  return loneSurrogate(text) < 0 ? text : Buffer.from(text).toString();
}

export class Utf8 extends Codec {
  override readonly name: string;
  override readonly mark: Buffer;
  override readonly widest = 3;
  override readonly measuresBytes: boolean;

  /** @param signed whether the file begins with a byte order mark that is no text */
  constructor(errors: Errors, signed: boolean) {
    super(errors);
    this.name = signed ? 'utf-8-sig' : 'utf-8';
    this.mark = signed ? Buffer.from([0xef, 0xbb, 0xbf]) : EMPTY;
    this.measuresBytes = errors !== 'strict';
  }

  override prologue(bytes: Buffer, final: boolean): { length: number; state: number } | null {
    const { mark } = this;
    const seen = Math.min(bytes.length, mark.length);
    if (mark.compare(bytes, 0, seen, 0, seen) !== 0) return { length: 0, state: 0 };
    if (seen < mark.length && !final) return null;
    return { length: seen === mark.length ? seen : 0, state: 0 };
  }

  complete(bytes: Buffer): number {
    const end = bytes.length;
    for (let back = 1; back <= 3 && back <= end; back++) {
      const byte = bytes[end - back]!;
      if (byte < 0x80) return end;
      if (byte >= 0xc0) {
        const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
        return length > back ? end - back : end;
      }
    }
    return end;
  }

  decode(bytes: Buffer): string | null {
    if (isAscii(bytes)) return bytes.toString('latin1');
    if (this.errors === 'strict' && !isUtf8(bytes)) return null;
    return bytes.toString('utf8');
  }

  measure(text: string, units: number, bytes: Buffer | null, state: number): number {
    // Where bytes were replaced, the text says no longer how many they were.
    if (bytes !== null && Buffer.byteLength(text) !== bytes.length) return search(this, units, bytes, state);
    return Buffer.byteLength(units === text.length ? text : text.slice(0, units));
  }

  override unencodable(text: string): number {
    return this.errors === 'strict' ? loneSurrogate(text) : -1;
  }

  override write(text: string, target: Buffer, at: number): number {
    return target.write(text, at, 'utf8');
  }
}

/** The state in which UTF-16 has its high byte first. */
const BIG_ENDIAN = 1;

export class Utf16 extends Codec {
  override readonly name: string;
  override readonly mark: Buffer;
  override readonly newlineIsByte = false;
  override readonly unit = 2;
  override readonly widest = 2;
  readonly #order: 'le' | 'be' | 'marked';

  /** @param order which byte comes first; `'marked'` if the file says so in its first two bytes */
  constructor(errors: Errors, order: 'le' | 'be' | 'marked') {
    super(errors);
    this.#order = order;
    this.name = order === 'marked' ? 'utf-16' : `utf-16${order}`;
    this.mark = order === 'marked' ? Buffer.from([0xff, 0xfe]) : EMPTY;
  }

  override prologue(bytes: Buffer, final: boolean): { length: number; state: number } | null {
    if (this.#order !== 'marked') return { length: 0, state: 0 };
    if (bytes.length < 2) return final ? { length: 0, state: 0 } : null;
    const mark = bytes.readUInt16LE(0);
    if (mark === 0xfeff) return { length: 2, state: 0 };
    return mark === 0xfffe ? { length: 2, state: BIG_ENDIAN } : { length: 0, state: 0 };
  }

  #bigEndian(state: number): boolean {
    return this.#order === 'be' || state === BIG_ENDIAN;
  }

  complete(bytes: Buffer, state: number): number {
    const end = bytes.length & ~1;
    if (end === 0) return 0;
    const high = bytes[this.#bigEndian(state) ? end - 2 : end - 1]!;
    return high >= 0xd8 && high <= 0xdb ? end - 2 : end;
  }

  decode(bytes: Buffer, state: number): string | null {
    const odd = bytes.length % 2 === 1;
    if (odd && this.errors === 'strict') return null;
    const even = odd ? bytes.subarray(0, -1) : bytes;
    const text = this.#bigEndian(state)
      ? Buffer.from(even).swap16().toString('utf16le')
      : even.toString('utf16le');
    if (this.errors === 'strict') return loneSurrogate(text) < 0 ? text : null;
    return wellFormed(odd ? `${text}\ufffd` : text);
  }

  measure(_text: string, units: number, _bytes: Buffer | null, _state: number): number {
    return 2 * units;
  }

  override unencodable(text: string): number {
    return this.errors === 'strict' ? loneSurrogate(text) : -1;
  }

  override write(text: string, target: Buffer, at: number): number {
    const known = this.errors === 'replace' ? wellFormed(text) : text;
    const length = target.write(known, at, 'utf16le');
    if (this.#order === 'be') target.subarray(at, at + length).swap16();
    return length;
  }
}

/** One byte, one character, the first 128 or 256 of Unicode. */
export class Latin extends Codec {
  override readonly name: string;
  override readonly widest = 1;
  readonly #ascii: boolean;

  constructor(errors: Errors, ascii: boolean) {
    super(errors);
    this.#ascii = ascii;
    this.name = ascii ? 'ascii' : 'iso-8859-1';
  }

  complete(bytes: Buffer): number {
    return bytes.length;
  }

  decode(bytes: Buffer): string | null {
    const text = bytes.toString('latin1');
    if (!this.#ascii || isAscii(bytes)) return text;
    return this.errors === 'strict' ? null : text.replace(/[\x80-\xff]/g, '\ufffd');
  }

  measure(_text: string, units: number): number {
    return units;
  }

  override unencodable(text: string): number {
    return this.errors === 'strict' ? text.search(this.#foreign) : -1;
  }

  get #foreign(): RegExp {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters can be encoded.
    return this.#ascii ? /[^\x00-\x7f]/gu : /[^\x00-\xff]/gu;
  }

  override write(text: string, target: Buffer, at: number): number {
    const known = this.errors === 'strict' ? text : text.replace(this.#foreign, '?');
    return target.write(known, at, 'latin1');
  }
}

/** What TextDecoder knows and Node cannot write. */
abstract class Legacy extends Codec {
  override readonly name: string;
  readonly #decoder: TextDecoder;

  constructor(errors: Errors, name: string) {
    super(errors);
    this.name = name;
    this.#decoder = new TextDecoder(name, { fatal: errors === 'strict', ignoreBOM: true });
  }

  decode(bytes: Buffer, _state: number): string | null {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      // swallows: nothing waits here; a fatal decoder says so when bytes mean nothing.
      return null;
    }
  }
}

export class SingleByte extends Legacy {
  complete(bytes: Buffer): number {
    return bytes.length;
  }

  measure(_text: string, units: number): number {
    return units;
  }
}

/** What Windows-1252 has where Latin 1 has control characters, from 0x80 on. */
const PUNCTUATION =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178';

/** Node 20 takes it for Latin 1. */
export class Windows1252 extends SingleByte {
  override decode(bytes: Buffer): string {
    return bytes
      .toString('latin1')
      .replace(/[\x80-\x9f]/g, (unit) => PUNCTUATION[unit.charCodeAt(0) - 0x80]!);
  }
}

/** The longest character of these encodings, and the longest switch. */
const LONGEST = 4;

export class MultiByte extends Legacy {
  override readonly measuresBytes = true;
  readonly #judge: TextDecoder;

  constructor(errors: Errors, name: string) {
    super(errors, name);
    this.#judge = new TextDecoder(name, { ignoreBOM: true });
  }

  complete(bytes: Buffer, state: number): number {
    const from = this.boundary(bytes);
    const tail = bytes.subarray(from);
    const before = from === 0 ? state : this.after(bytes.subarray(0, from), state);
    for (let cut = 0; cut < LONGEST && cut <= tail.length; cut++) {
      if (this.#isComplete(this.preceded(tail.subarray(0, tail.length - cut), before)))
        return bytes.length - cut;
    }
    return bytes.length;
  }

  /** The decoder has something to say at the end only if a character is missing there. */
  #isComplete(bytes: Buffer): boolean {
    this.#judge.decode(bytes, { stream: true });
    return this.#judge.decode() === '';
  }

  /** Where a character begins for sure, not far from the end if possible. */
  protected boundary(bytes: Buffer): number {
    let at = bytes.length;
    // Bytes this small are never the second of a character.
    while (at > 0 && bytes[at - 1]! >= 0x30) at--;
    return at;
  }

  /** The bytes as they must be for a decoder that knows no state. */
  protected preceded(bytes: Buffer, _state: number): Buffer {
    return bytes;
  }

  measure(_text: string, units: number, bytes: Buffer | null, state: number): number {
    return bytes === null ? 0 : search(this, units, bytes, state);
  }
}

const ESCAPE = 0x1b;
/** What ISO-2022-JP can have been switched to; the state is the index. */
const switches = ['\x1b(B', '\x1b(J', '\x1b(I', '\x1b$B', '\x1b$@'].map((text) => Buffer.from(text));

/** ISO-2022-JP: escape sequences switch between character sets, and stay in force. */
export class Switched extends MultiByte {
  override decode(bytes: Buffer, state: number): string | null {
    return super.decode(this.preceded(bytes, state), state);
  }

  protected override boundary(): number {
    return 0;
  }

  protected override preceded(bytes: Buffer, state: number): Buffer {
    // Two switches in a row would be an error.
    if (state === 0 || bytes.length === 0 || bytes[0] === ESCAPE) return bytes;
    return Buffer.concat([switches[state]!, bytes]);
  }

  override after(bytes: Buffer, state: number): number {
    for (
      let at = bytes.lastIndexOf(ESCAPE);
      at >= 0;
      at = at === 0 ? -1 : bytes.lastIndexOf(ESCAPE, at - 1)
    ) {
      const found = switches.findIndex((it) => it.equals(bytes.subarray(at, at + 3)));
      if (found >= 0) return found;
    }
    return state;
  }
}

/** The number of bytes that gave the first `units` units, found by decoding. */
function search(codec: Codec, units: number, bytes: Buffer, state: number): number {
  const unitsOf = (length: number): number => {
    const part = bytes.subarray(0, length);
    return codec.decode(part.subarray(0, codec.complete(part, state)), state)?.length ?? 0;
  };
  let low = 0;
  // In steps that double: what is looked for is often near.
  let high = Math.min(units, bytes.length);
  while (high < bytes.length && unitsOf(high) < units) {
    low = high + 1;
    high = Math.min(2 * high, bytes.length);
  }
  while (low < high) {
    const middle = (low + high) >> 1;
    if (unitsOf(middle) < units) low = middle + 1;
    else high = middle;
  }
  // A byte may have ended a character that is none and begun the next one: then the place is before it.
  while (low > 0 && (codec.decode(bytes.subarray(0, low), state)?.length ?? 0) > units) low--;
  return low;
}

// ---- Names ----

const oneByte = /^(windows-(125\d|874)|iso-8859-.*|koi8-.|ibm866|macintosh|x-mac-cyrillic)$/;

/** What Python and Node agree on, and the labels of the web call otherwise or do not know. */
const ours: Record<string, (errors: Errors) => Codec> = {
  utf8: (errors) => new Utf8(errors, false),
  utf8sig: (errors) => new Utf8(errors, true),
  utf16: (errors) => new Utf16(errors, 'marked'),
  utf16le: (errors) => new Utf16(errors, 'le'),
  ucs2: (errors) => new Utf16(errors, 'le'),
  utf16be: (errors) => new Utf16(errors, 'be'),
  latin1: (errors) => new Latin(errors, false),
  iso88591: (errors) => new Latin(errors, false),
  ascii: (errors) => new Latin(errors, true),
  usascii: (errors) => new Latin(errors, true),
};

/** @throws RangeError for an encoding that nobody knows */
export function codecFor(label: string, errors: Errors): Codec {
  const known = ours[label.trim().toLowerCase().replaceAll(/[-_ ]/g, '')];
  if (known !== undefined) return known(errors);
  const name = labelled(label) ?? labelled(label.replaceAll('_', '-'));
  if (name === null)
    throw new RangeError(
      `There is no encoding '${label}'. It is one that TextDecoder knows, such as 'utf-8'.`,
    );
  if (name === 'utf-8') return new Utf8(errors, false);
  if (name === 'utf-16le' || name === 'utf-16be') return new Utf16(errors, name === 'utf-16le' ? 'le' : 'be');
  if (name === 'windows-1252') return new Windows1252(errors, name);
  if (oneByte.test(name)) return new SingleByte(errors, name);
  return name === 'iso-2022-jp' ? new Switched(errors, name) : new MultiByte(errors, name);
}

function labelled(label: string): string | null {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    // swallows: nothing waits here; TextDecoder throws for a label it does not know.
    return null;
  }
}
