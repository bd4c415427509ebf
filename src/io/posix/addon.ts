/*
 * Finds and loads the addon. It must not know what it is used for, and its absence is a
 * sentence for `npx curio info`, not an error.
 */

import { join } from 'node:path';
import type { Posix } from '../../../native/posix.js';
import { ownUrl } from '../../base/own-file.ts';
import { packageRoot } from '../../base/package.ts';

export type { NativeAddress, Posix } from '../../../native/posix.js';

/** Where an addon comes from: this machine's compiler, or the package. */
export type Origin = 'built here' | 'prebuilt';

/** The addon, or why there is none. */
export type Loaded = { posix: Posix; file: string; origin: Origin } | { posix: null; reason: string };

// Importing these costs more than all of Curio; the addon is looked for once.
const files = () => process.getBuiltinModule('node:fs');
const loader = () => process.getBuiltinModule('node:module');

/** Loads the addon: the one built here if there is one, else the prebuilt one of the package. */
export function loadAddon(): Loaded {
  const kind = `${process.platform}-${process.arch}`;
  const root = packageRoot();
  const candidates: { file: string; origin: Origin }[] =
    root === null
      ? []
      : [
          { origin: 'built here', file: join(root, 'native', 'build', `curio-posix-${kind}.node`) },
          { origin: 'prebuilt', file: join(root, 'native', 'prebuilt', `${kind}.node`) },
        ];
  const found = candidates.filter(({ file }) => files().existsSync(file));
  if (found.length === 0) return { posix: null, reason: `there is no addon for ${kind}` };
  const failures: string[] = [];
  for (const { file, origin } of found) {
    try {
      return { posix: addonIn(file), file, origin };
    } catch (error) {
      // swallows: nothing waits here; an addon that cannot be loaded (another C library, say) is one of the reasons.
      failures.push(`${file} could not be loaded: ${(error as Error).message.replace(/\.$/, '')}`);
    }
  }
  return { posix: null, reason: failures.join('; ') };
}

/** The addon in a file. Each thread has its own of what it exports. */
export function addonIn(file: string): Posix {
  const addon = loader().createRequire(ownUrl(import.meta.url))(file) as Posix;
  // What an addon exports is a slow kind of object; a copy is a fast one.
  return { ...addon };
}
