// npm run bench [name …]: builds Curio, then measures it beside its peers in one run.

import { filesBenchmarks } from './files/files.mjs';
import { echoBenchmarks } from './io/echo.mjs';
import { idleBenchmarks } from './io/idle.mjs';
import { recvBenchmarks } from './io/recv.mjs';
import { tlsBenchmarks } from './io/tls.mjs';
import { udpBenchmarks } from './io/udp.mjs';
import { kernelBenchmarks } from './kernel/kernel.mjs';
import { monitorBenchmarks } from './monitor/monitor.mjs';
import { Report } from './report.mjs';
import { subprocessBenchmarks } from './subprocess/subprocess.mjs';
import { threadsBenchmarks } from './threads/threads.mjs';
import { workersBenchmarks } from './workers/workers.mjs';

const suites = {
  kernel: kernelBenchmarks,
  echo: echoBenchmarks,
  tls: tlsBenchmarks,
  udp: udpBenchmarks,
  recv: recvBenchmarks,
  idle: idleBenchmarks,
  files: filesBenchmarks,
  subprocess: subprocessBenchmarks,
  workers: workersBenchmarks,
  threads: threadsBenchmarks,
  monitor: monitorBenchmarks,
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!(name in suites)) {
    console.error(`There is no benchmark '${name}'. There are: ${Object.keys(suites).join(', ')}.`);
    process.exit(2);
  }
}

console.log(
  `Node ${process.version}, ${process.arch}. Medians of CPU time a unit of work, rounds alternating; smaller is better.`,
);
const report = new Report();
for (const [name, suite] of Object.entries(suites)) {
  if (wanted.length === 0 || wanted.includes(name)) await suite(report);
}
report.end();
