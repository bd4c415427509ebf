import { defineConfig } from 'tsdown';
import { entries, programs } from './scripts/entries.mjs';
import { farScripts } from './scripts/far-scripts.mjs';
import { quickToLoad } from './scripts/quick-to-load.mjs';

/** Sources whose path in src/ begins so; not their declarations, which are chunks of their own. */
const source = (path: string) => new RegExp(`/src/(${path}).*(?<!\\.d)\\.ts$`);

interface Modules {
  getModuleInfo(id: string): { importers: readonly string[] } | null;
}

/** True for what `import 'curio'` loads; not for what is loaded when it is first used. */
function inFront(id: string, modules: Modules, seen = new Set<string>()): boolean {
  if (id.endsWith('/src/index.ts')) return true;
  seen.add(id);
  const importers = modules.getModuleInfo(id)?.importers ?? [];
  return importers.some((importer) => !seen.has(importer) && inFront(importer, modules, seen));
}

export default defineConfig({
  // The far side of an async thread is a file of its own, which no user imports.
  entry: { ...entries, ...programs, 'far-thread': 'src/thread/far.ts' },
  outDir: 'dist',
  format: 'esm',
  platform: 'node',
  // Node 20 cannot parse `using`; it is compiled down.
  target: 'node20',
  fixedExtension: false,
  sourcemap: true,
  dts: true,
  // Since TypeScript 6 the types of Node are there only if somebody asks for them: without, every `Buffer` is silently an `any`.
  banner: { dts: '/// <reference types="node" />' },
  clean: true,
  // Tasks are named after their functions and errors after their classes: names must survive.
  minify: false,
  hash: false,
  plugins: [farScripts(), quickToLoad()],
  // A chunk must not take an entry's name: without this the `index.d.ts` of the package was what src/channel/index.ts declares.
  outputOptions: {
    chunkFileNames: 'shared-[name].js',
    // What editors show of an export stands in the declarations.
    comments: { jsdoc: false },
    // What `import 'curio'` needs is in few files: each costs a program about a millisecond when it starts.
    codeSplitting: {
      groups: [
        { name: 'far', test: source('workers/far/built') },
        { name: 'kernel', test: source('base/|kernel/|errors|traps|task|meta|sched|activation') },
        { name: (id, modules) => (inFront(id, modules) ? 'curio' : null), test: source('') },
      ],
    },
  },
});
