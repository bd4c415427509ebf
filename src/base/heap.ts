/*
 * A priority heap: the smallest item comes out first, and equal ones in the
 * order in which they went in.
 */

/** Negative if `a` comes first, positive if `b` does, 0 if they are equal. */
export type Compare<T> = (a: T, b: T) => number;

/** Orders with `<`; arrays element by element, as Python orders tuples. */
export function naturalOrder(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    const shared = Math.min(a.length, b.length);
    for (let i = 0; i < shared; i++) {
      const order = naturalOrder(a[i], b[i]);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  const [x, y] = [a as number, b as number];
  return x < y ? -1 : y < x ? 1 : 0;
}

interface Entry<T> {
  item: T;
  order: number;
}

export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  readonly #compare: Compare<T>;
  #order = 0;

  constructor(compare: Compare<T>) {
    this.#compare = compare;
  }

  get length(): number {
    return this.#entries.length;
  }

  push(item: T): void {
    const entry = { item, order: this.#order++ };
    const entries = this.#entries;
    // All comparisons come first: the comparator is the user's, and may throw.
    const path = [entries.length];
    for (let index = entries.length; index > 0; ) {
      index = (index - 1) >> 1;
      if (!this.#before(entry, entries[index]!)) break;
      path.push(index);
    }
    for (let i = 1; i < path.length; i++) entries[path[i - 1]!] = entries[path[i]!]!;
    entries[path[path.length - 1]!] = entry;
  }

  /** Takes the smallest. */
  shift(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    if (first === undefined) return undefined;
    const last = entries[entries.length - 1]!;
    const path = this.#pathDown(last, entries.length - 1);
    entries.pop();
    if (entries.length === 0) return first.item;
    for (let i = 1; i < path.length; i++) entries[path[i - 1]!] = entries[path[i]!]!;
    entries[path[path.length - 1]!] = last;
    return first.item;
  }

  /** The places that `entry` passes on its way down from the top, among the first `length` entries. */
  #pathDown(entry: Entry<T>, length: number): number[] {
    const entries = this.#entries;
    const path = [0];
    for (let index = 0; ; ) {
      let down = 2 * index + 1;
      if (down >= length) return path;
      if (down + 1 < length && this.#before(entries[down + 1]!, entries[down]!)) down++;
      if (!this.#before(entries[down]!, entry)) return path;
      path.push(down);
      index = down;
    }
  }

  #before(a: Entry<T>, b: Entry<T>): boolean {
    const order = this.#compare(a.item, b.item);
    return order < 0 || (order === 0 && a.order < b.order);
  }
}
