import { defineConfig } from 'tsdown';
import { entries } from './scripts/entries.mjs';
import { farScripts } from './scripts/far-scripts.mjs';

export default defineConfig({
  // The far side of an async thread is a file of its own, which no user imports.
  entry: { ...entries, 'far-thread': 'src/thread/far.ts' },
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
});
