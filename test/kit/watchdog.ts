// Ends a test that loops without ever letting a timer run: such a test cannot be timed out from inside. A
// thread of its own sees that this process has stopped beating, says which test was running, and ends the process.
// Vitest loads this file before each test file. It must know nothing of Curio.

import { Worker } from 'node:worker_threads';
import { beforeEach } from 'vitest';

const limit = 20;
const names = new SharedArrayBuffer(1024);
const beats = new Int32Array(new SharedArrayBuffer(4));

const watch = `
  const { workerData } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  const { names, beats, limit } = workerData;
  let last = -1, still = 0;
  setInterval(() => {
    const beat = Atomics.load(beats, 0);
    still = beat === last ? still + 1 : 0;
    last = beat;
    if (still < limit) return;
    const name = Buffer.from(new Uint8Array(names)).toString().split('\\0')[0];
    writeSync(2, 'watchdog: the event loop stood still for ' + limit + ' s in: ' + name + '\\n');
    process.kill(process.pid, 'SIGKILL');
  }, 1000);
`;

new Worker(watch, { eval: true, workerData: { names, beats, limit }, stdin: false }).unref();
setInterval(() => Atomics.add(beats, 0, 1), 500).unref();

beforeEach(({ task }) => {
  const bytes = Buffer.from(`${task.file.name}: ${task.name}`).subarray(0, 1000);
  const cell = new Uint8Array(names);
  cell.fill(0);
  cell.set(bytes);
});
