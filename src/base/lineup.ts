/*
 * A set that is asked for its first member again and again, while members leave from the front and from the middle: each takes
 * O(1). The first of a plain Set is not that cheap: what has left it stays behind as a gap, which every new iterator passes again.
 */

export class Lineup<T> implements Iterable<T> {
  readonly #members = new Set<T>();
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
    const wasHere = this.#members.delete(member);
    if (this.#members.size === 0) this.#further = null;
    return wasHere;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#members.values();
  }
}
