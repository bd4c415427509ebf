// Async functions, and the task that runs them.
//
// Calling an async function from another with `await` makes no task; the two are parts of the same one. `run` makes the
// task. It takes the function and its arguments separately, because a call written out, `run(main('Guido'))`, would have
// begun before there was a kernel; it is refused with an error that says so.

import { run } from 'curio';

async function hello(name: string) {
  return `Hello ${name}`;
}

async function main(name: string) {
  const greeting = await hello(name);
  console.log(greeting);
}

await run(main, 'Guido');

/* Prints:
Hello Guido
*/
