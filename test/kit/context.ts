// Modules of src/ in a context of node:vm, where test runners such as Jest load whatever they test. It must know nothing of Curio's insides.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext, runInNewContext } from 'node:vm';
import { buildSync } from 'esbuild';

const require = createRequire(import.meta.url);
const src = new URL('../../src/', import.meta.url);

/** What Node has made global, and a bare context has not. */
const added = Object.entries(Object.getOwnPropertyDescriptors(globalThis)).filter(
  ([name]) => !(runInNewContext('Object.getOwnPropertyNames(globalThis)') as string[]).includes(name),
);

/** Loads a file of src/, with all that it imports, in a context of its own; `evaluate` evaluates there. */
export function inContext<T>(path: string): { exports: T; evaluate(code: string): unknown } {
  const options = { bundle: true, write: false, platform: 'node', format: 'cjs' } as const;
  const [bundle] = buildSync({ ...options, entryPoints: [fileURLToPath(new URL(path, src))] }).outputFiles;
  const module = { exports: {} as T };
  const own = { require, module, __filename: 'bundle.cjs' };
  const context = createContext(Object.defineProperties(own, Object.fromEntries(added)));
  runInContext(bundle?.text ?? '', context);
  return { exports: module.exports, evaluate: (code) => runInContext(code, context) };
}
