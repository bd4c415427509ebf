/*
 * The package that this code belongs to: where it lies, and which version it is. Both are looked for
 * when asked, since nothing of Curio needs them to run.
 */

import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownUrl } from './own-file.ts';

// Importing this costs more than all of Curio.
const files = () => process.getBuiltinModule('node:fs');

/** The nearest folder above this module that has a package.json. */
export function packageRoot(): string | null {
  const { existsSync } = files();
  const start = dirname(fileURLToPath(ownUrl(import.meta.url)));
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

/** The version in that package.json. */
export function packageVersion(): string {
  const root = packageRoot();
  if (root === null) return 'unknown';
  const { version } = JSON.parse(files().readFileSync(join(root, 'package.json'), 'utf8'));
  return String(version);
}
