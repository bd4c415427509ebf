// Every kind of function that travels, sent to a thread and to a process. The same program is run from TypeScript, from compiled
// modules, and as a bundle; that its first line is printed once shows that no worker has run it again.

import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import * as os from 'node:os';
import {
  AWAIT,
  EOFError,
  Queue,
  run,
  runInProcess,
  runInThread,
  sleep,
  spawnThread,
  TaskGroup,
  TaskTimeout,
  timeoutAfter,
  UniversalQueue,
} from 'curio';
import { area, Box, counted, scaling, tripling } from './workers-library.ts';

console.log('the program runs');

const LIMIT = 5;
const fib = (n: number): number => (n < 2 ? n : fib(n - 1) + fib(n - 2));

function scaled(x: number): number {
  return x * LIMIT;
}

class Scale {
  readonly by: number;
  constructor(by: number) {
    this.by = by;
  }
  apply(x: number): number {
    return scaled(x) * this.by;
  }
}

const tools = { twice: (x: number) => 2 * x, names: ['a', 'b'] };

/** What there is, and what Node itself adds for scripts without a file. */
const globals = [
  ...Object.getOwnPropertyNames(globalThis),
  ...builtinModules,
  ...['__filename', '__dirname', 'module', 'exports', 'require'],
];

const functions: Record<string, () => unknown> = {
  'globals of its own': () =>
    Object.getOwnPropertyNames(globalThis)
      .filter((it) => !globals.includes(it))
      .join(),
  'nothing captured': () => [1, 2, 3].map((x) => x * x).join(),
  recursive: () => fib(10),
  'a plain value': () => LIMIT + 1,
  'a function with a value': () => scaled(2),
  'a class': () => new Scale(3).apply(2),
  'an object with functions': () => tools.twice(4) + tools.names.length,
  'a module of Node': () => readFileSync('/etc/passwd', 'utf8').length > 0 && os.EOL === '\n',
  'what a library exports': () => area(2, 3),
  'a class that a library exports': () => new Box(2).volume(),
  asynchronous: async () => (await import('node:path')).basename('/a/b'),
};

async function where(elsewhere: typeof runInThread | typeof runInProcess, name: string): Promise<void> {
  console.log(name);
  for (const [kind, fn] of Object.entries(functions)) console.log(`${kind}: ${await elsewhere(fn)}`);
  console.log(`an export of a library: ${await elsewhere(area, 4, 5)}`);
  console.log(`two of the same lines: ${await elsewhere(scaling, 1)}, ${await elsewhere(tripling, 1)}`);
  console.log(`a library's own state: ${await elsewhere(counted)}, ${await elsewhere(counted)}`);
  try {
    await elsewhere(function breaks() {
      throw Object.assign(new RangeError('too far'), { code: 'FAR' });
    });
  } catch (error) {
    const { code, stack } = error as Error & { code: string };
    console.log(error instanceof RangeError, code, /at breaks \(.*:\d+:\d+\)/.test(stack as string));
  }
  try {
    await timeoutAfter(0.1, () =>
      elsewhere(() => {
        for (;;);
      }),
    );
  } catch (error) {
    console.log(error instanceof TaskTimeout);
  }
  try {
    await elsewhere(() => process.exit(3));
  } catch (error) {
    console.log(error instanceof EOFError);
  }
  await elsewhere((text: string) => console.log(text), 'printed elsewhere');
}

async function threads(): Promise<void> {
  const results = new Queue<string>();
  const items = new UniversalQueue<number>();
  const thread = await spawnThread(
    (results: Queue<string>, items: UniversalQueue<number>) => {
      AWAIT(results.put(`by name: ${AWAIT(sleep, 0) > 0}`));
      AWAIT(
        results.put(
          `its own function in the kernel: ${AWAIT(async (n: number) => n + 0 * (await sleep(0)), 4)}`,
        ),
      );
      const group = new TaskGroup();
      AWAIT(group.spawn(async () => scaled(2)));
      AWAIT(group.join());
      AWAIT(results.put(`a task: ${group.result}`));
      void items.put(7);
    },
    results,
    items,
  );
  await thread.join();
  while (!results.empty()) console.log(await results.get());
  console.log(`from a thread: ${await items.get()}`);
  const doubles = await spawnThread((items: UniversalQueue<number>) => 2 * AWAIT(items.get()), items);
  await items.put(4);
  console.log(`and back: ${await doubles.join()}`);
}

async function main(): Promise<void> {
  await where(runInThread, 'threads');
  await where(runInProcess, 'processes');
  await threads();
}

void run(main).then(() => console.log('the end'));
