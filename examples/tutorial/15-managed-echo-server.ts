// An echo server that can be restarted.
//
// The server is a task like any other, so it can be cancelled. Here a signal does it: SIGHUP restarts the server, Ctrl-C
// (a SIGINT) ends the program. Cancelling a server cancels the tasks of its clients as well and waits for them, be there
// one or a thousand. Each gets the chance to say good-bye, and then throws the cancellation on.
//
// A `SignalQueue` is to signals what a queue is to items: `get` waits for the next one and tells which it was.
//
//     nc localhost 25000               type something; it comes back
//     kill -HUP <the server's PID>     nc prints "Server going down", and the next nc is served by a new server

import { CancelledError, run, SignalQueue, spawn, tcpServer } from 'curio';
import type { Address, Socket } from 'curio/socket';

const port = Number(process.argv[2] ?? 25000);

async function echoClient(client: Socket, addr: Address) {
  console.log('Connection from', addr);
  try {
    while (true) {
      const data = await client.recv(1000);
      if (data.length === 0) break;
      await client.sendall(data);
    }
    console.log('Connection closed');
  } catch (error) {
    if (error instanceof CancelledError) await client.sendall('Server going down\n');
    throw error;
  }
}

async function main(host: string, port: number) {
  using signals = new SignalQueue('SIGHUP', 'SIGINT');
  let signal: string;
  do {
    console.log('Starting the server');
    const server = await spawn(tcpServer, host, port, echoClient);
    signal = await signals.get();
    console.log('Server shutting down');
    await server.cancel();
  } while (signal === 'SIGHUP');
}

console.log('Server PID', process.pid);
await run(main, '', port);
