/*
 * What a guest of the watching thread is, and what it is given.
 */

import type { Held } from './hold.ts';
import type { Samples } from './samples.ts';

/** The kernels' thread has not moved for so long. */
export interface Stall {
  /** The task that runs; 0 if it cannot be told from here. */
  task: number;
  seconds: number;
}

export type Answered = { value: unknown } | { stuck: Stall };

export interface WatchThread {
  /** The process that the kernels' thread is in. */
  readonly pid: number;
  /** Asks the kernels' thread, unless it is stuck. */
  ask(question: string, ...args: unknown[]): Promise<Answered>;
  /** Asks, and waits as long as it takes. */
  tell(question: string, ...args: unknown[]): Promise<unknown>;
  /** Stops the kernels' thread for as long as `work` takes. Gives undefined if it cannot be stopped. */
  hold<T>(work: (held: Held) => Promise<T>): Promise<T | undefined>;
  /** Looks for so many milliseconds which tasks use the CPU. */
  sample(ms: number): Promise<Samples>;
}

export interface Guest {
  close(): Promise<void>;
}
