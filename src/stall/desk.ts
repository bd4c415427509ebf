/*
 * The desk: where this thread answers questions about its kernels. Asked by a thread of its own process through a port, by the
 * same thread through the inspector while this one is caught in a loop, and from other processes that attach.
 *
 * It must not know what is asked: who can answer something offers it here.
 */

import { isThenable } from '../base/callable.ts';
import { mainGlobal } from '../base/main-context.ts';
import { valueText } from '../base/stack.ts';

type Answer = (...args: never[]) => unknown;

/** What the inspector finds under `Symbol.for('curio.desks')`: one for each copy of Curio that was loaded. */
export interface Desk {
  /** Answers at once, as JSON: `{ value }` or `{ error }`. */
  ask(question: string, ...args: unknown[]): string;
  /** The same for answers that take time. */
  askLater(question: string, ...args: unknown[]): Promise<string>;
}

const DESKS = Symbol.for('curio.desks');

const answers = new Map<string, Answer>();

/** Promises to answer a question, from now on. */
export function offer(question: string, answer: Answer): void {
  if (answers.size === 0) desks(globalThis).push(desk);
  answers.set(question, answer);
}

/** Answers a question. @throws whatever goes wrong */
export function answer(question: string, args: readonly unknown[]): unknown {
  const known = answers.get(question);
  if (known === undefined) throw new Error(`Nobody here knows '${question}'.`);
  return known(...(args as never[]));
}

/**
 * Under which number the inspector finds the desk of this copy of Curio. In a context that is not Node's own the desk is put where
 * the inspector looks only now: it would keep the context from being collected.
 */
export function deskNumber(): number {
  const list = desks(mainGlobal());
  if (!list.includes(desk)) list.push(desk);
  return list.indexOf(desk);
}

function desks(world: typeof globalThis): Desk[] {
  const globals = world as { [DESKS]?: Desk[] };
  globals[DESKS] ??= [];
  return globals[DESKS];
}

const desk: Desk = {
  ask(question, ...args) {
    try {
      const value = answer(question, args);
      if (isThenable(value)) value.then(undefined, () => {});
      return reply(isThenable(value) ? null : value);
    } catch (error) {
      // swallows: nothing of a task's runs here; whoever asked is told.
      return complaint(error);
    }
  },
  async askLater(question, ...args) {
    try {
      return reply(await answer(question, args));
    } catch (error) {
      // swallows: nothing of a task's runs here; whoever asked is told.
      return complaint(error);
    }
  },
};

function reply(value: unknown): string {
  return JSON.stringify({ value: value ?? null });
}

function complaint(error: unknown): string {
  return JSON.stringify({ error: error instanceof Error ? error.message : valueText(error) });
}
