/*
 * A descriptor that is readable as long as it is told to be, for poll loops that are not Curio's.
 */

import { readSync, writeSync } from 'node:fs';
import { NotSupportedError, RuntimeError } from '../errors.ts';
import { driver } from '../io/choice.ts';

export class PollSign {
  #ends: [readEnd: number, writeEnd: number] | null;
  #shown = false;

  /** @throws NotSupportedError on the portable driver */
  constructor() {
    if (driver().name === 'portable') {
      throw new NotSupportedError(
        'new UniversalQueue({ withfd: true }) needs the posix driver: Node alone has no descriptor to give away.',
      );
    }
    this.#ends = driver().pipe();
  }

  fileno(): number {
    if (this.#ends !== null) return this.#ends[0];
    throw new RuntimeError('The queue has been shut down; its descriptor is closed.');
  }

  /** From now on it is readable, or not. */
  show(readable: boolean): void {
    if (this.#ends === null || this.#shown === readable) return;
    this.#shown = readable;
    const [readEnd, writeEnd] = this.#ends;
    const byte = new Uint8Array(1);
    try {
      if (readable) writeSync(writeEnd, byte);
      else readSync(readEnd, byte);
    } catch (error) {
      // Somebody else has read the byte, or filled the pipe.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }

  close(): void {
    for (const end of this.#ends ?? []) driver().closeEnd(end);
    this.#ends = null;
  }
}
