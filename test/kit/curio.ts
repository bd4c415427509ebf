// The program `curio` in a process of its own, as its users run it, for tests. It must know nothing of its commands.

import { type ChildProcess, spawn } from 'node:child_process';
import { root } from '../../scripts/entries.mjs';

export interface CurioEnding {
  out: string;
  err: string;
  /** Null if a signal has ended it. */
  code: number | null;
}

/** A command that runs. */
export class Curio {
  readonly child: ChildProcess;
  out = '';
  err = '';
  readonly over: Promise<CurioEnding>;
  readonly #readers = new Set<() => void>();

  /** @param input what is typed; null for no input at all. It is not ended. */
  constructor(args: (string | number)[], input: string | null = null, env: NodeJS.ProcessEnv = {}) {
    const { NODE_OPTIONS: _, FORCE_COLOR: __, ...inherited } = process.env;
    this.child = spawn(process.execPath, ['--import', 'tsx', `${root}src/cli/main.ts`, ...args.map(String)], {
      cwd: root,
      env: { ...inherited, NO_COLOR: '1', ...env },
      stdio: [input === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      for (const read of [...this.#readers]) read();
    });
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    if (input !== null) this.child.stdin!.write(input);
    this.over = new Promise((resolve) => {
      this.child.once('close', (code) => resolve({ out: this.out, err: this.err, code }));
    });
  }

  /** Waits until it has said something; fails if it ends before. */
  says(what: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const read = () => {
        const found = what.exec(this.out);
        if (found === null) return;
        this.#readers.delete(read);
        resolve(found);
      };
      this.#readers.add(read);
      read();
      void this.over.then(({ out, err }) => reject(new Error(`It ended without ${what}:\n${out}${err}`)));
    });
  }
}

/** Runs `curio …` to its end. */
export function curio(args: (string | number)[], input: string | null = null): Promise<CurioEnding> {
  return new Curio(args, input).over;
}
