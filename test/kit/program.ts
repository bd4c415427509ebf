// Runs a TypeScript program as its users do, in a process of its own, and lets a test talk to it. It must know nothing
// of what the program does.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { root } from '../../scripts/entries.mjs';

export interface ProgramOptions {
  args?: string[];
  /** Let the program's time pass without waiting; see fast-clock.ts. Default true. */
  fast?: boolean;
  /** What is to be added to the environment. */
  env?: Record<string, string>;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A running program. What of it still runs when the test ends is killed. */
export class Program {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ending>;
  stdout = '';
  stderr = '';
  #over = false;
  readonly #watchers = new Set<() => void>();

  /** @param file path from the project's root */
  constructor(file: string, { args = [], fast = true, env = {} }: ProgramOptions = {}) {
    const preload = fast ? ['--import', './test/kit/fast-clock.ts'] : [];
    // How the tests are run is no business of the program's.
    const { FORCE_COLOR: _, NODE_OPTIONS: __, CURIO_STACKS: ___, ...inherited } = process.env;
    this.#child = spawn(process.execPath, ['--import', 'tsx', ...preload, file, ...args], {
      cwd: root,
      env: { ...inherited, NO_COLOR: '1', ...env },
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#over = true;
        this.#look();
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    onTestFinished(async () => {
      this.#child.kill('SIGKILL');
      await this.ended;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Waits until the program has printed `text`; fails if it ends before. */
  prints(text: string): Promise<void> {
    return this.#until(
      () => this.stdout.includes(text),
      () => `to print ${JSON.stringify(text)}`,
    );
  }

  /** Waits until the program has printed anything more. */
  more(): Promise<void> {
    const { length } = this.stdout;
    return this.#until(
      () => this.stdout.length > length,
      () => 'to print more',
    );
  }

  #until(reached: () => boolean, what: () => string): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (reached()) resolve();
        else if (this.#over) {
          reject(new Error(`The program ended, and was expected ${what()}:\n${this.stdout}${this.stderr}`));
        } else return;
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
  }

  #look(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /**
   * Waits until the program listens, and gives the port. The programs are started with port 0 and do not all say which one
   * they got; Linux knows.
   */
  async port(): Promise<number> {
    for (;;) {
      const [port] = listeningPorts(this.pid);
      if (port !== undefined) return port;
      if (this.#over) throw new Error(`The program ended before it listened:\n${this.stdout}${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** The TCP ports that a process listens on. */
export function listeningPorts(pid: number): number[] {
  const sockets = new Set<string>();
  for (const fd of entriesOf(`/proc/${pid}/fd`)) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`));
      if (inode !== null) sockets.add(inode[1]!);
    } catch {
      // Closed in the meantime.
    }
  }
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, , , , , , inode]) => state === '0A' && sockets.has(inode!))
      .map(([, local]) => Number.parseInt(local!.split(':')[1]!, 16)),
  );
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // The process has ended.
  }
}
