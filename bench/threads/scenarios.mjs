// What is measured of threads: round trips, and items one way and the other. Each peer keeps its threads from round to round.

import { MessageChannel, Worker } from 'node:worker_threads';

/** A worker of nothing but Node, with a port and a shared word. */
function bare(body) {
  const { port1, port2 } = new MessageChannel();
  const word = new Int32Array(new SharedArrayBuffer(4));
  new Worker(
    `const { workerData, receiveMessageOnPort } = require('node:worker_threads');
     const { port, word } = workerData;
     ${body}`,
    { eval: true, workerData: { port: port2, word }, transferList: [port2] },
  ).unref();
  return { port: port1, word };
}

/** Round trips: the thread is told how many, blocks for each answer, and says when it has all. */
function roundTrips(looks) {
  const { port, word } = bare(`
    port.on('message', (n) => {
      for (let i = 0; i < n; i++) {
        const seen = Atomics.load(word, 0);
        port.postMessage(i);
        for (let look = 0; look < ${looks} && Atomics.load(word, 0) === seen; look++);
        Atomics.wait(word, 0, seen);
        receiveMessageOnPort(port);
      }
      port.postMessage('done');
    });`);
  let done;
  port.on('message', (message) => {
    if (message === 'done') return done();
    port.postMessage(message);
    Atomics.add(word, 0, 1);
    Atomics.notify(word, 0);
  });
  return (n) =>
    new Promise((resolve) => {
      done = resolve;
      port.postMessage(n);
    });
}

const scenarios = {
  await: {
    async curio() {
      const { AWAIT, Event, Kernel, Queue, spawnThread } = await import('curio');
      const kernel = new Kernel();
      const orders = new Queue();
      const done = new Queue();
      const set = new Event();
      await kernel.run(async () => {
        await set.set();
        await spawnThread(
          (orders, done, set) => {
            for (;;) {
              const n = AWAIT(orders.get());
              for (let i = 0; i < n; i++) AWAIT(set.wait());
              AWAIT(done.put(n));
            }
          },
          orders,
          done,
          set,
        );
      });
      return (n) =>
        kernel.run(async () => {
          await orders.put(n);
          await done.get();
        });
    },
    'spinning port': () => roundTrips(8000),
    'sleeping port': () => roundTrips(0),
  },

  up: {
    async curio() {
      const { Kernel, runInThread, spawn, UniversalQueue } = await import('curio');
      const kernel = new Kernel();
      const items = new UniversalQueue();
      const produce = (queue, n) => {
        for (let i = 0; i < n; i++) queue.put(i);
      };
      return (n) =>
        kernel.run(async () => {
          const producer = await spawn(runInThread, produce, items, n);
          for (let i = 0; i < n; i++) await items.get();
          await producer.join();
        });
    },
    port() {
      const { port } = bare(
        `port.on('message', (n) => { for (let i = 0; i < n; i++) port.postMessage(i); });`,
      );
      return (n) =>
        new Promise((resolve) => {
          let got = 0;
          port.removeAllListeners('message');
          port.on('message', () => {
            if (++got === n) resolve();
          });
          port.postMessage(n);
        });
    },
  },

  down: {
    async curio() {
      const { Kernel, runInThread, spawn, UniversalQueue } = await import('curio');
      const kernel = new Kernel();
      const items = new UniversalQueue();
      const consume = (queue, n) => {
        for (let i = 0; i < n; i++) queue.get();
      };
      return (n) =>
        kernel.run(async () => {
          const consumer = await spawn(runInThread, consume, items, n);
          for (let i = 0; i < n; i++) await items.put(i);
          await consumer.join();
        });
    },
    port() {
      const { port } = bare(`
        let left = 0;
        port.on('message', (n) => {
          if (left === 0) left = n;
          else if (--left === 0) port.postMessage('done');
        });`);
      return (n) =>
        new Promise((resolve) => {
          port.removeAllListeners('message');
          port.on('message', resolve);
          port.postMessage(n);
          for (let i = 0; i < n; i++) port.postMessage(i);
        });
    },
  },
};

// Called as a program: the process of one peer.
const [scenario, peer] = process.argv.slice(2);
const round = await scenarios[scenario][peer]();
const { createInterface } = await import('node:readline');
for await (const line of createInterface({ input: process.stdin })) {
  const n = Number(line);
  const began = performance.now();
  await round(n);
  const took = performance.now() - began;
  if (process.env.CPU) console.error(scenario, peer, n, (n / took).toFixed(1), 'k/s', process.cpuUsage());
  console.log(JSON.stringify(took / n));
}
process.exit();
