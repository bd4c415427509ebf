// How servers are compared: each is a process pinned to one core, while a load generator in C has another. All stand ready
// at once and are loaded in turn, round after round. What counts is the CPU time of the whole server a unit of work.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
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

/** Seconds until a server's code is compiled. */
const WARM_UP = 2;

/** A server of servers.mjs. Curio's come with the driver they are to use. */
export function nodeServer(name, protocol, { driver, args = [], ...rest } = {}) {
  const peer = driver === undefined ? name : 'curio';
  const command = [process.execPath, '--expose-gc', SERVERS, protocol, rest.peer ?? peer, ...args];
  return { name, command, env: driver === undefined ? {} : { CURIO_DRIVER: driver } };
}

/** Python's loops, and what each needs. */
const LOOPS = [['asyncio'], ['uvloop', 'uvloop'], ['trio', 'trio']];
/** Those that have streams beside what they do fastest; trio has nothing else. */
export const STREAM_LOOPS = [['asyncio streams'], ['uvloop streams', 'uvloop']];

/** The servers of peers.py that this machine has Pythons for. */
export function pythonServers(protocol, args = [], loops = LOOPS) {
  const servers = [];
  for (const [name, ...modules] of loops) {
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

/** A load generator whose connections to a server stand; what it says, line by line. */
export async function connectLoad(generator, port, { mode, connections, bytes }) {
  const args = ['-c', '1', generator, mode, port, connections, bytes].map(String);
  const child = spawn('taskset', args, { stdio: ['pipe', 'pipe', 'inherit'] });
  // One that has ended is noticed where its answer is missing.
  child.stdin.on('error', () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done)
      throw new Error(`${mode}: the load generator ended. Are that many descriptors allowed? (ulimit -n)`);
    return value;
  };
  await line();
  return {
    /** Makes requests for so many seconds; gives how many there were. */
    async round(seconds) {
      child.stdin.write(`${seconds}\n`);
      return JSON.parse(await line());
    },
    async end() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

/** The same for a mode in which connections serve for one round. */
function connectEach(generator, port, { mode, connections, bytes }) {
  return {
    async round(seconds) {
      const args = ['-c', '1', generator, mode, port, connections, bytes, seconds].map(String);
      return JSON.parse(execFileSync('taskset', args, { encoding: 'utf8' }));
    },
    async end() {},
  };
}

/**
 * Loads each server in turn, and gives medians for each: CPU microseconds a unit, and units a second. Connections stand before, and
 * after: what is measured are requests alone.
 * @param load what the generator is to do: `{ mode, connections, bytes }`
 * @param units how many units of work a request is
 */
export async function measure(
  servers,
  generator,
  { units = 1, ...load },
  { rounds = 7, seconds = 0.4 } = {},
) {
  const connect = ['flood', 'brief'].includes(load.mode) ? connectEach : connectLoad;
  const loads = [];
  for (const server of servers) {
    server.cpu = [];
    server.rate = [];
    loads.push(await connect(generator, server.port, load));
    await loads.at(-1).round(WARM_UP);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, { child, cpu, rate }] of servers.entries()) {
      const before = cpuOf(child.pid);
      const { requests, seconds: took } = await loads[i].round(seconds);
      cpu.push((cpuOf(child.pid) - before) / 1000 / (requests * units));
      rate.push((requests * units) / took);
    }
  }
  for (const { end } of loads) await end();
  const medians = (what) => Object.fromEntries(servers.map((server) => [server.name, median(server[what])]));
  return { costs: medians('cpu'), rates: medians('rate') };
}

/**
 * The same of servers that are started anew several times; gives medians over the starts. Where in the machine's memory a process
 * has come to lie makes it faster or slower as long as it lives: one start of the same two programs says 1.21, another 1.31.
 */
export async function measureAnew(list, generator, load, { starts = 7, rounds = 5, seconds = 0.3 } = {}) {
  const all = [];
  for (let start = 0; start < starts; start++) {
    all.push(await serving(list, (servers) => measure(servers, generator, load, { rounds, seconds })));
  }
  const medians = (what) =>
    Object.fromEntries(list.map(({ name }) => [name, median(all.map((each) => each[what][name]))]));
  return { costs: medians('costs'), rates: medians('rates') };
}
