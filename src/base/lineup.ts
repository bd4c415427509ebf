/*
 * A set of those who come and go, in the order they came. Two things are cheaper than with a plain Set:
 *
 * - The first, while members leave from the front and from the middle. What has left a Set stays behind as a gap, which every new
 *   iterator passes again.
 * - The garbage. When a Set has too many gaps its table is replaced, and points to the new one. Once a table has grown old, all later
 *   ones are kept by it, with whoever was in them, until the next full collection; meanwhile V8 copies them, and makes room for more.
 *   So the whole Set is replaced before long, which nothing points to.
 */

/** How many must have left, at least, before the Set is replaced. */
const GAPS = 256;

export class Lineup<T> implements Iterable<T> {
  #members = new Set<T>();
  /** How many have left it. */
  #gaps = 0;
  /** Stands behind the first member: whoever was before has left. Null while nobody is here: it would hold on to them. */
  #further: Iterator<T> | null = null;
  #first: T | undefined;

  get size(): number {
    return this.#members.size;
  }

  /** The member that has been here longest. */
  get first(): T | undefined {
    if (this.#first !== undefined || this.#members.size === 0) return this.#first;
    let step = this.#further?.next();
    if (step === undefined || step.done) {
      // An iterator that has come to the end does not see who comes later.
      this.#further = this.#members.values();
      step = this.#further.next();
    }
    this.#first = step.value;
    return this.#first;
  }

  has(member: T): boolean {
    return this.#members.has(member);
  }

  /** Harmless if it is here already: it keeps its place. */
  add(member: T): void {
    this.#members.add(member);
  }

  /** False if it was not here. */
  delete(member: T): boolean {
    if (member === this.#first) this.#first = undefined;
    if (!this.#members.delete(member)) return false;
    if (++this.#gaps > GAPS && this.#gaps > this.#members.size) this.#renew();
    if (this.#members.size === 0) this.#further = null;
    return true;
  }

  #renew(): void {
    this.#members = new Set(this.#members);
    this.#gaps = 0;
    this.#further = null;
  }

  /** Nobody who has left meanwhile; who comes meanwhile may be left out. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const member of this.#members) if (this.#members.has(member)) yield member;
  }
}
