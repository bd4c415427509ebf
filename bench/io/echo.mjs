// Echo servers: CPU time a request of the whole server process, which is pinned to one core while a load generator in C has
// another. All servers stand ready at once and are loaded in turn, round after round.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from '../harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const built = mkdtempSync(join(tmpdir(), 'curio-bench-'));

function compile(source) {
  const program = join(built, source.replace(/\.c$/, ''));
  execFileSync('cc', ['-O2', '-o', program, here(`../c/${source}`)]);
  return program;
}

/** A Python that has these modules: the first on the path, or Debian's, whose packages bring uvloop and trio. */
function pythonWith(...modules) {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      execFileSync(python, ['-c', modules.map((name) => `import ${name}`).join(';')], { stdio: 'ignore' });
      return python;
    } catch {}
  }
  return null;
}

/** CPU nanoseconds that all threads of a process have used. */
function cpuOf(pid) {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return sum;
}

async function start(name, command, args, env = {}) {
  const child = spawn('taskset', ['-c', '0', command, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return { name, child, port: Number(line), cpu: [], rate: [] };
  }
  throw new Error(`${name} did not start`);
}

function load(program, { port }, connections, bytes, seconds) {
  const args = ['-c', '1', program, port, connections, bytes, seconds].map(String);
  return JSON.parse(execFileSync('taskset', args, { encoding: 'utf8' }));
}

export async function echoServers() {
  const node = [process.execPath, here('servers.mjs')];
  const list = [
    await start('C epoll', compile('echo.c'), []),
    await start('net data', node[0], [node[1], 'net data']),
    await start('net for await', node[0], [node[1], 'net for await']),
    await start('curio', node[0], [node[1], 'curio'], { CURIO_DRIVER: 'posix' }),
    await start('curio streams', node[0], [node[1], 'curio streams'], { CURIO_DRIVER: 'posix' }),
    await start('curio portable', node[0], [node[1], 'curio'], { CURIO_DRIVER: 'portable' }),
  ];
  for (const [name, ...modules] of [['asyncio'], ['uvloop', 'uvloop'], ['trio', 'trio']]) {
    const python = pythonWith('asyncio', ...modules);
    if (python !== null) list.push(await start(name, python, [here('peers.py'), name]));
    else console.log(`(${name} is not on this machine)`);
  }
  return list;
}

export async function echoBenchmarks(report) {
  const generator = compile('load.c');
  const cases = [
    { connections: 200, bytes: 100, limits: { 'C epoll': 1.25, 'net data': 0.7 }, portable: 1.3 },
    { connections: 200, bytes: 16_384, limits: {} },
    { connections: 1, bytes: 100, limits: {} },
  ];
  const servers = await echoServers();
  for (const { connections, bytes, limits, portable } of cases) {
    for (const server of servers) {
      server.cpu = [];
      server.rate = [];
      load(generator, server, connections, bytes, 1);
    }
    for (let round = 0; round < 7; round++) {
      for (const server of servers) {
        const before = cpuOf(server.child.pid);
        const { requests, seconds } = load(generator, server, connections, bytes, 0.6);
        server.cpu.push((cpuOf(server.child.pid) - before) / 1000 / requests);
        server.rate.push(requests / seconds);
      }
    }
    const costs = Object.fromEntries(servers.map(({ name, cpu }) => [name, median(cpu)]));
    const name = `echo, ${connections} connection${connections === 1 ? '' : 's'}, ${bytes} B: CPU a request`;
    report.costs(name, 'µs', costs, limits);
    report.rates(
      Object.fromEntries(servers.map(({ name: server, rate }) => [server, median(rate)])),
      'requests/s',
    );
    if (portable !== undefined) {
      report.ratio('portable driver against net data', costs['curio portable'] / costs['net data'], portable);
    }
  }
  for (const { child } of servers) child.kill('SIGKILL');
}
