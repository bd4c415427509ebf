// A kernel that waits for a client, and then a task left over between two runs of a kernel, with nothing else to do.

import { Kernel, run, sleep, spawn } from 'curio';
import { AF_INET, SOCK_STREAM, socket } from 'curio/socket';

async function listening() {
  const sock = socket(AF_INET, SOCK_STREAM);
  sock.bind(['127.0.0.1', 0]);
  sock.listen(5);
  await sock.ready();
  return sock;
}

await run(async () => {
  const sock = await listening();
  console.log(`port ${(sock.getsockname() as [string, number])[1]}`);
  const [client] = await sock.accept();
  console.log('accepted');
  await client.close();
  await sock.close();
});

const kernel = new Kernel();
await kernel.run(async () => {
  const sock = await listening();
  await spawn(() => sock.accept());
  await sleep(0);
});
console.log('first run over');
await kernel.run(sleep, 0.01);
console.log('second run over');
// Left over: a task that waits in accept. The process ends nevertheless.
