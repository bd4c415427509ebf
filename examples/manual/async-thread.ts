// A thread that waits for what the kernel does.
//
// Everything in `consumer` runs in a thread of its own, where it may compute and block as it likes. `AWAIT` does an
// operation in the kernel, and blocks the thread until it is done. That is also where a cancellation comes out.

import { AWAIT, CancelledError, Queue, run, sleep, spawnThread } from 'curio';

function consumer(queue: Queue<number>) {
  try {
    for (;;) {
      const item = AWAIT(queue.get());
      console.log('Got:', item);
      AWAIT(queue.taskDone());
    }
  } catch (error) {
    if (error instanceof CancelledError) console.log('Consumer goodbye!');
    throw error;
  }
}

async function main() {
  const queue = new Queue<number>();
  const thread = await spawnThread(consumer, queue);
  for (let i = 0; i < 5; i++) {
    await queue.put(i);
    await sleep(1);
  }
  await queue.join();
  await thread.cancel();
}

await run(main);

/* Prints:
Got: 0
Got: 1
Got: 2
Got: 3
Got: 4
Consumer goodbye!
*/
