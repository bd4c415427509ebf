// Makes one self-contained script of each module that runs in a thread or process of ours, and puts them where the package
// looks for them: in place of the files called built.ts. As text, so that a bundle that holds Curio needs no second file.

import { deflateSync } from 'node:zlib';
import { Rolldown } from 'tsdown';
import { root } from './entries.mjs';
import { escapeBeyondAscii } from './quick-to-load.mjs';

/**
 * What each of those files is to give: name to source file, and the kind of script.
 * @type {Record<string, { format: 'cjs' | 'esm', scripts: Record<string, string> }>}
 */
const files = {
  'src/workers/far/built.ts': {
    format: 'cjs',
    scripts: { call: 'src/workers/far/call.ts', thread: 'src/thread/far.ts' },
  },
  'src/stall/built.ts': {
    format: 'esm',
    scripts: { 'stall/thread': 'src/stall/thread.ts', 'monitor/server': 'src/monitor/server.ts' },
  },
};

/**
 * @param {string} input
 * @param {'cjs' | 'esm'} format
 */
async function scriptOf(input, format) {
  const bundle = await Rolldown.rolldown({ input: root + input, platform: 'node' });
  const { output } = await bundle.generate({ format, codeSplitting: false, comments: { jsdoc: false } });
  await bundle.close();
  const code = escapeBeyondAscii(output[0].code);
  return `${format === 'cjs' ? inFunction(code) : code}\n//# sourceURL=curio-worker\n`;
}

/**
 * What a script declares would be global variables for the functions that run beside it. And where Node was told that what it is
 * given to evaluate is a module (`node --input-type=module`), a thread takes the script for one, and has nothing of CommonJS's.
 *
 * @param {string} code
 */
function inFunction(code) {
  const require =
    "globalThis.require ?? process.getBuiltinModule('node:module').createRequire(process.execPath)";
  return `((require, __filename) => {${code}})(${require}, globalThis.__filename ?? '[eval]');`;
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
      const file = Object.keys(files).find((name) => id.endsWith(`/${name}`));
      if (file === undefined) return null;
      const { format, scripts } = files[file];
      /** @type {Record<string, string>} */
      const built = {};
      for (const [name, input] of Object.entries(scripts)) built[name] = await scriptOf(input, format);
      return { code: moduleOf(built), moduleType: 'js' };
    },
  };
}
