// What makes built files quick to load, since every program that imports Curio waits for it.

const IMPORT = /^import \{ ([^}]*) \} from "(node:[^"]+)";$/gm;
const BEYOND_ASCII = /[^\0-\x7f]/g;
const HELPERS = 'shared-rolldown-runtime.js';
const EXPORT_ALL = /^import \{ \w+ as __exportAll \} from "\.\/shared-rolldown-runtime\.js";$/m;

/**
 * Node's own modules as they are: an `import` of one reads everything it exports, and half of what node:fs, node:util
 * and node:buffer export is loaded when first read. Importing Curio took 8 ms longer for it.
 * @param {string} code
 */
function lookIntoBuiltins(code) {
  return code.replace(IMPORT, (_, names, module) => {
    return `const { ${names.replaceAll(' as ', ': ')} } = process.getBuiltinModule("${module}");`;
  });
}

/**
 * Nothing but ASCII: one character beyond Latin makes V8 read the whole file as one of two bytes a character, which
 * took 2 ms longer. All of them are in strings, templates and regular expressions, where an escape says the same; what
 * has a raw template is left alone.
 * @param {string} code
 */
export function escapeBeyondAscii(code) {
  if (code.includes('String.raw')) return code;
  return code.replace(BEYOND_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * The bundler's one helper, which makes the object of `export * as`, stands where it is used: a file more would take a
 * millisecond.
 * @param {string} code
 */
function inlineExportAll(code) {
  return code.replace(
    EXPORT_ALL,
    `const __exportAll = (getters) => {
	const target = Object.defineProperty({}, Symbol.toStringTag, { value: "Module" });
	for (const name in getters) Object.defineProperty(target, name, { get: getters[name], enumerable: true });
	return target;
};`,
  );
}

/** The plugin for the build. */
export function quickToLoad() {
  return {
    name: 'quick-to-load',
    /**
     * @param {string} code
     * @param {{ fileName: string }} chunk
     */
    renderChunk(code, { fileName }) {
      return fileName.endsWith('.js') ? escapeBeyondAscii(inlineExportAll(lookIntoBuiltins(code))) : null;
    },
    /**
     * @param {unknown} _
     * @param {Record<string, { code?: string }>} files
     */
    generateBundle(_, files) {
      const wanted = Object.values(files).some(({ code }) => code?.includes(HELPERS));
      if (!wanted) delete files[HELPERS];
    },
  };
}
