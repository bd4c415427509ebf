// Where a task stands, if stacks are captured.

import { Event, run, sleep, spawn, type TaskCancelled } from 'curio';

async function inner(event: Event) {
  await event.wait();
}

await run(async () => {
  const task = await spawn(async function outer() {
    await inner(new Event());
  });
  await sleep(0);
  const where = task.where();
  console.log(where === null ? 'nowhere' : `${where[0].split('/').pop()}:${where[1]}`);
  console.log(task.traceback().replace(/id=\d+/, 'id=N'));
  await task.cancel();
  const { requestedAt } = task.exception as TaskCancelled;
  console.log(requestedAt === null ? 'nowhere' : `${requestedAt[0].split('/').pop()}:${requestedAt[1]}`);
});
