// Runs the tests of the addon, and those of what stands on it, with AddressSanitizer, UndefinedBehaviorSanitizer and
// LeakSanitizer, in this process's children and theirs, and fails on any report that concerns the addon. Linux with gcc.
//
//   node scripts/sanitize-native.mjs
//
// It must know nothing of the addon's functions.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const build = join(root, 'native', 'build');
const reports = join(build, 'sanitizer');

/**
 * What of a report is ours. Node and the test runner leak a little when they exit; a leak is the addon's if
 * the addon allocated it, and at an environment's end the addon is unloaded: its frames have no name then.
 *
 * @param {string} report
 */
function complaints(report) {
  const records = report.split(/\n(?=Direct leak|Indirect leak|=====|.*runtime error:)/);
  return records.filter((record) => {
    if (/^(Direct|Indirect) leak/.test(record)) {
      return /^ +#1 .*(\/native\/\w+\.[ch]:|curio-posix|<unknown module>)/m.test(record);
    }
    return /ERROR: AddressSanitizer|runtime error:/.test(record);
  });
}

/**
 * A copy of the project whose own addon is the sanitized one, so that all that uses it uses this one.
 *
 * @param {string} folder
 */
function copyInto(folder) {
  for (const name of ['src', 'test', 'scripts', 'package.json', 'tsconfig.json', 'vitest.config.ts']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  mkdirSync(join(folder, 'native', 'build'), { recursive: true });
  copyFileSync(
    join(build, 'curio-posix-sanitized.node'),
    join(folder, 'native', 'build', `curio-posix-${process.platform}-${process.arch}.node`),
  );
}

/**
 * Runs tests in the copy, and tells whether they passed.
 *
 * @param {string} folder
 * @param {string[]} args
 */
function test(folder, args) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  // Everything takes several times as long.
  const options = ['--project', 'unit', '--testTimeout=180000', '--hookTimeout=180000'];
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...options, ...args], {
    cwd: folder,
    stdio: 'inherit',
    env: {
      ...process.env,
      LD_PRELOAD: runtime,
      // Exit codes belong to the programs under test; the reports say what was found.
      ASAN_OPTIONS: `detect_leaks=1:exitcode=0:log_path=${join(reports, 'asan')}`,
      UBSAN_OPTIONS: `print_stacktrace=1:log_path=${join(reports, 'ubsan')}`,
    },
  });
  return status === 0;
}

execFileSync(process.execPath, [join(root, 'scripts', 'build-native.mjs'), '--sanitize'], {
  stdio: 'inherit',
});
const compiler = process.env.CC || 'cc';
const runtime = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'curio-sanitized-')));
try {
  copyInto(folder);
  const native = test(folder, ['test/native']);
  // With the driver on top: tasks and cancellation, several kernels, several threads.
  const above = test(folder, [
    'test/io',
    'test/socket.test.ts',
    'test/network.test.ts',
    '-t',
    'posix|bare descriptors',
  ]);
  const found = readdirSync(reports).flatMap((name) => complaints(readFileSync(join(reports, name), 'utf8')));
  for (const record of found) console.error(record);
  console.log(`curio: sanitizers have ${found.length === 0 ? 'nothing' : `${found.length} things`} to say`);
  process.exitCode = native && above && found.length === 0 ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
