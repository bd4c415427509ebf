// An echo server, line by line.
//
// A stream can be iterated over, and gives its lines, each with its newline at the end. That is what the headers of HTTP
// and many other protocols are made of. The loop ends with the client's input; a last line without a newline counts.

import { run, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  const stream = client.asStream();
  for await (const line of stream) {
    await stream.write(line);
  }
  console.log('Connection closed');
}

await run(tcpServer, '', port, echoClient);
