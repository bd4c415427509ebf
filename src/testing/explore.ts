/*
 * Many orders: a program is run again and again, each time with the ready tasks
 * taking their turns in another order.
 */

import { type Callable, callable } from '../base/callable.ts';
import { Kernel, type KernelOptions } from '../run.ts';
import { TaskList, type TaskRecord } from '../traps.ts';
import { VirtualClock } from './clock.ts';

/** Options of `explore()`. */
export interface ExploreOptions extends KernelOptions {
  /** How many orders to try, or exactly which: the seed in a failure's message replays it. Default 100. */
  seeds?: number | readonly number[];
}

/** A ready queue that serves in an order decided by a seed. */
class ShuffledTasks extends TaskList {
  readonly #random: () => number;

  constructor(seed: number) {
    super();
    this.#random = randomNumbers(seed);
  }

  override shift(): TaskRecord | null {
    let record = this.first;
    for (let skip = Math.floor(this.#random() * this.length); skip > 0; skip--) record = record?.next ?? null;
    if (record !== null) this.remove(record);
    return record;
  }
}

/** Numbers from 0 to below 1, the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // A Weyl sequence, its bits mixed by multiplication and shifts.
    state = (state + 0x9e37_79b9) >>> 0;
    let bits = Math.imul(state ^ (state >>> 16), 0x21f0_aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a_2d97);
    return ((bits ^ (bits >>> 15)) >>> 0) / 0x1_0000_0000;
  };
}

/**
 * Runs `program` under many orders of the ready queue: whatever the order in which ready tasks take their turns, it must not
 * throw. Each run has a kernel and a virtual clock of its own. Not to be called in a task.
 *
 * @throws the program's error, with the seed of the failing run in its message; `explore(program, { seeds: [seed] })` replays it
 * @example
 * await explore(async () => {
 *   const queue = new Queue<number>(1);
 *   const [, item] = await gather([() => queue.put(1), () => queue.get()]);
 *   if (item !== 1) throw new Error(`got ${item}`);
 * });
 */
export async function explore(
  program: Callable<[], unknown>,
  { seeds = 100, ...options }: ExploreOptions = {},
): Promise<void> {
  const fn = callable(program, 'explore') as () => unknown;
  const list = typeof seeds === 'number' ? Array.from({ length: seeds }, (_, i) => i + 1) : seeds;
  for (const seed of list) {
    const kernel = new Kernel({ clock: new VirtualClock(), ...options, ready: new ShuffledTasks(seed) });
    try {
      await kernel.run({ shutdown: true }, fn);
    } catch (failure) {
      // swallows: nothing; it is thrown with the seed added.
      const error = failure instanceof Error ? failure : new Error(String(failure));
      error.message = `${error.message}\n[explore: seed ${seed}; replay it with explore(program, { seeds: [${seed}] })]`;
      throw error;
    }
  }
}
