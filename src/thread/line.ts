/*
 * The line to a thread, seen from the kernel: a port, a bell, and the worker at the other end.
 */

import { MessageChannel, Worker } from 'node:worker_threads';
import { Bell, bellWords } from '../base/bell.ts';
import { RuntimeError } from '../errors.ts';

export class ThreadLine {
  readonly #name: string;
  readonly #channel = new MessageChannel();
  readonly #words = bellWords();
  readonly #bell = new Bell(this.#words);
  #worker: Worker | null = null;
  #gone: (reason: Error) => void = () => {};
  #closed = false;

  constructor(name: string) {
    this.#name = name;
  }

  post(message: unknown): void {
    this.#channel.port1.postMessage(message);
    this.#bell.ring();
  }

  listen(heard: (message: unknown) => void, gone: (reason: Error) => void): void {
    this.#channel.port1.on('message', heard).unref();
    this.#gone = gone;
  }

  /** Starts the thread. */
  launch(): void {
    const { port2 } = this.#channel;
    const entry = JSON.stringify(new URL('./far.ts', import.meta.url).href);
    const code = `const u=${JSON.stringify(new URL('../../node_modules/tsx/dist/esm/api/index.mjs', import.meta.url).href)};import(u).then(({register})=>{register();return import(${entry})})`;
    const worker = new Worker(code, {
      eval: true,
      name: this.#name,
      workerData: { port: port2, words: this.#words },
      transferList: [port2],
    });
    worker.unref();
    worker.on('error', (error) => this.#gone(error as Error));
    worker.on('exit', (code) => {
      this.#bell.leave();
      this.#gone(new RuntimeError(`The thread ${this.#name} ended with process.exit(${code}).`));
    });
    this.#worker = worker;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#channel.port1.close();
    if (this.#worker === null) this.#channel.port2.close();
    else void this.#worker.terminate();
  }
}

/** A line to a thread that is not launched yet. */
export function openLine(name: string): ThreadLine {
  return new ThreadLine(name);
}
