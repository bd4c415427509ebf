/*
 * The workers of one kind that a kernel has: who does what, who waits for a worker, who is started and ended.
 *
 * It must not know what a worker is, nor what a task is beyond the call it waits in.
 */

import { availableParallelism } from 'node:os';
import { Lineup } from '../base/lineup.ts';
import { nextTurn } from '../base/loop.ts';
import { errorText } from '../base/stack.ts';
import { EOFError } from '../errors.ts';
import { outsideTasks } from '../traps.ts';
import type { Call } from './call.ts';
import { type Reply, sentence } from './message.ts';
import type { Shipment } from './travel/shipment.ts';
import type { Listener, PoolWorker } from './worker.ts';

/** How long a worker may have nothing to do, in milliseconds, unless it is the last. */
const IDLE = 10_000;

const CORES = availableParallelism();

/** What takes longer is not a quick call, in milliseconds. */
const QUICK = 1;

export class Pool implements Listener {
  readonly #start: (listener: Listener) => PoolWorker;
  readonly #limit: () => number;
  readonly #complain: (text: string) => void;
  readonly #workers = new Set<PoolWorker>();
  /** Those with nothing to do; the one that was busy last is the first to be taken. */
  readonly #idle: PoolWorker[] = [];
  #waiting = new Lineup<Call>();
  /** The functions of which the last call was a quick one. */
  readonly #quick = new WeakSet<Shipment>();
  #impatience: NodeJS.Timeout | null = null;
  readonly #leaving = new Set<Promise<void>>();
  #sweeper: NodeJS.Timeout | null = null;
  #refilling = false;
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
    this.#place(call);
  }

  /**
   * Discussion: quick calls are over sooner if no more workers are woken than there are cores, and if several are sent to each
   * at once. But a call that waits for something else than a core must not keep others from beginning. Which calls do is known only
   * when they have: so those of a function that has been quick are put behind others, and taken back if these are not.
   */
  #place(call: Call): void {
    const lively = this.#mayWait(call) ? this.#lively() : [];
    const isHeld = lively.length >= CORES;
    const worker = isHeld ? leastBusy(lively) : this.#another();
    if (isHeld) this.#lookAgain();
    if (worker === null) return void this.#waiting.add(call);
    try {
      this.#give(worker, call);
    } catch (error) {
      // swallows: nothing; the worker is free for others.
      if (worker.calls.length === 0) this.#free(worker);
      throw error;
    }
  }

  #mayWait(call: Call): boolean {
    return this.#quick.has(call.shipment) && !call.isMoving;
  }

  /** Those that have not been long over what they do. */
  #lively(): PoolWorker[] {
    if (this.#workers.size - this.#idle.length < CORES) return [];
    const before = performance.now() - QUICK;
    return [...this.#workers].filter((it) => it.calls.length > 0 && it.busySince > before);
  }

  #another(): PoolWorker | null {
    return this.#idle.pop() ?? this.#more();
  }

  #lookAgain(): void {
    this.#impatience ??= outsideTasks(() => setTimeout(() => this.#hurry(), QUICK));
  }

  /** Calls have been put behind others, or wait: those that are not quick after all must not hold them up. */
  #hurry(): void {
    this.#impatience = null;
    for (const worker of [...this.#workers]) worker.hear();
    const before = performance.now() - QUICK;
    const back: Call[] = [];
    for (const worker of this.#workers) {
      const [first, second] = worker.calls;
      if (first === undefined) continue;
      if (worker.busySince <= before) {
        this.#quick.delete(first.shipment);
        if (second !== undefined) back.push(...this.#recall(worker));
      } else if (second !== undefined) this.#lookAgain();
    }
    this.#takeBack(back);
  }

  /** Calls that have not begun have their places again among those that wait. */
  #takeBack(calls: Call[]): void {
    this.#lineUp(calls);
    this.#begin();
  }

  #lineUp(calls: Call[]): void {
    if (calls.length === 0) return;
    const all = [...calls, ...this.#waiting].sort((a, b) => a.nth - b.nth);
    this.#waiting = new Lineup();
    for (const call of all) this.#waiting.add(call);
  }

  /** Takes back what a worker has not begun, which may be all. */
  #recall(worker: PoolWorker): Call[] {
    const back = worker.recall();
    if (worker.calls.length === 0) this.#rest(worker);
    return back;
  }

  /** Finds workers for those who wait. */
  #begin(): void {
    let lively = this.#lively().length;
    for (const call of this.#waiting) {
      if (lively >= CORES && this.#mayWait(call)) {
        this.#lookAgain();
        continue;
      }
      const worker = this.#another();
      if (worker === null) return;
      lively++;
      this.#waiting.delete(call);
      this.#giveOrFail(worker, call);
      if (worker.calls.length === 0) this.#free(worker);
    }
  }

  /** Ends all workers, and waits until they have gone. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#sweeper !== null) clearInterval(this.#sweeper);
    if (this.#impatience !== null) clearTimeout(this.#impatience);
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
    const limit = Math.max(1, this.#limit());
    // Those that are leaving take up room, too; but one that is caught in a native call may never go.
    if (this.#workers.size >= limit || this.#workers.size + this.#leaving.size >= 2 * limit) return null;
    const worker = outsideTasks(() => this.#start(this));
    this.#workers.add(worker);
    return worker;
  }

  /** @throws TypeError if it cannot be sent; the worker is as it was */
  #give(worker: PoolWorker, call: Call): void {
    if (worker.calls.length === 0) worker.busySince = performance.now();
    const linger = this.#workers.size - this.#idle.length < CORES && this.#waiting.size === 0;
    try {
      worker.send(call, linger);
    } catch (error) {
      // swallows: nothing; it goes on as the cause.
      throw notSent(call, error);
    }
    worker.calls.push(call);
  }

  #giveOrFail(worker: PoolWorker, call: Call): void {
    try {
      this.#give(worker, call);
    } catch (error) {
      // swallows: nothing; it is what the caller gets.
      call.fail(error);
    }
  }

  /** A worker that has nothing to do any more. */
  #free(worker: PoolWorker): void {
    if (!this.#workers.has(worker)) return;
    for (let call = this.#waiting.first; call !== undefined; call = this.#waiting.first) {
      if (worker.calls.length > 0 && !(hasRoom(worker) && this.#mayWait(call))) break;
      this.#waiting.delete(call);
      this.#giveOrFail(worker, call);
    }
    if (worker.calls.length > 0) {
      if (worker.calls.length > 1) this.#lookAgain();
      return;
    }
    this.#rest(worker);
  }

  #rest(worker: PoolWorker): void {
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
    const leaving = worker.kill().then(() => {
      this.#leaving.delete(leaving);
      if (this.#waiting.size > 0) this.#refillSoon();
    });
    this.#leaving.add(leaving);
  }

  /** The task that waited for the call waits no more. */
  #withdraw(call: Call): void {
    if (this.#waiting.delete(call)) return;
    call.isWanted = false;
    if (call.options.onCancel === 'abandon') return;
    for (const worker of this.#workers) {
      if (!worker.calls.includes(call)) continue;
      // Only those that it has begun are left, and of these only the one that it does.
      const back = this.#recall(worker);
      worker.hear();
      if (worker.calls[0] === call) this.#dismiss(worker);
      this.#lineUp(back.filter((it) => it !== call));
      this.#refillSoon();
      return;
    }
  }

  /** Those who wait are often cancelled together with those who have a worker: they shall not be given one first. */
  #refillSoon(): void {
    if (this.#refilling) return;
    this.#refilling = true;
    outsideTasks(() =>
      nextTurn(() => {
        this.#refilling = false;
        this.#refill([]);
      }),
    );
  }

  /** A worker has gone: those who wait may have another, and one is kept warm. */
  #refill(back: Call[]): void {
    if (this.#closed) return;
    this.#takeBack(back);
    if (this.#workers.size > 0) return;
    const worker = this.#more();
    if (worker !== null) this.#free(worker);
  }

  // ---- What workers say -----------------------------------------------------------------

  replied(worker: PoolWorker, reply: Reply): void {
    const call = worker.calls.shift();
    if (call === undefined) return;
    const now = performance.now();
    if (now - worker.busySince < QUICK) this.#quick.add(call.shipment);
    else this.#quick.delete(call.shipment);
    worker.busySince = now;
    worker.isProven = true;
    // First the next call: the task that gets this reply may have one, too, and must stand behind those that wait.
    if (worker.calls.length === 0) this.#free(worker);
    if (call.isWanted) call.settle(reply, worker.kind);
  }

  unsent(worker: PoolWorker, error: unknown): void {
    const call = worker.calls.shift()!;
    this.#free(worker);
    if (call.isWanted) call.fail(notSent(call, error));
  }

  ended(worker: PoolWorker, how: string, cause: unknown): void {
    if (!this.#workers.has(worker)) return;
    this.#forget(worker);
    const back = worker.recall();
    worker.hear();
    // One that cannot even be started must not be started again and again for the same call; and what was moved is lost.
    const mustFail = !worker.isProven || back[0]?.isMoving === true;
    const call = worker.calls[0] ?? (mustFail ? back.shift() : undefined);
    if (call === undefined) {
      const what = cause === undefined ? '.' : `: ${errorText(cause)}`;
      this.#complain(`A worker ${worker.kind} ${how} while it had nothing to do${what}`);
    } else if (call.isWanted) {
      call.fail(new EOFError(`The worker ${worker.kind} ${how} while it ran ${call.name}.`, { cause }));
    }
    if (call !== undefined || worker.isProven) this.#refill(back);
  }
}

function hasRoom({ calls, depth, isProven }: PoolWorker): boolean {
  return isProven && calls.length < depth && calls[0]?.isMoving !== true;
}

/** The one behind whose calls there is most room for another. */
function leastBusy(workers: PoolWorker[]): PoolWorker | null {
  let found: PoolWorker | null = null;
  for (const worker of workers) {
    if (hasRoom(worker) && (found === null || worker.calls.length < found.calls.length)) found = worker;
  }
  return found;
}

function notSent(call: Call, error: unknown): TypeError {
  const { message } = error as Error;
  // Its code and class are not the same in all versions of Node.
  const remedy = message.includes('transferList')
    ? 'Move it: runInThread({ transfer: [it] }, fn, it).'
    : 'Pass plain data.';
  return new TypeError(
    `An argument of ${call.name} cannot be copied to where it should run: ${sentence(message)} ${remedy}`,
    { cause: error },
  );
}
