/*
 * How a thread with an event loop waits for what another thread is about to say. A loop that has nothing to do goes to sleep, and
 * to be woken takes longer than most of what it waits for: so for a moment it goes round without sleeping.
 */

import { nextTurn } from './loop.ts';
import { allLook, Patience } from './patience.ts';

/** How long it goes round for another thread, in milliseconds; what another process says takes longer. */
const MOMENT = 0.05;
export const MOMENT_OF_PROCESSES = 0.15;

/** How often at most: tests make time stand still. */
const ROUNDS = 300;

/** A round that took so long was held up, by this thread's own work or because others want the core: it leaves them alone for a while. */
const HELD_UP = 2;
const WHILE = 50;

let until = 0;
let notBefore = 0;
let last = 0;
let rounds = 0;
let isRound = false;

const round = (): void => {
  const now = performance.now();
  if (now - last > HELD_UP) notBefore = now + WHILE;
  last = now;
  isRound = ++rounds < ROUNDS && now < until && now >= notBefore;
  if (isRound) nextTurn(round);
};

function goRound(now: number, moment: number): void {
  if (now < notBefore) return;
  until = now + moment;
  rounds = 0;
  if (isRound) return;
  isRound = true;
  last = now;
  nextTurn(round);
}

/** Looks out for the answers of one other. */
export class Lookout {
  readonly #patience = new Patience();
  #asked = 0;
  #took = 0;
  #isWaiting = false;
  readonly #moment: number;

  constructor(moment = MOMENT) {
    this.#moment = moment;
  }

  /** An answer is to be expected. */
  asked(): void {
    this.#asked = performance.now();
    // What took long the last time is not worth it; but what sleeps takes long.
    this.#isWaiting = this.#took < 2 * this.#moment || allLook(this.#asked);
    if (this.#isWaiting && this.#patience.begin()) goRound(this.#asked, this.#moment);
  }

  /** It has come. */
  heard(): void {
    this.#took = performance.now() - this.#asked;
    if (!this.#isWaiting) return;
    this.#isWaiting = false;
    this.#patience.end();
  }
}
