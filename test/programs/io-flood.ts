// A server whose task takes the first byte of what its client pushes, and then nothing until SIGHUP comes; after that, everything.
// Says by how much the process has grown in between, in bytes, and how much came.
// Arguments: what the server's sockets are, and files with a certificate and its key.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Socket as NetSocket, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Event, run, runServer, SignalEvent, spawn, tcpServerSocket } from 'curio';
import { Socket } from 'curio/io';
import { createDefaultContext, Purpose, type SSLContext } from 'curio/ssl';

const [kind, cert, key] = process.argv.slice(2) as [string, string, string];

async function hold(client: Socket): Promise<void> {
  using goOn = new SignalEvent('SIGHUP');
  const before = process.memoryUsage();
  let received = (await client.recv(1)).length;
  console.log('first byte');
  await goOn.wait();
  const after = process.memoryUsage();
  const heap = after.heapUsed + after.external - before.heapUsed - before.external;
  console.log(`heap ${heap} process ${after.rss - before.rss}`);
  for (;;) {
    const data = await client.recv(1_000_000);
    if (data.length === 0) break;
    received += data.length;
  }
  console.log(`received ${received}`);
}

async function serveOne(options: { ssl?: SSLContext }): Promise<void> {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  const over = new Event();
  const server = await spawn(
    runServer,
    sock,
    async (client: Socket) => {
      await hold(client);
      await over.set();
    },
    options,
  );
  await over.wait();
  await server.cancel();
}

/** The same for a server of Node's, whose client is wrapped when it has come. */
async function wrapOne(server: Server, event: string): Promise<void> {
  server.listen(0, '127.0.0.1');
  const [client] = (await once(server, event)) as [NetSocket];
  await using sock = new Socket(client);
  await hold(sock);
  server.close();
}

const kinds: Record<string, () => Promise<void>> = {
  TCP: () => serveOne({}),
  TLS: () => {
    const ssl = createDefaultContext(Purpose.CLIENT_AUTH);
    ssl.loadCertChain(cert, key);
    return serveOne({ ssl });
  },
  'wrapped TCP': () => wrapOne(createServer(), 'connection'),
  'wrapped TLS': () =>
    wrapOne(createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }), 'secureConnection'),
};
await run(kinds[kind] as () => Promise<void>);
