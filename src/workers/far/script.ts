/*
 * What a new thread or process is started with. It must not know what the script then does.
 */

import { ownUrl } from '../../base/own-file.ts';
import { built } from './built.ts';

/** The far sides there are, and where they are in the sources. */
const entries = {
  call: './call.ts',
  thread: '../../thread/far.ts',
};

/** A script for `new Worker(script, { eval: true })`, or `node -e`: CommonJS, or a module where `--input-type` says so. */
export function farScript(entry: keyof typeof entries): string {
  return built?.(entry) ?? fromSource(new URL(entries[entry], ownUrl(import.meta.url)));
}

/** Runs a file of the sources: by the hooks this process was started with, by Node itself, or by tsx. */
function fromSource(file: URL): string {
  const { fileURLToPath } = process.getBuiltinModule('node:url');
  const path = JSON.stringify(fileURLToPath(file));
  return `import(${JSON.stringify(file.href)}).catch((error) => {
    if (error.code !== 'ERR_UNKNOWN_FILE_EXTENSION') throw error;
    const load = process.getBuiltinModule('node:module').createRequire(${path});
    load('tsx/cjs/api').register();
    globalThis[Symbol.for('curio.sources')] = load;
    load(${path});
  });`;
}

/** The options for Node that a process of ours is to have, too: not the program that was given with them, nor a debugger's port. */
export function nodeOptions(): string[] {
  const options: string[] = [];
  for (let i = 0; i < process.execArgv.length; i++) {
    const option = process.execArgv[i]!;
    if (/^(-e|--eval|-p|--print|-pe)$/.test(option)) i++;
    else if (
      /^(-i|--interactive|-c|--check|--watch|--test|--input-type|--inspect|--cpu-prof|--heap-prof)\b/.test(
        option,
      )
    )
      continue;
    else options.push(option);
  }
  return options;
}
