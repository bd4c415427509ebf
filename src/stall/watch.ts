/*
 * This thread's end of the thread that watches it: one for the whole process, started when somebody first needs it, and
 * stopped when nobody does any more. It keeps nothing alive.
 *
 * It must not know what is watched for: limits.ts and the monitor do.
 */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { ownUrl } from '../base/own-file.ts';
import { valueText } from '../base/stack.ts';
import { workerThreads } from '../base/worker-threads.ts';
import { outsideTasks, pulse } from '../traps.ts';
import { built } from './built.ts';
import { answer, deskNumber } from './desk.ts';

/** What the thread is given at its start. */
export interface WatchData {
  pulse: Int32Array;
  desk: number;
  /** Only the main thread can be looked into from outside. */
  main: boolean;
}

/** A question of the thread's, to be answered under the same number. */
export interface Question {
  number: number;
  question: string;
  args: unknown[];
}

/** A guest has left. */
export interface Farewell {
  gone: number;
}

export type Reply = { number: number; value: unknown } | { number: number; error: string };

/** What this thread sends. */
export type Order =
  | { do: 'reply'; reply: Reply }
  | { do: 'limits'; seconds: number | null; hard: boolean }
  | { do: 'admit'; guest: number; url: string; data: unknown }
  | { do: 'dismiss'; guest: number }
  | { do: 'stop' };

const own = ownUrl(import.meta.url);
const SOURCE = own.endsWith('.ts');

/** A thread's module: `monitor/server`, say. Built, it is a file of its own; a bundle brings the text along. */
function threadModule(name: string): URL {
  if (SOURCE) return new URL(`../${name}.ts`, own);
  const file = new URL(`./${name}.js`, own);
  if (existsSync(file) || built === null) return file;
  return new URL(`data:text/javascript,${encodeURIComponent(built(name))}`);
}

/** A thread does not inherit what loads TypeScript, and what asks a loader in this thread would wait for it while it is stuck. */
function fromSource(module: URL): string {
  const path = JSON.stringify(fileURLToPath(module));
  return `const load = require('node:module').createRequire(${path}); load('tsx/cjs/api').register(); load(${path});`;
}

export class Watch {
  readonly #worker: Worker;
  /** How many wait for something of the thread's, which the process must not end before. */
  #awaited = 0;
  #users = 0;
  /** Settles when the thread has ended, by itself or not. */
  readonly #ended: Promise<void>;
  /** Guests that are asked to go, and who waits for that. */
  readonly #leaving = new Map<number, () => void>();

  constructor() {
    const { isMainThread, Worker } = workerThreads();
    const data: WatchData = { pulse, desk: deskNumber(), main: isMainThread };
    const module = threadModule('stall/thread');
    this.#worker = new Worker(SOURCE ? fromSource(module) : module, {
      workerData: data,
      eval: SOURCE,
      // What the program was started with is not for this thread.
      execArgv: [],
      env: { ...process.env, NODE_OPTIONS: '' },
      stdin: false,
      name: 'curio watch',
    });
    this.#worker.on('message', (message: Question | Farewell) => {
      if ('gone' in message) this.#leaving.get(message.gone)?.();
      else void this.#answer(message);
    });
    this.#worker.on('error', (error) =>
      process.stderr.write(`curio error: the watching thread failed: ${valueText(error)}\n`),
    );
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.unref();
  }

  use(): void {
    this.#users++;
  }

  /** One user less. The last one's going stops the thread; settles when it has ended. */
  async release(): Promise<void> {
    if (--this.#users > 0) return;
    if (current === this) current = null;
    await this.#stop();
  }

  /** Lets a guest live in the thread. Its module exports `open(thread, data)`. Gives what sends it away again. */
  admit(module: string, data: unknown): () => Promise<void> {
    const guest = ++lastGuest;
    this.send({ do: 'admit', guest, url: threadModule(module).href, data });
    return () => {
      const settled = this.stay();
      const gone = new Promise<void>((resolve) => this.#leaving.set(guest, resolve));
      this.send({ do: 'dismiss', guest });
      return Promise.race([gone, this.#ended]).finally(settled);
    };
  }

  /** Keeps the process alive until what it gives is called, once. */
  stay(): () => void {
    if (this.#awaited++ === 0) this.#worker.ref();
    return () => {
      if (--this.#awaited === 0) this.#worker.unref();
    };
  }

  send(order: Order): void {
    this.#worker.postMessage(order);
  }

  async #stop(): Promise<void> {
    this.stay();
    // Never terminate(): this thread would hang if that one ended while it holds this one.
    this.send({ do: 'stop' });
    await this.#ended;
  }

  async #answer({ number, question, args }: Question): Promise<void> {
    let reply: Reply;
    try {
      reply = { number, value: await answer(question, args) };
    } catch (error) {
      // swallows: no task runs here; who asked is told.
      reply = { number, error: error instanceof Error ? error.message : valueText(error) };
    }
    this.send({ do: 'reply', reply });
  }
}

let lastGuest = 0;
let current: Watch | null = null;

/** The watch of this process. To be given back with `release()`. */
export function useWatch(): Watch {
  current ??= outsideTasks(() => new Watch());
  current.use();
  return current;
}
