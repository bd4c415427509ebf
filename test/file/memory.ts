// A device in memory for tests of what lies above it: it reads and writes as few bytes at a time as it is told to,
// so that everything that can be cut in two is cut in two. It must know nothing of text.

import type { FileHandle } from 'node:fs/promises';
import { Contents } from '../../src/file/contents.ts';
import { Device, type Step, type Steps } from '../../src/file/device.ts';
import { type FileOptions, formatOf } from '../../src/file/format.ts';
import { parseMode } from '../../src/file/mode.ts';

export class MemoryDevice extends Device {
  bytes: Buffer;
  readonly #portion: () => number;

  /** @param portion how many bytes the next read or write does at most */
  constructor(bytes: Uint8Array, portion: () => number, append = false, seekable = true) {
    const listener = { stepEnded() {}, taskEnded() {} };
    super(null as unknown as FileHandle, append, { size: bytes.length, seekable }, listener);
    this.bytes = Buffer.from(bytes);
    this.#portion = portion;
  }

  override read(target: Buffer, start: number, done: (bytes: number) => void): Step {
    return this.#step(() => {
      const length = Math.min(this.#portion(), target.length - start);
      const n = this.bytes.subarray(this.at, this.at + length).copy(target, start);
      this.at += n;
      done(n);
      return n;
    });
  }

  override write(source: Buffer, start: number, end: number, done: (bytes: number) => void): Step {
    return this.#step(() => {
      const part = source.subarray(start, Math.min(end, start + this.#portion()));
      const at = this.append ? this.bytes.length : this.at;
      const after = this.bytes.subarray(at + part.length);
      const gap = Buffer.alloc(Math.max(0, at - this.bytes.length));
      this.bytes = Buffer.concat([this.bytes.subarray(0, at), gap, part, after]);
      this.at = this.append ? Number.NaN : at + part.length;
      done(part.length);
      return part.length;
    });
  }

  override size(): Step {
    return this.#step(() => this.bytes.length);
  }

  override truncate(size: number): Step {
    return this.#step(() => {
      this.bytes = Buffer.concat([this.bytes, Buffer.alloc(Math.max(0, size - this.bytes.length))]);
      this.bytes = this.bytes.subarray(0, size);
      return size;
    });
  }

  override get closed(): boolean {
    return false;
  }

  #step(now: () => number): Step {
    return { start: async () => now(), now, done() {}, result: 0, error: null };
  }
}

/** Does the steps of an operation at once. */
export function now<T>(device: Device, steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    device.performSync(value);
  }
}

/** A file in memory, and its device. */
export function memoryFile<D extends string | Buffer>(
  mode: string,
  bytes: Uint8Array,
  options: FileOptions = {},
  portion: () => number = () => Number.POSITIVE_INFINITY,
): { device: MemoryDevice; contents: Contents<D>; do<T>(steps: Steps<T>): T } {
  const parsed = parseMode(mode);
  const device = new MemoryDevice(
    parsed.text.includes('w') ? Buffer.alloc(0) : bytes,
    portion,
    parsed.append,
  );
  const contents = new Contents<D>(device, parsed, formatOf(parsed, options), () => "'memory'");
  return { device, contents, do: (steps) => now(device, steps) };
}
