// One name for two functions.
//
// `awaitable` attaches an asynchronous version to a synchronous function. Called in a task the asynchronous one is used,
// and anywhere else the synchronous one.

import { run } from 'curio';
import { awaitable } from 'curio/meta';

const spam = awaitable((x: number, y: number) => {
  console.log('Synchronous ->', x, y);
})(async (x: number, y: number) => {
  console.log('Asynchronous ->', x, y);
});

async function main() {
  await spam(2, 3);
}

void spam(2, 3);
await run(main);

/* Prints:
Synchronous -> 2 3
Asynchronous -> 2 3
*/
