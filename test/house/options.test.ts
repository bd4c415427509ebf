// Every option may be undefined, which says the same as leaving it out: programs hand on what they have computed, and some of
// them are compiled with exactOptionalPropertyTypes.

import ts from 'typescript';
import { expect, test } from 'vitest';
import { parse, readSources, type Source } from './sources.ts';

/** The optional properties of exported interfaces for options whose types leave `undefined` out. The kernel's are nobody's business. */
function strict({ path, tree }: Source): string[] {
  if (path.startsWith('kernel/')) return [];
  return tree.statements
    .filter(ts.isInterfaceDeclaration)
    .filter(({ name, modifiers }) => name.text.endsWith('Options') && modifiers !== undefined)
    .flatMap(({ name, members }) =>
      members
        .filter(ts.isPropertySignature)
        .filter(({ questionToken, type }) => questionToken && !/\bundefined\b/.test(type?.getText() ?? ''))
        .map((member) => `src/${path}: ${name.text}.${member.name.getText()}`),
    );
}

/** Whoever gives this one says what its type is, `undefined` included. */
const GENERIC = ['src/time.ts: IgnoreOptions.timeoutResult'];

test('every option may be undefined', () => {
  expect(readSources().flatMap(strict)).toEqual(GENERIC);
});

test('the rule sees what it is there to see', () => {
  const bad = 'export interface RunOptions {\n  fast?: boolean;\n  slow?: boolean | undefined;\n}\n';
  expect(strict(parse('bad.ts', bad))).toEqual(['src/bad.ts: RunOptions.fast']);
});
