/*
 * Rejected promises that do not end the process when the user forgot to await
 * them. Whoever awaits them gets the error all the same.
 */

import { callingTask } from './context.ts';
import { misusedBy } from './reports.ts';

const nothing = () => {};
const SETTLED = Promise.resolve();

/** Marks a promise so that its rejection never counts as unhandled. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, nothing);
  return promise;
}

/** What an operation returns that fails at once. */
export function refuse(error: unknown): Promise<never> {
  return handled(Promise.reject(error));
}

/**
 * What an operation made of several returns, so that its failure never counts as unhandled either. A promise of its own:
 * a second subscription to the one that the operation's async function gave would hide from stacks who waits for it.
 */
export function composite<T>(promise: Promise<T>): Promise<T> {
  const result = new Promise<T>((resolve, reject) => {
    promise.then(resolve, (error) => {
      const task = callingTask();
      // Nobody may be there to hear that its own task has cut it short.
      if (task !== undefined && misusedBy(error) === task) task.core.reports.cutShort(task, error);
      reject(error);
      void handled(result);
    });
  });
  return result;
}

/**
 * The same at no cost while nothing fails, for an async function that knows its own promise: to be called where it is about
 * to throw. By the next microtask the promise is rejected, and whoever awaits it has been shown by the stack of the error.
 */
export function aboutToFail(own: () => Promise<unknown> | null): void {
  void SETTLED.then(() => {
    void handled(own() as Promise<unknown>);
  });
}
