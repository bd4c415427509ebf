// The library stands on Node alone; only the program `curio` uses packages, those in `dependencies`.

import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { root } from '../../scripts/entries.mjs';
import { parse, readSources, type Source } from './sources.ts';

/** What a file names in `import … from`, `export … from` and `import()`, if it is a package. */
function packagesOf({ tree }: Source): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const specifier =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (specifier !== undefined && ts.isStringLiteral(specifier) && !/^(node:|\.)/.test(specifier.text)) {
      found.push(specifier.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

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
  const text = `import 'a';\nimport type { B } from 'b';\nexport * from 'c/d';\nconst e = () => import('e');\nimport 'node:fs';\nimport './f.ts';`;
  expect(packagesOf(parse('sample.ts', text))).toEqual(['a', 'b', 'c/d', 'e']);
});
