/*
 * One run of a program under test: in a kernel of its own, on a virtual clock of
 * its own, and given up when it takes too long in real time. Also, how a
 * failure is told.
 */

import { Activation } from '../activation.ts';
import { describe } from '../base/callable.ts';
import { RuntimeError, TaskCancelled } from '../errors.ts';
import { Kernel, type KernelOptions, type Logger } from '../run.ts';
import type { Task } from '../task.ts';
import { requestCancel } from '../traps.ts';
import { VirtualClock } from './clock.ts';

/** Options of `cancelEverywhere()` and `explore()` alike. */
export interface TrialOptions extends KernelOptions {
  /**
   * Seconds of real time that one run may take. Default 10; Infinity for any. A run that takes longer hangs in something the
   * virtual clock cannot see through (a promise that never settles, a loop of `sleep(0)`); it is given up, and reported.
   */
  limit?: number | undefined;
}

/** How a run ended. */
export interface Outcome {
  result: unknown;
  /** What the program threw, or null. */
  error: unknown;
  /** Set if the run was given up. */
  stuck: RuntimeError | null;
  /** What was logged, when the caller gave no logger of its own. */
  log: string[];
}

/** Seconds of real time in which the tasks of a run that is given up may clean up. */
const GRACE = 0.25;
/** Lines of the log that a failure's message shows. */
const SHOWN = 20;

/** Knows which tasks there are. */
class Register extends Activation {
  readonly tasks = new Set<Task<unknown>>();

  override created(task: Task<unknown>): void {
    this.tasks.add(task);
  }

  override terminated(task: Task<unknown>): void {
    this.tasks.delete(task);
  }
}

/** Runs a program once. Rejects only if it could not be run at all. */
export async function trial(
  fn: () => unknown,
  { limit = 10, ...options }: TrialOptions,
  watcher?: Activation,
): Promise<Outcome> {
  const outcome: Outcome = { result: undefined, error: null, stuck: null, log: [] };
  const register = new Register();
  const activations = [...(options.activations ?? []), register];
  if (watcher !== undefined) activations.push(watcher);
  const kernel = new Kernel({
    clock: new VirtualClock(),
    logger: rememberIn(outcome.log),
    ...options,
    activations,
  });
  const running = kernel.run({ shutdown: true }, fn).then(
    (result) => {
      outcome.result = result;
    },
    (error) => {
      // swallows: nothing; whoever asked for the trial decides what the program's error means.
      outcome.error = error;
    },
  );
  if (!(await endsWithin(limit, running))) {
    outcome.stuck = new RuntimeError(
      `The run did not end within ${limit} s of real time. Tasks left: ${list(register.tasks)}.`,
    );
    for (const task of [...register.tasks]) {
      requestCancel(task, new TaskCancelled('The run takes too long.', { cause: outcome.stuck }), null);
    }
    await endsWithin(GRACE, running);
  }
  return outcome;
}

function endsWithin(seconds: number, running: Promise<void>): Promise<boolean> {
  if (seconds === Number.POSITIVE_INFINITY) return running.then(() => true);
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000, false);
    void running.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

function list(tasks: Set<Task<unknown>>): string {
  const named = [...tasks].slice(0, SHOWN).map(String);
  if (tasks.size > named.length) named.push(`and ${tasks.size - named.length} more`);
  return named.length === 0 ? 'none' : named.join(', ');
}

function rememberIn(log: string[]): Logger {
  const remember = (message: string) => void log.push(message);
  return { debug: remember, info: remember, warn: remember, error: remember };
}

/**
 * @throws TypeError for what is not a number
 * @throws RangeError for a number that is not positive
 */
export function checkLimit(limit: number | undefined, who: string): void {
  if (limit === undefined) return;
  if (typeof limit !== 'number' || Number.isNaN(limit))
    throw new TypeError(`${who}({ limit }) is a number of seconds, not ${describe(limit)}.`);
  if (limit <= 0) throw new RangeError(`${who}({ limit }) is more than 0 seconds, not ${limit}.`);
}

/**
 * A failure with a note of how to meet it again: the same error object, so that its class and properties
 * stay, with the note at the end of its message.
 */
export function withNote(failure: unknown, note: string, log: readonly string[]): Error {
  const lines = [`[${note}]`];
  if (log.length > 0) {
    const left = log.length - SHOWN;
    lines.push(`[logged in this run${left > 0 ? `, ${left} lines left out` : ''}:]`, ...log.slice(-SHOWN));
  }
  const text = lines.join('\n');
  if (!(failure instanceof Error)) return new Error(`${String(failure)}\n${text}`, { cause: failure });
  const before = failure.message;
  const message = `${before}\n${text}`;
  // Defined, not assigned: a DOMException has its message on the prototype, and read only.
  if (!Object.isExtensible(failure)) return new Error(message, { cause: failure });
  Object.defineProperty(failure, 'message', { value: message, configurable: true, writable: true });
  if (before !== '' && typeof failure.stack === 'string')
    failure.stack = failure.stack.replace(before, () => message);
  return failure;
}
