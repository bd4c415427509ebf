/*
 * The one epoll set of this thread, shared by all kernels: which handle an event is
 * for. It knows tokens and handles, and nothing of tasks; who waits keeps the
 * process alive by himself, so watching never does.
 */

import { outsideTasks } from '../../traps.ts';
import { systemError } from '../system.ts';
import type { Posix } from './addon.ts';

/** Who is told of events. */
export interface Watched {
  /** The token it is watched by; 0 while it is not. */
  token: number;
  /** @param mask what epoll said: EPOLLIN, EPOLLOUT, … */
  event(mask: number): void;
}

/**
 * Events of one call. What their tasks do, which is to receive, compute and send, is done before the next are looked at: the
 * sockets of so few stay in the processor's caches meanwhile, their clients have answers before the last of a thousand has been
 * read, and Linux is not left with so many received packets to free that it interrupts the core that sent them (at 32 in a row,
 * which costs more than the packets).
 */
export const GROUP = 16;

// A token is a place in the table and, above that, how often the place has been given away. So an event that was
// collected for somebody who has left finds a token that is not its own.
const PLACES = 1 << 20;
const PLACE = PLACES - 1;

export class Poller {
  readonly #posix: Posix;
  readonly #events = new Int32Array(GROUP * 2);
  readonly #watched: (Watched | null)[] = [null];
  readonly #generations: number[] = [0];
  readonly #free: number[] = [];
  readonly #afterwards: () => void;
  #open = false;

  /** @param afterwards called when everybody has been told of a group of events */
  constructor(posix: Posix, afterwards: () => void) {
    this.#posix = posix;
    this.#afterwards = afterwards;
  }

  /** Begins to watch a descriptor. An event comes at once for what it is already ready for. */
  watch(fd: number, watched: Watched, interest: number): void {
    if (!this.#open) {
      // In no task's context: what the callback wakes must not count as called by the task that watched first.
      const opened = outsideTasks(() => this.#posix.onEvents(this.#deliver, this.#events));
      if (opened < 0) throw systemError(this.#posix.errorNames[-opened]!, 'epoll_create');
      this.#open = true;
    }
    const place = this.#free.pop() ?? this.#newPlace();
    const token = (this.#generations[place]! * PLACES + place) | 0;
    const result = this.#posix.watch(fd, token, interest);
    if (result < 0) {
      this.#free.push(place);
      throw systemError(this.#posix.errorNames[-result]!, 'epoll_ctl');
    }
    watched.token = token;
    this.#watched[place] = watched;
  }

  #newPlace(): number {
    const place = this.#watched.length;
    if (place === PLACES) throw systemError('EMFILE', 'epoll_ctl');
    this.#watched.push(null);
    this.#generations.push(0);
    return place;
  }

  /** Events for it are nobody's from now on. Closing the descriptor takes it out of the epoll set. */
  forget(watched: Watched): void {
    const place = watched.token & PLACE;
    if (place === 0) return;
    watched.token = 0;
    this.#watched[place] = null;
    this.#generations[place] = (this.#generations[place]! + 1) & 0xfff;
    this.#free.push(place);
  }

  readonly #deliver = (count: number): void => {
    const events = this.#events;
    const table = this.#watched;
    for (let i = 0; i < count; i++) {
      const token = events[2 * i]!;
      const watched = table[token & PLACE] as Watched | null;
      if (watched !== null && watched.token === token) watched.event(events[2 * i + 1]!);
    }
    this.#afterwards();
  };
}
