// The documentation is true: every program in it compiles, those marked `run` are run and print what the page says, and
// every link leads to something.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { root } from '../scripts/entries.mjs';
import { type Block, blocksOf, pages, typeErrors } from './kit/blocks.ts';
import { Program } from './kit/program.ts';

const blocks = pages.flatMap(blocksOf);

// Curio's own tools for tests wait for nothing, and watch real time; and who does not answer a channel within a second is dropped.
const inRealTime = ['docs/testing.md', 'docs/channels.md'];
const documents = [...pages, 'CHANGELOG.md', 'examples/README.md'];

describe('the documentation', () => {
  // One that does not is among them: what finds nothing may have looked at nothing.
  test('has programs that compile', { timeout: 180_000 }, async () => {
    const wrong: Block = {
      page: 'x.md',
      line: 7,
      code: "\nconst n: number = '';",
      runs: false,
      output: '',
      log: '',
    };
    expect(blocks.length).toBeGreaterThan(20);
    expect(await typeErrors([...blocks, wrong])).toEqual([
      "x.md:8: Type 'string' is not assignable to type 'number'.",
    ]);
  });

  for (const page of pages.filter((name) => blocksOf(name).some(({ runs }) => runs))) {
    test(`${page} prints what it says`, { timeout: 180_000 }, async () => {
      const programs = blocksOf(page).filter(({ runs }) => runs);
      const seen = await Promise.all(programs.map(runBlock));
      expect(seen).toEqual(programs.map(({ page, line, output, log }) => ({ page, line, output, log })));
    });
  }

  test('names the two commands for a fresh machine, and .ci/run runs the second', () => {
    const commands = [...readFileSync(`${root}README.md`, 'utf8').matchAll(/^```sh\n([\s\S]*?)^```$/gm)];
    expect(commands.map(([, command]) => command)).toEqual([
      'npm ci && CURIOMONITOR=1 npx tsx examples/tutorial/11-echo-server.ts\n',
      'npm ci && npm test\n',
    ]);
    expect(readFileSync(`${root}.ci/run`, 'utf8')).toContain("'npm ci && npm test'");
  });

  test('names only files that are there', () => {
    const named = documents.flatMap((page) => {
      const text = readFileSync(root + page, 'utf8');
      return [...text.matchAll(/\b(?:examples|test|src|docs|scripts)\/[\w/.-]+\.\w+/g)].map(([path]) => path);
    });
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((path) => !existsSync(root + path))).toEqual([]);
  });

  for (const page of documents) {
    test(`${page} links to what is there`, () => {
      const text = readFileSync(root + page, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
      const broken = targets.filter((target) => !leadsSomewhere(page, target));
      expect(broken).toEqual([]);
    });
  }
});

/** Runs a program in a process of its own, and tells what it has printed and logged. */
async function runBlock({ page, line, code: source }: Block): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'curio-docs-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'program.mts');
  writeFileSync(file, source);
  const fast = !inRealTime.includes(page);
  const { code, stdout, stderr } = await new Program(file, { fast }).ended;
  expect(code, stderr).toBe(0);
  return { page, line, output: stdout, log: normal(stderr) };
}

/** Without the frames of stacks. */
function normal(log: string): string {
  return log.replace(/^( {4}at .*\n)+/gm, '');
}

function leadsSomewhere(page: string, target: string): boolean {
  if (/^https?:/.test(target)) return true;
  const [path, anchor] = target.split('#');
  const file = path === '' ? page : normalize(join(dirname(page), path!));
  if (!existsSync(root + file)) return false;
  if (anchor === undefined) return true;
  const headings = [...readFileSync(root + file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
    slug(title!),
  );
  return headings.includes(anchor);
}

/** The anchor that a heading gets. */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
