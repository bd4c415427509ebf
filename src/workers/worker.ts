/*
 * What a pool wants of a worker, whether a thread or a process.
 */

import type { Call } from './call.ts';
import type { Reply } from './message.ts';

/** What a pool hears of a worker. */
export interface Listener {
  replied(worker: PoolWorker, reply: Reply): void;
  /** The call could not be sent after all. */
  unsent(worker: PoolWorker, error: unknown): void;
  /** The worker is no more; `how` ends a sentence about it. */
  ended(worker: PoolWorker, how: string, cause: unknown): void;
}

export interface PoolWorker {
  readonly kind: 'thread' | 'process';
  /** What it does; null while it does nothing. */
  call: Call | null;
  /** It does something that nobody waits for any more. */
  abandoned: boolean;
  /** When it last had something to do, in milliseconds. */
  idleSince: number;
  /**
   * Sends a call.
   * @throws what structured clone throws about the arguments
   */
  send(call: Call, linger: boolean): void;
  /** Ends it at once, whatever it does. The promise is fulfilled when it has gone. */
  kill(): Promise<void>;
}
