// The echo servers that are compared, one a process: `node servers.mjs NAME` prints its port and serves until it is killed.

import { createServer } from 'node:net';
import { run, runServer, tcpServerSocket } from 'curio';

const servers = {
  'net data': () => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(data));
    });
    server.listen(0, '127.0.0.1', 1024, () => console.log(server.address().port));
  },

  'net for await': () => {
    const server = createServer({ noDelay: true }, async (socket) => {
      try {
        for await (const data of socket) socket.write(data);
      } catch {}
    });
    server.listen(0, '127.0.0.1', 1024, () => console.log(server.address().port));
  },

  curio: () => run(serve, echo),
  'curio streams': () => run(serve, echoLines),
};

async function serve(handler) {
  const sock = tcpServerSocket('127.0.0.1', 0, { backlog: 1024 });
  await sock.ready();
  console.log(sock.getsockname()[1]);
  await runServer(sock, handler);
}

async function echo(client) {
  for (;;) {
    const data = await client.recv(65536);
    if (data.length === 0) break;
    await client.sendall(data);
  }
}

async function echoLines(client) {
  const stream = client.asStream();
  for (;;) {
    const data = await stream.read(65536);
    if (data.length === 0) break;
    await stream.write(data);
  }
}

await servers[process.argv[2]]();
