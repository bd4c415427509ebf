// Waiting without reading.
//
// `readWait` puts the task to sleep until there is something to read, and does not read it: the low-level operation that `recv`
// itself is made of. `ioWaiting` tells who sleeps on a socket, first the one that waits to read, then the one that waits to write.

import { run, sleep, spawn } from 'curio';
import { type Socket, socketpair } from 'curio/socket';
import { ioWaiting, readWait } from 'curio/traps';

async function reader(sock: Socket) {
  await readWait(sock);
  console.log('there is something');
  console.log('it is', (await sock.recv(100)).toString());
}

async function main() {
  const [here, there] = socketpair();
  const task = await spawn(reader, here);
  await sleep(1);
  const [reading, writing] = await ioWaiting(here);
  console.log(`${reading}`, writing);
  await there.sendall('a greeting');
  await task.join();
  await here.close();
  await there.close();
}

await run(main);

/* Prints:
Task(id=2, name='reader', state='READ_WAIT') null
there is something
it is a greeting
*/
