/*
 * How a thread waits without an event loop: a word of shared memory that the other side counts up.
 *
 * Going to sleep and being woken costs more than most operations take, so the one who waits looks at
 * the word for a while first. That helps only while there are cores to spare: `crowd` counts who waits.
 */

import { availableParallelism } from 'node:os';
import { Patience } from './patience.ts';

const CORES = availableParallelism();

/** Looks at the word before sleeping: some 50 microseconds, or next to none. */
const MANY = 8000;
const FEW = 200;

/** How often to look during the wait that begins. */
export function looksOf(patience: Patience): number {
  return patience.begin() ? MANY : FEW;
}

type Words = Int32Array<SharedArrayBuffer>;

/** What a bell is made of, to be sent to the other thread. */
export interface BellWords {
  /** How often it has rung; whether somebody waits; and one word for whoever made it. */
  word: Words;
  /** How many threads of the process wait. */
  crowd: Words;
}

export class Bell {
  readonly #word: Words;
  readonly #crowd: Words;
  readonly #patience = new Patience();

  constructor({ word, crowd }: BellWords) {
    this.#word = word;
    this.#crowd = crowd;
  }

  /** How often it has rung. */
  get rings(): number {
    return Atomics.load(this.#word, 0);
  }

  ring(): void {
    Atomics.add(this.#word, 0, 1);
    Atomics.notify(this.#word, 0);
  }

  /** Blocks the calling thread until the bell has rung more than `seen` times. */
  waitPast(seen: number): void {
    if (Atomics.load(this.#word, 0) !== seen) return;
    const waiting = Atomics.add(this.#crowd, 0, 1);
    Atomics.store(this.#word, 1, 1);
    const looks = waiting < CORES - 1 ? looksOf(this.#patience) : 0;
    for (let look = 0; look < looks && Atomics.load(this.#word, 0) === seen; look++);
    while (Atomics.load(this.#word, 0) === seen) Atomics.wait(this.#word, 0, seen);
    if (looks > 0) this.#patience.end();
    this.leave();
  }

  /** Nobody waits any more. To be called for a thread that has been terminated while it waited. */
  leave(): void {
    if (Atomics.exchange(this.#word, 1, 0) === 1) Atomics.sub(this.#crowd, 0, 1);
  }
}

let crowd: Words | null = null;

/** Words for a new bell. */
export function bellWords(): BellWords {
  crowd ??= new Int32Array(new SharedArrayBuffer(4));
  return { word: new Int32Array(new SharedArrayBuffer(12)), crowd };
}

/** Bells that are made in this thread count those who wait together with those that these words are of. */
export function joinCrowd(words: BellWords): void {
  crowd ??= words.crowd;
}
