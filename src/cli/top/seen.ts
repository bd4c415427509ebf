/*
 * What `curio top` has seen of a program: the monitor's answers to `top` and `waiters`, compared with those before. It must not know how
 * that is shown.
 */

import type { Snapshot, TaskSnapshot } from '../../monitor/snapshot.ts';
import { type TreeLine, treeLines } from '../../monitor/table.ts';
import type { Stall } from '../../stall/guest.ts';
import type { Samples } from '../../stall/samples.ts';
import type { Wait, WaitGraph } from '../../traps.ts';

/** What the monitor's `top` gives to programs; without tasks if nobody can tell. */
export type TopData = Partial<Snapshot> & { stuck?: Stall | null; samples?: Samples };
export type WaitersData = Partial<WaitGraph>;

export type Order = 'tree' | 'cpu';

export class Seen {
  readonly pid: number;
  readonly time: number;
  readonly tasks: readonly TaskSnapshot[];
  readonly stuck: Stall | null;
  readonly circles: readonly number[][];
  readonly #tasks: Map<number, TaskSnapshot>;
  readonly #waits: Map<number, Wait>;
  readonly #samples: Samples;
  readonly #looks: number;
  readonly #cyclesBefore: Map<number, number>;
  readonly #timeBefore: number;

  constructor(top: TopData, waiters: WaitersData, before: Seen | null) {
    this.pid = top.pid ?? 0;
    this.time = top.time ?? 0;
    this.tasks = top.tasks ?? [];
    this.stuck = top.stuck ?? null;
    this.circles = waiters.circles ?? [];
    this.#tasks = new Map(this.tasks.map((task) => [task.id, task]));
    this.#waits = new Map(waiters.waits?.map((wait) => [wait.id, wait]));
    this.#samples = top.samples ?? {};
    this.#looks = Object.values(this.#samples).reduce((sum, n) => sum + n, 0);
    this.#cyclesBefore = new Map(before?.tasks.map(({ id, cycles }) => [id, cycles]));
    this.#timeBefore = before?.time ?? 0;
  }

  task(id: number): TaskSnapshot | undefined {
    return this.#tasks.get(id);
  }

  wait(id: number): Wait | undefined {
    return this.#waits.get(id);
  }

  /** The part of the time in which a task had the turn, from 0 to 1; null if nobody has looked. */
  share(id: number): number | null {
    return this.#looks === 0 ? null : (this.#samples[id] ?? 0) / this.#looks;
  }

  /** The part of the time in which any task had it. */
  busy(): number | null {
    return this.#looks === 0 ? null : 1 - (this.#samples[0] ?? 0) / this.#looks;
  }

  /** Turns a second since the look before; null if there was none, or the task was not there. */
  rate(task: TaskSnapshot): number | null {
    const earlier = this.#cyclesBefore.get(task.id);
    const seconds = this.time - this.#timeBefore;
    return earlier === undefined || seconds <= 0 ? null : (task.cycles - earlier) / seconds;
  }

  /** How many tasks are in each state, the most frequent first. */
  states(): [state: string, count: number][] {
    const counts = new Map<string, number>();
    for (const { state } of this.tasks) counts.set(state, (counts.get(state) ?? 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1]);
  }

  /** The lines to show, from top to bottom. */
  lines(order: Order): TreeLine[] {
    if (order === 'tree') return treeLines(this.tasks);
    const busiest = (task: TaskSnapshot) => this.share(task.id) ?? 0;
    return [...this.tasks]
      .sort((a, b) => busiest(b) - busiest(a) || (this.rate(b) ?? 0) - (this.rate(a) ?? 0) || a.id - b.id)
      .map((task) => ({ branch: '', task, title: task.name }));
  }
}
