/*
 * Error classes that are made of more than a message, by name: what errors from other threads and processes are made into. Each is
 * here as soon as its module is, and who has not loaded that cannot ask for the class either.
 */

type ErrorClass = abstract new (...args: never[]) => Error;

/** Without private fields, all of them: what they hold are properties. */
export const errorsOfData = new Map<string, ErrorClass>();

/** Adds classes, under the names that their errors have. */
export function provideErrors(classes: Record<string, ErrorClass>): void {
  for (const [name, cls] of Object.entries(classes)) errorsOfData.set(name, cls);
}
