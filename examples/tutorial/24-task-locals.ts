// Who is speaking?
//
// A server that handles many requests at once wants to know which of them a line in its log belongs to, without handing
// a tag from function to function. A `Local` is an object whose properties belong to the task that reads or writes
// them: each request sets its own `tag`, and finds its own again.
//
// Two things to notice. Reading and writing take no `await`, so a plain function like `log` can do it, and so can a
// logging library that calls you back. And a task starts with a copy of what its spawner had, so the two helpers of
// each request speak with the request's tag although they never set one.
//
// The pauses look random and are the same in every run, so you will see the lines below, in this order.

import { Local, run, sleep, spawn } from 'curio';
import { randomNumbers } from 'curio/testing';

const random = randomNumbers(0);

const requestInfo = new Local<{ tag: number }>();

function log(message: string) {
  console.log(`request ${requestInfo.tag}: ${message}`);
}

async function concurrentHelper(job: number) {
  log(`running helper task ${job}`);
  await sleep(random());
  log(`finished helper task ${job}`);
}

async function handleRequest(tag: number) {
  requestInfo.tag = tag;

  log('Request received');
  await sleep(random());
  const helpers = [await spawn(concurrentHelper, 1), await spawn(concurrentHelper, 2)];
  for (const helper of helpers) {
    await helper.join();
  }
  await sleep(random());
  log('Request complete');
}

async function main() {
  const tasks = [];
  for (let i = 0; i < 3; i++) {
    tasks.push(await spawn(handleRequest, i));
  }
  for (const task of tasks) {
    await task.join();
  }
}

await run(main);

/* Prints:
request 0: Request received
request 1: Request received
request 2: Request received
request 0: running helper task 1
request 0: running helper task 2
request 2: running helper task 1
request 2: running helper task 2
request 1: running helper task 1
request 1: running helper task 2
request 0: finished helper task 1
request 0: finished helper task 2
request 2: finished helper task 2
request 1: finished helper task 1
request 2: finished helper task 1
request 0: Request complete
request 1: finished helper task 2
request 2: Request complete
request 1: Request complete
*/
