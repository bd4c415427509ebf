// What tests of child processes need: a place for them to leave notes, a look at what they are, and a clock that is
// turned by hand, so that a timeout comes when a process is known to be ready for it. It must know nothing of Curio's insides.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from 'curio';
import { onTestFinished } from 'vitest';

/** A folder of the test's own. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'curio-test-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const later = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Until something is so. Real time passes, outside of any kernel. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await later(5);
}

/** Until a process has left a note under this path; gives what it says. */
export async function note(path: string): Promise<string> {
  await until(() => existsSync(path));
  return readFileSync(path, 'utf8');
}

/** The state of a process: `'S'`, `'Z'` for a zombie; null if there is none. */
export function stateOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2)[0]!;
  } catch {
    return null;
  }
}

/** How many bytes a process has written so far. */
export function writtenBy(pid: number): number {
  return Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))![1]);
}

/** The processes that this one has started and that are still there, zombies included. */
export function children(): number[] {
  const threads = readdirSync('/proc/self/task');
  return threads.flatMap((id) =>
    readFileSync(`/proc/self/task/${id}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
}

/** How many descriptors this process has open. */
export const descriptors = () => readdirSync('/proc/self/fd').length;

/** A clock that stands still until it is told the time. */
export class HandClock implements Clock {
  #now = 0;
  readonly #waiting = new Set<{ deadline: number; wake: () => void }>();

  now(): number {
    return this.#now;
  }

  schedule(deadline: number, wake: () => void): () => void {
    const entry = { deadline, wake };
    this.#waiting.add(entry);
    return () => void this.#waiting.delete(entry);
  }

  advance(seconds: number): void {
    this.#now += seconds;
    for (const entry of [...this.#waiting]) {
      if (entry.deadline > this.#now) continue;
      this.#waiting.delete(entry);
      entry.wake();
    }
  }
}
