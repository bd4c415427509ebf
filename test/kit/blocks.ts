// The programs in the documentation. A fenced block marked `ts` is a module of its own; `ts run` is one that is also run.
// A block marked `text` right after it is what it prints, and one marked `text log` what it writes to standard error.
// Each imports what it uses: readers type them as they are.
//
// The examples in the comments of the sources, after `@example`, are blocks as well.
//
// This file finds the blocks and checks their types. It must know nothing of what they do.

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import ts from 'typescript';
import { root } from '../../scripts/entries.mjs';

export interface Block {
  page: string;
  /** The line of the page on which the block's text begins, counted from 1. */
  line: number;
  code: string;
  runs: boolean;
  /** What it must print. */
  output: string;
  /** What it must write to standard error. */
  log: string;
}

export const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

const FENCE = /^```(\S*)([^\n]*)\n([\s\S]*?)^```$/gm;

export function blocksOf(page: string): Block[] {
  const source = readFileSync(root + page, 'utf8');
  const fences = [...source.matchAll(FENCE)];
  return fences.flatMap((fence, i) => {
    const [, language, rest, code] = fence;
    if (language !== 'ts') return [];
    const runs = rest!.trim() === 'run';
    const line = source.slice(0, fence.index).split('\n').length + 1;
    const said = { output: '', log: '' };
    for (let next = i + 1; fences[next]?.[1] === 'text'; next++) {
      said[fences[next]![2]!.trim() === 'log' ? 'log' : 'output'] = fences[next]![3]!;
    }
    return [{ page, line, code: code!, runs, ...said }];
  });
}

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const EXAMPLE = /^[ \t]*\* @example[ \t]*\n((?:[ \t]*\*(?! @|\/).*\n)*)/gm;

/** The examples in the comments of a source file. */
export function examplesOf(page: string): Block[] {
  const source = readFileSync(root + page, 'utf8');
  return [...source.matchAll(COMMENT)].flatMap((comment) =>
    [...comment[0].matchAll(EXAMPLE)].map((example) => ({
      page,
      line: source.slice(0, comment.index + example.index).split('\n').length + 1,
      code: example[1]!.replace(/^[ \t]*\* ?/gm, ''),
      runs: false,
      output: '',
      log: '',
    })),
  );
}

/** The names that a program uses and does not declare, but for those of properties. */
export function freeNames(code: string): string[] {
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const isProperty =
        (ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isPropertyAssignment(parent) && parent.name === node) ||
        (ts.isPropertySignature(parent) && parent.name === node) ||
        (ts.isMethodDeclaration(parent) && parent.name === node);
      const declares =
        ts.isVariableDeclaration(parent) ||
        ts.isBindingElement(parent) ||
        ts.isParameter(parent) ||
        ts.isFunctionDeclaration(parent) ||
        ts.isClassDeclaration(parent);
      if (declares && parent.name === node) declared.add(node.text);
      else if (!isProperty) used.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('example.ts', code, ts.ScriptTarget.Latest, true));
  return [...used].filter((name) => !declared.has(name)).sort();
}

interface Complaint {
  name: string;
  line: number;
  message: string;
}

/** Compiles all blocks in one program, and gives what is wrong with them: page, line, message. */
export async function typeErrors(blocks: Block[]): Promise<string[]> {
  const named = new Map(blocks.map((block, i) => [`${root}docs/block-${i}.ts`, block]));
  // The export makes a module of a block that has no imports.
  const texts = new Map([...named].map(([name, { code }]) => [name, `${code}\nexport {};\n`]));
  const worker = new Worker(new URL('./compile.mjs', import.meta.url), { workerData: { root, texts } });
  const [complaints] = (await once(worker, 'message')) as [Complaint[]];
  return complaints.map(({ name, line, message }) => {
    const block = named.get(name)!;
    return `${block.page}:${block.line + line}: ${message}`;
  });
}
