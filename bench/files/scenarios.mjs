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
    const file = await aopen(path, mode);
    for await (const _ of file) lines++;
    await file.close();
    check(lines, n);
  });

export const scenarios = {
  'lines of a file': {
    curio: curio('r'),
    'curio binary': curio('rb'),
    'curio readline()': (n) =>
      run(async () => {
        let lines = 0;
        const file = await aopen(path);
        while ((await file.readline()) !== '') lines++;
        await file.close();
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
      const file = await open(path);
      for await (const _ of file.readLines()) lines++;
      await file.close();
      check(lines, n);
    },
  },
};
