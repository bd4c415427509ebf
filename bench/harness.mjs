// Runs one measurement of several peers fairly: each peer lives in a process of its own and does a round when it is
// told to, so that rounds alternate, no peer shares a heap or compiled code with another, and a machine that slows down
// slows all of them. What counts is CPU time a unit of work; medians are compared.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('./child.mjs', import.meta.url));
const python = fileURLToPath(new URL('./kernel/peers.py', import.meta.url));

/** Starts the process of one peer. */
function startPeer(scenario, peer) {
  const isPython = peer === 'asyncio';
  const command = isPython ? 'python3' : process.execPath;
  const args = isPython ? [python, scenario] : ['--expose-gc', child, scenario, peer];
  const process_ = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: process_.stdout })[Symbol.asyncIterator]();
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

/** Finds the number of units that keeps a peer busy for about `seconds`. */
async function calibrate(peer, seconds) {
  for (let n = 64; ; n *= 4) {
    const { cpu } = await peer.round(n);
    if (cpu > seconds / 4) return Math.max(1, Math.round((n * seconds) / cpu));
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** CPU nanoseconds a unit for each peer of a scenario. */
export async function compare(scenario, peers, { rounds = 9, seconds = 0.15 } = {}) {
  const running = peers.map((peer) => startPeer(scenario, peer));
  for (const peer of running) {
    peer.n = await calibrate(peer, seconds);
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
