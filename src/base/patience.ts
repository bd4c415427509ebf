/*
 * How long one who waits for another thread looks before it goes to sleep. On a quiet machine looking is quicker, because
 * a core that sleeps takes its time to wake; on a busy one it takes the core from the very thread that is waited for.
 * Which of the two is the case is found out on the way.
 *
 * Looking pays only if the other looks as well: of two who wait for each other in turn, one that sleeps is slow to answer, and
 * who waits for it in vain soon sleeps, too. So all threads and processes try at the same time, by the one clock they share.
 */

/** Every so many milliseconds so many are given to looking, and so many to sleeping. */
const CYCLE = 16;
const LOOKING = 1;
const SLEEPING = 0.25;

/** In milliseconds. What takes longer says nothing of how quickly one wakes. */
const LONGEST = 1;

/** How much a wait counts against those before it. */
const WEIGHT = 1 / 8;

/** One wait counts as so many times what is usual at most: a collection of garbage says nothing of either way. */
const MOST = 2;

/** What the shared clock is ahead of this thread's own. */
const AHEAD = Number(process.hrtime.bigint() / 1000n) / 1000 - performance.now();

/** True while everybody looks, to find out whether it pays. `now` is of `performance.now()`. */
export function allLook(now: number): boolean {
  return (now + AHEAD) % CYCLE < LOOKING;
}

function allSleep(now: number): boolean {
  return (now + AHEAD + CYCLE / 2) % CYCLE < SLEEPING;
}

/** What is usual after one more wait. Null: there was none before. */
function usual(before: number | null, took: number): number {
  if (before === null) return took;
  return before + (Math.min(took, MOST * before) - before) * WEIGHT;
}

export class Patience {
  #looking: number | null = null;
  #sleeping: number | null = null;
  #isLooking = false;
  #began = 0;

  /** A wait begins: true if it is worth looking. */
  begin(): boolean {
    const now = performance.now();
    this.#began = now;
    this.#isLooking =
      allLook(now) || (!allSleep(now) && (this.#looking ?? 0) <= (this.#sleeping ?? Infinity));
    return this.#isLooking;
  }

  /** It has ended with what was waited for. */
  end(): void {
    const took = performance.now() - this.#began;
    if (took > LONGEST) return;
    if (this.#isLooking) this.#looking = usual(this.#looking, took);
    else this.#sleeping = usual(this.#sleeping, took);
  }
}
