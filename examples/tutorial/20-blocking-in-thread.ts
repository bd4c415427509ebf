// A socket for code that blocks, in a thread.
//
// What the last program hands to blocking code it may also hand to a thread: the raw socket crosses to it, and there it may
// block for as long as it likes. The task waits for the thread, and everybody else has turns as ever. So a kernel can look
// after very many connections of which few are active, and leave these to code that was written for threads.
//
// A thread that hangs in such a call cannot be ended before the call is over; close the other end, or shut the socket down.

import { run, runInThread, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  while (true) {
    const data = await client.recv(1000);
    if (data.length === 0) break;

    // For a moment, an ordinary blocking socket.
    using blocking = client.blocking();
    await runInThread((raw, bytes) => raw.sendall(bytes), blocking.raw, data);
  }
  console.log('Connection closed');
}

await run(tcpServer, '', port, echoClient);
