/*
 * Running functions in threads and processes: what users call.
 */

import {
  type AnyFunction,
  type Callable,
  Coroutine,
  callable,
  describe,
  isOptions,
} from '../base/callable.ts';
import { DeferredModule } from '../base/deferred-module.ts';
import { NotSupportedError } from '../errors.ts';
import { callingTask, elsewhere, handled, refuse, refused } from '../traps.ts';
import type { CallOptions } from './call.ts';
import type { Order } from './dispatch.ts';
import { crossesByHandle } from './travel/crossing.ts';
import { learnFromStack } from './travel/script.ts';

const dispatch = new DeferredModule(() => {
  // Whose function it is shows on the stack, and only now.
  learnFromStack();
  return import('./dispatch.ts');
});

/**
 * Runs a function in a worker thread and gives its result. Blocks (`FUTURE_WAIT`).
 *
 * The function goes to the thread by reference or by its text, the arguments and the result are copied: threads of
 * JavaScript share no memory.
 *
 * **Cancellation:** the task is released at once and the thread is terminated, whatever it does; with
 * `{ onCancel: 'abandon' }` the function runs to its end, what it gives is ignored, and the thread is used again.
 *
 * @throws TypeError if the function or an argument cannot travel; it names what stands in the way, and the remedy
 * @throws EOFError if the thread ends in the middle of the call
 * @see Reference manual, "Blocking Operations and External Work"
 * @example
 * const text = await runInThread(() => readFileSync('/etc/hosts', 'utf8'));
 */
export function runInThread<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
export function runInThread<A extends unknown[], T>(
  options: CallOptions,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
export function runInThread(...args: unknown[]): Promise<unknown> {
  return send('runInThread', 'thread', args);
}

/**
 * Runs a function in a worker process and gives its result. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** the task is released at once and the process is sent SIGTERM, and SIGKILL if that does not help;
 * with `{ onCancel: 'abandon' }` the function runs to its end, and what it gives is ignored.
 *
 * @throws TypeError if the function or an argument cannot travel; it names what stands in the way, and the remedy
 * @throws EOFError if the process ends in the middle of the call
 * @throws NotSupportedError in a single executable application, which would start itself
 * @see Reference manual, "Blocking Operations and External Work"
 * @see Tutorial, "Number Crunching and Blocking Operations"
 * @example
 * const fib = (n: number): number => (n <= 2 ? 1 : fib(n - 1) + fib(n - 2));
 * const total = await runInProcess(fib, 40);
 */
export function runInProcess<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
export function runInProcess<A extends unknown[], T>(
  options: Omit<CallOptions, 'transfer'>,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
export function runInProcess(...args: unknown[]): Promise<unknown> {
  return send('runInProcess', 'process', args);
}

/**
 * Like `runInThread`, with one thread for each function, however many tasks call it: they take turns, in the order of
 * their calls. For waiting on something foreign that many tasks want. Blocks (`FUTURE_WAIT`).
 *
 * **Cancellation:** a task whose turn has not come just leaves; otherwise as `runInThread`.
 *
 * @throws TypeError if the function or an argument cannot travel
 * @throws EOFError if the thread ends in the middle of the call
 * @see Reference manual, "Blocking Operations and External Work"
 */
export function blockInThread<A extends unknown[], T>(fn: Callable<A, T>, ...args: A): Promise<Awaited<T>>;
export function blockInThread<A extends unknown[], T>(
  options: CallOptions,
  fn: Callable<A, T>,
  ...args: A
): Promise<Awaited<T>>;
export function blockInThread(...args: unknown[]): Promise<unknown> {
  return send('blockInThread', 'thread', args);
}

function send(who: string, kind: 'thread' | 'process', all: unknown[]): Promise<unknown> {
  const order = understand(all, who, kind);
  const there = elsewhere();
  if (there !== null) return there.call(who, all) as Promise<unknown>;
  if (callingTask() === undefined) return refused(`${who}()`);
  if (kind === 'process' && process.getBuiltinModule('node:sea').isSea()) return refuse(wouldRunItself());
  if (dispatch.now !== null) return dispatch.now.send(order);
  return handled(dispatch.load().then(({ send }) => send(order)));
}

/** A single executable application runs its program however it is called: its workers would be programs that start workers, without end. */
function wouldRunItself(): NotSupportedError {
  return new NotSupportedError(
    'runInProcess() starts the program that runs this one, which is to be Node. In a single executable application ' +
      'that would be the application once more: use runInThread().',
  );
}

function understand(all: unknown[], who: string, kind: 'thread' | 'process'): Order {
  const [first, ...rest] = all;
  const hasOptions = isOptions(first);
  const options = (hasOptions ? first : {}) as CallOptions;
  const fn = hasOptions ? rest.shift() : first;
  checkOptions(options, who);
  const universal = who === 'runInProcess' ? rest.find(crossesByHandle) : undefined;
  if (universal !== undefined) {
    throw new TypeError(
      `runInProcess() was given ${describe(universal)}, which only threads of this process can reach. ` +
        'Use runInThread(), or a Channel.',
    );
  }
  if (fn instanceof Coroutine) return { who, kind, options, fn: fn.fn as AnyFunction, args: fn.args };
  callable(fn, who, hasOptions ? 'options, ' : '');
  return { who, kind, options, fn: fn as AnyFunction, args: rest };
}

function checkOptions({ onCancel, transfer }: CallOptions, who: string): void {
  if (onCancel !== undefined && onCancel !== 'terminate' && onCancel !== 'abandon') {
    throw new TypeError(`${who}({ onCancel }) is 'terminate' or 'abandon', not ${describe(onCancel)}.`);
  }
  if (transfer === undefined) return;
  if (who === 'runInProcess') {
    throw new TypeError(
      'runInProcess() copies everything: processes share no memory. Leave { transfer } out.',
    );
  }
  if (!Array.isArray(transfer)) {
    throw new TypeError(
      `${who}({ transfer }) wants an array of ArrayBuffers and the like, not ${describe(transfer)}.`,
    );
  }
}
