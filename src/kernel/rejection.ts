/*
 * Rejected promises that do not end the process when the user forgot to await
 * them. Whoever awaits them gets the error all the same.
 */

const nothing = () => {};

/** Marks a promise so that its rejection never counts as unhandled. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.then(undefined, nothing);
  return promise;
}

/** What an operation returns that fails at once. */
export function refuse(error: unknown): Promise<never> {
  return handled(Promise.reject(error));
}
