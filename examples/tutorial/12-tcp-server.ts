// An echo server, the shorter way.
//
// `tcpServer` does what every server does: it makes the socket, binds it, accepts clients, starts a task for each, and
// closes the client's socket when that task has ended. What is left to write is what the server is for.

import { run, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  while (true) {
    const data = await client.recv(1000);
    if (data.length === 0) break;
    await client.sendall(data);
  }
  console.log('Connection closed');
}

await run(tcpServer, '', port, echoClient);
