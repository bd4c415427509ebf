/*
 * What has been written and not yet handed to the operating system. What is in here counts as written: the next
 * flush, or closing the file, takes it out. Knows bytes only.
 */

import { systemError } from '../io/system.ts';
import { type Device, perform, type Steps } from './device.ts';

/** How much is collected before it is written. */
export const CAPACITY = 65536;

export class Output {
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;

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
    if (this.#end === 0 && this.#buffer.length !== CAPACITY) this.#buffer = Buffer.allocUnsafeSlow(CAPACITY);
  }

  /** Writes all that waits. What cannot be written goes on waiting. */
  *drain(device: Device): Steps<void> {
    while (this.pending > 0) {
      const step = device.write(this.#buffer, this.#start, this.#end, (bytes) => this.#written(bytes));
      if ((yield* perform(step)) === 0) throw systemError('EIO', 'write');
    }
  }

  #written(bytes: number): void {
    this.#start += bytes;
    if (this.#start === this.#end) this.#start = this.#end = 0;
  }
}
