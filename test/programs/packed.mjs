// Copied beside an installed package by scripts/check-package.mjs: uses a little of everything that depends on the machine,
// on whichever driver there is, and says which one that was. Node 20 cannot parse `await using`.

import { createRequire } from 'node:module';
import {
  AWAIT,
  aopen,
  moduleFunction,
  openConnection,
  run,
  runInThread,
  runServer,
  sleep,
  spawn,
  spawnThread,
  tcpServerSocket,
} from 'curio';
import { driverInfo } from 'curio/io';
import { checkOutput } from 'curio/subprocess';

/** @param {import('curio/socket').Socket} client */
async function echo(client) {
  for await (const line of client.asStream()) await client.sendall(line);
}

async function main() {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  const [, port] = /** @type {[string, number]} */ (sock.getsockname());
  const server = await spawn({ daemon: true }, runServer, sock, echo);
  const client = await openConnection('127.0.0.1', port);
  await client.sendall('hello\n');
  console.log(String(await client.recv(100)).trim());
  if (driverInfo().name === 'posix') {
    await client.blocking((raw) => runInThread((raw) => raw.sendall('from a thread\n'), raw));
    console.log(String(await client.recv(100)).trim());
  }
  await client.close();
  await server.cancel();

  const said = await checkOutput([process.execPath, '-p', '6 * 7']);
  console.log(String(said).trim());

  console.log(await runInThread(moduleFunction('curio/meta', 'curioRunning')));
  const thread = await spawnThread(() => AWAIT(sleep(0)));
  await thread.join();
  console.log(await runInThread(() => run(() => sleep(0).then(() => 'a kernel of its own'))));

  const file = await aopen(new URL('package.json', import.meta.url).pathname);
  console.log(JSON.parse(/** @type {string} */ (await file.read())).type);
  await file.close();
}

await run(main);
const required = createRequire(import.meta.url)('curio');
console.log(required.run === run ? 'one and the same by require' : 'another one by require');
console.log(driverInfo().name);
