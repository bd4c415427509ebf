/*
 * How long one who waits for another thread looks before it goes to sleep. On a quiet machine looking is quicker, because
 * a core that sleeps takes its time to wake; on a busy one it takes the core from the very thread that is waited for.
 * Which of the two is the case is found out on the way.
 */

/** Of so many waits, so many try what seemed slower so far. */
const WAITS = 128;
const TRIALS = 4;

/** In milliseconds. What takes longer says nothing of how quickly one wakes; and one slip of the machine's not much. */
const LONGEST = 1;
const MOST = 0.2;

/** How much a wait counts against those before it. */
const WEIGHT = 1 / 8;

export class Patience {
  #looking = 0;
  #sleeping = 0;
  #count = 0;
  #isLooking = false;
  #began = 0;

  /** A wait begins: true if it is worth looking. */
  begin(): boolean {
    const isTrial = this.#count++ % WAITS < TRIALS;
    this.#isLooking = this.#looking <= this.#sleeping !== isTrial;
    this.#began = performance.now();
    return this.#isLooking;
  }

  /** It has ended with what was waited for. */
  end(): void {
    const took = performance.now() - this.#began;
    if (took > LONGEST) return;
    const cost = Math.min(took, MOST);
    if (this.#isLooking) this.#looking += (cost - this.#looking) * WEIGHT;
    else this.#sleeping += (cost - this.#sleeping) * WEIGHT;
  }
}
