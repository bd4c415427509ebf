// A task that begins an operation, does not await it, and ends when it is told to: whatever it was chosen for must go to the
// next in line. It must know nothing of Curio's insides.

import { sleep, spawn, type Task } from 'curio';

export interface Forgetful {
  readonly task: Task;
  /** Ends the task, while the caller goes on running: no other task gets a turn in between. */
  end(): Promise<void>;
}

/** Spawns it; its operation waits when this returns, if it has to wait at all. */
export async function forgetful(operation: () => Promise<unknown>): Promise<Forgetful> {
  let release!: () => void;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const task = await spawn({ daemon: true }, async function forgetful() {
    void operation();
    await gate;
  });
  await sleep(0);
  return {
    task,
    async end() {
      release();
      for (let i = 0; i < 10 && !task.terminated; i++) await null;
      if (!task.terminated) throw new Error(`${task} has not ended`);
    },
  };
}
