/*
 * A worker that is a thread.
 */

import type { MessagePort, Transferable, Worker } from 'node:worker_threads';
import { workerThreads } from '../base/worker-threads.ts';
import type { Call } from './call.ts';
import { sealEnvelope } from './envelope.ts';
import { farScript } from './far/script.ts';
import type { Reply } from './message.ts';
import { mainScript } from './travel/main-script.ts';
import type { Listener, PoolWorker } from './worker.ts';

export class ThreadWorker implements PoolWorker {
  readonly kind = 'thread';
  call: Call | null = null;
  abandoned = false;
  idleSince = 0;
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #sent = new Int32Array(new SharedArrayBuffer(4));
  /** The functions that it has. */
  readonly #known = new Set<number>();
  #error: unknown;

  constructor(listener: Listener) {
    const { MessageChannel, Worker } = workerThreads();
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = new Worker(farScript('call'), {
      eval: true,
      name: 'curio',
      workerData: { port: port2, sent: this.#sent, main: mainScript() },
      transferList: [port2],
    });
    port1.on('message', (reply: Reply) => listener.replied(this, reply));
    port1.on('messageerror', (error) => listener.replied(this, { error: sealEnvelope(error) }));
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#worker.on('exit', (code) => {
      port1.close();
      const how = this.#error === undefined ? `ended by process.exit(${code})` : 'ended by an uncaught error';
      listener.ended(this, how, this.#error);
    });
    // Whoever waits for a call keeps the process alive himself.
    port1.unref();
    this.#worker.unref();
  }

  send(call: Call, linger: boolean): void {
    const { id, lasting } = call.shipment;
    const message = call.message(this.#known.has(id) ? id : call.shipment, linger);
    this.#port.postMessage(message, call.options.transfer as Transferable[] | undefined);
    Atomics.add(this.#sent, 0, 1);
    Atomics.notify(this.#sent, 0);
    if (lasting) this.#known.add(id);
  }

  async kill(): Promise<void> {
    await this.#worker.terminate();
  }
}
