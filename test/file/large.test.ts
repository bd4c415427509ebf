// A file of a gigabyte, most of it holes, so that the disk holds little of it: its lines are read in constant memory.

import { closeSync, openSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import { program } from '../kit/child.ts';
import { makeFolder } from './folder.ts';

const folder = makeFolder();
const LINES = 10_000;
const LENGTH = 100_000;

function makeLargeFile(): string {
  const path = folder.file();
  const file = openSync(path, 'w');
  for (let line = 1; line <= LINES; line++) writeSync(file, 'end\n', line * LENGTH - 4);
  closeSync(file);
  return path;
}

test('the lines of a gigabyte are read in constant memory, as text, as bytes and as a stream', async () => {
  const path = makeLargeFile();
  // Regular files are the same to both drivers.
  const { said, complaint } = await program('large-file', { args: [path] });
  expect(complaint).toBe('');
  const all = `${LINES} ${LINES * LENGTH}`;
  expect(said).toEqual([`text ${all}`, `bytes ${all}`, `stream ${all}`, 'in constant memory']);
}, 120_000);
