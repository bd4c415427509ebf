/*
 * A module that is loaded when it is first needed, since most programs never need it and all would wait for it.
 */

export class DeferredModule<M> {
  /** Null until it has been loaded. */
  now: M | null = null;
  readonly #importIt: () => Promise<M>;

  /** @param importIt `() => import('./it.ts')` */
  constructor(importIt: () => Promise<M>) {
    this.#importIt = importIt;
  }

  async load(): Promise<M> {
    this.now ??= await this.#importIt();
    return this.now;
  }
}
