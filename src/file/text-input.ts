/*
 * Text that has been read ahead. Bytes come in large blocks and are decoded window by window, each as a segment of
 * whole characters that ends, where it can, with a line: so a line is usually one search and one slice in one flat string.
 *
 * The text is kept as it stands in the file. Newlines are translated when a piece is handed out, so that the place
 * of every character remains known. Knows nothing of what to do with a file otherwise.
 *
 * The fields are plain: programs that read spend their time here, and V8's caches for `#fields` do not outlive the last object
 * that has them.
 */

import type { Codec } from './codec.ts';
import type { Device, Step } from './device.ts';
import { Ahead, type Input } from './input.ts';
import type { NewlineMode } from './newline.ts';
import { Segment } from './segment.ts';

/** Bytes decoded at a time: larger strings would not stay in V8's young generation. */
const WINDOW = 32768;
const NEWLINE = 10;

/** A place in a segment: the units before it, the bytes they were decoded from, and the state of the codec after these. */
interface Measured {
  segment: Segment;
  unit: number;
  byte: number;
  state: number;
}

/** A place that `tell` gives is a byte, plus the state of the codec in units of this. Files are smaller. */
const STATE = 2 ** 50;

export class TextInput implements Input<string> {
  readonly empty = '';
  private readonly codec: Codec;
  private readonly newline: NewlineMode;
  private readonly name: () => string;
  private readonly ahead = new Ahead();

  // Bytes that have not been decoded yet, and the place in the file after them.
  private block: Buffer = Buffer.alloc(0);
  private blockStart = 0;
  private blockEnd = 0;
  private at: number;
  /** The state of the codec at `blockStart`. */
  private state = 0;
  /** True until something has been decoded at the beginning of the file. */
  private atBeginning: boolean;
  /** False if what comes next means nothing in this encoding. */
  private isValid = true;

  // Text that has not been read yet: from `position` of the first segment. Its text is here as well, for the quick way.
  private segments: Segment[] = [];
  private text = '';
  private position = 0;
  /** What the quick way looks for; empty if it will not do. */
  private terminator = '';

  /** How far `tell` has measured, so that it need not measure the same twice. */
  private measured: Measured | null = null;

  // How far the operation at hand has looked: the segment, the unit in it, and how many characters that is.
  private segment = 0;
  private unit = 0;
  private counted = 0;

  /**
   * @param at where reading begins
   * @param name the file's, for errors
   */
  constructor(codec: Codec, newline: NewlineMode, at: number, name: () => string) {
    this.at = at;
    this.atBeginning = at === 0;
    this.codec = codec;
    this.newline = newline;
    this.name = name;
  }

  get unread(): boolean {
    return this.blockStart < this.blockEnd || this.position < this.text.length || this.segments.length > 1;
  }

  // ---- Taking ----

  quickLine(): string | null {
    const { terminator } = this;
    if (terminator === '') return null;
    const at = this.text.indexOf(terminator, this.position);
    if (at < 0) return this.position === this.text.length && this.advance() ? this.quickLine() : null;
    const end = at + terminator.length;
    const line = this.text.slice(this.position, end);
    this.position = end;
    return line;
  }

  /** All text has been read: goes on to what is there already of the next. */
  private advance(): boolean {
    if (this.segments.length > 1) return false;
    this.segments.length = this.position = 0;
    if (this.decode(false, false)) return true;
    this.quicken();
    return false;
  }

  begin(): void {
    if (this.position > 0 && this.position === this.text.length) {
      this.segments.shift();
      this.position = 0;
      this.quicken();
    }
    this.segment = 0;
    this.unit = this.position;
    this.counted = 0;
  }

  line(limit: number): string | null {
    return this.look(limit, true) ? this.handOut() : null;
  }

  take(n: number): string | null {
    return this.look(n, false) ? this.handOut() : null;
  }

  rest(): string {
    this.look(Number.POSITIVE_INFINITY, false);
    return this.handOut();
  }

  /** Goes forward to the end of a line, or `limit` characters. False if more must be read first. */
  private look(limit: number, toLineEnd: boolean): boolean {
    const endless = limit === Number.POSITIVE_INFINITY;
    while (this.counted < limit) {
      const segment = this.segments[this.segment];
      if (segment === undefined) {
        if (this.decode(endless && !toLineEnd, false)) continue;
        this.checkValid();
        return false;
      }
      const lineEnd = toLineEnd ? segment.lineEnd(this.unit) : -1;
      const stop = lineEnd < 0 ? segment.text.length : lineEnd;
      if (!endless) {
        const end = segment.forward(this.unit, stop, limit - this.counted);
        this.counted += segment.characters(this.unit, end);
        this.unit = end;
        if (end < stop) return true;
      }
      this.unit = stop;
      if (lineEnd >= 0) return true;
      this.segment++;
      this.unit = 0;
    }
    return true;
  }

  /** Takes what has been looked at. */
  private handOut(): string {
    const { segments, segment: last } = this;
    const parts: string[] = [];
    for (let i = 0; i <= last && i < segments.length; i++) {
      parts.push(segments[i]!.part(i === 0 ? this.position : 0, i === last ? this.unit : undefined));
    }
    const taken = parts.length === 1 ? parts[0]! : parts.join('');
    if (last > 0) segments.splice(0, last);
    this.position = this.unit;
    this.quicken();
    this.begin();
    return taken;
  }

  private quicken(): void {
    const first = this.segments[0];
    this.text = first === undefined ? '' : first.text;
    this.terminator = first?.simple ? this.newline.terminator : '';
  }

  // ---- Decoding ----

  /**
   * Makes a segment of bytes that are there. False if they are not enough for one, or not valid.
   *
   * @param all of them, instead of as many as are good to have at a time
   * @param final that no more will come
   */
  private decode(all: boolean, final: boolean): boolean {
    if (this.atBeginning && !this.passPrologue(final)) return false;
    const { codec, block, blockStart, blockEnd } = this;
    const bytes = block.subarray(blockStart, all ? blockEnd : Math.min(blockEnd, blockStart + WINDOW));
    let size = this.cut(bytes, final);
    if (size === 0) return false;
    let text = codec.decode(bytes.subarray(0, size), this.state);
    if (text === null) {
      size = codec.validPart(bytes.subarray(0, size), this.state);
      this.isValid = size > 0;
      if (!this.isValid) return false;
      text = codec.decode(bytes.subarray(0, size), this.state)!;
    }
    if (!final && size + codec.unit > bytes.length && this.endsInHalf(bytes.subarray(0, size), text)) {
      text = text.slice(0, -1);
      size -= codec.unit;
      if (size === 0) return false;
    }
    const decoded = bytes.subarray(0, size);
    const kept = codec.measuresBytes ? Buffer.from(decoded) : null;
    this.segments.push(new Segment(text, size, kept, this.state, this.newline));
    if (this.segments.length === 1) this.quicken();
    this.state = codec.after(decoded, this.state);
    this.blockStart += size;
    return true;
  }

  /** True if there is a `\r` at the end that may be half of a `\r\n`. */
  private endsInHalf(bytes: Buffer, text: string): boolean {
    if (!this.newline.splittable || !text.endsWith('\r')) return false;
    return this.codec.decode(bytes.subarray(-this.codec.unit), this.state) === '\r';
  }

  /** How much to decode of a piece: all lines, if that is any. */
  private cut(bytes: Buffer, final: boolean): number {
    if (this.codec.newlineIsByte) {
      const lines = bytes.lastIndexOf(NEWLINE) + 1;
      if (lines > 0) return lines;
    }
    const complete = this.codec.complete(bytes, this.state);
    return complete === 0 && final ? bytes.length : complete;
  }

  private passPrologue(final: boolean): boolean {
    const prologue = this.codec.prologue(this.block.subarray(this.blockStart, this.blockEnd), final);
    if (prologue === null) return false;
    this.blockStart += prologue.length;
    this.state = prologue.state;
    this.atBeginning = false;
    return true;
  }

  private checkValid(): void {
    if (this.isValid) return;
    const byte = this.at - (this.blockEnd - this.blockStart);
    const error = new TypeError(
      `${this.name()} is not ${this.codec.name} at byte ${byte}. Open it with the encoding it is in, ` +
        "or with { errors: 'replace' }.",
    );
    throw Object.assign(error, { code: 'ERR_ENCODING_INVALID_ENCODED_DATA', byte });
  }

  // ---- Reading more ----

  fill(device: Device, wanted: number): Step {
    const left = this.blockEnd - this.blockStart;
    const size = left + this.ahead.next(wanted, device.left);
    if (this.block.length < size) {
      const larger = Buffer.allocUnsafeSlow(size);
      this.block.copy(larger, 0, this.blockStart, this.blockEnd);
      this.block = larger;
    } else if (this.blockStart > 0) this.block.copyWithin(0, this.blockStart, this.blockEnd);
    this.blockStart = 0;
    this.blockEnd = left;
    return device.read(this.block.subarray(0, size), left, (bytes) => {
      this.blockEnd += bytes;
      this.at = device.at;
    });
  }

  end(): boolean {
    const found = this.blockStart < this.blockEnd && this.decode(true, true);
    this.checkValid();
    return found;
  }

  // ---- Places ----

  private place(): { byte: number; state: number } {
    const first = this.segments[0];
    let byte = this.at - (this.blockEnd - this.blockStart);
    if (first === undefined) return { byte, state: this.state };
    for (const { size } of this.segments) byte -= size;
    const measured = this.measure(first);
    return { byte: byte + measured.byte, state: measured.state };
  }

  /** What has been read of the first segment. */
  private measure(segment: Segment): Measured {
    const { codec, position: unit } = this;
    let from = this.measured;
    if (from === null || from.segment !== segment || from.unit > unit)
      from = { segment, unit: 0, byte: 0, state: segment.state };
    const bytes = segment.bytes === null ? null : segment.bytes.subarray(from.byte);
    const read = codec.measure(segment.text.slice(from.unit), unit - from.unit, bytes, from.state);
    const state = bytes === null ? from.state : codec.after(bytes.subarray(0, read), from.state);
    this.measured = { segment, unit, byte: from.byte + read, state };
    return this.measured;
  }

  tell(): number {
    const { byte, state } = this.place();
    // At the beginning nothing is known yet, and nothing need be.
    return byte === 0 ? 0 : byte + state * STATE;
  }

  tellByte(): number {
    return this.place().byte;
  }

  skipTo(place: number): boolean {
    return place === this.tell();
  }

  restart(place: number): number {
    const byte = place % STATE;
    this.segments = [];
    this.measured = null;
    this.position = this.blockStart = this.blockEnd = 0;
    this.quicken();
    this.begin();
    this.state = Math.floor(place / STATE);
    this.atBeginning = byte === 0;
    this.isValid = true;
    this.at = byte;
    this.ahead.restart();
    return byte;
  }
}
