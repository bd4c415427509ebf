/*
 * A worker that is a thread.
 */

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  type Transferable,
  Worker,
} from 'node:worker_threads';
import { Lookout } from '../base/lookout.ts';
import { outsideTasks } from '../traps.ts';
import type { Call } from './call.ts';
import { sealEnvelope } from './envelope.ts';
import { farScript } from './far/script.ts';
import { BEGUN, type Reply, SENT } from './message.ts';
import { mainScript } from './travel/main-script.ts';
import { type Listener, PoolWorker } from './worker.ts';

export class ThreadWorker extends PoolWorker {
  readonly kind = 'thread';
  readonly depth = 8;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #counts = new Int32Array(new SharedArrayBuffer(8));
  readonly #lookout = new Lookout();
  readonly #listener: Listener;
  /** How many of the calls it was sent it has answered, or were taken back. */
  #over = 0;
  #error: unknown;

  constructor(listener: Listener) {
    super();
    this.#listener = listener;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(farScript('call'), {
      eval: true,
      name: 'curio',
      workerData: { port: port2, counts: this.#counts, main: mainScript() },
      transferList: [port2],
    });
    port1.on('message', (reply: Reply) => {
      this.#lookout.heard();
      this.#replied(reply);
      this.hear();
    });
    port1.on('messageerror', (error) => this.#replied({ error: sealEnvelope(error) }));
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#worker.on('exit', (code) => {
      const how = this.#error === undefined ? `ended by process.exit(${code})` : 'ended by an uncaught error';
      listener.ended(this, how, this.#error);
      port1.close();
    });
    // Whoever waits for a call keeps the process alive himself.
    port1.unref();
    this.#worker.unref();
  }

  send(call: Call, linger: boolean): void {
    this.post(call, linger, (message) =>
      this.#port.postMessage(message, call.options.transfer as Transferable[] | undefined),
    );
    Atomics.add(this.#counts, SENT, 1);
    Atomics.notify(this.#counts, SENT);
    // While there are cores for it.
    if (linger) outsideTasks(() => this.#lookout.asked());
  }

  #replied(reply: Reply): void {
    this.#over++;
    this.#listener.replied(this, reply);
  }

  hear(): void {
    for (let reply = this.#take(); reply !== null; reply = this.#take()) this.#replied(reply);
  }

  #take(): Reply | null {
    try {
      return (receiveMessageOnPort(this.#port) as { message: Reply } | undefined)?.message ?? null;
    } catch (error) {
      // swallows: nothing; what cannot be read is a reply, too.
      return { error: sealEnvelope(error) };
    }
  }

  protected halt(): number {
    const sent = Atomics.load(this.#counts, SENT);
    const begun = Atomics.exchange(this.#counts, BEGUN, sent);
    const open = begun - this.#over;
    this.#over += sent - begun;
    return open;
  }

  async kill(): Promise<void> {
    await this.#worker.terminate();
  }
}
