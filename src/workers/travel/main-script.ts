/*
 * Which file is the program itself. It must never be imported by a worker, which would run the program once more.
 */

import { pathOf } from './script.ts';

const TOLD = Symbol.for('curio.mainScript');

type World = { [TOLD]?: string };

/** The main script of the whole process, as a worker was told, or as Node was started with; null if there is none. */
export function mainScript(): string | null {
  return (globalThis as World)[TOLD] ?? process.argv[1] ?? null;
}

/** A worker is told here what the main script is. */
export function tellMainScript(path: string | null): void {
  if (path !== null) (globalThis as World)[TOLD] = path;
}

/** True if this URL or path is the program itself. */
export function isMainScript(url: string): boolean {
  const path = pathOf(url);
  if (path === null) return false;
  return [mainScript(), process.argv[1]].some(
    (main) => main !== null && main !== undefined && same(path, main),
  );
}

function same(path: string, main: string): boolean {
  const real = realPath(path);
  // `node program` may leave the extension, or `index`, to Node.
  return [main, realPath(main)].some(
    (it) => path === it || real === it || stem(real) === it || stem(real) === `${it}/index`,
  );
}

const stem = (path: string): string => path.replace(/\.[cm]?[jt]sx?$/, '');

function realPath(path: string): string {
  try {
    return process.getBuiltinModule('node:fs').realpathSync(path);
  } catch {
    // swallows: a path that is not there is as real as it can be.
    return path;
  }
}
