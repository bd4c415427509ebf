// The threads that watch and serve have files of their own, and a bundle has one file: it brings their text along.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Rolldown } from 'tsdown';
import { expect, onTestFinished, test } from 'vitest';
import { farScripts } from '../../scripts/far-scripts.mjs';

const sources = fileURLToPath(new URL('../../src', import.meta.url));

const PROGRAM = `
import { run, sleep } from 'curio';
import { longblock } from 'curio/debug';

let seen = false;
const log = {
  warn(text) {
    seen ||= text.includes(', in spin');
  },
};

const spin = () => {
  for (const end = performance.now() + 500; performance.now() < end; );
};

// The thread may take its time to come up.
void run({ withMonitor: { port: 0 }, debug: () => longblock({ log }) }, async () => {
  for (; !seen; await sleep(0)) spin();
});
`;

test('in a bundle, the watching thread and the monitor are there', { timeout: 60_000 }, async () => {
  const folder = mkdtempSync(`${tmpdir()}/curio-`);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(`${folder}/program.ts`, PROGRAM);
  const bundle = await Rolldown.rolldown({
    input: `${folder}/program.ts`,
    platform: 'node',
    plugins: [farScripts()],
    resolve: { alias: { 'curio/debug': `${sources}/debug.ts`, curio: `${sources}/index.ts` } },
    transform: { target: 'node20' },
  });
  await bundle.write({ file: `${folder}/bundle.mjs`, format: 'esm', codeSplitting: false });
  await bundle.close();
  const { status, stderr } = spawnSync(process.execPath, [`${folder}/bundle.mjs`], { encoding: 'utf8' });
  expect(stderr).toMatch(/The monitor listens on 127\.0\.0\.1:\d+/);
  expect(status).toBe(0);
});
