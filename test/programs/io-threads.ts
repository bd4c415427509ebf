// Kernels in several threads, each with its own poller, speak to each other over sockets; one thread is ended in the middle.

import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { openConnection, run, runServer, sleep, spawn, tcpServerSocket, UniversalQueue } from 'curio';
import { driverInfo, type Socket } from 'curio/io';
import { checkOutput } from 'curio/subprocess';

async function echo(client: Socket): Promise<void> {
  for (let data = await client.recv(1000); data.length > 0; data = await client.recv(1000))
    await client.sendall(data);
}

async function serve(tell: (port: number) => void): Promise<void> {
  const sock = tcpServerSocket('127.0.0.1', 0);
  await sock.ready();
  tell((sock.getsockname() as [string, number])[1]);
  await runServer(sock, echo);
}

async function talk(port: number, rounds: number): Promise<string> {
  await using sock = await openConnection('127.0.0.1', port);
  for (let i = 0; i < rounds; i++) {
    await sock.sendall(`round ${i}`);
    const reply = String(await sock.recv(100));
    if (reply !== `round ${i}`) throw new Error(`wrong reply: ${reply}`);
  }
  // Pipes are closed without a word of Node's, too.
  await checkOutput(['cat'], { input: 'x' });
  const { name } = driverInfo();
  if (name === 'posix') await new UniversalQueue({ withfd: true }).shutdown();
  return name;
}

if (isMainThread) {
  const self = fileURLToPath(import.meta.url);
  const load = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(self)}); });`;
  const start = (data: unknown) => new Worker(load, { eval: true, workerData: data, execArgv: [] });
  const server = start({ role: 'serve' });
  const [port] = (await once(server, 'message')) as [number];
  const clients = [1, 2].map(() => start({ role: 'talk', port }));
  const replies = Promise.all(clients.map((client) => once(client, 'message')));
  console.log(`main: ${await run(talk, port, 200)}`);
  for (const [reply] of await replies) console.log(`worker: ${reply}`);
  // Two kernels in one thread.
  const ports: number[] = [];
  const stop = new AbortController();
  const second = run({ signal: stop.signal }, serve, (own: number) => void ports.push(own)).catch(
    (e) => e.name,
  );
  while (ports.length === 0) await new Promise((resolve) => setImmediate(resolve));
  console.log(`two kernels: ${await run(talk, ports[0] as number, 50)}`);
  stop.abort();
  console.log(`second kernel: ${await second}`);
  // Ended while its tasks wait for clients, the thread takes nothing along.
  await server.terminate();
  console.log(await run(() => talk(port, 1).catch((error) => error.code)));
  await run(async () => {
    const task = await spawn({ daemon: true }, sleep, 1000);
    await task.cancel();
  });
} else if (workerData.role === 'serve') {
  await run(serve, (port: number) => parentPort?.postMessage(port));
} else {
  parentPort?.postMessage(await run(talk, workerData.port, 200));
}
