// The program that is looked at. `tasks N`: sleepers. `spin MS`: a task that spins so long for each line of input, and says when it begins.

import { createInterface } from 'node:readline';
import { Kernel, sleep, spawn, wait } from 'curio';
import { Monitor } from 'curio/monitor';

const [what, number] = process.argv.slice(2);
const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };

function spinFor(ms) {
  const end = performance.now() + ms;
  process.stdout.write(`${performance.timeOrigin + performance.now()}\n`);
  while (performance.now() < end);
}

const kernel = new Kernel({ logger: quiet });
const monitor = new Monitor(kernel, { port: 0 });
await kernel.run(async function main() {
  const [, port] = await wait(monitor.address);
  if (what === 'tasks')
    for (let n = 0; n < Number(number); n++) await spawn({ name: `sleeper ${n}` }, sleep, 1e6);
  console.log(port);
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  while (!(await wait(lines.next())).done) spinFor(Number(number));
  process.exit();
});
