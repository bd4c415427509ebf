/*
 * The files that Curio itself is in: those of the sources, those of dist/, or the one file that somebody's bundler has
 * made of a program and all it needs.
 */

import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * The URL of the file that holds the caller's code.
 * @param url the caller's `import.meta.url`, which some bundlers leave out of CommonJS
 */
export function ownUrl(url: string | undefined): string {
  return url ?? pathToFileURL(__filename).href;
}

const own = ownUrl(import.meta.url);

/** Where Curio lies: src/ when it runs from source, dist/ once built. In a bundle it has no folder: no path begins so then. */
export const libraryFolder = /\/(base\/own-file\.ts|shared-[^/]*\.js)$/.test(own)
  ? fileURLToPath(new URL(own.endsWith('.ts') ? '..' : '.', own)).replace(/[\\/]$/, '')
  : 'curio:bundled';
