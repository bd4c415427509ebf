/*
 * Keeps the process alive for tasks that wait for something Node does not count
 * as work to do: a signal, say.
 */

// The longest interval Node's timers know: it is there to be referenced, not to fire.
const LONGEST = 0x7fff_ffff;

export class KeepAlive {
  #holds = 0;
  #enabled = false;
  #timer: NodeJS.Timeout | null = null;

  get held(): boolean {
    return this.#holds > 0;
  }

  hold(): void {
    this.#holds++;
    this.#update();
  }

  release(): void {
    this.#holds--;
    this.#update();
  }

  /** A kernel that does not run keeps nothing alive. */
  enable(enabled: boolean): void {
    this.#enabled = enabled;
    this.#update();
  }

  #update(): void {
    const wanted = this.#enabled && this.#holds > 0;
    if (wanted && this.#timer === null) this.#timer = setInterval(() => {}, LONGEST);
    else if (!wanted && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
  }
}
