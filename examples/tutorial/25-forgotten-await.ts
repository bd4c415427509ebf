// A forgotten await.
//
// The most common mistake of all. Without its `await`, `sleep(5)` begins to wait and the loop does not, so it comes
// round and asks to sleep a second time. But a task waits for one thing at a time: the second call throws a
// `TaskBusyError` on the spot, the task fails with it, and so does `run`. You see one line of the countdown more than
// you should, and then the reason why there are no others.
//
// (The linter's `noFloatingPromises` finds this mistake before the program runs. It is switched off for one line here.)

import { run, sleep, TaskBusyError } from 'curio';

async function countdown(n: number) {
  while (n > 0) {
    console.log('T-minus', n);
    // biome-ignore lint/nursery/noFloatingPromises: this is what the example shows.
    sleep(5); // Missing await
    n -= 1;
  }
}

try {
  await run(countdown, 10);
} catch (error) {
  if (!(error instanceof TaskBusyError)) throw error;
  console.log(error.message);
}

/* Prints:
T-minus 10
T-minus 9
Task(id=1, name='countdown') called sleep() while its sleep() was still waiting. A task does one blocking operation at a time: write await in front of the first, or give each a task of its own with gather([...]) or a TaskGroup. A callback does what blocks in a task that it spawns.
*/

/* Warns:
curio warn: Task(id=1, name='countdown') ended while its sleep() was still waiting: the operation was never awaited, and has been withdrawn. Write await in front of it.
*/
