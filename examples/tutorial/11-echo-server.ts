// An echo server, with plain sockets.
//
// One task waits for clients, and starts another for each that comes: a server for as many clients at once as you like,
// written like one for a single client. Everything that may have to wait has an `await` in front of it, and the rest of
// a socket's methods are what they are everywhere.
//
// Start it, and talk to it from other windows with `nc localhost 25000` or telnet. What you type comes back, in each
// window its own. Ctrl-C ends a conversation, or the server.
//
// The number given to `listen` says how many clients may stand in line until they are accepted; a thousand may come at
// once. Nobody will ever ask how a client's task ended, hence `daemon`. `await using` closes a socket at the end of the
// block, whatever the reason for leaving it.

import { run, spawn } from 'curio';
import {
  type Address,
  AF_INET,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_SOCKET,
  type Socket,
  socket,
} from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoServer(address: Address) {
  await using sock = socket(AF_INET, SOCK_STREAM);
  sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1);
  sock.bind(address);
  sock.listen(1000);
  console.log('Server listening at', address);
  while (true) {
    const [client, addr] = await sock.accept();
    await spawn({ daemon: true }, echoClient, client, addr);
  }
}

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  await using _ = client;
  while (true) {
    const data = await client.recv(1000);
    if (data.length === 0) break;
    await client.sendall(data);
  }
  console.log('Connection closed');
}

await run(echoServer, ['', port]);
