// A folder for the files of a test file, and what else such tests need of the operating system. It must know nothing of Curio.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, openSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export interface Folder {
  /** The path of a file with these contents; without them there is none yet. */
  file(contents?: string | Uint8Array): string;
  /** A pipe with a name, and a descriptor with which the test reads and writes it. Opening either end of it does not block then. */
  pipe(): { path: string; fd: number };
}

/** Makes a folder that is there until the tests of the file have ended. */
export function makeFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'curio-file-'));
  let files = 0;
  afterAll(() => rmSync(path, { recursive: true }));
  const fresh = () => join(path, `file ${++files}`);
  return {
    file(contents) {
      const name = fresh();
      if (contents !== undefined) writeFileSync(name, contents);
      return name;
    },
    pipe() {
      const name = fresh();
      execFileSync('mkfifo', [name]);
      return { path: name, fd: openSync(name, 'r+') };
    },
  };
}

/** What this process has open of a file, or of the files in a folder. */
export function openFiles(path: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target === path || target.startsWith(`${path}/`) ? [target] : [];
    } catch {
      return []; // Closed in the meantime.
    }
  });
}

/** Waits until this process has it open no longer: what is being closed in the background takes a moment. */
export async function allClosed(path: string): Promise<void> {
  for (let turns = 0; turns < 1000; turns++) {
    if (openFiles(path).length === 0) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`These are still open: ${openFiles(path).join(', ')}`);
}
