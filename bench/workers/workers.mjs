// The workers' benchmarks. Time on the clock, not CPU time: a call is spent waiting for another thread.

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { compare } from '../clock.mjs';
import { median } from '../harness.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

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
  const one = await compare('workers', 'one call after the other', [
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
    await compare('workers', 'sixteen at once', [...threads, 'piscina 8 each', 'python']),
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
