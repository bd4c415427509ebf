// Counting the words of many files, with all cores.
//
// Each file is read and counted by a worker process, of which there are as many as the machine has cores; a task for each file
// waits for its turn with one of them. What comes back is a Map, which is small. While they work, the tasks of this process are
// free for something else.
//
// Give it a folder of your own: `npx tsx examples/workers/word-count.ts ~/texts`. Without one it makes a hundred files.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runInProcess, taskGroup } from 'curio';

type Counts = Map<string, number>;

function countWords(path: string): Counts {
  const counts: Counts = new Map();
  for (const [word] of readFileSync(path, 'utf8')
    .toLowerCase()
    .matchAll(/\p{L}+/gu)) {
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function makeFiles(): string {
  const folder = mkdtempSync(join(tmpdir(), 'word-count-'));
  const line = 'The quick brown fox jumps over the lazy dog, and the dog sleeps on.\n';
  for (let i = 1; i <= 100; i++) writeFileSync(join(folder, `${i}.txt`), line.repeat(i * 10));
  return folder;
}

async function main(folder: string) {
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const total: Counts = new Map();
  await taskGroup(async (group) => {
    for (const { name } of files) await group.spawn(() => runInProcess(countWords, join(folder, name)));
    for await (const task of group) {
      for (const [word, count] of task.result as Counts) total.set(word, (total.get(word) ?? 0) + count);
    }
  });
  const best = [...total].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, 5);
  console.log(files.length, 'files');
  for (const [word, count] of best) console.log(String(count).padStart(8), word);
}

const given = process.argv[2];
const folder = given ?? makeFiles();
await run(main, folder);
if (given === undefined) rmSync(folder, { recursive: true });

/* Prints:
100 files
  151500 the
  101000 dog
   50500 and
   50500 brown
   50500 fox
*/
