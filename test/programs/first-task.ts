// The first run() of a process must not make a task of whoever called it.

import { run, sleep } from 'curio';
import { curioRunning } from 'curio/meta';

const first = run(async () => {
  await sleep(0.02);
  return 'first run over';
});
await new Promise((resolve) => setTimeout(resolve, 5));
console.log('outside, in a task:', curioRunning());
console.log(await run(async () => 'second run, side by side'));
console.log(await sleep(0).catch((error: Error) => error.message));
console.log(await first);
console.log('outside, in a task:', curioRunning());
