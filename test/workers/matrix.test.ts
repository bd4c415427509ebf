// Functions travel however a program is run: from TypeScript, from compiled modules, as one bundle.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { Rolldown } from 'tsdown';
import ts from 'typescript';
import { afterAll, describe, expect, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { farScripts } from '../../scripts/far-scripts.mjs';

const programs = `${root}test/programs/`;
const names = ['workers', 'workers-library'];

const side = (name: string) => [
  name,
  'globals of its own: ',
  'nothing captured: 1,4,9',
  'recursive: 55',
  'a plain value: 6',
  'a function with a value: 10',
  'a class: 30',
  'an object with functions: 10',
  'a module of Node: true',
  'what a library exports: 6',
  'a class that a library exports: 8',
  'asynchronous: b',
  'an export of a library: 20',
  'two of the same lines: 2, 3',
  "a library's own state: 1, 2",
  'true FAR true',
  'true',
  'true',
  'printed elsewhere',
];
const EXPECTED = [
  'the program runs',
  ...side('threads'),
  ...side('processes'),
  'by name: true',
  'its own function in the kernel: 4',
  'a task: 10',
  'from a thread: 7',
  'and back: 8',
  'the end',
];

const folders: string[] = [];
// Of tests that run at once, none knows which one has finished.
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

function folder(): string {
  const path = mkdtempSync(`${tmpdir()}/curio-test-`);
  folders.push(path);
  return path;
}

function node(
  args: string[],
  cwd: string,
): Promise<{ said: string[]; complaint: string; code: number | null }> {
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ said: said.trimEnd().split('\n'), complaint, code }));
  });
}

const source = (name: string) => readFileSync(`${programs}${name}.ts`, 'utf8');

/** The program as a compiler leaves it, in a folder of its own. */
function compile(where: string, format: 'esm' | 'cjs'): void {
  const module = format === 'esm' ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS;
  writeFileSync(`${where}/package.json`, `{ "type": "${format === 'esm' ? 'module' : 'commonjs'}" }`);
  for (const name of names) {
    const { outputText } = ts.transpileModule(source(name), {
      compilerOptions: { module, target: ts.ScriptTarget.ES2022, rewriteRelativeImportExtensions: true },
    });
    writeFileSync(`${where}/${name}.js`, outputText);
  }
}

/** Curio as it is published, as far as this program needs it. */
async function install(where: string): Promise<void> {
  mkdirSync(`${where}/node_modules/curio`, { recursive: true });
  writeFileSync(
    `${where}/node_modules/curio/package.json`,
    '{ "name": "curio", "type": "module", "exports": "./index.js" }',
  );
  await bundle(`${root}src/index.ts`, `${where}/node_modules/curio/index.js`, 'esm');
}

async function bundle(input: string, file: string, format: 'esm' | 'cjs'): Promise<void> {
  const built = await Rolldown.rolldown({
    input,
    platform: 'node',
    plugins: [farScripts()],
    resolve: { alias: { curio: `${root}src/index.ts` } },
    transform: { target: 'node20' },
    logLevel: 'silent',
  });
  await built.write({ file, format, codeSplitting: false });
  await built.close();
}

describe.concurrent('a program with workers runs', { timeout: 120_000 }, () => {
  test('from TypeScript, by tsx', async () => {
    const { said, complaint, code } = await node(['--import', 'tsx', `${programs}workers.ts`], root);
    expect(complaint).toBe('');
    expect(said).toEqual(EXPECTED);
    expect(code).toBe(0);
  });

  test.runIf((process.features as { typescript?: unknown }).typescript)(
    'from TypeScript, by Node itself',
    async () => {
      const where = folder();
      writeFileSync(`${where}/package.json`, '{ "type": "module" }');
      for (const name of names) {
        writeFileSync(`${where}/${name}.ts`, source(name).replace("'curio'", `'${root}src/index.ts'`));
      }
      const { said, code } = await node([`${where}/workers.ts`], where);
      expect(said).toEqual(EXPECTED);
      expect(code).toBe(0);
    },
  );

  test.each(['esm', 'cjs'] as const)('compiled to modules: %s', async (format) => {
    const where = folder();
    compile(where, format);
    await install(where);
    const { said, complaint, code } = await node([`${where}/workers.js`], where);
    expect(complaint).toBe('');
    expect(said).toEqual(EXPECTED);
    expect(code).toBe(0);
  });

  test('that is no file, but a module on the command line', async () => {
    const where = folder();
    writeFileSync(`${where}/package.json`, '{ "private": true }');
    await install(where);
    const program = `
      import { run, runInProcess, runInThread, spawnThread } from 'curio';
      await run(async () => {
        const thread = await spawnThread(() => 'async thread');
        console.log(await runInThread(() => 'thread'));
        console.log(await runInProcess(() => 'process'));
        console.log(await thread.join());
      });`;
    const { said, complaint } = await node(['--input-type=module', '-e', program], where);
    expect(complaint).toBe('');
    expect(said).toEqual(['thread', 'process', 'async thread']);
  });

  test('that may not ask V8 about functions: it is told what to write instead', async () => {
    const where = folder();
    writeFileSync(`${where}/package.json`, '{ "private": true }');
    await install(where);
    const program = `
      import { run, runInThread } from 'curio';
      const error = await run(() => runInThread(() => 1)).catch((error) => error);
      console.log(error.name, error.message);`;
    const stable = process.allowedNodeEnvironmentFlags.has('--permission');
    const permission = [stable ? '--permission' : '--experimental-permission', '--allow-fs-read=*'];
    const { said } = await node([...permission, '--input-type=module', '-e', program], where);
    expect(said).toEqual([
      expect.stringMatching(
        /^NotSupportedError Node's --permission .* moduleFunction\(import\.meta\.url, 'work'\)/,
      ),
    ]);
  });

  test.each(['esm', 'cjs'] as const)('as one bundle: %s', async (format) => {
    const file = `${folder()}/bundle.${format === 'esm' ? 'mjs' : 'cjs'}`;
    await bundle(`${programs}workers.ts`, file, format);
    const { said, complaint, code } = await node([file], root);
    expect(complaint).toBe('');
    // There is but one file, which is the program: the library travels as text, a copy with each call.
    const own = /^a library's own state/;
    const without = (lines: string[]) => lines.filter((line) => !own.test(line));
    expect(without(said)).toEqual(without(EXPECTED));
    expect(code).toBe(0);
  });
});
