// Builds the posix driver's addon (native/*.c) with the system's C compiler and Node's own headers;
// no build system, nothing downloaded.
//
//   node scripts/build-native.mjs              native/build/curio-posix-linux-<arch>.node, for this machine
//     --optional       what is missing (platform, compiler, headers) is one line and no failure
//     --prebuilt       native/prebuilt/linux-x64.node and linux-arm64.node, for the package
//     --arch <arch>    only that one of the prebuilt addons (x64, arm64)
//     --sanitize       native/build/curio-posix-sanitized.node, with AddressSanitizer
//
// It must not know what the addon does, and must never be needed to install the package.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const native = join(root, 'native');

// Node 20 itself asks for this one: an addon that asks for more would be the weaker part.
const NEWEST_GLIBC = [2, 28];

/**
 * Debian's names of the cross compilers.
 *
 * @type {Record<string, string>}
 */
const TRIPLET = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

const WARNINGS = ['-Wall', '-Wextra', '-Werror'];
const LANGUAGE = ['-std=c11', '-D_GNU_SOURCE', '-fPIC', '-fvisibility=hidden'];
const OPTIMIZED = ['-O2', '-fstack-protector-strong', '-D_FORTIFY_SOURCE=2', '-s'];
const SANITIZED = ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined'];
const LINKED = ['-shared', '-Wl,-z,relro,-z,now'];

/** Something the machine lacks: no fault of the sources. */
class Missing extends Error {}

function findHeaders() {
  const home = process.env.npm_config_devdir ?? join(homedir(), '.cache', 'node-gyp');
  const places = [
    process.env.npm_config_nodedir,
    join(dirname(process.execPath), '..'),
    join(home, process.versions.node),
  ];
  for (const place of places) {
    if (place === undefined) continue;
    const include = join(place, 'include', 'node');
    if (existsSync(join(include, 'node_api.h')) && existsSync(join(include, 'uv.h'))) return include;
  }
  throw new Missing('the headers of Node (node_api.h, uv.h) were not found; set npm_config_nodedir');
}

/** @param {string} arch */
function findCompiler(arch) {
  const candidates =
    arch === process.arch
      ? [process.env.CC, 'cc', 'gcc', 'clang', `${TRIPLET[arch]}-gcc`]
      : [`${TRIPLET[arch]}-gcc`];
  for (const command of candidates) {
    if (!command) continue;
    const { status } = spawnSync(command, ['--version'], { stdio: 'ignore' });
    if (status === 0) return command;
  }
  throw new Missing(`no C compiler for ${arch} was found (tried ${candidates.filter(Boolean).join(', ')})`);
}

/**
 * The glibc that `file` needs, after its symbols.
 *
 * @param {string} file
 */
function checkGlibc(file) {
  const wanted = readFileSync(file, 'latin1').matchAll(/\bGLIBC_(\d+)\.(\d+)/g);
  const versions = [...wanted].map(([, major, minor]) => [Number(major), Number(minor)]);
  versions.sort(([a, b], [c, d]) => a - c || b - d);
  const newest = versions.at(-1) ?? [0, 0];
  if (newest[0] > NEWEST_GLIBC[0] || (newest[0] === NEWEST_GLIBC[0] && newest[1] > NEWEST_GLIBC[1])) {
    throw new Error(`needs glibc ${newest.join('.')}, newer than ${NEWEST_GLIBC.join('.')}`);
  }
  return newest.join('.');
}

/**
 * @param {string} target
 * @param {{ arch?: string, flags?: string[] }} [options]
 */
function build(target, { arch = process.arch, flags = OPTIMIZED } = {}) {
  if (process.platform !== 'linux' || TRIPLET[arch] === undefined) {
    throw new Missing(`${process.platform}-${arch} is not supported by the posix driver`);
  }
  const headers = findHeaders();
  const compiler = findCompiler(arch);
  const sources = readdirSync(native)
    .filter((name) => name.endsWith('.c'))
    .sort();
  const fresh = `${target}.${process.pid}`;
  mkdirSync(dirname(target), { recursive: true });
  const { status, error } = spawnSync(
    compiler,
    [...LANGUAGE, ...WARNINGS, ...flags, ...LINKED, `-isystem${headers}`, '-o', fresh, ...sources],
    { cwd: native, stdio: 'inherit' },
  );
  if (error || status !== 0) {
    rmSync(fresh, { force: true });
    throw new Error(`${compiler} failed${error ? `: ${error.message}` : ''}`);
  }
  // Renamed into place: a process that has the old one mapped keeps it.
  renameSync(fresh, target);
  return target;
}

function main() {
  const { values } = parseArgs({
    options: {
      optional: { type: 'boolean' },
      prebuilt: { type: 'boolean' },
      arch: { type: 'string' },
      sanitize: { type: 'boolean' },
    },
  });
  /**
   * @param {string} file
   * @param {string} note
   */
  const say = (file, note) => console.log(`curio: built ${relative(root, file)}${note}`);
  if (values.prebuilt || values.arch) {
    for (const arch of values.arch ? [values.arch] : ['x64', 'arm64']) {
      tolerating(values.optional, () => {
        const file = build(join(native, 'prebuilt', `linux-${arch}.node`), { arch });
        say(file, ` (glibc ${checkGlibc(file)} or newer)`);
      });
    }
  } else if (values.sanitize) {
    say(build(join(native, 'build', 'curio-posix-sanitized.node'), { flags: SANITIZED }), '');
  } else {
    tolerating(values.optional, () => {
      const name = `curio-posix-${process.platform}-${process.arch}.node`;
      say(build(join(native, 'build', name)), '');
    });
  }
}

/**
 * Says in one line what is missing, and goes on if that is `optional`.
 *
 * @param {boolean | undefined} optional
 * @param {() => void} work
 */
function tolerating(optional, work) {
  try {
    work();
  } catch (error) {
    if (!(error instanceof Missing && optional)) throw error;
    console.log(`curio: posix driver not built: ${error.message}; the portable driver will be used`);
  }
}

try {
  main();
} catch (error) {
  console.error(`curio: posix driver not built: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
