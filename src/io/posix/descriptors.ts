/*
 * Waiting for bare descriptors that belong to somebody else: `readWait(fd)`. One is watched
 * only while a task waits, since nobody tells when its owner closes it and the
 * number is given to something else.
 */

import type { Readiness } from '../../readiness.ts';
import type { Direction } from '../driver.ts';
import { HeldSlot } from '../held.ts';
import type { Posix } from './addon.ts';
import { INTEREST, POLLIN, POLLOUT, READING, WRITING } from './epoll.ts';
import type { Poller, Watched } from './poller.ts';

/** A waiting place that says when it is left. */
class Place extends HeldSlot {
  readonly #left: () => void;

  constructor(left: () => void) {
    super();
    this.#left = left;
  }

  protected override left(): void {
    this.#left();
  }
}

class Descriptor implements Readiness, Watched {
  readonly fd: number;
  readonly #home: Descriptors;
  readonly #posix: Posix;
  readonly reader = new Place(() => this.#left());
  readonly writer = new Place(() => this.#left());
  token = 0;

  constructor(home: Descriptors, posix: Posix, fd: number) {
    this.#home = home;
    this.#posix = posix;
    this.fd = fd;
  }

  event(mask: number): void {
    if ((mask & READING) !== 0) this.reader.wake();
    if ((mask & WRITING) !== 0) this.writer.wake();
    this.#left();
  }

  poll(direction: Direction): boolean {
    const ready = this.#posix.poll(this.fd, direction === 'reader' ? POLLIN : POLLOUT, 0) !== 0;
    if (ready) this.#left();
    return ready;
  }

  #left(): void {
    if (this.reader.task === null && this.writer.task === null) this.#home.forget(this);
  }
}

export class Descriptors {
  readonly #posix: Posix;
  readonly #poller: Poller;
  readonly #isHandle: (fd: number) => boolean;
  readonly #known = new Map<number, Descriptor>();

  /** @param isHandle whether a descriptor number now belongs to a socket of the driver's own */
  constructor(posix: Posix, poller: Poller, isHandle: (fd: number) => boolean) {
    this.#posix = posix;
    this.#poller = poller;
    this.#isHandle = isHandle;
  }

  readiness(fd: number, create: boolean): Readiness | null {
    const known = this.#known.get(fd);
    if (known !== undefined || !create) return known ?? null;
    const descriptor = new Descriptor(this, this.#posix, fd);
    try {
      this.#poller.watch(fd, descriptor, INTEREST);
    } catch (error) {
      // A regular file cannot be watched: it is always ready, as `poll` will say.
      if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    }
    this.#known.set(fd, descriptor);
    return descriptor;
  }

  forget(descriptor: Descriptor): void {
    if (this.#known.get(descriptor.fd) !== descriptor) return;
    this.#known.delete(descriptor.fd);
    if (descriptor.token === 0) return;
    this.#poller.forget(descriptor);
    if (!this.#isHandle(descriptor.fd)) this.#posix.unwatch(descriptor.fd);
  }
}
