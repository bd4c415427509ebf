// Files.
//
// `aopen` takes Python's modes. A file opened as text reads and writes strings, whatever their encoding; with a `b` in the mode it
// is bytes. `for await` goes through the lines, in constant memory. All of it can be cancelled and timed out, and while
// a slow disk is working other tasks run.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aopen, run } from 'curio';

async function main(path: string) {
  {
    await using file = await aopen(path, 'w', { encoding: 'utf-8' });
    await file.write('Grüße\n');
    await file.writelines(['aus\n', 'Köln\n']);
  }

  {
    await using file = await aopen(path);
    for await (const line of file) console.log('line:', line.trimEnd());
  }

  {
    await using file = await aopen(path, 'r+b');
    await file.seek(-6, 2); // from the end
    const start = await file.tell();
    console.log('at', start, await file.read());
    await file.seek(start);
    await file.write(Buffer.from('Bonn\n'));
    await file.truncate();
  }

  await using file = await aopen(path);
  console.log(await file.readlines());
  await file.seek(0);

  // For code that has to be synchronous, and for a moment only: it blocks everybody.
  using blocking = file.blocking();
  console.log(blocking.raw.read());
}

const folder = await mkdtemp(join(tmpdir(), 'curio-'));
await run(main, join(folder, 'greetings.txt'));
await rm(folder, { recursive: true });

/* Prints:
line: Grüße
line: aus
line: Köln
at 12 <Buffer 4b c3 b6 6c 6e 0a>
[ 'Grüße\n', 'aus\n', 'Bonn\n' ]
Grüße
aus
Bonn

*/
