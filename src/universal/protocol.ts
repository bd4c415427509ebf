/*
 * What is said between the thread a universal object lives in and another that uses it.
 */

import type { BellWords } from '../base/bell.ts';

/** The thread an object lives in. */
export interface Home {
  /** The channel on which it hears of new clients. */
  readonly name: string;
  readonly thread: number;
  readonly words: BellWords;
}

/** A thread introduces itself: here is its own channel. */
export interface Hello {
  readonly client: string;
  readonly thread: number;
  /** Rung with each message; the third word counts those that have been taken. */
  readonly words: BellWords;
}

/** `seq` 0 wants no answer. */
export type Request =
  /** A call of `put` that wants no answer: the one request that comes in masses, and so is the smallest. */
  | readonly [id: number, item: unknown]
  | { readonly seq: number; readonly id: number; readonly method: string; readonly args: unknown }
  /** Whoever asked no longer waits. */
  | { readonly cancel: number }
  /** Whoever was given this cannot use it. */
  | { readonly back: number; readonly value: unknown; readonly receipt: unknown };

export type Reply =
  | { readonly seq: number; readonly id: number; readonly value: unknown; readonly receipt: unknown }
  | { readonly seq: number; readonly error: unknown }
  | 'ready';

/** How a call from another thread ends. */
export interface Outcome {
  /** With a receipt, what was given can be given back. */
  resolve(value: unknown, receipt?: unknown): void;
  reject(error: unknown): void;
}

/** A call that waits. */
export interface Enlisted {
  remove(): void;
}

/** An object as other threads use it. */
export interface Shown {
  /** True for a method that may have to wait: `enlist` does it. */
  waits(method: string): boolean;
  enlist(method: string, args: readonly unknown[], outcome: Outcome): Enlisted | null;
  giveBack(value: unknown, receipt: unknown): void;
  /** Takes what is put without waiting for an answer. */
  accept(item: unknown): void;
}

/** The word of a bell in which a client counts what it has taken. */
export const TAKEN = 2;
