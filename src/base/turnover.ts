/*
 * A Map for entries that come and go.
 *
 * When a Map or Set of V8's has too many gaps its table is replaced, and points to the new one. Once a table has grown old, all later
 * ones are kept by it, with whatever was in them, until the next full collection; meanwhile V8 copies them, and makes room for more.
 * So the whole Map is replaced before long, which nothing points to.
 */

/** How many must have left, at least. */
const GAPS = 256;

/** Whether so many have left a Map or Set that it is to be replaced. For each that leaves one is copied, at most. */
export function outworn(gaps: number, size: number): boolean {
  return gaps > GAPS && gaps > size;
}

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
    if (outworn(++this.#gaps, this.#entries.size)) {
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
