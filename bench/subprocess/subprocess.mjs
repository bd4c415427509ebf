// Running short commands, one after the other: CPU time of the process that starts them, fork included.

import { compare } from '../harness.mjs';

const comparisons = [
  { name: 'run a command', peers: ['curio', 'execa', 'spawn', 'python', 'asyncio', 'uvloop', 'trio'] },
  {
    name: 'run a command and take its output',
    peers: ['curio', 'execa', 'execFile', 'python', 'asyncio', 'uvloop', 'trio'],
  },
];

export async function subprocessBenchmarks(report) {
  for (const { name, peers } of comparisons) {
    const costs = await compare(name, peers, { suite: 'subprocess', fewest: 16, seconds: 0.1, rounds: 5 });
    const micros = Object.fromEntries(Object.entries(costs).map(([peer, cost]) => [peer, cost / 1000]));
    report.costs(`${name}: CPU a command`, 'µs', micros, { execa: 1 });
  }
}
