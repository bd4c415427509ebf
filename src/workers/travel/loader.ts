/*
 * import() as it is said in some file: what is compiled from a text has no place of its own to import from, and a worker's
 * is the current directory.
 */

/** For a script of node:vm that is to import, relative to its `filename`. */
export function importing(): { importModuleDynamically: number } {
  keepQuiet();
  return {
    importModuleDynamically: process.getBuiltinModule('node:vm').constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  };
}

/** What import() gives in that file. */
export function importFrom(filename: string, specifier: string): Promise<Record<string, unknown>> {
  const { runInThisContext } = process.getBuiltinModule('node:vm');
  const load = runInThisContext('(specifier) => import(specifier)', { filename, ...importing() }) as (
    specifier: string,
  ) => Promise<Record<string, unknown>>;
  return load(specifier);
}

let isQuiet = false;

/** Node warns that the option which lets a text say `import()` may change. Who calls runInThread() cannot help it. */
function keepQuiet(): void {
  if (isQuiet) return;
  isQuiet = true;
  const emit = process.emitWarning as (warning: string | Error, ...rest: unknown[]) => void;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (!String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emit.call(process, warning, ...rest);
  };
}
