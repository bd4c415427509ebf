// Compares peers by the clock, for work that is spent in other threads and processes: each peer is a process of its own that
// does a round for each number it reads, and prints milliseconds a unit. Rounds alternate and are of about the same length.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from './harness.mjs';

function start(suite, scenario, peer) {
  const here = (file) => fileURLToPath(new URL(`${suite}/${file}`, import.meta.url));
  const command = peer.startsWith('python')
    ? ['python3', here('peers.py'), scenario, peer]
    : [process.execPath, here('scenarios.mjs'), scenario, peer];
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    peer,
    samples: [],
    n: 0,
    /** Microseconds a unit. */
    async round(n) {
      child.stdin.write(`${n}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${peer} ended in the middle of ${scenario}`);
      return JSON.parse(value) * 1000;
    },
    end: () => child.stdin.end(),
  };
}

/** Microseconds a unit of work, for each peer. */
export async function compare(suite, scenario, peers, { fewest = 64, rounds = 7, seconds = 0.2 } = {}) {
  const running = peers.map((peer) => start(suite, scenario, peer));
  for (const peer of running) {
    await peer.round(fewest);
    peer.n = fewest;
    // What is not warm yet says little about how much fits in a round.
    for (let again = 0; again < 4; again++) {
      const fit = (seconds * 1e6) / (await peer.round(peer.n));
      peer.n = Math.max(fewest, Math.min(peer.n * 16, fewest * Math.round(fit / fewest)));
    }
  }
  for (let round = 0; round < rounds; round++) {
    for (const peer of running) peer.samples.push(await peer.round(peer.n));
  }
  for (const peer of running) peer.end();
  return Object.fromEntries(running.map(({ peer, samples }) => [peer, median(samples)]));
}
