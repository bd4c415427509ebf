// A program that somebody's bundler has merged with Curio into one file: which lines are the program's is not to be told
// by folders then.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, onTestFinished, test } from 'vitest';
import { libraryFolder } from '../../src/base/own-file.ts';

const sources = fileURLToPath(new URL('../../src', import.meta.url));

const PROGRAM = `
import { run, sleep, spawn } from 'curio';

async function nap() {
  await sleep(1000);
}

void run({ stacks: true }, async () => {
  const task = await spawn(nap);
  await sleep(0);
  console.log(task.where());
  await task.cancel();
});
`;

test('from source, the library is src/', () => {
  expect(libraryFolder).toBe(sources);
});

test.each(['esm', 'cjs'] as const)('in a bundle, stacks show the program’s lines: %s', async (format) => {
  const folder = mkdtempSync(`${tmpdir()}/curio-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const input = `${folder}/program.ts`;
  const outfile = `${folder}/bundle.${format === 'esm' ? 'mjs' : 'cjs'}`;
  writeFileSync(input, PROGRAM);
  await build({
    entryPoints: [input],
    outfile,
    format,
    bundle: true,
    platform: 'node',
    target: 'node20',
    alias: { curio: `${sources}/index.ts` },
    logLevel: 'silent',
  });
  const said = execFileSync(process.execPath, [outfile], { encoding: 'utf8' });
  expect(said).toContain(outfile);
});
