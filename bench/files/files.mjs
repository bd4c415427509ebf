// Lines of a large file: CPU time a line, reading and decoding and all.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compare } from '../harness.mjs';

const LINES = 1_000_000;
const peers = [
  'curio',
  'curio binary',
  'curio readline()',
  'readline for await',
  "readline 'line'",
  'readLines()',
  'python',
];

/** Lines of 1 to 120 characters, some of them not ASCII, as in a program's log. */
function makeFile(path) {
  const words = 'The quick brown fox jumps over the lazy dog, and naïve cafés pay 5 € for that. '.repeat(2);
  const file = openSync(path, 'w');
  for (let written = 0; written < LINES; written += 10_000) {
    let text = '';
    for (let i = 0; i < 10_000; i++) {
      const plain = i % 50 !== 0;
      text += `${plain ? words.slice(0, 40 + (i % 17)) : words.slice(0, 1 + ((i * 7) % 120))}\n`;
    }
    writeSync(file, text);
  }
  closeSync(file);
}

export async function filesBenchmarks(report) {
  const folder = mkdtempSync(join(tmpdir(), 'curio-bench-'));
  process.env.CURIO_BENCH_FILE = join(folder, 'lines.txt');
  try {
    makeFile(process.env.CURIO_BENCH_FILE);
    const costs = await compare('lines of a file', peers, { suite: 'files', units: LINES, rounds: 5 });
    report.costs('lines of a file: CPU a line', 'ns', costs, { 'readline for await': 0.7 });
    report.rates(
      Object.fromEntries(Object.entries(costs).map(([peer, cost]) => [peer, 1e9 / cost])),
      'lines a CPU second',
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
