/*
 * How a thread with an event loop waits for what another thread is about to say. A loop that has nothing to do goes to sleep, and
 * to be woken takes longer than most of what it waits for: so for a moment it goes round without sleeping.
 */

import { Patience } from './patience.ts';

/** How long it goes round, in milliseconds. */
const MOMENT = 0.05;

let until = 0;
let isRound = false;

const round = (): void => {
  isRound = performance.now() < until;
  if (isRound) setImmediate(round);
};

function goRound(): void {
  until = performance.now() + MOMENT;
  if (isRound) return;
  isRound = true;
  setImmediate(round);
}

/** Looks out for the answers of one other. */
export class Lookout {
  readonly #patience = new Patience();
  #asked = 0;
  #took = 0;
  #isWaiting = false;

  /** An answer is to be expected. */
  asked(): void {
    this.#asked = performance.now();
    // What took long the last time is not worth it.
    this.#isWaiting = this.#took < 2 * MOMENT;
    if (this.#isWaiting && this.#patience.begin()) goRound();
  }

  /** It has come. */
  heard(): void {
    this.#took = performance.now() - this.#asked;
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#patience.end();
  }
}
