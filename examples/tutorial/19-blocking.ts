// A socket for code that blocks.
//
// Some code wants a socket that blocks, because it was written for one. `blocking()` hands out the raw socket in blocking
// mode for as long as the block lasts; with the posix driver it has synchronous `recv`, `send`, `sendall` and `fileno`.
// (The portable driver has no such thing, and says so.)
//
// While such a call blocks, nothing else in the program runs. That is all right for a few bytes, as here, and not for a
// client that does not read. `runInThread` is the place for what blocks for longer.

import { run, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  while (true) {
    const data = await client.recv(1000);
    if (data.length === 0) break;

    // For a moment, an ordinary blocking socket.
    using blocking = client.blocking();
    blocking.raw.sendall(data);
  }
  console.log('Connection closed');
}

await run(tcpServer, '', port, echoClient);
