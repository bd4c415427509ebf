// Reads the files under src/ for the house rules: their names, their syntax trees, and which of them import which.
// It must know no rule.

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const folder = fileURLToPath(new URL('../../src', import.meta.url));

/** One file: its path below src/, with slashes, and its syntax tree. */
export interface Source {
  path: string;
  tree: ts.SourceFile;
}

/** An import that is still there when the types are gone: `import`, `export … from` or `import()`. */
export interface Import {
  specifier: string;
  line: number;
  /** True for `import()`: nothing is loaded before it is called. */
  isDeferred: boolean;
}

/** One of another file under src/. */
export interface ValueImport {
  from: string;
  to: string;
  line: number;
  isDeferred: boolean;
}

/** Parses a text as if it were the file `path` of src/. */
export function parse(path: string, text: string): Source {
  return { path, tree: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

/** Every TypeScript file under src/. */
export function readSources(): Source[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => parse(relative(folder, file).split(sep).join('/'), readFileSync(file, 'utf8')));
}

/** The line a node starts at, as editors count. */
export function lineOf(node: ts.Node): number {
  const tree = node.getSourceFile();
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
}

/** The imports that a file's code really makes, and none that is `import type` or `export type`. */
export function importsOf({ tree }: Source): Import[] {
  const found: Import[] = [];

  const add = (specifier: ts.Node | undefined, isDeferred: boolean): void => {
    if (specifier === undefined || !ts.isStringLiteral(specifier)) return;
    found.push({ specifier: specifier.text, line: lineOf(specifier), isDeferred });
  };

  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      if (node.importClause?.phaseModifier !== ts.SyntaxKind.TypeKeyword) add(node.moduleSpecifier, false);
    } else if (ts.isExportDeclaration(node)) {
      if (!node.isTypeOnly) add(node.moduleSpecifier, false);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], true);
    }
    ts.forEachChild(node, visit);
  };

  visit(tree);
  return found;
}

/** Those of other files under src/. */
export function valueImports(source: Source): ValueImport[] {
  return importsOf(source)
    .filter(({ specifier }) => specifier.startsWith('.'))
    .map(({ specifier, line, isDeferred }) => {
      const to = normalize(join(dirname(source.path), specifier))
        .split(sep)
        .join('/');
      return { from: source.path, to, line, isDeferred };
    });
}
