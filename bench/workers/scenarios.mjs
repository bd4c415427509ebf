// Work done elsewhere, by each peer: one call after the other, sixteen at once, the first call of a process, and the end of
// an endless loop.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

const [scenario, peer] = process.argv.slice(2);

/** How many threads the peers keep. */
const THREADS = scenario === 'cold' ? 1 : 16;

const add = (a, b) => a + b;
const spin = () => {
  for (;;);
};

/** `call(n)` does one, `all(n)` sixteen at once; `end()`. A peer is made when it is first measured. */
const peers = {
  async curio() {
    const { Kernel, runInThread, spawn } = await import('curio');
    const kernel = new Kernel();
    return {
      calls: (n) =>
        kernel.run(async () => {
          for (let i = 0; i < n; i++) await runInThread(add, i, 1);
        }),
      sixteen: (n) =>
        kernel.run(async () => {
          for (let i = 0; i < n; i += 16) {
            const tasks = [];
            for (let k = 0; k < 16; k++) tasks.push(await spawn(runInThreadOf(runInThread), i, k));
            for (const task of tasks) await task.join();
          }
        }),
    };
  },
  async 'curio process'() {
    const { Kernel, runInProcess } = await import('curio');
    const kernel = new Kernel();
    return {
      calls: (n) =>
        kernel.run(async () => {
          for (let i = 0; i < n; i++) await runInProcess(add, i, 1);
        }),
    };
  },
  async piscina() {
    const { Piscina } = await import('piscina');
    const pool = new Piscina(warmThreads('./add.mjs'));
    return promised(([a, b]) => pool.run([a, b]));
  },
  async tinypool() {
    const { Tinypool } = await import('tinypool');
    const pool = new Tinypool(warmThreads('./add.mjs'));
    return promised(([a, b]) => pool.run([a, b]));
  },
  async workerpool() {
    const workerpool = await import('workerpool');
    const pool = workerpool.default.pool({ workerType: 'thread', maxWorkers: THREADS });
    return promised((args) => pool.exec(add, args));
  },
  // As a program would have it that knows its calls to be short: as many threads as cores, and eight calls sent to each.
  async 'piscina 8 each'() {
    const { Piscina } = await import('piscina');
    const threads = availableParallelism();
    const filename = new URL('./add.mjs', import.meta.url).href;
    const pool = new Piscina({
      filename,
      minThreads: threads,
      maxThreads: threads,
      concurrentTasksPerWorker: 8,
    });
    return promised(([a, b]) => pool.run([a, b]));
  },
  async worker_threads() {
    const workers = Array.from({ length: THREADS }, () => {
      const worker = new Worker(
        `const { parentPort } = require('node:worker_threads');
         parentPort.on('message', ([a, b]) => parentPort.postMessage(a + b));`,
        { eval: true },
      );
      worker.unref();
      return worker;
    });
    const idle = [...workers];
    return promised((args) => {
      const worker = idle.pop();
      return new Promise((resolve) => {
        worker.once('message', (value) => {
          idle.push(worker);
          resolve(value);
        });
        worker.postMessage(args);
      });
    });
  },
};

/** By themselves they would end a thread as soon as it has nothing to do, and start it again for the next call. */
function warmThreads(file) {
  return { filename: new URL(file, import.meta.url).href, minThreads: THREADS, maxThreads: THREADS };
}

const runInThreadOf = (runInThread) => (a, b) => runInThread(add, a, b);

function promised(call) {
  return {
    async calls(n) {
      for (let i = 0; i < n; i++) await call([i, 1]);
    },
    async sixteen(n) {
      for (let i = 0; i < n; i += 16) {
        await Promise.all(Array.from({ length: 16 }, (_, k) => call([i, k])));
      }
    },
  };
}

const made = new Map();

const measured = (peer, what) => async (n) => {
  if (!made.has(peer)) made.set(peer, await peers[peer]());
  const began = performance.now();
  await made.get(peer)[what](n);
  return (performance.now() - began) / n;
};

const names = ['curio', 'piscina', 'tinypool', 'workerpool', 'worker_threads'];
const scenarios = {
  'one call after the other': Object.fromEntries(
    [...names, 'curio process'].map((name) => [name, measured(name, 'calls')]),
  ),
  'sixteen at once': Object.fromEntries(
    [...names, 'piscina 8 each'].map((name) => [name, measured(name, 'sixteen')]),
  ),
};

/** Milliseconds until a task that runs an endless loop in a thread or process has been released. */
async function cancelling(elsewhere) {
  const { run, sleep, spawn } = await import('curio');
  return run(async () => {
    await elsewhere(add, 1, 2);
    const task = await spawn(elsewhere, spin);
    await sleep(0.1);
    const began = performance.now();
    await task.cancel();
    return performance.now() - began;
  });
}

// Called as a program: the process of one peer. What counts is time on the clock: most of it is spent in other threads.
if (scenario === 'cancel') {
  const curio = await import('curio');
  console.log(JSON.stringify(await cancelling(curio[peer])));
} else if (scenario === 'cold') {
  const { calls } = await peers[peer]();
  const began = performance.now();
  await calls(1);
  console.log(JSON.stringify(performance.now() - began));
  process.exit();
} else {
  const { createInterface } = await import('node:readline');
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await scenarios[scenario][peer](Number(line))));
  }
  process.exit();
}
