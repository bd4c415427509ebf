/*
 * What has been written and not yet handed to the operating system. What is in here counts as written: the next
 * flush, or closing the file, takes it out; and the end of the process, for files that nobody has closed. Knows bytes only.
 */

import { stderrLogger } from '../base/logger.ts';
import { valueText } from '../base/stack.ts';
import { systemError } from '../io/system.ts';
import { type Device, perform, type Steps } from './device.ts';

/** How much is collected before it is written. */
export const CAPACITY = 65536;

/** Those in which something waits. */
const waiting = new Set<Output>();

function wait(output: Output): void {
  if (waiting.size === 0) process.on('exit', atExit);
  waiting.add(output);
}

function waitNoLonger(output: Output): void {
  waiting.delete(output);
  if (waiting.size === 0) process.off('exit', atExit);
}

function atExit(): void {
  for (const output of waiting) output.drainNow();
}

export class Output {
  readonly #device: Device;
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Bytes that wait. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** How many more bytes there is room for. */
  get room(): number {
    return this.#end === 0 ? CAPACITY : this.#buffer.length - this.#end;
  }

  /** Takes a copy of bytes. If there are more than there is room for, nothing may be waiting. */
  put(bytes: Uint8Array): void {
    if (bytes.length > this.room) {
      wait(this);
      this.#buffer = Buffer.from(bytes);
      this.#end = bytes.length;
      return;
    }
    this.#prepare();
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Takes text for whose bytes there is room. */
  putText(text: string, encoder: { write(text: string, target: Buffer, at: number): number }): void {
    this.#prepare();
    this.#end += encoder.write(text, this.#buffer, this.#end);
  }

  #prepare(): void {
    if (this.#end > 0) return;
    wait(this);
    if (this.#buffer.length !== CAPACITY) this.#buffer = Buffer.allocUnsafeSlow(CAPACITY);
  }

  /** Writes all that waits. What cannot be written goes on waiting. */
  *drain(): Steps<void> {
    while (this.pending > 0) {
      const step = this.#device.write(this.#buffer, this.#start, this.#end, (bytes) => this.#written(bytes));
      if ((yield* perform(step)) === 0) throw systemError('EIO', 'write');
    }
  }

  #written(bytes: number): void {
    this.#start += bytes;
    if (this.#start === this.#end) this.discard();
  }

  /** The same at once: the process is about to end. */
  drainNow(): void {
    // What is being written in the thread pool is not to be written twice.
    if (this.#device.step !== null || this.#device.closed) return;
    try {
      for (const step of this.drain()) this.#device.performSync(step);
    } catch (error) {
      // swallows: nobody is left to be told; the log is.
      stderrLogger.error(`A file that nobody closed could not be written at the end: ${valueText(error)}`);
    }
  }

  /** Nothing waits any more: the file has taken it, or has been closed without. */
  discard(): void {
    this.#start = this.#end = 0;
    waitNoLonger(this);
  }
}
