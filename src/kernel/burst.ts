/*
 * How long tasks may go on taking turns before the event loop gets its own:
 * a few hundred switches, or fewer if each task runs long.
 */

const MOST = 256;
const MILLISECONDS = 2;
const UNKNOWN = -1;

export class Burst {
  /** Switches left. */
  left = MOST;
  #switches = MOST;
  #began = UNKNOWN;

  /** The event loop has just turned, between two bursts of which the first was used up. */
  next(): void {
    const now = performance.now();
    if (this.#began !== UNKNOWN) {
      const took = now - this.#began;
      this.#switches =
        took > MILLISECONDS
          ? Math.max(1, Math.floor((this.#switches * MILLISECONDS) / took))
          : Math.min(MOST, this.#switches * 2);
    }
    this.#began = now;
    this.left = this.#switches;
  }

  /** The event loop has turned because there was nothing to do, for nobody knows how long. */
  afterRest(): void {
    this.#began = UNKNOWN;
    this.left = this.#switches;
  }
}
