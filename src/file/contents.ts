/*
 * What the methods of a file do, each written once for both ways of waiting: as a generator that asks for steps of the
 * device, which AsyncFile does in the thread pool and BlockingFile at once. (An async function could only be the first.)
 *
 * Between two steps an operation may be given up. So it takes what it reads only when it has all of it, and
 * counts as written what lies in the output. Knows no tasks.
 */

import { NotSupportedError } from '../errors.ts';
import { bytesOf, type Data } from '../io/attempts.ts';
import { attach } from '../io/system.ts';
import { type Device, perform, type Steps } from './device.ts';
import type { TextFormat } from './format.ts';
import { ByteInput, type Input } from './input.ts';
import type { Mode } from './mode.ts';
import { CAPACITY, Output } from './output.ts';
import { TextInput } from './text-input.ts';

/**
 * Places are counted from the beginning of the file.
 * @see Reference manual, "Files"
 */
export const SEEK_SET = 0;
/** Places are counted from where the file stands. */
export const SEEK_CUR = 1;
/** Places are counted from the end of the file. */
export const SEEK_END = 2;

export const ALL = Number.POSITIVE_INFINITY;
/** Bytes or units of text that are taken into the output at a time. */
const PIECE = 1 << 19;

/** What a file of text or of bytes is given to write. */
export type Writable<D extends string | Buffer> = D extends string ? string : Data;

/** Part of what is to be written, and how much of it this is, as `write` counts. */
interface Piece {
  bytes: Uint8Array;
  count: number;
}

export class Contents<D extends string | Buffer> {
  readonly device: Device;
  readonly input: Input<D>;
  /** True if an operation may begin at once. That is for turns.ts to know; it stands here because plain fields are quicker. */
  free = true;
  readonly #mode: Mode;
  readonly #format: TextFormat | null;
  readonly #output: Output;
  readonly #show: () => string;
  /** True from a write until the file is used otherwise. Nothing is read ahead then; and if it is false, nothing waits to be written. */
  #writing = false;
  /** True if what is written next must begin with the byte order mark. */
  #markDue: boolean;

  /** @param show what to call the file in errors */
  constructor(device: Device, mode: Mode, format: TextFormat | null, show: () => string) {
    this.device = device;
    this.#output = new Output(device);
    this.#mode = mode;
    this.#format = format;
    this.#show = show;
    this.#markDue = device.at === 0;
    const input =
      format === null
        ? new ByteInput(device.at)
        : new TextInput(format.codec, format.newline, device.at, show);
    this.input = input as unknown as Input<D>;
  }

  // ---- Reading ----

  *read(n: number): Steps<D> {
    yield* this.#toRead();
    for (;;) {
      const found = this.input.take(n);
      if (found !== null) return found;
      if (!(yield* this.#more(n))) return this.input.rest();
    }
  }

  /** At most one step, and none if anything is there. */
  *readOnce(n: number, operation: string): Steps<Buffer> {
    const input = this.#bytes(operation);
    yield* this.#toRead();
    if (!input.unread && n > 0) yield* this.#more(n === ALL ? 0 : n);
    return input.take(Math.min(n, input.length)) as Buffer;
  }

  *readInto(target: Uint8Array, once: boolean, operation: string): Steps<number> {
    const input = this.#bytes(operation);
    yield* this.#toRead();
    while (input.length < target.length && !(once && input.unread)) {
      if (!(yield* this.#more(target.length - input.length))) break;
    }
    return input.takeInto(target);
  }

  *line(limit: number): Steps<D> {
    yield* this.#toRead();
    for (;;) {
      const line = this.input.line(limit);
      if (line !== null) return line;
      if (!(yield* this.#more(0))) return this.input.rest();
    }
  }

  *lines(hint: number): Steps<D[]> {
    const lines: D[] = [];
    try {
      for (let left = hint; left >= 0; ) {
        const line = this.input.quickLine() ?? (yield* this.line(ALL));
        if (line.length === 0) break;
        lines.push(line);
        if (hint !== ALL) left -= typeof line === 'string' ? characters(line) : line.length;
      }
    } catch (error) {
      attach(error, 'linesRead', lines);
      throw error;
    }
    return lines;
  }

  *all(): Steps<D> {
    // Text is decoded as it comes, block by block; bytes gather in the input.
    const parts: D[] = [];
    const joined = () => (parts.length === 0 ? this.input.rest() : (parts.join('') as D));
    yield* this.#toRead();
    try {
      do {
        if (this.#format === null) continue;
        const part = this.input.rest();
        if (part.length > 0) parts.push(part);
      } while (yield* this.#more(ALL));
    } catch (error) {
      attach(error, 'bytesRead', joined());
      throw error;
    }
    return joined();
  }

  /** Reads more, as many bytes as are wanted if that is reasonable; false at the end of the file. */
  *#more(wanted: number): Steps<boolean> {
    if (this.device.ended) return this.input.end();
    return (yield* perform(this.input.fill(this.device, wanted))) > 0 || this.input.end();
  }

  *#toRead(): Steps<void> {
    if (!this.#mode.readable) throw this.#cannot('read', 'r');
    if (this.#writing) yield* this.#endWriting();
    this.device.ended = false;
    this.input.begin();
  }

  #bytes(operation: string): ByteInput {
    if (this.input instanceof ByteInput) return this.input;
    throw new NotSupportedError(
      `${operation} reads bytes, and ${this.#show()} was opened for text. Open it in mode 'rb'.`,
    );
  }

  #cannot(what: string, mode: string): NotSupportedError {
    const better = `'${mode}${this.#mode.binary ? 'b' : ''}'`;
    return new NotSupportedError(
      `${this.#show()} was opened in mode '${this.#mode.text}' and cannot be ${what}. Open it in mode ${better}.`,
    );
  }

  // ---- Writing ----

  /** Writes what is little enough to be done with at once; -1 if it is not. */
  quickWrite(data: Writable<D>): number {
    if (!this.#writing || this.#markDue) return -1;
    const output = this.#output;
    if (this.#format === null) {
      if (!(data instanceof Uint8Array) || data.length > output.room) return -1;
      output.put(data as Uint8Array);
      return data.length;
    }
    const { codec, newline } = this.#format;
    const text = newline.write(data as string);
    if (text.length * codec.widest > output.room || codec.unencodable(text) >= 0) return -1;
    output.putText(text, codec);
    return characters(data as string);
  }

  *write(data: Writable<D>): Steps<number> {
    this.#toWrite();
    const output = this.#output;
    let taken = 0;
    try {
      for (const { bytes, count } of this.#pieces(data)) {
        if (bytes.length > output.room) yield* output.drain();
        output.put(bytes);
        this.#markDue = false;
        taken += count;
        if (bytes.length >= CAPACITY) yield* output.drain();
      }
    } catch (error) {
      attach(error, 'bytesWritten', taken);
      throw error;
    }
    return taken;
  }

  *#pieces(data: string | Data): Generator<Piece, void, void> {
    if (this.#format !== null) return yield* this.#textPieces(data as string, this.#format);
    const bytes = bytesOf(data, 'AsyncFile.write()');
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      yield { bytes: piece, count: piece.length };
    }
  }

  *#textPieces(data: string, { codec, newline }: TextFormat): Generator<Piece, void, void> {
    const wrong = codec.unencodable(data);
    if (wrong >= 0) {
      const code = data.codePointAt(wrong)!.toString(16).toUpperCase().padStart(4, '0');
      throw new RangeError(
        `${codec.name} has no bytes for U+${code}, which is at ${wrong} in the text for ${this.#show()}. ` +
          "Open the file with another encoding, or with { errors: 'replace' }.",
      );
    }
    for (let at = 0; at < data.length; ) {
      let end = Math.min(data.length, at + PIECE);
      // Not between the two halves of a character.
      if (end < data.length && data.codePointAt(end - 1)! > 0xffff) end--;
      const part = data.slice(at, end);
      const text = newline.write(part);
      const mark = this.#markDue ? codec.mark : NOTHING;
      const target = Buffer.allocUnsafe(mark.length + text.length * codec.widest);
      target.set(mark);
      const length = mark.length + codec.write(text, target, mark.length);
      yield { bytes: target.subarray(0, length), count: characters(part) };
      at = end;
    }
  }

  *flush(): Steps<void> {
    if (this.#output.pending > 0) yield* this.#output.drain();
  }

  /** What has not been flushed is lost: the file is closed. */
  discard(): void {
    this.#output.discard();
  }

  #requireWritable(): void {
    if (!this.#mode.writable) throw this.#cannot('written', this.#mode.readable ? 'r+' : 'w');
  }

  #toWrite(): void {
    this.#requireWritable();
    if (this.#writing) return;
    // What was read ahead is of no use any more: writing goes on where reading has come to.
    this.device.at = this.input.restart(this.input.tell());
    if (!this.device.append) this.#markDue = this.device.at === 0;
    this.#writing = true;
  }

  *#endWriting(): Steps<void> {
    yield* this.flush();
    yield* this.#locate();
    this.input.restart(this.device.at);
    this.#writing = false;
  }

  /** After appending: finds out where that ended. */
  *#locate(): Steps<void> {
    const { device } = this;
    if (Number.isNaN(device.at)) device.at = yield* perform(device.size());
  }

  // ---- Places ----

  *tell(): Steps<number> {
    this.device.requireSeekable('tell');
    if (!this.#writing) return this.input.tell();
    if (!this.device.append) return this.device.at + this.#output.pending;
    yield* this.flush();
    yield* this.#locate();
    return this.device.at;
  }

  *seek(offset: number, whence: number): Steps<number> {
    const { device, input } = this;
    device.requireSeekable('seek');
    if (this.#format !== null && whence !== SEEK_SET && offset !== 0) {
      throw new NotSupportedError(
        `seek(): a file open for text knows no distances. Seek to 0, to its end, or to what tell() gave.`,
      );
    }
    const from = whence === SEEK_SET ? 0 : whence === SEEK_CUR ? yield* this.tell() : yield* this.#size();
    const place = from + offset;
    if (place < 0) throw new RangeError(`seek(): ${place} is before the beginning of the file.`);
    if (this.#writing) yield* this.#endWriting();
    // To go where the file stands is to forget what was read ahead: others may have written it anew.
    if (place === input.tell() || !input.skipTo(place)) device.at = input.restart(place);
    return place;
  }

  *#size(): Steps<number> {
    yield* this.flush();
    return yield* perform(this.device.size());
  }

  *truncate(size: number | null): Steps<number> {
    const { device, input } = this;
    this.#requireWritable();
    device.requireSeekable('truncate');
    if (this.#writing) yield* this.#endWriting();
    const wanted = size ?? input.tellByte();
    yield* perform(device.truncate(wanted));
    // What was read ahead may be there no longer.
    device.at = input.restart(input.tell());
    return wanted;
  }
}

const NOTHING = Buffer.alloc(0);

/** The length of a text in characters, as Python counts them: a pair of surrogates is one. */
function characters(text: string): number {
  let count = text.length;
  if (!/[\ud800-\udbff]/.test(text)) return count;
  for (let at = 0; at < text.length; at++) {
    if (text.codePointAt(at)! > 0xffff) {
      count--;
      at++;
    }
  }
  return count;
}
