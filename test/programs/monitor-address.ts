// A program that has nothing to do but to ask where its monitor listens.

import { Kernel, wait } from 'curio';
import { Monitor } from 'curio/monitor';

const kernel = new Kernel();
const monitor = new Monitor(kernel, { port: 0 });
await kernel.run({ shutdown: true }, async function main() {
  const [host, port] = (await wait(monitor.address))!;
  console.log(host, port);
});
