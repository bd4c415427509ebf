// Three queues.
//
// A `Queue` gives its items in the order they came, a `PriorityQueue` the smallest first (arrays are compared element by
// element), a `LifoQueue` the newest first. With a size, `put` waits while the queue is full.

import { LifoQueue, PriorityQueue, Queue, run, spawn } from 'curio';

async function fill(queue: Queue<[number, string]>) {
  await queue.put([2, 'butter']);
  await queue.put([1, 'bread']);
  await queue.put([3, 'jam']);
}

async function take(queue: Queue<[number, string]>) {
  const names: string[] = [];
  while (!queue.empty()) {
    const [, name] = await queue.get();
    names.push(name);
  }
  return names.join(', ');
}

async function main() {
  for (const queue of [
    new Queue<[number, string]>(),
    new PriorityQueue<[number, string]>(),
    new LifoQueue<[number, string]>(),
  ]) {
    await fill(queue);
    console.log(`${queue.constructor.name}: ${await take(queue)}`);
  }

  const small = new Queue<[number, string]>(2);
  const filling = await spawn(fill, small);
  const first = await small.get();
  console.log('The first of', small.size(), 'more:', first);
  console.log(await take(small));
  await filling.join();
}

await run(main);

/* Prints:
Queue: butter, bread, jam
PriorityQueue: bread, butter, jam
LifoQueue: jam, bread, butter
The first of 2 more: [ 2, 'butter' ]
bread, jam
*/
