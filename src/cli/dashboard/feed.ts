/*
 * What the dashboard's pages are told: everything once, and then what has changed. Asks only while a page is open, and less often
 * when an answer takes its time, so that whoever is watched can do its work.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Answer, Link } from '../link.ts';

/** A task as the monitor describes it. */
export interface Task {
  id: number;
  [key: string]: unknown;
}

interface Snapshot {
  pid: number;
  time: number;
  tasks: Task[];
  running: number | null;
  stuck?: unknown;
}

/** What a page gets. */
export type Message =
  | { lost: string }
  | {
      full: boolean;
      pid: number;
      time: number;
      /** Seconds since the message before. */
      period: number;
      running: number | null;
      stuck: unknown;
      /** All tasks, or those that have changed. */
      tasks: Task[];
      gone: number[];
      /** Who waits for whom; null if nothing has changed. */
      waits: unknown[] | null;
      circles: number[][];
    };

/** Milliseconds between two looks, at least. */
const PERIOD = 400;
/** The part of the time that may go into answering. */
const SHARE = 0.1;

export class Feed {
  readonly #link: Link;
  readonly #pages = new Set<(message: Message) => void>();
  #known = new Map<number, Task>();
  #waits: unknown[] = [];
  #last: Message | null = null;
  #looking = false;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Tells a page from now on; gives what ends that. */
  add(page: (message: Message) => void): () => void {
    this.#pages.add(page);
    if (this.#last !== null) page(this.#whole(this.#last));
    if (!this.#looking) void this.#look();
    return () => void this.#pages.delete(page);
  }

  #whole(last: Message): Message {
    return 'lost' in last
      ? last
      : { ...last, full: true, tasks: [...this.#known.values()], gone: [], waits: this.#waits };
  }

  async #look(): Promise<void> {
    this.#looking = true;
    while (this.#pages.size > 0) {
      const began = performance.now();
      const message = await this.#ask();
      this.#last = message;
      for (const page of this.#pages) page(message);
      if ('lost' in message) break;
      // A kernel that is stuck loses nothing.
      const took = message.stuck === null ? performance.now() - began : 0;
      await new Promise((resolve) => setTimeout(resolve, Math.max(PERIOD, took / SHARE - took)));
    }
    this.#looking = false;
  }

  async #ask(): Promise<Message> {
    try {
      const [ps, waiters] = await Promise.all([this.#link.ask('ps'), this.#link.ask('waiters')]);
      return this.#compare(ps, waiters);
    } catch (error) {
      // swallows: no task runs in this program; the page shows it.
      return { lost: (error as Error).message };
    }
  }

  #compare(ps: Answer, waiters: Answer): Message {
    const { pid, time, tasks = [], running, stuck = null } = ps.data as Snapshot;
    const { waits = [], circles = [] } = waiters.data as { waits?: unknown[]; circles?: number[][] };
    const known = this.#known;
    const next = new Map(tasks.map((task) => [task.id, task]));
    const changed = tasks.filter((task) => !isDeepStrictEqual(known.get(task.id), task));
    const gone = [...known.keys()].filter((id) => !next.has(id));
    const before = this.#last !== null && 'time' in this.#last ? this.#last.time : time;
    const sameWaits = isDeepStrictEqual(this.#waits, waits);
    this.#known = next;
    this.#waits = waits;
    const full = known.size === 0;
    return {
      full,
      pid,
      time,
      period: time - before,
      running,
      stuck,
      tasks: changed,
      gone,
      waits: sameWaits ? null : waits,
      circles,
    };
  }
}
