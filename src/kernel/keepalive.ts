/*
 * Keeps the process alive for tasks that wait for something Node does not count
 * as work to do: a signal, say, or a descriptor that only our own poller watches.
 */

import { clearRealInterval, setRealInterval } from '../base/loop.ts';

// The longest interval Node's timers know: it is there to be referenced, not to fire.
const LONGEST = 0x7fff_ffff;

export class KeepAlive {
  #holds = 0;
  #timer: NodeJS.Timeout | null = null;

  get held(): boolean {
    return this.#holds > 0;
  }

  // Counting is all that happens here: whether Node may exit matters only once the kernel rests.
  hold(): void {
    this.#holds++;
  }

  release(): void {
    this.#holds--;
  }

  /** The kernel rests: from now on the process lives as long as somebody holds it. */
  rest(): void {
    if (this.held) this.#timer ??= setRealInterval(() => {}, LONGEST);
    else this.stop();
  }

  /** A kernel that does not run keeps nothing alive. */
  stop(): void {
    if (this.#timer !== null) clearRealInterval(this.#timer);
    this.#timer = null;
  }
}
