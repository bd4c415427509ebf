// Packs the built package and looks at it as its users will: publint and arethetypeswrong, then a program that
// installs the tarball, imports every subpath and finds every class under its own name, and the types of all of it.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entries, root, specifier } from './entries.mjs';

const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

/**
 * @param {string} command
 * @param {string[]} args
 */
function sh(command, args, cwd = root) {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}

/** @param {string} name */
const tool = (name) => `${root}node_modules/.bin/${name}`;

/** Each entry with a source is in `exports`, and nothing else is. */
function checkExports() {
  const listed = Object.keys(manifest.exports).filter((path) => path !== './package.json');
  const built = Object.keys(entries).map((name) => (name === 'index' ? '.' : `./${name}`));
  const missing = built.filter((path) => !listed.includes(path));
  const empty = listed.filter((path) => !built.includes(path));
  if (missing.length > 0) throw new Error(`built, but not in package.json's exports: ${missing.join(', ')}`);
  if (empty.length > 0) throw new Error(`in package.json's exports, but not built: ${empty.join(', ')}`);
}

/**
 * A folder whose node_modules holds the tarball as npm would unpack it, and the types of Node.
 *
 * @param {string} tarball
 * @param {string} folder
 */
function installInto(tarball, folder) {
  mkdirSync(`${folder}/node_modules/curio`, { recursive: true });
  mkdirSync(`${folder}/node_modules/@types`);
  sh('tar', ['-xzf', tarball, '-C', `${folder}/node_modules/curio`, '--strip-components=1']);
  for (const name of ['@types/node', 'undici-types']) {
    symlinkSync(`${root}node_modules/${name}`, `${folder}/node_modules/${name}`);
  }
  writeFileSync(`${folder}/package.json`, '{ "type": "module" }\n');
}

/**
 * Every class that a subpath exports is called what it is exported as: bundlers rename classes when two meet.
 *
 * @param {string} folder
 */
function checkNames(folder) {
  const specifiers = Object.keys(entries).map(specifier);
  const program = `
    let wrong = 0;
    for (const specifier of ${JSON.stringify(specifiers)}) {
      for (const [name, value] of Object.entries(await import(specifier))) {
        if (!/^class\\b/.test(String(value)) || value.name === name) continue;
        console.error(\`\${specifier} exports '\${name}', which calls itself '\${value.name}'\`);
        wrong += 1;
      }
    }
    process.exitCode = wrong === 0 ? 0 : 1;
  `;
  writeFileSync(`${folder}/names.js`, program);
  sh(process.execPath, ['names.js'], folder);
}

/**
 * The declarations stand on their own: a strict program that checks libraries too finds nothing wrong in them.
 *
 * @param {string} folder
 */
function checkTypes(folder) {
  const lines = Object.keys(entries).map((name) => `export * as ${name}_ from '${specifier(name)}';\n`);
  writeFileSync(`${folder}/types.ts`, lines.join(''));
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,esnext.disposable'];
  sh(tool('tsc'), [...options, '--module', 'nodenext', '--types', 'node', 'types.ts'], folder);
}

const folder = mkdtempSync(join(tmpdir(), 'curio-package-'));
try {
  checkExports();
  sh('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
  const tarball = join(folder, `${manifest.name}-${manifest.version}.tgz`);
  sh(tool('publint'), [tarball, '--strict']);
  sh(tool('attw'), [tarball, '--profile', 'esm-only']);
  installInto(tarball, folder);
  checkNames(folder);
  checkTypes(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
