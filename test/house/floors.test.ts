// The house has floors: a file imports values from its own floor or from floors below, and never in a circle. Types may
// come from anywhere, since nothing of them is left when the program runs.

import { expect, test } from 'vitest';
import { parse, readSources, type Source, type ValueImport, valueImports } from './sources.ts';

// Bottom up. A name with a slash at the end is a folder with everything in it.
const floors = [
  ['base/', 'errors.ts'],
  ['kernel/'],
  ['traps.ts'],
  ['stall/'],
  ['public/', 'readiness.ts', 'sched.ts', 'task.ts', 'meta.ts', 'activation.ts'],
  [
    'time.ts',
    'cancel.ts',
    'sync/',
    'queue.ts',
    'local.ts',
    'group.ts',
    'members.ts',
    'ending.ts',
    'gather.ts',
    'signal.ts',
    'promise.ts',
  ],
  ['io/'],
  ['socket.ts', 'ssl/', 'file/', 'network.ts', 'serving.ts', 'subprocess/', 'channel/'],
  ['workers/', 'thread/', 'universal/'],
  ['debug.ts', 'debuggers.ts', 'monitor/', 'recording/'],
  ['run.ts'],
  ['index.ts', 'cli/', 'testing/'],
];

// Anyone may import these, whatever floor they are on.
const anyonesOwn = ['activation.ts', 'errors.ts'];

// The wall: above it nobody knows the kernel.
const kernel = 'kernel/';
const knowTheKernel = [kernel, 'traps.ts', 'run.ts'];

const covers = (names: string[], path: string): boolean =>
  names.some((name) => (name.endsWith('/') ? path.startsWith(name) : path === name));

const floorOf = (path: string): number => floors.findIndex((names) => covers(names, path));

const place = ({ from, line }: ValueImport): string => `src/${from}:${line}`;

function homeless(sources: Source[]): string[] {
  return sources
    .filter(({ path }) => floorOf(path) < 0)
    .map(({ path }) => `src/${path} is on no floor: add it to the table in test/house/floors.test.ts`);
}

function climbing(imports: ValueImport[]): string[] {
  return imports
    .filter(({ from, to }) => floorOf(from) < floorOf(to) && !covers(anyonesOwn, to))
    .map(
      (it) =>
        `${place(it)} is on floor ${floorOf(it.from)} and imports src/${it.to} from floor ${floorOf(it.to)} above it`,
    );
}

function overTheWall(imports: ValueImport[]): string[] {
  return imports
    .filter(({ from, to }) => covers([kernel], to) && !covers(knowTheKernel, from))
    .map((it) => `${place(it)} imports src/${it.to}, which only ${knowTheKernel.join(', ')} may`);
}

function circles(imports: ValueImport[]): string[] {
  const next = new Map<string, string[]>();
  for (const { from, to } of imports) next.set(from, [...(next.get(from) ?? []), to]);

  const found: string[] = [];
  const done = new Set<string>();
  const walk = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      found.push([...trail.slice(at), path].join(' -> '));
      return;
    }
    if (done.has(path)) return;
    for (const to of next.get(path) ?? []) walk(to, [...trail, path]);
    done.add(path);
  };
  for (const path of next.keys()) walk(path, []);
  return found;
}

const importsIn = (files: Record<string, string>): ValueImport[] =>
  Object.entries(files).flatMap(([path, text]) => valueImports(parse(path, text)));

const sources = readSources();
const imports = sources.flatMap(valueImports);

test('every file under src/ is on a floor', () => {
  expect(homeless(sources)).toEqual([]);
});

test('no file imports a value from a floor above its own', () => {
  expect(climbing(imports)).toEqual([]);
});

test('no files import values in a circle', () => {
  expect(circles(imports)).toEqual([]);
});

test('only the traps, run and the kernel itself import values from the kernel', () => {
  expect(overTheWall(imports)).toEqual([]);
});

test('the rules see what they are there to see', () => {
  const bad = importsIn({
    'queue.ts': `import { Kernel } from './kernel/kernel.ts';\nexport { run } from './run.ts';`,
    'local.ts': `import './cancel.ts';`,
    'cancel.ts': `const later = () => import('./local.ts');`,
  });
  expect(climbing(bad)).toEqual([
    'src/queue.ts:2 is on floor 5 and imports src/run.ts from floor 10 above it',
  ]);
  expect(overTheWall(bad)).toEqual([
    'src/queue.ts:1 imports src/kernel/kernel.ts, which only kernel/, traps.ts, run.ts may',
  ]);
  expect(circles(bad)).toEqual(['local.ts -> cancel.ts -> local.ts']);
  expect(homeless([parse('utils.ts', '')])).toHaveLength(1);
});

test('the rules let types, packages and what is anyone’s own through', () => {
  const good = importsIn({
    'kernel/task.ts': `import type { Task } from '../task.ts';\nimport { activate } from '../activation.ts';`,
    'activation.ts': `import { readFile } from 'node:fs';\nexport type { Task } from './kernel/task.ts';`,
  });
  expect([...climbing(good), ...overTheWall(good), ...circles(good)]).toEqual([]);
});
