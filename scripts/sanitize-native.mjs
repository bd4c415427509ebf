// Runs the addon's tests with AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer, in this process's
// children and theirs, and fails on any report that concerns the addon. Linux with gcc; takes half a minute.
//
//   node scripts/sanitize-native.mjs
//
// It must know nothing of the addon's functions: the tests are those of test/native.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
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

execFileSync(process.execPath, [join(root, 'scripts', 'build-native.mjs'), '--sanitize'], {
  stdio: 'inherit',
});
const compiler = process.env.CC || 'cc';
const runtime = execFileSync(compiler, ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
const { status } = spawnSync(
  process.execPath,
  [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--project', 'unit', 'test/native'],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      LD_PRELOAD: runtime,
      CURIO_TEST_ADDON: join(build, 'curio-posix-sanitized.node'),
      // Exit codes belong to the programs under test; the reports say what was found.
      ASAN_OPTIONS: `detect_leaks=1:exitcode=0:log_path=${join(reports, 'asan')}`,
      UBSAN_OPTIONS: `print_stacktrace=1:log_path=${join(reports, 'ubsan')}`,
    },
  },
);

const found = readdirSync(reports).flatMap((name) => complaints(readFileSync(join(reports, name), 'utf8')));
for (const record of found) console.error(record);
console.log(`curio: sanitizers have ${found.length === 0 ? 'nothing' : `${found.length} things`} to say`);
process.exitCode = status === 0 && found.length === 0 ? 0 : 1;
