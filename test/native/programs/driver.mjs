// What a driver must be able to do, in a minute's tour of the built package: for machines that the test suite itself cannot
// run on. Prints a line for each stop, and fails at the first that goes wrong. Which driver: CURIO_DRIVER.

import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ignoreAfter,
  openConnection,
  run,
  runServer,
  sleep,
  spawn,
  TaskCancelled,
  TaskError,
  taskGroup,
  tcpServerSocket,
} from 'curio';
import { FileStream } from 'curio/io';
import {
  AF_INET,
  AF_INET6,
  AF_UNIX,
  CMSG_SPACE,
  MSG_PEEK,
  SCM_RIGHTS,
  SO_RCVBUF,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
  socket,
  socketpair,
} from 'curio/socket';
import { createDefaultContext, Purpose } from 'curio/ssl';

const certificates = new URL('../../kit/certificates/', import.meta.url);

/** @param {import('curio/io').Socket} client */
async function echo(client) {
  for (let data = await client.recv(65536); data.length > 0; data = await client.recv(65536)) {
    await client.sendall(data);
  }
}

async function tcp() {
  for (const [host, family] of /** @type {const} */ ([
    ['127.0.0.1', AF_INET],
    ['::1', AF_INET6],
  ])) {
    const sock = tcpServerSocket(host, 0, { family });
    await sock.ready();
    const port = /** @type {[string, number]} */ (sock.getsockname())[1];
    const server = await spawn(runServer, sock, echo);
    await taskGroup(async (g) => {
      for (let i = 0; i < 20; i++) {
        await g.spawn(async () => {
          await using client = await openConnection(host, port);
          const sent = Buffer.alloc(100_000, `client ${i} `);
          await g.spawn(() => client.sendall(sent));
          let received = Buffer.alloc(0);
          while (received.length < sent.length) received = Buffer.concat([received, await client.recv(1e6)]);
          assert(received.equals(sent));
        });
      }
    });
    await server.cancel();
  }
}

async function udp() {
  await using a = socket(AF_INET, SOCK_DGRAM);
  await using b = socket(AF_INET, SOCK_DGRAM);
  for (const sock of [a, b]) {
    sock.bind(['127.0.0.1', 0]);
    await sock.ready();
  }
  const reader = await spawn(() => b.recvfrom(100));
  await a.sendto('datagram', b.getsockname());
  const [data, from] = await reader.join();
  assert.equal(String(data), 'datagram');
  assert.deepEqual(from, a.getsockname());
}

async function unix() {
  const path = join(tmpdir(), `curio-driver-${process.pid}`);
  await using server = socket(AF_UNIX, SOCK_STREAM);
  server.bind(path);
  server.listen(5);
  await server.ready();
  const accepting = await spawn(() => server.accept());
  await using client = socket(AF_UNIX, SOCK_STREAM);
  await client.connect(path);
  const [peer] = await accepting.join();
  await client.sendall('by path');
  assert.equal(String(await peer.recv(100)), 'by path');
  await peer.close();
}

async function pairs() {
  const [a, b] = socketpair(AF_UNIX, SOCK_STREAM);
  await a.sendall('look twice');
  assert.equal(String(await b.recv(100, MSG_PEEK)), 'look twice');
  assert.equal(String(await b.recv(100)), 'look twice');
  a.setsockopt(SOL_SOCKET, SO_RCVBUF, 8192);
  assert(a.getsockopt(SOL_SOCKET, SO_RCVBUF) >= 8192);
  // A descriptor in ancillary data.
  const [c, d] = socketpair(AF_UNIX, SOCK_STREAM);
  await a.sendmsg(['take this'], [[SOL_SOCKET, SCM_RIGHTS, new Int32Array([c.fileno()])]]);
  const [text, ancillary] = await b.recvmsg(100, CMSG_SPACE(4));
  assert.equal(String(text), 'take this');
  const [passed] = ancillary;
  assert(passed);
  const fd = passed[2].readInt32LE();
  writeSync(fd, 'through the copy');
  closeSync(fd);
  assert.equal(String(await d.recv(100)), 'through the copy');
  for (const sock of [a, b, c, d]) await sock.close();
}

async function cancellation() {
  const [a, b] = socketpair();
  const reader = await spawn(() => a.recv(100));
  await sleep(0.01);
  await reader.cancel();
  const error = await reader.join().catch((reason) => reason);
  assert(error instanceof TaskError && error.cause instanceof TaskCancelled);
  assert.equal(await ignoreAfter(0.01, () => a.recv(100)), undefined);
  await b.sendall('not lost');
  assert.equal(String(await a.recv(100)), 'not lost');
  const sender = await spawn(() => a.sendall(Buffer.alloc(10_000_000)).catch((reason) => reason.bytesSent));
  await sleep(0.05);
  await sender.cancel();
  const sent = /** @type {number} */ (/** @type {unknown} */ (await sender.join()));
  await a.close();
  let received = 0;
  for (let data = await b.recv(1e6); data.length > 0; data = await b.recv(1e6)) received += data.length;
  assert.equal(received, sent);
  await b.close();
  const [c, d] = socketpair();
  const waiting = await spawn(() => c.recv(1).catch((reason) => reason.code));
  await sleep(0.01);
  await c.close();
  assert.equal(await waiting.join(), 'EBADF');
  await d.close();
}

async function lines() {
  const [a, b] = socketpair();
  const out = new FileStream(a.detach());
  const into = b.asStream();
  await out.write('one\ntwo\nthree');
  await out.close();
  const read = [];
  for await (const line of into) read.push(String(line));
  assert.deepEqual(read, ['one\n', 'two\n', 'three']);
  await into.close();
}

async function tls() {
  const ssl = createDefaultContext(Purpose.CLIENT_AUTH);
  const file = (/** @type {string} */ name) => fileURLToPath(new URL(`${name}.pem`, certificates));
  ssl.loadCertChain(file('localhost'), file('localhost-key'));
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  const port = /** @type {[string, number]} */ (sock.getsockname())[1];
  const server = await spawn(runServer, sock, echo, { ssl });
  const trusting = createDefaultContext(Purpose.SERVER_AUTH, { cafile: file('ca') });
  await using client = await openConnection('127.0.0.1', port, {
    ssl: trusting,
    serverHostname: 'localhost',
  });
  await client.sendall('secret');
  assert.equal(String(await client.recv(100)), 'secret');
  await client.close();
  await server.cancel();
}

for (const stop of [tcp, udp, unix, pairs, cancellation, lines, tls]) {
  await run(stop);
  console.log(stop.name);
}
console.log(`all of it, on ${process.arch}`);
