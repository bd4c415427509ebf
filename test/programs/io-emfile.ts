// A server that runs out of descriptors: started with few of them. More clients come than there are descriptors for both
// ends; then some leave, and those who stood in line are served.

import { openConnection, run, runServer, sleep, spawn, tcpServerSocket } from 'curio';
import type { Socket } from 'curio/io';

await run(async () => {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  const [, port] = sock.getsockname() as [string, number];
  let served = 0;
  const server = await spawn(runServer, sock, async (client: Socket) => {
    served++;
    for (let data = await client.recv(100); data.length > 0; data = await client.recv(100))
      await client.sendall(data);
  });
  const clients: Socket[] = [];
  try {
    for (;;) {
      clients.push(await openConnection('127.0.0.1', port));
      if (clients.length % 5 === 0) await sleep(0.005);
    }
  } catch (error) {
    console.log((error as NodeJS.ErrnoException).code);
  }
  await sleep(0.05);
  const waiting = clients.length - served;
  console.log(waiting > 0 ? 'some wait' : 'nobody waits');
  // The server has what these free; the client's own half would do for it too.
  for (const client of clients.splice(0, 10)) await client.close();
  await sleep(0.3);
  const last = clients.at(-1) as Socket;
  await last.sendall('served at last?');
  console.log(String(await last.recv(100)));
  console.log(server.terminated ? 'the server has ended' : 'the server goes on');
  for (const client of clients) await client.close();
  await server.cancel();
});
