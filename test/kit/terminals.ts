// Two terminals: one in which a program of test/programs/ runs, and one that talks to its monitor, as a user of `nc` would. It
// must know nothing of Curio but how its monitor says where it listens, and what its prompt is.

import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PROMPT = 'curio > ';

/** Collects text, and lets others wait for what comes. */
class Paper {
  text = '';
  #ended = false;
  readonly #readers = new Set<() => void>();

  add(text: string): void {
    this.text += text;
    for (const read of [...this.#readers]) read();
  }

  end(): void {
    this.#ended = true;
    for (const read of [...this.#readers]) read();
  }

  /** Waits until `find` gives something else than null; fails at the end of the text. */
  until<T>(find: (text: string) => T | null, what: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const read = () => {
        const found = find(this.text);
        if (found === null && !this.#ended) return;
        this.#readers.delete(read);
        if (found !== null) resolve(found);
        else reject(new Error(`The text ended without ${what}:\n${this.text}`));
      };
      this.#readers.add(read);
      read();
    });
  }

  async ended(): Promise<string> {
    await this.until(() => (this.#ended ? true : null), 'an end');
    return this.text;
  }
}

/** A program that runs. */
export class Program {
  readonly said = new Paper();
  readonly logged = new Paper();
  readonly child: ChildProcess;
  /** How it ended. */
  readonly over: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(name: string, { args = [], env = {} }: { args?: string[]; env?: NodeJS.ProcessEnv } = {}) {
    const { NODE_OPTIONS: _, CURIO_STACKS: __, ...inherited } = process.env;
    const path = name.includes('/') ? name : `${root}test/programs/${name}.ts`;
    this.child = spawn(process.execPath, ['--import', 'tsx', path, ...args], {
      cwd: root,
      env: { ...inherited, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => this.said.add(text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => this.logged.add(text));
    this.over = new Promise((resolve) => {
      this.child.once('close', (code, signal) => {
        this.said.end();
        this.logged.end();
        resolve({ code, signal });
      });
    });
  }

  /** Waits until the program has said this. */
  says(line: string): Promise<string> {
    return this.said.until((text) => (text.includes(line) ? text : null), JSON.stringify(line));
  }

  /** The port of its monitor, once it listens. */
  monitorPort(): Promise<number> {
    return this.logged.until((text) => {
      const port = /monitor listens on \S+:(\d+)/.exec(text)?.[1];
      return port === undefined ? null : Number(port);
    }, 'the port of its monitor');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.over;
  }
}

/** A client of the monitor. */
export class Terminal {
  readonly paper = new Paper();
  readonly socket: Socket;
  #seen = 0;

  constructor(port: number, host = '127.0.0.1') {
    this.socket = connect(port, host);
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text: string) => this.paper.add(text));
    this.socket.on('error', () => this.socket.destroy());
    this.socket.on('close', () => this.paper.end());
  }

  /** What comes up to the next prompt, which is left out. */
  async answer(): Promise<string> {
    const text = await this.paper.until((all) => {
      const end = all.indexOf(PROMPT, this.#seen);
      return end < 0 ? null : all.slice(0, end);
    }, 'a prompt');
    const answer = text.slice(this.#seen);
    this.#seen = text.length + PROMPT.length;
    return answer.trimEnd();
  }

  /** Types a line, and gives the answer. */
  type(line: string): Promise<string> {
    this.socket.write(`${line}\n`);
    return this.answer();
  }

  /** Types a line until the answer contains a text. */
  async typeUntil(line: string, text: string): Promise<string> {
    for (;;) {
      const answer = await this.type(line);
      if (answer.includes(text)) return answer;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
