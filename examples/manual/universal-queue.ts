// A queue between two worlds.
//
// The consumer is a task. The producer is an ordinary async function that knows nothing of tasks: it was started outside
// of the kernel, and waits with Node's own timers. A `UniversalQueue` has the same methods on both sides. In a task they
// are operations like others, and can be cancelled; elsewhere they give ordinary promises.

import { setTimeout as delay } from 'node:timers/promises';
import { run, spawn, UniversalQueue } from 'curio';

async function consumer(queue: UniversalQueue<number | null>) {
  console.log('Consumer starting');
  while (true) {
    const item = await queue.get();
    if (item === null) break;
    console.log('Got:', item);
    await queue.taskDone();
  }
  console.log('Consumer done');
}

async function producer(queue: UniversalQueue<number | null>) {
  for (let i = 0; i < 10; i++) {
    await queue.put(i);
    await delay(100);
  }
  await queue.join();
  console.log('Producer done');
  await queue.put(null);
}

async function main(queue: UniversalQueue<number | null>) {
  const task = await spawn(consumer, queue);
  await task.join();
  await queue.shutdown();
}

const queue = new UniversalQueue<number | null>();
await Promise.all([producer(queue), run(main, queue)]);

/* Prints:
Consumer starting
Got: 0
Got: 1
Got: 2
Got: 3
Got: 4
Got: 5
Got: 6
Got: 7
Got: 8
Got: 9
Producer done
Consumer done
*/
