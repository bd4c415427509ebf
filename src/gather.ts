/*
 * Two ways to use a task group without handling one: as a block that cleans up
 * after itself, and as a list of functions that run side by side.
 */

import { type Callable, callable, describe, functionName, isOptions } from './base/callable.ts';
import { errorText } from './base/stack.ts';
import { CancelledError } from './errors.ts';
import { TaskGroup, type TaskGroupOptions } from './group.ts';
import { elsewhere, enter, enterComposite, handled, refused, report } from './traps.ts';

/**
 * A task group as a block: runs `body(group)`, then joins the group, and gives it. If the body throws, all members
 * are cancelled and awaited, and the same error comes out. A member's failure does not: it shows in the group. Blocks.
 *
 * **Cancellation:** every member has been cancelled and has ended before the error comes out.
 * @throws the error of the body
 * @see Reference manual, "Task Groups"
 * @example
 * const group = await taskGroup(async (g) => {
 *   await g.spawn(one);
 *   await g.spawn(two);
 * });
 * console.log(group.results);
 */
export function taskGroup<T = unknown>(body: (group: TaskGroup<T>) => unknown): Promise<TaskGroup<T>>;
/** With options: `taskGroup({ wait: 'any' }, body)`. */
export function taskGroup<T = unknown>(
  options: TaskGroupOptions<T>,
  body: (group: TaskGroup<T>) => unknown,
): Promise<TaskGroup<T>>;
export function taskGroup<T>(...call: unknown[]): Promise<TaskGroup<T>> {
  const there = elsewhere();
  if (there !== null) return there.call('taskGroup', call) as Promise<TaskGroup<T>>;
  const options = isOptions(call[0]) ? (call.shift() as TaskGroupOptions<T>) : undefined;
  const body = callable(call[0], 'taskGroup', '', ')');
  if (call[1] !== undefined) {
    throw new TypeError(
      `taskGroup() takes options first, taskGroup({ wait: 'any' }, fn), and was given ${describe(call[1])} after its function.`,
    );
  }
  if (enterComposite('taskGroup()') === null) return refused('taskGroup()');
  return handled(runGroup(new TaskGroup<T>(options), body));
}

async function runGroup<T>(
  group: TaskGroup<T>,
  body: (...args: unknown[]) => unknown,
): Promise<TaskGroup<T>> {
  try {
    await body(group);
    await group.join();
  } catch (error) {
    await group.abandon(error);
    throw error;
  }
  return group;
}

type Gathered<F extends readonly unknown[]> = {
  -readonly [I in keyof F]: F[I] extends Callable<never[], infer R> ? Awaited<R> : never;
};

/**
 * Runs functions side by side, each in a task of its own, and gives their results in the same order.
 * If one throws, the others are cancelled and awaited, and its exception comes out as it is.
 *
 * What another function throws while it is being cancelled is logged. Blocks.
 *
 * **Cancellation:** all have been cancelled and have ended before the error comes out.
 * @throws the exception of the function that failed first
 * @throws TypeError for what is no array of functions
 * @see Reference manual, "Task Groups"
 * @example
 * const [user, posts] = await gather([() => loadUser(id), () => loadPosts(id)]);
 */
export function gather<const F extends readonly Callable<[], unknown>[]>(fns: F): Promise<Gathered<F>> {
  const there = elsewhere();
  if (there !== null) return there.call('gather', [fns]) as Promise<Gathered<F>>;
  if (!Array.isArray(fns)) {
    throw new TypeError('gather() wants an array of functions. Write gather([() => one(), () => two()]).');
  }
  const targets = fns.map((fn) => callable(fn, 'gather', '[', '])'));
  if (enterComposite('gather()') === null) return refused('gather()');
  return handled(gatherAll(targets, fns.map(functionName))) as Promise<Gathered<F>>;
}

/** The end of a `gather`: the first function that threw, and what. */
interface Failure {
  exception: unknown;
}

async function gatherAll(fns: readonly (() => unknown)[], names: readonly string[]): Promise<unknown[]> {
  const results: unknown[] = new Array(fns.length);
  const late: unknown[] = [];
  let first: Failure | null = null;
  // What a function throws is caught here and not left to its task: it comes out of gather(), so it is no crash.
  // The first failure is also the first result, which ends the wait and cancels the others.
  const group = new TaskGroup<Failure | null>({ wait: 'object' });
  const runOne = async (index: number): Promise<Failure | null> => {
    try {
      const fn = fns[index] as () => unknown;
      results[index] = await fn();
      return null;
    } catch (exception) {
      // swallows: nothing; the exception is thrown by gather(), or logged below.
      if (first === null) {
        first = { exception };
        group.because(exception);
      } else if (!(exception instanceof CancelledError)) late.push(exception);
      return first;
    }
  };
  try {
    for (const [index, name] of names.entries()) await group.spawn({ name }, runOne, index);
    await group.join();
  } catch (error) {
    // The caller was cancelled, and that comes out. What a function threw meanwhile is not to be lost.
    const failure = first as Failure | null;
    if (failure !== null && !(failure.exception instanceof CancelledError)) late.unshift(failure.exception);
    throw error;
  } finally {
    await group[Symbol.asyncDispose]();
    const caller = enter();
    for (const exception of late) {
      if (caller !== null)
        report(caller, 'error', `gather(): another function failed, too: ${errorText(exception)}`);
    }
  }
  if (first !== null) throw (first as Failure).exception;
  return results;
}
