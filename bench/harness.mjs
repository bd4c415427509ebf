// Runs one measurement of several peers fairly: each peer lives in a process of its own and does a round when it is
// told to, so that rounds alternate, no peer shares a heap or compiled code with another, and a machine that slows down
// slows all of them. What counts is CPU time a unit of work; medians are compared.

import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** What Python needs for its peers. */
const pythons = { asyncio: ['asyncio'], uvloop: ['uvloop'], trio: ['trio'], python: ['sys'] };

/** A Python that has these modules: the first on the path, or Debian's, whose packages bring uvloop and trio. */
export function pythonWith(...modules) {
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      execFileSync(python, ['-c', modules.map((name) => `import ${name}`).join(';')], { stdio: 'ignore' });
      return python;
    } catch {}
  }
  return null;
}

function commandOf(suite, scenario, peer) {
  if (!(peer in pythons)) return [process.execPath, '--expose-gc', here('child.mjs'), suite, scenario, peer];
  const python = pythonWith(...pythons[peer]);
  return python === null ? null : [python, here(`${suite}/peers.py`), scenario, peer];
}

/** Starts the process of one peer; null if this machine does not have what it needs. */
function startPeer(suite, scenario, peer) {
  const command = commandOf(suite, scenario, peer);
  if (command === null) {
    console.log(`(${peer} is not on this machine)`);
    return null;
  }
  const process_ = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
  // One that has ended is noticed where its answer is missing.
  process_.stdin.on('error', () => {});
  return {
    peer,
    samples: [],
    /** Asks for a round of `n` units; gives what the peer measured. */
    async round(n) {
      process_.stdin.write(`${n}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${peer} ended in the middle of ${scenario}`);
      return JSON.parse(value);
    },
    end() {
      process_.stdin.end();
    },
  };
}

/**
 * Finds the number of units that keeps a peer busy for about `seconds`. What the first rounds take says little, as code
 * is compiled while it runs: the number they give is corrected by rounds of that number, until it holds.
 */
async function calibrate(peer, seconds, fewest) {
  for (let n = fewest, full = 0; ; ) {
    const { cpu } = await peer.round(n);
    if (cpu < seconds / 4) n *= 4;
    else if (cpu > seconds / 1.5 || ++full > 4) return Math.max(1, Math.round((n * seconds) / cpu));
    else n = Math.round((n * seconds) / cpu);
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/**
 * CPU nanoseconds a unit for each peer of a scenario of a suite.
 * @param options.units how many units a round is, where that cannot be chosen
 */
export async function compare(
  scenario,
  peers,
  { suite = 'kernel', rounds = 9, seconds = 0.15, fewest = 64, units } = {},
) {
  const running = peers.map((peer) => startPeer(suite, scenario, peer)).filter((peer) => peer !== null);
  for (const peer of running) {
    peer.n = units ?? (await calibrate(peer, seconds, fewest));
    await peer.round(peer.n);
  }
  for (let round = 0; round < rounds; round++) {
    for (const peer of running) {
      const { cpu } = await peer.round(peer.n);
      peer.samples.push((cpu / peer.n) * 1e9);
    }
  }
  for (const peer of running) peer.end();
  return Object.fromEntries(running.map((peer) => [peer.peer, median(peer.samples)]));
}
