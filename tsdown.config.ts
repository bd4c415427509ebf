import { defineConfig } from 'tsdown';
import { entries, programs } from './scripts/entries.mjs';
import { farScripts } from './scripts/far-scripts.mjs';

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
  clean: true,
  // Tasks are named after their functions and errors after their classes: names must survive.
  minify: false,
  hash: false,
  plugins: [farScripts()],
  // A chunk must not take an entry's name: without this the `index.d.ts` of the package was what src/channel/index.ts declares.
  outputOptions: { chunkFileNames: 'shared-[name].js' },
});
