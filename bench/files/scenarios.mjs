// What is measured of files: each scenario reads all lines of the file that the environment names, once for each peer.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { run } from 'curio';
import { aopen } from 'curio/file';

const path = process.env.CURIO_BENCH_FILE;

/** Counts, so that no peer gets away with less. */
function check(lines, expected) {
  if (lines !== expected) throw new Error(`${lines} lines instead of ${expected}`);
}

const readline = () =>
  createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });

const curio = (mode) => (n) =>
  run(async () => {
    let lines = 0;
    await using file = await aopen(path, mode);
    for await (const _ of file) lines++;
    check(lines, n);
  });

export const scenarios = {
  'lines of a file': {
    curio: curio('r'),
    'curio binary': curio('rb'),
    'curio readline()': (n) =>
      run(async () => {
        let lines = 0;
        await using file = await aopen(path, 'r');
        while ((await file.readline()) !== '') lines++;
        check(lines, n);
      }),
    'readline for await': async (n) => {
      let lines = 0;
      for await (const _ of readline()) lines++;
      check(lines, n);
    },
    "readline 'line'": async (n) => {
      let lines = 0;
      await new Promise((resolve) =>
        readline()
          .on('line', () => lines++)
          .on('close', resolve),
      );
      check(lines, n);
    },
    'readLines()': async (n) => {
      let lines = 0;
      await using file = await open(path);
      for await (const _ of file.readLines()) lines++;
      check(lines, n);
    },
  },
};
