// The process of one peer: does a round for each line it reads, and prints the CPU seconds it took.

import { createInterface } from 'node:readline';

const [suite, scenario, peer] = process.argv.slice(2);
const { scenarios } = await import(`./${suite}/scenarios.mjs`);
const round = scenarios[scenario][peer];

for await (const line of createInterface({ input: process.stdin })) {
  globalThis.gc();
  const before = process.cpuUsage();
  await round(Number(line));
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpu: (user + system) / 1e6 }));
}
