/*
 * A Map for entries that come and go. Like a Lineup it is replaced before long, and for the same reason: the tables of V8's
 * own keep what has left them.
 */

/** How many must have left, at least, before the Map is replaced. */
const GAPS = 256;

export class Turnover<K, V> implements Iterable<[K, V]> {
  #entries = new Map<K, V>();
  /** How many have left it. */
  #gaps = 0;

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    this.#entries.set(key, value);
  }

  /** False if it was not here. */
  delete(key: K): boolean {
    if (!this.#entries.delete(key)) return false;
    if (++this.#gaps > GAPS && this.#gaps > this.#entries.size) {
      this.#entries = new Map(this.#entries);
      this.#gaps = 0;
    }
    return true;
  }

  /** In the order they came. Nobody who has left meanwhile; who comes meanwhile may be left out. */
  *[Symbol.iterator](): IterableIterator<[K, V]> {
    for (const entry of this.#entries) if (this.#entries.has(entry[0])) yield entry;
  }
}
