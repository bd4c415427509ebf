import { defineConfig } from 'tsdown';
import { entries, programs } from './scripts/entries.mjs';

export default defineConfig({
  entry: { ...entries, ...programs },
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
  // A chunk must not take an entry's name: without this the `index.d.ts` of the package was what src/channel/index.ts declares.
  outputOptions: { chunkFileNames: 'shared-[name].js' },
});
