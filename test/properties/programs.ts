// Random programs for property tests: tasks that each go through a script of steps, with pauses and timeouts between them, and
// with cancellations from outside, all on the virtual clock. What a step does is the test's own; here is what drives it, and
// a trace of what began and ended when.
//
// Times are multiples of a half, so that things often happen at the same time.

import { CancelledError, ignoreAfter, run, sleep, spawn, type Task } from 'curio';
import { explore, VirtualClock } from 'curio/testing';
import fc from 'fast-check';
import { recorder } from '../kit/recorder.ts';

export interface Step<A> {
  /** Seconds to sleep before. 0 is no sleep, a negative number sleep(0). */
  pause: number;
  /** Seconds that the action may take; null for any. */
  timeout: number | null;
  action: A;
}

export interface Program<A> {
  scripts: Step<A>[][];
  /** Which task is cancelled, and when. */
  cancels: { task: number; at: number }[];
  /** The order of the ready queue; null for the usual one. */
  seed: number | null;
}

const halves = (most: number) => fc.nat(most * 2).map((n) => n / 2);

/** Programs of up to five tasks whose steps do what `action` generates. */
export function programs<A>(action: fc.Arbitrary<A>): fc.Arbitrary<Program<A>> {
  const step = fc.record({
    pause: fc.oneof({ weight: 3, arbitrary: halves(3) }, { weight: 1, arbitrary: fc.constant(-1) }),
    timeout: fc.option(halves(3), { freq: 2 }),
    action,
  });
  return fc.record({
    scripts: fc.array(fc.array(step, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 5 }),
    cancels: fc.array(fc.record({ task: fc.nat(4), at: halves(6) }), { maxLength: 3 }),
    seed: fc.option(fc.integer({ min: 1, max: 1e6 }), { freq: 2 }),
  });
}

/** What became of an operation. */
export interface Traced {
  name: string;
  task: number;
  /** When it was called, and when it was over, in the order of all such events; `end` is 0 until then. */
  begin: number;
  end: number;
  outcome: 'waits' | 'done' | 'interrupted';
  value: unknown;
}

/** A record of operations in the order of their calls. */
export class Trace {
  readonly all: Traced[] = [];
  #moment = 0;

  /** Notes the call of an operation, and its end. */
  async of<T>(task: number, name: string, operation: () => Promise<T>): Promise<T> {
    const traced: Traced = { name, task, begin: ++this.#moment, end: 0, outcome: 'waits', value: undefined };
    this.all.push(traced);
    try {
      const value = await operation();
      this.#settle(traced, 'done', value);
      return value;
    } catch (error) {
      if (!(error instanceof CancelledError)) throw error;
      this.#settle(traced, 'interrupted', error);
      throw error;
    }
  }

  #settle(traced: Traced, outcome: Traced['outcome'], value: unknown): void {
    if (traced.outcome !== 'waits') throw new Error(`${traced.name} settled twice`);
    Object.assign(traced, { outcome, value, end: ++this.#moment });
  }

  /** Those that succeeded, in the order of their calls. */
  done(...names: string[]): Traced[] {
    return this.all.filter((traced) => names.includes(traced.name) && traced.outcome === 'done');
  }

  /** Fails if one is left waiting. */
  allSettled(): void {
    const left = this.all.filter((traced) => traced.outcome === 'waits');
    if (left.length > 0) throw new Error(`left waiting: ${left.map((traced) => traced.name).join(', ')}`);
  }

  /** Fails if one of these had to wait: if anything happened between its call and its end. */
  atOnce(name: string): void {
    const late = this.all.filter((traced) => traced.name === name && traced.end !== traced.begin + 1);
    if (late.length > 0) throw new Error(`${name}: had to wait`);
  }

  /** Fails if a later call was served before an earlier one. */
  firstComeFirstServed(name: string): void {
    const ends = this.done(name).map((traced) => traced.end);
    if (ends.some((end, i) => i > 0 && end < ends[i - 1]!)) throw new Error(`${name}: somebody overtook`);
  }
}

/** Seconds after which who still waits is cancelled. */
const LONG = 1000;

/**
 * Runs a program: `act` does a step's action for the task of that number. When all tasks have ended, or wait in vain and have
 * been cancelled, `finish` is called inside the run.
 */
export async function execute<A>(
  program: Program<A>,
  act: (task: number, action: A) => Promise<unknown>,
  finish: () => unknown = () => {},
): Promise<void> {
  async function script(task: number, steps: Step<A>[]): Promise<void> {
    for (const { pause, timeout, action } of steps) {
      if (pause !== 0) await sleep(Math.max(pause, 0));
      if (timeout === null) await act(task, action);
      else await ignoreAfter(timeout, act, task, action);
    }
  }

  async function main(): Promise<void> {
    const tasks: Task[] = [];
    for (const [i, steps] of program.scripts.entries()) {
      tasks.push(await spawn({ name: `task${i}` }, script, i, steps));
    }
    for (const { task, at } of program.cancels) {
      const victim = tasks[task % tasks.length]!;
      await spawn({ daemon: true }, async () => {
        await sleep(at);
        await victim.cancel({ blocking: false });
      });
    }
    await ignoreAfter(LONG, async () => {
      for (const task of tasks) await task.wait();
    });
    for (const task of tasks) await task.cancel();
    for (const task of tasks) {
      const error = task.exception;
      if (error !== null && !(error instanceof CancelledError)) throw error;
    }
    await finish();
  }

  const logger = recorder();
  if (program.seed === null) await run({ clock: new VirtualClock(), logger }, main);
  else await explore(main, { seeds: [program.seed], logger });
  const complaints = logger.lines.filter((line) => !/still runs|never joined/.test(line));
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
}

/** How many random programs a property is tried on. */
export const RUNS = Number(process.env.CURIO_PROPERTY_RUNS ?? 150);
