// Reads the lines of a file of a gigabyte, in each mode, and prints what there was, and whether it took more memory than a
// few pieces of the file. The path is the first argument.

import { openSync } from 'node:fs';
import { run } from 'curio';
import { aopen } from 'curio/file';
import { FileStream } from 'curio/io';

const path = process.argv[2] as string;

async function count(lines: AsyncIterable<string | Buffer>): Promise<[lines: number, units: number]> {
  let number = 0;
  let units = 0;
  for await (const line of lines) {
    number++;
    units += line.length;
  }
  return [number, units];
}

await run(async () => {
  await using text = await aopen(path, 'r');
  console.log('text', ...(await count(text)));
  await using bytes = await aopen(path, 'rb');
  console.log('bytes', ...(await count(bytes)));
  await using stream = new FileStream(openSync(path, 'r'));
  console.log('stream', ...(await count(stream)));
});
// Kilobytes at most at any time; Node itself takes some sixty thousand.
const { maxRSS } = process.resourceUsage();
console.log(maxRSS < 400_000 ? 'in constant memory' : `in ${maxRSS} kB`);
