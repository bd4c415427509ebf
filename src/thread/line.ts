/*
 * The line to a thread, seen from the kernel: a port, a bell, and the worker at the other end.
 */

import { existsSync } from 'node:fs';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { Bell, bellWords } from '../base/bell.ts';
import { Lookout } from '../base/lookout.ts';
import { ownUrl } from '../base/own-file.ts';
import { RuntimeError } from '../errors.ts';
import { outsideTasks } from '../traps.ts';
import { farScript } from '../workers/far/script.ts';
import { mainScript } from '../workers/travel/main-script.ts';
import type { Outfit } from './far.ts';

export class ThreadLine {
  readonly #name: string;
  readonly #channel = new MessageChannel();
  readonly #words = bellWords();
  readonly #bell = new Bell(this.#words);
  readonly #lookout = new Lookout();
  #worker: Worker | null = null;
  #gone: (reason: Error) => void = () => {};
  #closed = false;

  constructor(name: string) {
    this.#name = name;
  }

  post(message: unknown): void {
    this.#channel.port1.postMessage(message);
    this.#bell.ring();
    outsideTasks(() => this.#lookout.asked());
  }

  listen(heard: (message: unknown) => void, gone: (reason: Error) => void): void {
    const { port1 } = this.#channel;
    port1.on('message', (message) => {
      this.#lookout.heard();
      heard(message);
    });
    port1.unref();
    this.#gone = (reason) => {
      // What it said last may not have been heard yet.
      for (let got = receiveMessageOnPort(port1); got !== undefined; got = receiveMessageOnPort(port1)) {
        heard((got as { message: unknown }).message);
      }
      gone(reason);
    };
  }

  /** Starts the thread. */
  launch(): void {
    const { port2 } = this.#channel;
    const worker = new Worker(script(), {
      eval: true,
      name: this.#name,
      workerData: { port: port2, words: this.#words, main: mainScript() } satisfies Outfit,
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

/** What the thread is started with. */
function script(): string {
  // Built, the thread imports the very files that its program does: its errors and classes are then the same.
  // A bundle has no such file, but brings the text along.
  const file = new URL('./far-thread.js', ownUrl(import.meta.url));
  return existsSync(file) ? `import(${JSON.stringify(file.href)})` : farScript('thread');
}

/** A line to a thread that is not launched yet. */
export function openLine(name: string): ThreadLine {
  return new ThreadLine(name);
}
