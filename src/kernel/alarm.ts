/*
 * The one timer of a kernel: set, while no task is ready, for the earliest
 * deadline, and left alone as long as it does not ring too late.
 */

import type { Clock } from './clock.ts';

const NEVER = Number.POSITIVE_INFINITY;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #cancel: (() => void) | null = null;
  #at = NEVER;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = () => {
      this.#cancel = null;
      this.#at = NEVER;
      ring();
    };
  }

  /** Sees to it that the alarm rings by `deadline`. False if that has come already. */
  set(deadline: number): boolean {
    // One that rings too early only finds nothing to do, which is cheaper than setting it anew each time.
    if (deadline >= this.#at) return true;
    this.clear();
    if (deadline <= this.#clock.now()) return false;
    this.#at = deadline;
    this.#cancel = this.#clock.schedule(deadline, this.#ring);
    return true;
  }

  clear(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#at = NEVER;
  }
}
