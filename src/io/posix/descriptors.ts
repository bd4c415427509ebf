/*
 * Waiting for bare descriptors that belong to somebody else: `readWait(fd)`. One is watched
 * only while a task waits. Epoll does not tell when its owner closes it and the
 * number is given to something else, so that is looked at now and then.
 */

import { fstatSync } from 'node:fs';
import { clearRealInterval, setRealInterval } from '../../base/loop.ts';
import type { Readiness } from '../../readiness.ts';
import { outsideTasks, type TaskRecord } from '../../traps.ts';
import type { Direction } from '../driver.ts';
import { HeldSlot } from '../held.ts';
import { closedError } from '../system.ts';
import type { Posix } from './addon.ts';
import { INTEREST, POLLIN, POLLOUT, READING, WRITING } from './epoll.ts';
import type { Poller, Watched } from './poller.ts';

// How often, in milliseconds, somebody looks whether what tasks wait for has been closed.
const ROUND = 100;

/** What the number stands for now; null if for nothing. */
function meaning(fd: number): string | null {
  try {
    const { dev, ino } = fstatSync(fd);
    return `${dev}:${ino}`;
  } catch {
    // swallows: that it is closed is the answer.
    return null;
  }
}

/** A waiting place that says when it is taken and left. */
class Place extends HeldSlot {
  readonly #descriptor: Descriptor;

  constructor(descriptor: Descriptor) {
    super();
    this.#descriptor = descriptor;
  }

  override add(record: TaskRecord): void {
    super.add(record);
    this.#descriptor.taken();
  }

  protected override left(): void {
    this.#descriptor.left();
  }
}

class Descriptor implements Readiness, Watched {
  readonly fd: number;
  readonly #home: Descriptors;
  readonly #posix: Posix;
  readonly reader = new Place(this);
  readonly writer = new Place(this);
  token = 0;
  /** What the number stood for when the first task began to wait. */
  #meaning: string | null = null;

  constructor(home: Descriptors, posix: Posix, fd: number) {
    this.#home = home;
    this.#posix = posix;
    this.fd = fd;
  }

  event(mask: number): void {
    // What has been closed here, but lives on in a copy, still has events.
    if (this.failIfClosed()) return;
    if ((mask & READING) !== 0) this.reader.wake();
    if ((mask & WRITING) !== 0) this.writer.wake();
    this.left();
  }

  /** Tells who waits that it has been closed, if it has. */
  failIfClosed(): boolean {
    if (this.#meaning === null || meaning(this.fd) === this.#meaning) return false;
    this.reader.fail(closedError('read'));
    this.writer.fail(closedError('write'));
    return true;
  }

  poll(direction: Direction): boolean {
    const ready = this.#posix.poll(this.fd, direction === 'reader' ? POLLIN : POLLOUT, 0) !== 0;
    if (ready) this.left();
    return ready;
  }

  taken(): void {
    if (this.#meaning !== null) return;
    this.#meaning = meaning(this.fd);
    this.#home.goRounds();
  }

  left(): void {
    if (this.reader.task === null && this.writer.task === null) this.#home.forget(this);
  }
}

export class Descriptors {
  readonly #posix: Posix;
  readonly #poller: Poller;
  readonly #isHandle: (fd: number) => boolean;
  readonly #known = new Map<number, Descriptor>();
  #rounds: NodeJS.Timeout | null = null;

  /** @param isHandle whether a descriptor number now belongs to a socket of the driver's own */
  constructor(posix: Posix, poller: Poller, isHandle: (fd: number) => boolean) {
    this.#posix = posix;
    this.#poller = poller;
    this.#isHandle = isHandle;
  }

  readiness(fd: number, create: boolean): Readiness | null {
    const known = this.#known.get(fd);
    if (!create) return known ?? null;
    if (known !== undefined && !known.failIfClosed()) return known;
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

  /**
   * From here until no task waits any more, every descriptor that one waits for is looked at each `ROUND`: has it been closed? Nobody
   * tells: a descriptor that is closed leaves the epoll set without an event, and whoever closed it need not be of Curio's.
   */
  goRounds(): void {
    this.#rounds ??= outsideTasks(() => setRealInterval(this.#round, ROUND).unref());
  }

  readonly #round = (): void => {
    for (const descriptor of this.#known.values()) descriptor.failIfClosed();
    if (this.#known.size > 0 || this.#rounds === null) return;
    clearRealInterval(this.#rounds);
    this.#rounds = null;
  };
}
