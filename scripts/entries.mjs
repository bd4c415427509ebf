// The one list of what the package lets people import: subpath (without 'curio/') to source file.
// The build, the aliases of the tests and the package checks all read it. An entry whose source
// does not exist is left out, so a subpath may be listed here before it is written.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const all = {
  index: 'src/index.ts',
  socket: 'src/socket.ts',
  io: 'src/io/index.ts',
  ssl: 'src/ssl/index.ts',
  subprocess: 'src/subprocess/index.ts',
  file: 'src/file/index.ts',
  thread: 'src/thread/index.ts',
  workers: 'src/workers/index.ts',
  channel: 'src/channel/index.ts',
  traps: 'src/public/traps.ts',
  sched: 'src/sched.ts',
  activation: 'src/activation.ts',
  debug: 'src/debug.ts',
  meta: 'src/meta.ts',
  monitor: 'src/monitor/index.ts',
  errors: 'src/errors.ts',
  testing: 'src/testing/index.ts',
};

/** The folder the project lives in, with a slash at the end. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** Entry name to source file, relative to the root, for the sources that exist. */
export const entries = Object.fromEntries(
  Object.entries(all).filter(([, source]) => existsSync(root + source)),
);

/** What the package lets people run, and what its own threads run, in the same way; nobody imports it. */
export const programs = {
  'cli/main': 'src/cli/main.ts',
  'stall/thread': 'src/stall/thread.ts',
  'monitor/server': 'src/monitor/server.ts',
};

/**
 * What a user writes to import an entry.
 * @param {string} name
 */
export const specifier = (name) => (name === 'index' ? 'curio' : `curio/${name}`);
