// Idle connections: resident memory of the server for each of 10,000 that say nothing, beyond what it had for the
// first 1,000, and once it has collected all the garbage it can. (The operating system's own share is not in it, and is the same
// for all.) Node's server with callbacks keeps no more than a socket for a client; the one with a loop has a place in a
// function for each, as Curio's has.

import { readFileSync } from 'node:fs';
import { compile, connectLoad, nodeServer, pythonServers, serving } from './serving.mjs';

const FIRST = 1000;
const COUNT = 10_000;

/** Lets a server collect its garbage, and gives its resident bytes. */
async function residentOf({ name, child }) {
  if (name !== 'C epoll' && !PYTHONS.has(name)) child.kill('SIGUSR2');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024;
}

const PYTHONS = new Set(['asyncio', 'uvloop', 'trio']);

export async function idleBenchmarks(report) {
  const generator = compile('load.c');
  const costs = {};
  const list = [
    { name: 'C epoll', command: [compile('echo.c'), 'tcp'], env: {} },
    nodeServer('net data', 'tcp'),
    nodeServer('net for await', 'tcp'),
    nodeServer('curio', 'tcp', { driver: 'posix' }),
    nodeServer('curio portable', 'tcp', { driver: 'portable' }),
    ...pythonServers('tcp'),
  ];
  for (const description of list) {
    await serving([description], async ([server]) => {
      const first = await connectLoad(generator, server.port, { mode: 'hold', connections: FIRST, bytes: 1 });
      const before = await residentOf(server);
      const all = await connectLoad(generator, server.port, { mode: 'hold', connections: COUNT, bytes: 1 });
      costs[server.name] = ((await residentOf(server)) - before) / COUNT;
      await all.end();
      await first.end();
    });
  }
  report.costs(`resident memory of an idle connection, of ${COUNT}`, 'B', costs, {
    'net data': 0.6,
    'net for await': 0.6,
  });
}
