// Writes to a file that nobody closes, and ends in the way it is told to.

import { aopen, run, sleep } from 'curio';

const [path, end] = process.argv.slice(2) as [string, string];

await run(async () => {
  const closed = await aopen(`${path}-closed`, 'w');
  await closed.write('closed\n');
  await closed.close();
  const file = await aopen(path, 'w');
  await file.write('first\n');
  if (end !== 'late') await file.flush();
  await file.write('second\n');
  if (end === 'exit') process.exit(3);
  if (end === 'error') throw new Error('it broke');
  await sleep(0);
});
