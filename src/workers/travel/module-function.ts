/*
 * A function named by its module and export, so that it need not be found out.
 */

import { type AnyFunction, describe } from '../../base/callable.ts';
import { captureStack, userFrames } from '../../base/stack.ts';
import { importFrom } from './loader.ts';
import { isMainScript } from './main-script.ts';

/** What a function made by `moduleFunction` names. */
export interface ModuleName {
  module: string;
  /** The file that named it, if it matters where a module is looked for. */
  from: string | null;
  key: string;
}

const names = new WeakMap<object, ModuleName>();

/** What `fn` names; undefined if it was not made by `moduleFunction`. */
export function moduleNameOf(fn: object): ModuleName | undefined {
  return names.get(fn);
}

/**
 * Names a function by its module and export, for whatever runs functions elsewhere: `runInThread`, `runInProcess`,
 * `blockInThread`, `spawnThread`. Does not block, and does not load the module.
 *
 * Called here, the function imports the module and calls the export.
 *
 * @param module a URL, such as `import.meta.url`, a path, or a package's name
 * @param name what the module exports it as; `'default'` for the default export
 * @throws TypeError if the module is the main script, which would run once more in every worker
 * @see Reference manual, "Blocking Operations and External Work"
 * @example
 * export const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));
 * await runInProcess(moduleFunction(import.meta.url, 'fib'), 30);
 */
export function moduleFunction<F extends AnyFunction = (...args: unknown[]) => unknown>(
  module: string | URL,
  name: string,
): F {
  const url = module instanceof URL ? module.href : urlOfPath(module);
  if (typeof url !== 'string') {
    throw new TypeError(
      `moduleFunction() wants the URL of a module, such as import.meta.url, not ${describe(module)}.`,
    );
  }
  if (typeof name !== 'string') {
    throw new TypeError(`moduleFunction() wants the name of an export, not ${describe(name)}.`);
  }
  if (isMainScript(url)) {
    throw new TypeError(
      `moduleFunction() cannot name '${name}' of ${url}: that is the main script, and importing it in a worker would run ` +
        `the program once more. Move '${name}' to a module of its own.`,
    );
  }
  const from = URL.canParse(url) ? null : callersFile();
  const stand = async (...args: unknown[]): Promise<unknown> => {
    const loaded = await (from === null ? import(url) : importFrom(from, url));
    const found = (loaded as Record<string, unknown>)[name];
    if (typeof found !== 'function') throw new TypeError(`${url} exports no function '${name}'.`);
    return found(...args) as unknown;
  };
  Object.defineProperty(stand, 'name', { value: name, configurable: true });
  names.set(stand, { module: url, from, key: name });
  return stand as unknown as F;
}

/** An absolute path as a URL, since import() takes it for one; anything else as it is. */
function urlOfPath(module: string): string {
  const { isAbsolute } = process.getBuiltinModule('node:path');
  if (typeof module !== 'string' || !isAbsolute(module)) return module;
  return process.getBuiltinModule('node:url').pathToFileURL(module).href;
}

/** The file of the user's that is calling; null at a prompt. */
function callersFile(): string | null {
  const file = userFrames(captureStack())[0]?.file;
  return file !== undefined && process.getBuiltinModule('node:path').isAbsolute(file) ? file : null;
}
