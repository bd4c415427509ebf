// The comments of src/. Their examples compile. They are short, so they leave out what goes without saying: importing what Curio
// exports, and things of which the name says what they are. Those are listed here; anything else an example has to declare. And
// they say where the original documents what the package exports, or it is listed here as our own.

import { dirname } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { entries, root, specifier } from '../scripts/entries.mjs';
import { readSources } from './house/sources.ts';
import { type Block, examplesOf, freeNames, typeErrors } from './kit/blocks.ts';

/** What an example may take for granted: the reader's own things. */
const granted: Record<string, string> = {
  address: "import('curio/socket').Address",
  client: "import('curio/socket').Socket",
  consumer: "(queue: import('curio').Queue<string>) => void",
  context: "import('curio/ssl').SSLContext",
  countdown: '(seconds: number) => Promise<void>',
  data: 'Buffer',
  echoClient:
    "(client: import('curio/socket').Socket, address: import('curio/socket').Address) => Promise<void>",
  file: "import('curio').AsyncFile<string>",
  handler: "(client: import('curio/socket').Socket) => Promise<void>",
  id: 'number',
  kid: "import('curio').Task",
  loadAsync: '(path: string) => Promise<string>',
  loadPosts: '(id: number) => Promise<string[]>',
  loadSync: '(path: string) => string',
  loadUser: '(id: number) => Promise<string>',
  lock: "import('curio').Lock",
  main: '(name?: string) => Promise<void>',
  filename: 'string',
  image: 'Buffer',
  first: '() => Promise<void>',
  MessageChannel: "typeof import('node:worker_threads').MessageChannel",
  one: '() => Promise<number>',
  Piscina:
    'new (options: { filename: string }) => { run(args: readonly unknown[], options: { signal: AbortSignal }): Promise<unknown> }',
  queue: "import('curio').Queue<string>",
  readFileSync: "typeof import('node:fs').readFileSync",
  resize: '(image: Buffer) => Buffer',
  readFile: "typeof import('node:fs/promises').readFile",
  second: '() => Promise<void>',
  server: "import('node:net').Server",
  stream: "import('curio/io').SocketStream",
  two: '() => Promise<number>',
  url: 'URL',
  Worker: "typeof import('node:worker_threads').Worker",
  workerFile: 'URL',
  writeLog: '() => Promise<void>',
};

const exported = new Map(
  await Promise.all(
    Object.entries(entries).map(
      async ([name, source]) => [name, Object.keys(await import(root + source))] as [string, string[]],
    ),
  ),
);

/** The subpath that the reader of `page` would import `name` from: the one that `page` is part of, else `curio`. */
function homeOf(name: string, page: string): string | undefined {
  const homes = [...exported].filter(([, names]) => names.includes(name)).map(([home]) => home);
  const own = (home: string) =>
    entries[home] === page || (dirname(page) !== 'src' && dirname(entries[home]!) === dirname(page));
  return homes.find(own) ?? homes.find((home) => home === 'index') ?? homes[0];
}

/** The example with what it leaves out, all in one line before it. */
function completed(block: Block): Block {
  const preamble = freeNames(block.code).map((name) => {
    if (granted[name] !== undefined) return `declare const ${name}: ${granted[name]};`;
    const home = homeOf(name, block.page);
    return home === undefined ? '' : `import { ${name} } from '${specifier(home)}';`;
  });
  return { ...block, line: block.line - 1, code: `${preamble.join(' ')}\n${block.code}` };
}

const examples = readSources().flatMap(({ path }) => examplesOf(`src/${path}`));

describe('the examples in the comments of the sources', () => {
  // One that does not is among them: what finds nothing may have looked at nothing.
  test('compile', { timeout: 180_000 }, async () => {
    const code = "const lock = new Lock();\nawait lock.acquire('now');\nconst n: number = nobody;\n";
    const wrong: Block = { page: 'src/x.ts', line: 7, code, runs: false, output: '', log: '' };
    expect(examples.length).toBeGreaterThan(35);
    expect(await typeErrors([...examples, wrong].map(completed))).toEqual([
      'src/x.ts:8: Expected 0 arguments, but got 1.',
      "src/x.ts:9: Cannot find name 'nobody'.",
    ]);
  });

  test('take nothing for granted that none of them uses', () => {
    const used = new Set(examples.flatMap(({ code }) => freeNames(code)));
    expect(Object.keys(granted).filter((name) => !used.has(name))).toEqual([]);
  });
});

/** What the documents of the original have: the headings of their sections. */
const sections: Record<string, string[]> = {
  'Reference manual': [
    'Coroutines',
    'Basic Execution',
    'Tasks',
    'Task Groups',
    'Time',
    'Timeouts',
    'Cancellation Control',
    'Synchronization Primitives',
    'Queues',
    // Spelled as it is there.
    'Universal Synchronizaton',
    'Blocking Operations and External Work',
    'Socket',
    'Streams',
    'Files',
    'High Level Networking',
    'Message Passing and Channels',
    'socket module',
    'ssl module',
    'Subprocesses',
    'Asynchronous Threads',
    'Scheduler Activations',
    'Asynchronous Metaprogramming',
    'Exceptions',
    'Low-level Traps and Scheduling',
    'Debugging and Diagnostics',
  ],
  Tutorial: [
    'Tasks',
    'Signals',
    'Number Crunching and Blocking Operations',
    'Blocking I/O',
    'Subprocesses',
    'Task-local storage',
  ],
};

/** Functions and classes that no section of the original names. */
const ours = new Set([
  // What goes wrong here only, or has no name there.
  ...['AuthenticationError', 'ConnectionError', 'DeadlockError', 'EOFError', 'NotSupportedError'],
  ...['TaskBusyError', 'TaskKilled'],
  'driverInfo',
  // All of curio/testing.
  ...['VirtualClock', 'cancelEverywhere', 'explore', 'randomNumbers'],
]);

/** The names of the functions and classes of the package whose comments have no `@see`. */
function withoutSection(): string[] {
  const program = ts.createProgram(
    Object.values(entries).map((source) => root + source),
    {
      module: ts.ModuleKind.NodeNext,
      allowImportingTsExtensions: true,
      noEmit: true,
      noLib: true,
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  const names = Object.values(entries).flatMap((source) => {
    const file = checker.getSymbolAtLocation(program.getSourceFile(root + source)!)!;
    return checker
      .getExportsOfModule(file)
      .map((name) => (name.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(name) : name))
      .filter(({ flags }) => flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Class))
      .filter((it) => !it.getJsDocTags(checker).some((tag) => tag.name === 'see'))
      .map(({ name }) => name);
  });
  return [...new Set(names)];
}

describe('what the comments of the sources say of the original', () => {
  test('is said of every function and class of the package that it has, and of no other', () => {
    expect(withoutSection().sort()).toEqual([...ours].sort());
  });

  test('names sections that exist', () => {
    const wrong = readSources().flatMap(({ path, tree }) =>
      [...tree.text.matchAll(/\* @see (.*)/g)]
        .filter(([, where]) => {
          const [, document, section] = /^([^,]+), "([^"]+)"/.exec(where!) ?? [];
          return !sections[document ?? '']?.includes(section!);
        })
        .map(([tag]) => `src/${path}: ${tag}`),
    );
    expect(wrong).toEqual([]);
  });
});
