// A queue between a thread and a task.
//
// The producer is a thread: there the queue's methods block, and need no `await`. What the thread prints appears at once.

import { run, runInThread, spawn, UniversalQueue } from 'curio';

async function consumer(queue: UniversalQueue<number | null>) {
  console.log('Consumer starting');
  for (;;) {
    const item = await queue.get();
    if (item === null) break;
    console.log('Got:', item);
    await queue.taskDone();
  }
  console.log('Consumer done');
}

function producer(queue: UniversalQueue<number | null>) {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let i = 0; i < 5; i++) {
    void queue.put(i);
    Atomics.wait(pause, 0, 0, 100);
  }
  void queue.join();
  console.log('Producer done');
}

async function main() {
  const queue = new UniversalQueue<number | null>();
  const task = await spawn(consumer, queue);
  await runInThread(producer, queue);
  await queue.put(null);
  await task.join();
  await queue.shutdown();
}

await run(main);

/* Prints:
Consumer starting
Got: 0
Got: 1
Got: 2
Got: 3
Got: 4
Producer done
Consumer done
*/
