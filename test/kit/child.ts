// Runs a little program of test/programs/ as a process of its own, for what cannot be seen from inside one: what goes to
// standard error, what ends a process, and whether anything keeps it alive. It must know nothing of Curio.

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Ended {
  /** Lines of standard output. */
  said: string[];
  /** All of standard error. */
  complaint: string;
  code: number | null;
  /** The signal that ended the process, if one did. */
  signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  args?: string[];
  env?: NodeJS.ProcessEnv;
  /** Options for Node itself. */
  node?: string[];
  /** Called with each line of standard output, and a way to send signals. */
  onLine?: (line: string, kill: (signal: NodeJS.Signals) => void) => void;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs `test/programs/<name>.ts` until it ends. */
export function program(
  name: string,
  { args = [], env = {}, node = [], onLine }: ProgramOptions = {},
): Promise<Ended> {
  const { CURIO_STACKS: _, NODE_OPTIONS: __, ...inherited } = process.env;
  const child = spawn(
    process.execPath,
    [...node, '--import', 'tsx', `${root}test/programs/${name}.ts`, ...args],
    { cwd: root, env: { ...inherited, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said: string[] = [];
  let rest = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() as string;
    for (const line of lines) {
      said.push(line);
      onLine?.(line, (signal) => void child.kill(signal));
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (rest !== '') said.push(rest);
      resolve({ said, complaint, code, signal });
    });
  });
}
