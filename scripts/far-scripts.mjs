// Makes one self-contained script of each far side of the workers, and puts them where the package looks for them: in
// place of src/workers/far/built.ts. As text, so that a bundle that holds Curio needs no second file.

import { existsSync } from 'node:fs';
import { Rolldown } from 'tsdown';
import { root } from './entries.mjs';

/** Name, as src/workers/far/script.ts has it, to source file. */
const farSides = { call: 'src/workers/far/call.ts', thread: 'src/thread/far.ts' };

/** @param {string} input */
async function scriptOf(input) {
  const bundle = await Rolldown.rolldown({
    input: root + input,
    platform: 'node',
    // There is no file behind it.
    transform: { define: { 'import.meta.url': '"file:///curio-worker/worker.js"' } },
  });
  const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false });
  await bundle.close();
  return `${output[0].code}\n//# sourceURL=curio-worker\n`;
}

/** The plugin for the build. */
export function farScripts() {
  return {
    name: 'far-scripts',
    /** @param {string} id */
    async load(id) {
      if (!id.endsWith('/src/workers/far/built.ts')) return null;
      /** @type {Record<string, string>} */
      const built = {};
      for (const [name, input] of Object.entries(farSides)) {
        if (existsSync(root + input)) built[name] = await scriptOf(input);
      }
      return { code: `export const built = ${JSON.stringify(built)};`, moduleType: 'js' };
    },
  };
}
