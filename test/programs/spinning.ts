// A server of echo clients beside a task that spins: until somebody kills it, nobody is served. It says its echo port, and
// what its joiner saw. With the argument `clock` it spins in functions of Node's own.

import { Kernel, runServer, spawn, TaskError, tcpServerSocket, wait } from 'curio';
import { Monitor } from 'curio/monitor';
import type { Socket } from 'curio/socket';

async function spinner() {
  // Not before somebody can come and see.
  await wait(monitor.address);
  console.log('spinning');
  if (process.argv[2] === 'clock') for (;;) globalThis.performance.now();
  for (let n = 0; ; n++) Math.sqrt(n);
}

async function echo(client: Socket) {
  for (;;) {
    const data = await client.recv(1000);
    if (data.length === 0) return;
    await client.sendall(data);
  }
}

async function outside() {
  await wait(new Promise((resolve) => setTimeout(resolve, 100)));
  return 'a promise settled meanwhile';
}

async function main() {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  console.log('port', sock.getsockname()[1]);
  const server = await spawn(runServer, sock, echo);
  const other = await spawn(outside);
  const task = await spawn(spinner);
  try {
    await task.join();
  } catch (error) {
    if (!(error instanceof TaskError)) throw error;
    console.log('joined:', (error.cause as Error).name);
  }
  console.log(await other.join());
  await server.join();
}

await using kernel = new Kernel();
const monitor = new Monitor(kernel, { port: 0 });
await kernel.run(main);
