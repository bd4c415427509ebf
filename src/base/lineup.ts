/*
 * A set of those who come and go, in the order they came. It is asked for its first member again and again, while members leave from the
 * front and from the middle: each takes O(1). The first of a plain Set is not that cheap: what has left it stays behind as a gap, which
 * every new iterator passes again. And as a Turnover does, it keeps nobody who has left.
 */

import { outworn } from './turnover.ts';

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
    if (outworn(++this.#gaps, this.#members.size)) this.#renew();
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
