// Programs that come to a point where nothing can wake any task: Node would exit there, in silence.

import { DeadlockError, Event, Kernel, Queue, run, sleep, spawn, type TaskCancelled, wait } from 'curio';

const cases: Record<string, () => Promise<unknown>> = {
  /** Run again after a deadlock, and clean up in it. */
  async event() {
    const event = new Event();
    await using kernel = new Kernel();
    try {
      await kernel.run(async function main() {
        try {
          await event.wait();
        } catch (error) {
          console.log('cancelled by', ((error as TaskCancelled).cause as Error).name);
          await sleep(0.01);
          console.log('cleaned up');
          throw error;
        }
      });
    } catch (error) {
      if (!(error instanceof DeadlockError)) throw error;
      console.log(error.message.replace(/^\d+/gm, 'N'));
    }
    console.log(await kernel.run(async () => 'still usable'));
  },

  /** A promise that nothing will settle. */
  async promise() {
    for (const hang of [() => new Promise(() => {}), () => wait(new Promise(() => {}))]) {
      await run(hang).catch((error: Error) => console.log(error.name));
    }
  },

  /** Two kernels that wait for each other. */
  async kernels() {
    const [there, back] = [new Queue<number>(), new Queue<number>()];
    const results = await Promise.allSettled([
      run(async () => {
        await there.get();
        await back.put(1);
      }),
      run(async () => {
        await back.get();
        await there.put(1);
      }),
    ]);
    for (const result of results) console.log(result.status === 'rejected' && result.reason.name);
  },

  /** A task that swallows every cancellation. */
  async stubborn() {
    const event = new Event();
    await run(async () => {
      const task = await spawn(async () => {
        for (;;) await event.wait().catch(() => {});
      });
      await task.join();
    }).catch((error: Error) => console.log(error.name));
  },

  /** A timer of the user's own is somebody who may wake a task. */
  async timer() {
    const event = new Event();
    setTimeout(() => void run(() => event.set()), 20);
    await run(() => event.wait());
    console.log('woken');
  },

  /** Nobody catches it. */
  async uncaught() {
    await run(async function main() {
      await new Event().wait();
    });
  },
};

await cases[process.argv[2] as string]!();
console.log('end');
