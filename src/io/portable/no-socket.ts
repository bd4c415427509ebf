/*
 * What the handles of things that are no sockets have in common: a refusal for everything that only sockets can do.
 */

import type { Address } from '../address.ts';
import type { BlockingFile } from '../driver.ts';
import { PortableHandle, unsupported } from './handle.ts';

export abstract class NoSocketHandle extends PortableHandle {
  readonly #what: string;

  /** @param what what it is, in refusals: `'a file'` */
  constructor(what: string) {
    super(-1, -1, -1);
    this.#what = what;
  }

  #refuse(operation: string): never {
    throw unsupported(`${operation}() of ${this.#what}`);
  }

  connect(): never {
    return this.#refuse('connect');
  }

  connected(): never {
    return this.#refuse('connect');
  }

  bind(): never {
    return this.#refuse('bind');
  }

  ready(): null {
    return null;
  }

  shutdown(_how: number): void {
    this.#refuse('shutdown');
  }

  getsockname(): Address {
    return this.#refuse('getsockname');
  }

  getpeername(): Address {
    return this.#refuse('getpeername');
  }

  override setBlocking(_on: boolean): BlockingFile {
    return this.#refuse('blocking');
  }

  setsockopt(): never {
    return this.#refuse('setsockopt');
  }
}
