/*
 * What belongs to `await` and was used without it: a block that would not wait for its object to close, a loop that would
 * not wait for the next item. Both say what to write instead. Neither is declared, so that the compiler refuses them too.
 */

import { AsyncOnlyError, SyncIOError } from '../errors.ts';

interface Class {
  readonly prototype: object;
}

/**
 * Refuses `using` for objects of this class.
 * @param what what would have to be waited for: `'A socket closes'`
 */
export function blocksAreAwaited(cls: Class, what: string): void {
  Object.defineProperty(cls.prototype, Symbol.dispose, {
    configurable: true,
    // Looked up where the block begins: at its end it would be too late.
    get(): never {
      throw new AsyncOnlyError(`${what} asynchronously: write \`await using\` instead of \`using\`.`);
    },
  });
}

/**
 * Refuses loops over the lines of such an object that do not wait for them.
 * @param name a stream's, to be shown in an example
 */
export function loopsAreAwaited(cls: Class, name: string): void {
  const value = (): never => {
    throw new SyncIOError(
      `A ${name} is read asynchronously: write \`for await (const line of ${name})\`, or use ${name}.blocking().`,
    );
  };
  for (const key of [Symbol.iterator, 'next']) {
    Object.defineProperty(cls.prototype, key, { configurable: true, value });
  }
}
