// The servers that are compared, one a process: `node servers.mjs PROTOCOL NAME [ARGUMENT …]` prints its port and serves
// until it is killed. tcp, tls and udp send back what they get; sink receives and forgets it. The signal SIGUSR2
// collects garbage.

import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createServer as createSecureServer } from 'node:tls';
import { run, runServer, tcpServerSocket } from 'curio';
import { AF_INET, SOCK_DGRAM, socket } from 'curio/socket';
import { createDefaultContext, Purpose } from 'curio/ssl';

const [protocol, name, ...args] = process.argv.slice(2);
const WHOLE = 65_536;

process.on('SIGUSR2', () => globalThis.gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }));

// ---- What Node's servers do with a connection ----

function echoData(connection) {
  connection.on('error', () => {});
  connection.on('data', (data) => connection.write(data));
}

async function echoEach(connection) {
  try {
    for await (const data of connection) connection.write(data);
  } catch {}
}

function forgetData(connection) {
  connection.on('error', () => {});
  connection.on('data', () => {});
}

async function forgetEach(connection) {
  try {
    for await (const _ of connection);
  } catch {}
}

function readPieces(connection) {
  const size = Number(args[0]);
  connection.on('error', () => {});
  connection.on('end', () => {});
  connection.on('readable', () => {
    while (connection.read(size) !== null);
    // Less than a piece is left, and nothing follows it.
    if (connection.readableEnded === false && connection.readableLength < size) connection.read(0);
  });
}

/** What a program has in its heap, apart from what comes and goes. */
globalThis.objects = Array.from({ length: protocol === 'sink' ? Number(args[1]) : 0 }, (_, i) => ({
  i,
  near: [i],
}));

function listen(server) {
  server.listen(0, '127.0.0.1', 1024, () => console.log(server.address().port));
}

const net = (handler) => () => listen(createServer({ noDelay: true }, handler));

const tls = (handler) => () => {
  const [cert, key] = args.map((file) => readFileSync(file));
  listen(createSecureServer({ cert, key, noDelay: true }, handler));
};

// ---- What Curio's servers do ----

async function echo(client) {
  for (;;) {
    const data = await client.recv(WHOLE);
    if (data.length === 0) break;
    await client.sendall(data);
  }
}

async function echoStream(client) {
  const stream = client.asStream();
  for (;;) {
    const data = await stream.read(WHOLE);
    if (data.length === 0) break;
    await stream.write(data);
  }
}

async function forget(client) {
  const size = Number(args[0]);
  while ((await client.recv(size)).length > 0);
}

const tcp = (handler, options) => () =>
  run(async () => {
    const sock = tcpServerSocket('127.0.0.1', 0, { backlog: 1024 });
    await sock.ready();
    console.log(sock.getsockname()[1]);
    await runServer(sock, handler, options?.());
  });

const secure = () => {
  const ssl = createDefaultContext(Purpose.CLIENT_AUTH);
  ssl.loadCertChain(...args);
  return { ssl };
};

const datagrams = () =>
  run(async () => {
    const sock = socket(AF_INET, SOCK_DGRAM);
    sock.bind(['127.0.0.1', 0]);
    await sock.ready();
    console.log(sock.getsockname()[1]);
    for (;;) {
      const [data, address] = await sock.recvfrom(WHOLE);
      await sock.sendto(data, address);
    }
  });

const servers = {
  tcp: {
    'net data': net(echoData),
    'net for await': net(echoEach),
    curio: tcp(echo),
    'curio streams': tcp(echoStream),
  },
  tls: {
    'tls data': tls(echoData),
    'tls for await': tls(echoEach),
    curio: tcp(echo, secure),
  },
  udp: {
    dgram: () => {
      const sock = createSocket('udp4');
      sock.on('message', (data, { port, address }) => sock.send(data, port, address));
      sock.bind(0, '127.0.0.1', () => console.log(sock.address().port));
    },
    curio: datagrams,
  },
  sink: {
    'net data': net(forgetData),
    'net for await': net(forgetEach),
    'net read': net(readPieces),
    curio: tcp(forget),
  },
};

await servers[protocol][name]();
