/*
 * What a pool wants of a worker, whether a thread or a process, and what both have in common.
 */

import type { Call } from './call.ts';
import type { CallMessage, Reply } from './message.ts';

/** What a pool hears of a worker. */
export interface Listener {
  /** An answer to the first of its calls. */
  replied(worker: PoolWorker, reply: Reply): void;
  /** The call could not be sent after all. */
  unsent(worker: PoolWorker, error: unknown): void;
  /** The worker is no more; `how` ends a sentence about it. */
  ended(worker: PoolWorker, how: string, cause: unknown): void;
}

export abstract class PoolWorker {
  abstract readonly kind: 'thread' | 'process';
  /** What it was sent and has not answered, in that order: it does the first, the others wait in its mailbox. */
  readonly calls: Call[] = [];
  /** How many calls it may be sent before it has answered the first. */
  abstract readonly depth: number;
  /** True once it has done a call. */
  isProven = false;
  /** When it was sent its first call, or answered the one before that, in milliseconds. */
  busySince = 0;
  /** When it last had something to do, in milliseconds. */
  idleSince = 0;
  /** The functions that it has. */
  readonly #known = new Set<number>();

  /**
   * Sends a call.
   * @param linger if the worker may look out for the next call
   * @throws what structured clone throws about the arguments
   */
  abstract send(call: Call, linger: boolean): void;

  /** Tells the listener at once what else the worker has said. */
  abstract hear(): void;

  /** How many of its calls it had begun, if no other can begin from now on. */
  protected abstract halt(): number;

  /** Ends it at once, whatever it does. The promise is fulfilled when it has gone. */
  abstract kill(): Promise<void>;

  /** Takes back the calls that it has not begun. */
  recall(): Call[] {
    const back = this.calls.splice(this.halt());
    // What a function came with may have been among them.
    for (const { shipment } of back) this.#known.delete(shipment.id);
    return back;
  }

  /** Posts a call: of a function that the worker has, only the number. */
  protected post(call: Call, linger: boolean, post: (message: CallMessage) => void): void {
    const { id, lasting } = call.shipment;
    post(call.message(this.#known.has(id) ? id : call.shipment, linger));
    if (lasting) this.#known.add(id);
  }
}
