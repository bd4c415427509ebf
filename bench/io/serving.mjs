// How servers are compared: each is a process pinned to one core, while a load generator in C has another. All stand ready
// at once and are loaded in turn, round after round. What counts is the CPU time of the whole server a unit of work.

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median, pythonWith } from '../harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const SERVERS = here('servers.mjs');
const PEERS = here('peers.py');

export const scratch = mkdtempSync(join(tmpdir(), 'curio-bench-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

/** Compiles a program of c/. */
export function compile(source, flags = []) {
  const program = join(scratch, source.replace(/\.c$/, ''));
  execFileSync('cc', ['-O2', '-o', program, here(`../c/${source}`), ...flags]);
  return program;
}

/** A server of servers.mjs. Curio's come with the driver they are to use. */
export function nodeServer(name, protocol, { driver, args = [], ...rest } = {}) {
  const peer = driver === undefined ? name : 'curio';
  const command = [process.execPath, '--expose-gc', SERVERS, protocol, rest.peer ?? peer, ...args];
  return { name, command, env: driver === undefined ? {} : { CURIO_DRIVER: driver } };
}

/** The servers of peers.py that this machine has Pythons for. */
export function pythonServers(protocol, args = []) {
  const servers = [];
  for (const [name, ...modules] of [['asyncio'], ['uvloop', 'uvloop'], ['trio', 'trio']]) {
    const python = pythonWith('asyncio', ...modules);
    if (python !== null) servers.push({ name, command: [python, PEERS, protocol, name, ...args], env: {} });
    else console.log(`(${name} is not on this machine)`);
  }
  return servers;
}

async function start({ name, command, env }) {
  const child = spawn('taskset', ['-c', '0', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return { name, child, port: Number(line), cpu: [], rate: [] };
  }
  throw new Error(`${name} did not start`);
}

/** Lets servers run for as long as `use` does. */
export async function serving(list, use) {
  const servers = [];
  try {
    for (const description of list) servers.push(await start(description));
    return await use(servers);
  } finally {
    for (const { child } of servers) child.kill('SIGKILL');
  }
}

/** CPU nanoseconds that all threads of a process have used. */
function cpuOf(pid) {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return sum;
}

/**
 * Loads each server in turn, and gives medians for each: CPU microseconds a unit, and units a second.
 * @param load what the generator is to do: `{ mode, connections, bytes }`
 * @param units how many units of work a request is
 */
export function measure(
  servers,
  generator,
  { mode, connections, bytes, units = 1 },
  { rounds = 7, seconds = 0.4 } = {},
) {
  const load = ({ port }, time) => {
    const args = ['-c', '1', generator, mode, port, connections, bytes, time].map(String);
    const { requests, seconds: took } = JSON.parse(execFileSync('taskset', args, { encoding: 'utf8' }));
    return { done: requests * units, took };
  };
  for (const server of servers) {
    server.cpu = [];
    server.rate = [];
    load(server, 2 * seconds);
  }
  for (let round = 0; round < rounds; round++) {
    for (const server of servers) {
      const before = cpuOf(server.child.pid);
      const { done, took } = load(server, seconds);
      server.cpu.push((cpuOf(server.child.pid) - before) / 1000 / done);
      server.rate.push(done / took);
    }
  }
  const medians = (what) => Object.fromEntries(servers.map((server) => [server.name, median(server[what])]));
  return { costs: medians('cpu'), rates: medians('rate') };
}
