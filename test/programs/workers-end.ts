// What workers print, and how programs with workers end.

import { run, runInProcess, runInThread, sleep, spawn } from 'curio';

const prints = (count: number, done: Int32Array): void => {
  for (let i = 0; i < count; i++) console.log(`line ${i}`);
  Atomics.store(done, 0, 1);
  for (;;);
};

const programs: Record<string, () => Promise<void>> = {
  async print() {
    await runInThread(() => 1);
    const done = new Int32Array(new SharedArrayBuffer(4));
    const task = await spawn(() => runInThread(prints, 200, done));
    while (Atomics.load(done, 0) === 0) await sleep(0.01);
    await task.cancel();
    console.log('cancelled');
  },
  async order() {
    for (const i of [1, 2]) {
      console.log(`main ${i}`);
      await runInThread((n: number) => console.log(`worker ${n}`), i);
    }
    console.log('main 3');
  },
  async exit() {
    console.log(await runInProcess(() => process.pid));
    await spawn(() =>
      runInProcess(() => {
        for (;;);
      }),
    );
    await sleep(0.1);
    process.exit(5);
  },
};

const wanted = process.argv[2] as string;
void run(programs[wanted]!).then(() => wanted === 'print' && console.log('end'));
