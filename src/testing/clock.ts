/*
 * A clock for tests: when every task is blocked it jumps to the next deadline
 * instead of waiting for it.
 *
 * It knows no kernel, only the requests that kernels make of a clock, so several
 * of them may share one.
 */

import { describe } from '../base/callable.ts';
import { clearRealTimeout, nextTurn, setRealTimeout } from '../base/loop.ts';
import type { Clock } from '../run.ts';

/** Options of `new VirtualClock()`. */
export interface VirtualClockOptions {
  /** The time to begin with, in seconds. Default 0. */
  start?: number | undefined;
  /**
   * Seconds of real time during which nothing must have happened before the clock jumps. Default 0: a few turns of the event
   * loop. Give some (0.05, say) where a test also waits for something real: a file, a socket, a process.
   */
  patience?: number | undefined;
}

interface Entry {
  deadline: number;
  wake: () => void;
  background: boolean;
}

/** Turns of the event loop in which nothing happens before the clock believes that nothing will. */
const QUIET_TURNS = 3;

/**
 * Time that passes only when nothing else can happen: as soon as every task is blocked the clock jumps to the next deadline.
 * When there is none, and nothing outside is known that could wake a task, the run ends with a `DeadlockError` at once,
 * without waiting for Node to run out of things to do.
 *
 * It measures from `start`, in seconds, and only goes forward. Several kernels may share one.
 *
 * @example
 * const clock = new VirtualClock();
 * await run({ clock }, async () => {
 *   await sleep(3600); // takes no time
 * });
 */
export class VirtualClock implements Clock {
  readonly #patience: number;
  readonly #entries = new Set<Entry>();
  readonly #stalled = new Set<() => void>();
  #now: number;
  #looking = false;
  #timer: NodeJS.Timeout | null = null;
  /** Requests made and taken back: while they go on, something happens. */
  #changes = 0;

  /**
   * @throws TypeError for an option that is not a number
   * @throws RangeError for one that is not finite, or negative patience
   */
  constructor({ start = 0, patience = 0 }: VirtualClockOptions = {}) {
    this.#now = seconds(start, 'VirtualClock({ start })', Number.NEGATIVE_INFINITY);
    this.#patience = seconds(patience, 'VirtualClock({ patience })', 0);
  }

  /** The current time, in seconds. */
  now(): number {
    return this.#now;
  }

  /**
   * Lets time pass by hand, as a task does that computes for so many seconds without blocking. What becomes due happens as
   * soon as tasks block.
   *
   * @throws TypeError for what is not a number
   * @throws RangeError for a negative number: time does not go back
   */
  advance(by: number): void {
    this.#now += seconds(by, 'VirtualClock.advance()', 0);
    this.#change();
  }

  /** Asks to be woken when the clock has got to `deadline`: what kernels call. Gives what takes the request back. */
  schedule(deadline: number, wake: () => void, background = false): () => void {
    const entry = { deadline, wake, background };
    this.#entries.add(entry);
    this.#change();
    return () => {
      if (this.#entries.delete(entry)) this.#changes++;
    };
  }

  /** A kernel that nothing in it can wake is told by `declare` when nothing outside can either: what kernels call. Gives what takes it back. */
  stalled(declare: () => void): () => void {
    this.#stalled.add(declare);
    this.#change();
    return () => {
      if (this.#stalled.delete(declare)) this.#changes++;
    };
  }

  #change(): void {
    this.#changes++;
    // What is due already needs no patience.
    if (this.#looking && !(this.#timer !== null && this.#isDue())) return;
    this.#looking = true;
    this.#waitForQuiet();
  }

  /** Waits until nothing happens any more, then jumps. */
  #waitForQuiet(): void {
    const before = this.#changes;
    const look = (turns: number): void => {
      this.#timer = null;
      if (this.#changes !== before) this.#waitForQuiet();
      else if (turns > 0) nextTurn(() => look(turns - 1));
      else this.#jump();
    };
    if (this.#timer !== null) clearRealTimeout(this.#timer);
    this.#timer = null;
    if (this.#patience > 0 && !this.#isDue())
      this.#timer = setRealTimeout(() => look(QUIET_TURNS), this.#patience * 1000);
    else nextTurn(() => look(QUIET_TURNS));
  }

  #isDue(): boolean {
    for (const entry of this.#entries) if (entry.deadline <= this.#now) return true;
    return false;
  }

  #jump(): void {
    this.#looking = false;
    const next = this.#next();
    if (next !== null) {
      this.#entries.delete(next);
      this.#now = Math.max(this.#now, next.deadline);
      next.wake();
    } else {
      // One kernel at a time: the clean-up of its tasks may wake those of another.
      const [declare] = this.#stalled;
      if (declare === undefined) return;
      this.#stalled.delete(declare);
      declare();
    }
    if (this.#next() !== null || this.#stalled.size > 0) this.#change();
  }

  /** The earliest deadline, provided that it has come, or that one of them is reason enough to jump. */
  #next(): Entry | null {
    let next: Entry | null = null;
    let reason = false;
    for (const entry of this.#entries) {
      if (next === null || entry.deadline < next.deadline) next = entry;
      if (!entry.background || entry.deadline <= this.#now) reason = true;
    }
    return reason ? next : null;
  }
}

function seconds(value: number, what: string, least: number): number {
  if (typeof value !== 'number' || Number.isNaN(value))
    throw new TypeError(`${what} wants a number of seconds, not ${describe(value)}.`);
  if (!Number.isFinite(value) || value < least) {
    const sort = least === 0 ? 'a finite number of seconds, 0 or more' : 'a finite number of seconds';
    throw new RangeError(`${what} wants ${sort}, not ${value}.`);
  }
  return value;
}
