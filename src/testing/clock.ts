/*
 * A clock for tests: when every task is blocked it jumps to the next deadline
 * instead of waiting for it.
 */

import type { Clock } from '../run.ts';

/** Options of `new VirtualClock()`. */
export interface VirtualClockOptions {
  /** The time to begin with, in seconds. Default 0. */
  start?: number;
  /**
   * Seconds of real time during which nothing must have happened before the clock jumps. Default 0: a few turns of the event
   * loop. Give some where a test also waits for something real.
   */
  patience?: number;
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
 * When there is none, it lets the run end with a `DeadlockError`, without waiting for Node to run out of things to do.
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
  #now: number;
  #declare: (() => void) | null = null;
  #looking = false;

  constructor({ start = 0, patience = 0 }: VirtualClockOptions = {}) {
    this.#now = start;
    this.#patience = patience;
  }

  /** The current time, in seconds. */
  now(): number {
    return this.#now;
  }

  /** Lets time pass by hand, as a task does that computes for `seconds` without blocking. What becomes due happens as soon as tasks block. */
  advance(seconds: number): void {
    this.#now += seconds;
  }

  /** @internal */
  schedule(deadline: number, wake: () => void, background = false): () => void {
    const entry = { deadline, wake, background };
    this.#entries.add(entry);
    this.#look();
    return () => this.#entries.delete(entry);
  }

  /** @internal */
  stalled(declare: () => void): () => void {
    this.#declare = declare;
    this.#look();
    return () => {
      if (this.#declare === declare) this.#declare = null;
    };
  }

  /** Waits until nothing happens any more, then jumps. */
  #look(): void {
    if (this.#looking) return;
    this.#looking = true;
    if (this.#patience > 0) setTimeout(() => this.#turn(QUIET_TURNS), this.#patience * 1000);
    else setImmediate(() => this.#turn(QUIET_TURNS));
  }

  #turn(left: number): void {
    if (left > 0) {
      setImmediate(() => this.#turn(left - 1));
      return;
    }
    this.#looking = false;
    const next = this.#next();
    if (next !== null) {
      this.#entries.delete(next);
      this.#now = Math.max(this.#now, next.deadline);
      next.wake();
    } else if (this.#declare !== null) {
      const declare = this.#declare;
      this.#declare = null;
      declare();
    }
    if (this.#entries.size > 0 && this.#next() !== null) this.#look();
  }

  /** The earliest deadline, provided that one of them is reason enough to jump. */
  #next(): Entry | null {
    let next: Entry | null = null;
    let reason = false;
    for (const entry of this.#entries) {
      if (next === null || entry.deadline < next.deadline) next = entry;
      if (!entry.background) reason = true;
    }
    return reason ? next : null;
  }
}
