// `import 'curio'` is quick: what few programs need is loaded when it is first used. A module of Node's that is heavy is
// taken where it is used, with process.getBuiltinModule(); a part of Curio's own is a DeferredModule, or import() where
// it is needed.

import { expect, test } from 'vitest';
import { importsOf, parse, readSources, type Source, valueImports } from './sources.ts';

/** Modules that Node has not loaded before the program begins, and that take a millisecond or more. */
const HEAVY =
  /^node:(child_process|cluster|crypto|dgram|dns|fs\/promises|http2?|https|inspector|net|readline|repl|stream|tls|tty|worker_threads|zlib)\b/;

/** Parts that have no business in a program which does not use them. */
const DEFERRED =
  /^(subprocess\/|recording\/|cli\/|monitor\/(monitor|server)|thread\/(library|service|line)|workers\/(pool|travel\/(pack|unpack)|far\/))/;

/** The files that are loaded together with src/index.ts. */
function front(sources: readonly Source[]): Source[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const found = new Set<string>();
  const walk = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || found.has(path)) return;
    found.add(path);
    for (const { to, isDeferred } of valueImports(source)) if (!isDeferred) walk(to);
  };
  walk('index.ts');
  return [...found].map((path) => byPath.get(path)!);
}

function heavy(sources: readonly Source[]): string[] {
  return front(sources).flatMap((source) =>
    importsOf(source)
      .filter(({ specifier, isDeferred }) => !isDeferred && HEAVY.test(specifier))
      .map(({ specifier, line }) => `src/${source.path}:${line} imports ${specifier}`),
  );
}

const early = (sources: readonly Source[]): string[] =>
  front(sources)
    .map(({ path }) => path)
    .filter((path) => DEFERRED.test(path));

test('importing Curio loads none of Node’s heavy modules', () => {
  expect(heavy(readSources())).toEqual([]);
});

test('importing Curio loads nothing of it that few programs use', () => {
  expect(early(readSources())).toEqual([]);
});

test('the rules see what they are there to see', () => {
  const bad = [
    parse('index.ts', `export { a } from './a.ts';\nconst later = () => import('./recording/b.ts');`),
    parse('a.ts', `import { connect } from 'node:net';\nimport './workers/pool.ts';`),
    parse('workers/pool.ts', `import type { Worker } from 'node:worker_threads';`),
    parse('recording/b.ts', `import { gzipSync } from 'node:zlib';`),
  ];
  expect(heavy(bad)).toEqual(['src/a.ts:1 imports node:net']);
  expect(early(bad)).toEqual(['workers/pool.ts']);
});
