// Packs the built package and looks at it as its users will: publint and arethetypeswrong; then installs the tarball, without
// install scripts, and looks at the names of its classes, at its types, and at the drivers it runs on with and without its
// prebuilt addon. (The addon for another kind of machine is only looked for: where its compiler is missing, it is left out.)

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
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

/** Installing runs nothing: neither a script nor, where npm finds a binding.gyp, node-gyp. */
function checkNoScripts() {
  const scripts = ['preinstall', 'install', 'postinstall'].filter((name) => name in manifest.scripts);
  if (scripts.length > 0) throw new Error(`npm would run when installing: ${scripts.join(', ')}`);
  if (existsSync(`${root}binding.gyp`)) throw new Error('npm would run node-gyp because of binding.gyp');
}

/**
 * Installs the tarball into a folder as a user does, and lends it our types of Node.
 *
 * @param {string} tarball
 * @param {string} folder
 */
function installInto(tarball, folder) {
  writeFileSync(`${folder}/package.json`, '{ "type": "module", "private": true }\n');
  const quiet = ['--silent', '--no-audit', '--no-fund', '--prefer-offline'];
  sh('npm', ['install', '--ignore-scripts', ...quiet, tarball], folder);
  for (const name of ['@types', 'undici-types']) {
    symlinkSync(`${root}node_modules/${name}`, `${folder}/node_modules/${name}`);
  }
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
 * The declarations stand on their own, and declare all there is: a strict program that checks libraries too, and uses
 * everything that a subpath exports, finds nothing wrong in them.
 *
 * @param {string} folder
 */
function checkTypes(folder) {
  const specifiers = Object.keys(entries).map(specifier);
  const list = `
    const lines = ${JSON.stringify(specifiers)}.map(async (specifier, i) => {
      const names = Object.keys(await import(specifier));
      return \`import * as module\${i} from '\${specifier}';\\nexport const used\${i} = [\${names.map((name) => \`module\${i}.\${name}\`)}];\\n\`;
    });
    process.stdout.write((await Promise.all(lines)).join(''));
  `;
  writeFileSync(`${folder}/list.js`, list);
  const program = execFileSync(process.execPath, ['list.js'], { cwd: folder, encoding: 'utf8' });
  writeFileSync(`${folder}/types.ts`, program);
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
  sh(tool('tsc'), [...options, '--lib', 'es2022,esnext.disposable', 'types.ts'], folder);
  // With the browser's declarations, which are there unless one asks for others, the web's streams are theirs and not Node's.
  const web = `
    import { FileStream } from 'curio/io';
    const { body } = new Response('x');
    if (body !== null) new FileStream(body);
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    export const streams = [new FileStream(readable), new FileStream(writable)];
  `;
  writeFileSync(`${folder}/web.ts`, web);
  sh(tool('tsc'), [...options, '--lib', 'es2022,esnext.disposable,dom', 'web.ts'], folder);
}

/**
 * The declarations ask for the types of Node by themselves. A program that does not, as none does by TypeScript 6's own defaults,
 * would find an `any` in place of each `Buffer`, and, since hardly anybody has libraries checked, no complaint.
 *
 * @param {string} folder
 */
function checkTypesOfNode(folder) {
  const program = `
    import type { Socket } from 'curio/socket';
    // @ts-expect-error A Buffer is no number.
    export const received = async (sock: Socket): Promise<number> => await sock.recv(1);
  `;
  writeFileSync(`${folder}/buffers.ts`, program);
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'nodenext'];
  sh(tool('tsc'), [...options, '--lib', 'es2022,esnext.disposable', 'buffers.ts'], folder);
}

/**
 * The declarations say nothing that TypeScript 5.4 does not know, which the README promises: of what there is at all, only the
 * parameters of this type are newer.
 *
 * @param {string} folder
 */
function checkOldCompilers(folder) {
  const dist = `${folder}/node_modules/curio/dist`;
  for (const file of readdirSync(dist)) {
    if (!file.endsWith('.d.ts')) continue;
    const newer = /\bAsync(Iterable)?IteratorObject\b|\bAsyncIterableIterator<[^<>]*,[^<>]*>/.exec(
      readFileSync(`${dist}/${file}`, 'utf8'),
    );
    if (newer !== null) throw new Error(`${file} has ${newer[0]}, which TypeScript knows since 5.6 only`);
  }
}

/**
 * Stacks show the user's lines only, also where source maps make lines of dist/ look like lines of src/.
 *
 * @param {string} folder
 */
function checkStacks(folder) {
  const program = `
    import { run, sleep, spawn } from 'curio';
    await run({ stacks: true }, async () => {
      const task = await spawn(async () => await sleep(60));
      await sleep(0);
      console.log(task.where()?.[0], task.traceback());
      await task.cancel();
    });
  `;
  writeFileSync(`${folder}/stacks.js`, program);
  for (const option of ['--no-enable-source-maps', '--enable-source-maps']) {
    const said = execFileSync(process.execPath, [option, 'stacks.js'], { cwd: folder, encoding: 'utf8' });
    assert.ok(said.startsWith(`${folder}/stacks.js `), said);
    assert.ok(!said.includes('node_modules'), said);
  }
}

/**
 * The installed package finds its prebuilt addon; without it everything goes on, on the portable driver.
 *
 * @param {string} folder
 */
function checkDrivers(folder) {
  const { CURIO_DRIVER: _, ...env } = process.env;
  const kind = `${process.platform}-${process.arch}`;
  const addon = `${folder}/node_modules/curio/native/prebuilt/${kind}.node`;
  copyFileSync(`${root}test/programs/packed.mjs`, `${folder}/packed.mjs`);

  /** @param {string} name */
  const check = (name) => {
    // Not from the package's folder: nothing is to be looked for in the current directory.
    const said = execFileSync(process.execPath, [`${folder}/packed.mjs`], {
      cwd: '/',
      env,
      encoding: 'utf8',
    });
    const sockets = name === 'posix' ? ['hello', 'from a thread'] : ['hello'];
    const others = ['42', 'false', 'a kernel of its own', 'module', 'one and the same by require', name];
    assert.deepEqual(said.trim().split('\n'), [...sockets, ...others]);
    const command = ['--no', 'curio', 'info', '--json'];
    const info = JSON.parse(execFileSync('npx', command, { cwd: folder, env, encoding: 'utf8' }));
    assert.equal(info.curio, manifest.version);
    assert.equal(info.driver, name);
    return info.addon;
  };

  if (existsSync(addon)) {
    assert.deepEqual(check('posix'), { origin: 'prebuilt', file: realpathSync(addon) });
    rmSync(addon);
  }
  assert.deepEqual(check('portable'), { missing: `there is no addon for ${kind}` });
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'curio-package-')));
try {
  checkExports();
  checkNoScripts();
  sh(process.execPath, [`${root}scripts/build-native.mjs`, '--prebuilt', '--optional']);
  sh('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]);
  const tarball = join(folder, `${manifest.name}-${manifest.version}.tgz`);
  sh(tool('publint'), [tarball, '--strict']);
  sh(tool('attw'), [tarball, '--profile', 'esm-only']);
  installInto(tarball, folder);
  checkNames(folder);
  checkTypes(folder);
  checkTypesOfNode(folder);
  checkOldCompilers(folder);
  checkStacks(folder);
  checkDrivers(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
