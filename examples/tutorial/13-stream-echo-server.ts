// An echo server, with a stream.
//
// `asStream` puts a file's methods around a socket: `read`, `readline`, `write` and so on. `read(1000)` gives what is
// there, up to a thousand bytes, and waits only if that is nothing. An empty result is the end of the input.

import { run, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  const stream = client.asStream();
  while (true) {
    const data = await stream.read(1000);
    if (data.length === 0) break;
    await stream.write(data);
  }
  console.log('Connection closed');
}

await run(tcpServer, '', port, echoClient);
