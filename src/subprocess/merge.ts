/*
 * Standard error into the pipe of standard output, for the portable driver: Node makes one pipe for each. So the process
 * begins as a shell that joins the two and then becomes the program. Whether there is such a program must
 * then be found out before.
 */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotSupportedError } from '../errors.ts';
import { systemError } from '../io/system.ts';
import type { Launch } from './options.ts';

const DEFAULT_PATH = '/usr/bin:/bin';

/**
 * The launch of a shell that becomes the program.
 * @throws an Error with the code `ENOENT` or `EACCES`, as starting the program itself would
 */
export function throughShell({ file, argv, ...rest }: Launch): Launch {
  if (process.platform === 'win32')
    throw new NotSupportedError(
      'stderr: STDOUT with stdout: PIPE: the portable driver cannot do that on Windows.',
    );
  const code = obstacle(file, rest);
  if (code !== null) {
    const error = systemError(code, `spawn ${file}`);
    throw Object.assign(error, { path: file, spawnargs: argv.slice(1) });
  }
  return {
    ...rest,
    file: '/bin/sh',
    argv: ['/bin/sh', '-c', 'exec "$@" 2>&1', 'sh', file, ...argv.slice(1)],
  };
}

/** What keeps a program from being started; null if it can be. */
function obstacle(file: string, { cwd, env }: Omit<Launch, 'file' | 'argv'>): 'ENOENT' | 'EACCES' | null {
  const folder = cwd instanceof URL ? fileURLToPath(cwd) : (cwd ?? '');
  const path = (env ?? process.env).PATH ?? DEFAULT_PATH;
  const places = file.includes('/') ? [''] : path.split(delimiter);
  let found: 'ENOENT' | 'EACCES' = 'ENOENT';
  for (const place of places) {
    const candidate = resolve(folder, place, file);
    try {
      if (!statSync(candidate).isFile()) continue;
      found = 'EACCES';
      accessSync(candidate, constants.X_OK);
      return null;
    } catch {
      // swallows: nothing waits here; the next place may have it.
    }
  }
  return found;
}
