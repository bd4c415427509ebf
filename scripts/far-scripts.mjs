// Makes one self-contained script of each far side of the workers, and puts them where the package looks for them: in
// place of src/workers/far/built.ts. As text, so that a bundle that holds Curio needs no second file.

import { existsSync } from 'node:fs';
import { deflateSync } from 'node:zlib';
import { Rolldown } from 'tsdown';
import { root } from './entries.mjs';

/** Name, as src/workers/far/script.ts has it, to source file. */
const farSides = { call: 'src/workers/far/call.ts', thread: 'src/thread/far.ts' };

/** @param {string} input */
async function scriptOf(input) {
  const bundle = await Rolldown.rolldown({
    input: root + input,
    platform: 'node',
  });
  const { output } = await bundle.generate({ format: 'cjs', codeSplitting: false });
  await bundle.close();
  return `${output[0].code}\n//# sourceURL=curio-worker\n`;
}

/**
 * Packed, since every program that imports Curio has to read this, and few need it. Unpacked once.
 *
 * @param {Record<string, string>} built
 */
function moduleOf(built) {
  const packed = Object.fromEntries(
    Object.entries(built).map(([name, text]) => [name, deflateSync(text, { level: 9 }).toString('base64')]),
  );
  return `const packed = ${JSON.stringify(packed)};
const texts = {};
export const built = (entry) => (texts[entry] ??= process
  .getBuiltinModule('node:zlib')
  .inflateSync(Buffer.from(packed[entry], 'base64'))
  .toString());`;
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
      return { code: moduleOf(built), moduleType: 'js' };
    },
  };
}
