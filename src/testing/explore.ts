/*
 * Many orders: a program is run again and again, each time with the ready tasks
 * taking their turns in another order.
 */

import { type Callable, callable, describe } from '../base/callable.ts';
import { TaskList, type TaskRecord } from '../traps.ts';
import { checkLimit, type TrialOptions, trial, withNote } from './trial.ts';

/** Options of `explore()`. */
export interface ExploreOptions extends TrialOptions {
  /** How many orders to try, or exactly which: the seed in a failure's message replays it. Default 100. */
  seeds?: number | readonly number[] | undefined;
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

/**
 * Numbers from 0 to below 1, the same for the same seed: for a program that wants to be random and replayable.
 * @param seed a whole number from 0 to 4294967295
 */
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
 * Runs `program` under many orders of the ready queue: whatever the order in which ready tasks take their turns, it must
 * neither throw nor leave tasks waiting for each other (a `DeadlockError`). What it is to find wrong it throws, as a test does.
 *
 * Tasks still switch only where they block, and still wait in line for locks and queues first come, first served: what varies is who
 * of those that could run runs next. Each run has a kernel and a virtual clock of its own, so `program` must make what it uses
 * afresh. Not to be called in a task.
 *
 * @throws the program's error, with the seed of the failing run in its message; `explore(program, { seeds: [seed] })` replays it
 * @throws RuntimeError if a run does not end within the `limit`
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
  const fn = callable(program, 'explore', '', ')');
  checkLimit(options.limit, 'explore');
  for (const seed of seedsOf(seeds)) {
    const { error, stuck, log } = await trial(fn, { ...options, ready: new ShuffledTasks(seed) });
    const failure = stuck ?? error;
    if (failure !== null) {
      throw withNote(
        failure,
        `explore: seed ${seed}; replay it with explore(program, { seeds: [${seed}] })`,
        log,
      );
    }
  }
}

function seedsOf(seeds: number | readonly number[]): readonly number[] {
  if (Array.isArray(seeds)) {
    if (seeds.length === 0) throw new RangeError('explore({ seeds: [] }) would run nothing. Name one seed.');
    for (const seed of seeds) whole(seed, 'A seed of explore()', 0);
    return seeds;
  }
  whole(seeds as number, 'explore({ seeds })', 1);
  return Array.from({ length: seeds as number }, (_, i) => i + 1);
}

function whole(value: number, what: string, least: number): void {
  if (typeof value !== 'number') throw new TypeError(`${what} is a whole number, not ${describe(value)}.`);
  if (!Number.isInteger(value) || value < least || value > 0xffff_ffff)
    throw new RangeError(`${what} is a whole number from ${least} to ${0xffff_ffff}, not ${value}.`);
}
