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
  /** @param mask what epoll said: EPOLLIN, EPOLLOUT, … */
  event(mask: number): void;
}

const PAIRS = 1024;

export class Poller {
  readonly #posix: Posix;
  readonly #events = new Int32Array(PAIRS * 2);
  // Tokens are never used again: an event that was collected before its handle was closed finds nobody.
  readonly #watched = new Map<number, Watched>();
  #lastToken = 0;
  #open = false;

  constructor(posix: Posix) {
    this.#posix = posix;
  }

  /** Begins to watch a descriptor; gives the token. An event comes at once for what it is already ready for. */
  watch(fd: number, watched: Watched, interest: number): number {
    if (!this.#open) {
      // In no task's context: what the callback wakes must not count as called by the task that watched first.
      const opened = outsideTasks(() => this.#posix.onEvents(this.#deliver, this.#events));
      if (opened < 0) throw systemError(this.#posix.errorNames[-opened]!, 'epoll_create');
      this.#open = true;
    }
    const token = (this.#lastToken + 1) | 0;
    this.#lastToken = token;
    const result = this.#posix.watch(fd, token, interest);
    if (result < 0) throw systemError(this.#posix.errorNames[-result]!, 'epoll_ctl');
    this.#watched.set(token, watched);
    return token;
  }

  /** Events for this token are nobody's from now on. Closing the descriptor takes it out of the epoll set. */
  forget(token: number): void {
    this.#watched.delete(token);
  }

  readonly #deliver = (count: number): void => {
    const events = this.#events;
    for (let i = 0; i < count; i++) this.#watched.get(events[2 * i]!)?.event(events[2 * i + 1]!);
  };
}
