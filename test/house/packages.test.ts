// The library stands on Node alone; only the program `curio` uses packages, those in `dependencies`.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { importsOf, parse, readSources, type Source } from './sources.ts';

const packagesOf = (source: Source): string[] =>
  importsOf(source)
    .map(({ specifier }) => specifier)
    .filter((name) => !/^(node:|\.)/.test(name));

const { dependencies = {} } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));

test('only the program uses packages, and only those that are installed with it', () => {
  const used = readSources().flatMap((source) =>
    packagesOf(source).map((name) => ({ path: source.path, name })),
  );
  expect(used.filter(({ path }) => !path.startsWith('cli/'))).toEqual([]);
  expect([...new Set(used.map(({ name }) => name))].sort()).toEqual(Object.keys(dependencies).sort());
});

test('each package that is needed at run time has a line that justifies it', () => {
  const reasons = readFileSync(`${root}CONTRIBUTING.md`, 'utf8');
  expect(Object.keys(dependencies).filter((name) => !reasons.includes(`**${name}** `))).toEqual([]);
});

test('the rule sees every kind of import', () => {
  const text = `import 'a';\nimport { type B } from 'b';\nexport * from 'c/d';\nconst e = () => import('e');\nimport 'node:fs';\nimport './f.ts';\nimport type { G } from 'g';`;
  expect(packagesOf(parse('sample.ts', text))).toEqual(['a', 'b', 'c/d', 'e']);
});
