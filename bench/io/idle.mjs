// Idle connections: resident memory of the server for each of 10,000 that say nothing, beyond what it had for the
// first 1,000, once it has collected all the garbage it can, and before that. What counts is what the server allocated: the pages of its
// program come and go as the system likes, and the system's own share is the same for all. Node's server with callbacks keeps no more than a socket for a client; the one with a loop has a place in a
// function for each, as Curio's has.

import { readFileSync } from 'node:fs';
import { compile, connectLoad, nodeServer, pythonServers, serving } from './serving.mjs';

const FIRST = 1000;
const COUNT = 10_000;

/** A server's resident bytes, as they are and once it has collected its garbage. */
async function residentOf({ name, child }) {
  const bytes = () =>
    Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) * 1024;
  const pause = () => new Promise((resolve) => setTimeout(resolve, 1500));
  await pause();
  const raw = bytes();
  if (name !== 'C epoll' && !PYTHONS.has(name)) child.kill('SIGUSR2');
  await pause();
  return { raw, collected: bytes() };
}

const PYTHONS = new Set(['asyncio', 'uvloop', 'trio']);

export async function idleBenchmarks(report) {
  const generator = compile('load.c');
  const costs = {};
  const raw = {};
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
      const after = await residentOf(server);
      costs[server.name] = (after.collected - before.collected) / COUNT;
      raw[server.name] = (after.raw - before.collected) / COUNT;
      await all.end();
      await first.end();
    });
  }
  report.costs(`resident memory of an idle connection, of ${COUNT}`, 'B', costs, {
    'net data': 0.6,
    'net for await': 0.6,
  });
  report.costs('the same before garbage is collected', 'B', raw, {});
}
