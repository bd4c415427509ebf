/*
 * The workers of one kind that a kernel has: who does what, who waits for a worker, who is started and ended.
 *
 * It must not know what a worker is, nor what a task is beyond the call it waits in.
 */

import { availableParallelism } from 'node:os';
import { EOFError } from '../errors.ts';
import { outsideTasks } from '../traps.ts';
import type { Call } from './call.ts';
import type { Reply } from './message.ts';
import type { Listener, PoolWorker } from './worker.ts';

/** How long a worker may have nothing to do, in milliseconds, unless it is the last. */
const IDLE = 10_000;

const CORES = availableParallelism();

export class Pool implements Listener {
  readonly #start: (listener: Listener) => PoolWorker;
  readonly #limit: () => number;
  readonly #complain: (text: string) => void;
  readonly #workers = new Set<PoolWorker>();
  /** Those with nothing to do; the one that was busy last is the first to be taken. */
  readonly #idle: PoolWorker[] = [];
  readonly #waiting = new Set<Call>();
  readonly #leaving = new Set<Promise<void>>();
  #sweeper: NodeJS.Timeout | null = null;
  #closed = false;

  /** @param complain told of what happens to a worker while it does nothing */
  constructor(
    start: (listener: Listener) => PoolWorker,
    limit: () => number,
    complain: (text: string) => void,
  ) {
    this.#start = start;
    this.#limit = limit;
    this.#complain = complain;
  }

  /** How many workers there are. */
  get size(): number {
    return this.#workers.size;
  }

  /**
   * Has a call done as soon as there is a worker for it.
   * @throws TypeError if its arguments cannot be sent
   */
  submit(call: Call): void {
    call.withdraw = () => this.#withdraw(call);
    const worker = this.#idle.pop() ?? this.#more();
    if (worker === null) this.#waiting.add(call);
    else this.#give(worker, call);
  }

  /** Ends all workers, and waits until they have gone. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    for (const worker of [...this.#workers]) this.#dismiss(worker);
    // A thread that is caught in a native call goes when that is over; nobody is to wait for that.
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, 5000);
    });
    await Promise.race([Promise.all(this.#leaving), enough]);
    clearTimeout(patience);
  }

  #more(): PoolWorker | null {
    if (this.#workers.size >= Math.max(1, this.#limit())) return null;
    const worker = outsideTasks(() => this.#start(this));
    this.#workers.add(worker);
    return worker;
  }

  #give(worker: PoolWorker, call: Call): void {
    worker.call = call;
    const busy = this.#workers.size - this.#idle.length;
    try {
      worker.send(call, busy < CORES && this.#waiting.size === 0);
    } catch (error) {
      // swallows: nothing; it goes on as the cause.
      worker.call = null;
      this.#free(worker);
      throw notSent(call, error);
    }
  }

  /** A worker that has nothing to do any more. */
  #free(worker: PoolWorker): void {
    for (const call of this.#waiting) {
      this.#waiting.delete(call);
      try {
        return this.#give(worker, call);
      } catch (error) {
        // swallows: nothing; it is what the caller gets. The worker has been freed again.
        call.fail(error);
        return;
      }
    }
    worker.idleSince = performance.now();
    this.#idle.push(worker);
    if (this.#idle.length > 1) this.#sweeper ??= this.#sweep();
  }

  #sweep(): NodeJS.Timeout {
    return outsideTasks(() =>
      setInterval(() => {
        const before = performance.now() - IDLE;
        while (this.#idle.length > 1 && this.#idle[0]!.idleSince <= before) this.#dismiss(this.#idle[0]!);
        if (this.#idle.length > 1) return;
        clearInterval(this.#sweeper!);
        this.#sweeper = null;
      }, IDLE / 2).unref(),
    );
  }

  #forget(worker: PoolWorker): void {
    this.#workers.delete(worker);
    const place = this.#idle.indexOf(worker);
    if (place >= 0) this.#idle.splice(place, 1);
  }

  #dismiss(worker: PoolWorker): void {
    this.#forget(worker);
    const leaving = worker.kill().then(() => void this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  /** The task that waited for the call waits no more. */
  #withdraw(call: Call): void {
    if (this.#waiting.delete(call)) return;
    for (const worker of this.#workers) {
      if (worker.call !== call) continue;
      worker.call = null;
      if (call.options.onCancel === 'abandon') worker.abandoned = true;
      else {
        this.#dismiss(worker);
        this.#refill();
      }
      return;
    }
  }

  /** A worker has gone: those who wait need another, and one is kept warm. */
  #refill(): void {
    if (this.#closed || (this.#waiting.size === 0 && this.#workers.size > 0)) return;
    const worker = this.#more();
    if (worker !== null) this.#free(worker);
  }

  // ---- What workers say -----------------------------------------------------------------

  replied(worker: PoolWorker, reply: Reply): void {
    if (!this.#workers.has(worker)) return;
    const { call } = worker;
    worker.call = null;
    worker.abandoned = false;
    // First the next call: the task that gets this reply may have one, too, and must stand behind those that wait.
    this.#free(worker);
    call?.settle(reply, worker.kind);
  }

  unsent(worker: PoolWorker, error: unknown): void {
    const { call } = worker;
    worker.call = null;
    this.#free(worker);
    call?.fail(notSent(call, error));
  }

  ended(worker: PoolWorker, how: string, cause: unknown): void {
    if (!this.#workers.has(worker)) return;
    this.#forget(worker);
    const { call } = worker;
    worker.call = null;
    if (call !== null) {
      call.fail(new EOFError(`The worker ${worker.kind} ${how} while it ran ${call.name}.`, { cause }));
    } else this.#complain(`A worker ${worker.kind} ${how} while it had nothing to do.`);
    // A worker that cannot even be started must not be started again and again.
    if (call !== null || worker.idleSince > 0) this.#refill();
  }
}

function notSent(call: Call, error: unknown): TypeError {
  return new TypeError(
    `An argument of ${call.name} cannot be copied to where it should run: ${(error as Error).message} Pass plain data.`,
    { cause: error },
  );
}
