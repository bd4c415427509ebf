// The workers' benchmarks. Time on the clock, not CPU time: a call is spent waiting for another thread. Rounds alternate.

import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from '../harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

function start(scenario, peer) {
  const command = peer.startsWith('python')
    ? ['python3', here('peers.py'), scenario, peer]
    : [process.execPath, here('scenarios.mjs'), scenario, peer];
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    peer,
    samples: [],
    async round(n) {
      child.stdin.write(`${n}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${peer} ended in the middle of ${scenario}`);
      return JSON.parse(value);
    },
    end: () => child.stdin.end(),
  };
}

/** Microseconds a call. */
async function compare(scenario, peers, { n = 1600, rounds = 7 } = {}) {
  const running = peers.map((peer) => start(scenario, peer));
  for (const peer of running) await peer.round(n);
  for (let round = 0; round < rounds; round++) {
    for (const peer of running) peer.samples.push((await peer.round(n)) * 1000);
  }
  for (const peer of running) peer.end();
  return Object.fromEntries(running.map(({ peer, samples }) => [peer, median(samples)]));
}

/** Milliseconds, measured in processes of their own. */
const alone = (scenario, peer) =>
  median(
    [1, 2, 3, 4, 5].map(() =>
      JSON.parse(
        execFileSync(process.execPath, [here('scenarios.mjs'), scenario, peer], { encoding: 'utf8' }),
      ),
    ),
  );

export async function workersBenchmarks(report) {
  const threads = ['curio', 'piscina', 'tinypool', 'workerpool', 'worker_threads'];
  const one = await compare('one call after the other', [
    ...threads,
    'python',
    'curio process',
    'python process',
  ]);
  const { 'curio process': process_, 'python process': pythonProcess, ...calls } = one;
  report.costs('runInThread, one call after the other', 'µs', calls, { piscina: 1 });
  report.costs(
    'sixteen calls at once, each',
    'µs',
    await compare('sixteen at once', [...threads, 'python']),
    {
      piscina: 1,
    },
  );
  report.costs('runInProcess', 'µs', { curio: process_, python: pythonProcess }, {});
  report.atMost('runInProcess, a warm call', process_, 120, 'µs');
  const cold = Object.fromEntries(threads.map((peer) => [peer, alone('cold', peer)]));
  report.costs('the first call', 'ms', cold, {});
  report.atMost('cancelling an endless loop in a thread', alone('cancel', 'runInThread'), 20, 'ms');
  report.atMost('cancelling an endless loop in a process', alone('cancel', 'runInProcess'), 20, 'ms');
}
