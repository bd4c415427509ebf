// A producer and a consumer.
//
// The usual way for tasks to talk to each other is a queue: `get` waits while it is empty, and `put` waits while it is
// full (this one has no limit). `join` waits until `taskDone` has been called for everything that was put, so that the
// producer learns when its work has been dealt with, not only when it has been handed over.
//
// The consumer would wait for items for ever. Whoever started it cancels it when there will be no more.
//
// Watch the order: putting into a queue with room does not block, so all ten items are in it before the consumer has its
// first turn.

import { Queue, run, spawn } from 'curio';

async function producer(queue: Queue<number>) {
  for (let n = 0; n < 10; n++) {
    await queue.put(n);
  }
  await queue.join();
  console.log('Producer done');
}

async function consumer(queue: Queue<number>) {
  while (true) {
    const item = await queue.get();
    console.log('Consumer got', item);
    await queue.taskDone();
  }
}

async function main() {
  const queue = new Queue<number>();
  const prodTask = await spawn(producer, queue);
  const consTask = await spawn(consumer, queue);
  await prodTask.join();
  await consTask.cancel();
}

await run(main);

/* Prints:
Consumer got 0
Consumer got 1
Consumer got 2
Consumer got 3
Consumer got 4
Consumer got 5
Consumer got 6
Consumer got 7
Consumer got 8
Consumer got 9
Producer done
*/
