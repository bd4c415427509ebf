// How built files get at Node's own modules. An `import` of one reads everything it exports, and half of what
// node:fs, node:util and node:buffer export is loaded when first read: importing Curio took 8 ms longer for it.

const IMPORT = /^import \{ ([^}]*) \} from "(node:[^"]+)";$/gm;

/** The plugin for the build: `import { a as b } from "node:x"` becomes a look into the module as it is. */
export function builtinsAsTheyAre() {
  return {
    name: 'builtins-as-they-are',
    /**
     * @param {string} code
     * @param {{ fileName: string }} chunk
     */
    renderChunk(code, { fileName }) {
      if (!fileName.endsWith('.js')) return null;
      return code.replace(IMPORT, (_, names, module) => {
        return `const { ${names.replaceAll(' as ', ': ')} } = process.getBuiltinModule("${module}");`;
      });
    },
  };
}
