/*
 * Finds and loads the addon. It must not know what it is used for, and its absence is a
 * sentence for `npx curio info`, not an error.
 */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Posix } from '../../../native/posix.js';

export type { NativeAddress, Posix } from '../../../native/posix.js';

/** The addon, or why there is none. */
export type Loaded = { posix: Posix; file: string } | { posix: null; reason: string };

// Importing these costs more than all of Curio; the addon is looked for once.
const files = () => process.getBuiltinModule('node:fs');
const loader = () => process.getBuiltinModule('node:module');

/** Where the package lives: the nearest folder above this module that has a package.json. */
function packageRoot(): string | null {
  const { existsSync } = files();
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

/** Loads the addon: the one built here if there is one, else the prebuilt one of the package. */
export function loadAddon(): Loaded {
  const kind = `${process.platform}-${process.arch}`;
  const root = packageRoot();
  const candidates =
    root === null
      ? []
      : [
          join(root, 'native', 'build', `curio-posix-${kind}.node`),
          join(root, 'native', 'prebuilt', `${kind}.node`),
        ];
  const found = candidates.filter(files().existsSync);
  if (found.length === 0) return { posix: null, reason: `there is no addon for ${kind}` };
  const failures: string[] = [];
  for (const file of found) {
    try {
      const addon = loader().createRequire(import.meta.url)(file) as Posix;
      // What an addon exports is a slow kind of object; a copy is a fast one.
      return { posix: { ...addon }, file };
    } catch (error) {
      // swallows: nothing waits here; an addon that cannot be loaded (another C library, say) is one of the reasons.
      failures.push(`${file} could not be loaded: ${(error as Error).message}`);
    }
  }
  return { posix: null, reason: failures.join('; ') };
}
