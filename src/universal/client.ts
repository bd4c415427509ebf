/*
 * A thread that uses universal objects of another: asks, and blocks, or lets a task wait, until there is an answer.
 *
 * It must not know what the objects are.
 */

import type { BroadcastChannel, MessagePort } from 'node:worker_threads';
import { Bell, bellWords, joinCrowd } from '../base/bell.ts';
import { workerThreads } from '../base/worker-threads.ts';
import { RuntimeError } from '../errors.ts';
import {
  begin,
  block,
  elsewhere,
  enter,
  handled,
  hold,
  pass,
  RESUME_CLAIM,
  RESUME_ERROR,
  release,
  type TaskRecord,
  type Waitable,
} from '../traps.ts';
import type { Hello, Home, Reply, Request } from './protocol.ts';
import { TAKEN } from './protocol.ts';
import { whenThreadEnds } from './threads.ts';
import { type Customs, fromWire, toWire } from './wire.ts';

type Answer = Exclude<Reply, 'ready'>;

/** Whoever waits for an answer, and to what. */
interface Asker {
  id?: number;
  method?: string;
  resolve(value: unknown, giveBack: () => void): void;
  reject(error: unknown): void;
}

/** An object of another thread. */
export class Far {
  readonly #client: Client;
  readonly #id: number;
  readonly #name: string;

  constructor(client: Client, id: number, name: string) {
    this.#client = client;
    this.#id = id;
    this.#name = name;
  }

  /**
   * Calls a method: in a task it is an operation, in an async thread a call that can be cancelled, in the main thread it
   * gives a promise; anywhere else the thread is blocked, and has the result. One way, for `put`, nobody waits.
   */
  call(self: object, method: string, args: readonly unknown[], isOneWay = false): unknown {
    const task = enter();
    if (task === null) {
      const there = elsewhere();
      if (there !== null) return there.universal(self, method, args);
    }
    if (isOneWay) {
      this.#client.put(this.#id, args[0]);
      return task === null ? undefined : pass(task, undefined);
    }
    if (task !== null) return this.#wait(task, method, args);
    if (!workerThreads().isMainThread) return this.#client.ask(this.#id, method, args);
    return handled(
      new Promise((resolve, reject) => {
        this.#client.request(this.#id, method, args, { resolve, reject });
      }),
    );
  }

  /** What does not block anywhere. */
  look(self: object, method: string, args: readonly unknown[]): unknown {
    if (enter() === null) {
      const there = elsewhere();
      if (there !== null) return there.universal(self, method, args);
    }
    return this.#client.ask(this.#id, method, args);
  }

  #wait(task: TaskRecord, method: string, args: readonly unknown[]): Promise<unknown> {
    const refusal = begin(task, `${this.#name}.${method}()`);
    if (refusal !== null) return refusal;
    return block(task, 'FUTURE_WAIT', new FarWait(this.#client, this.#id, method, args));
  }
}

/** A task that waits for an answer. */
class FarWait implements Waitable {
  readonly #client: Client;
  readonly #seq: number;
  #task: TaskRecord | null = null;

  constructor(client: Client, id: number, method: string, args: readonly unknown[]) {
    this.#client = client;
    this.#seq = client.request(id, method, args, {
      resolve: (value, giveBack) => this.#wake(RESUME_CLAIM, { take: () => value, refuse: giveBack }),
      reject: (error) => this.#wake(RESUME_ERROR, error),
    });
  }

  add(record: TaskRecord): void {
    this.#task = record;
    hold(record);
  }

  remove(): void {
    this.#letGo();
    this.#client.cancel(this.#seq);
  }

  #letGo(): TaskRecord | null {
    const task = this.#task;
    this.#task = null;
    if (task !== null) release(task);
    return task;
  }

  #wake(mode: number, value: unknown): void {
    const task = this.#letGo();
    task?.core.wake(task, mode, value);
  }
}

/** The line to one other thread. */
export class Client {
  readonly #home: Home;
  readonly #customs: Customs;
  readonly #words = bellWords();
  readonly #bell = new Bell(this.#words);
  readonly #askers = new Map<number, Required<Asker>>();
  readonly #outbox: Request[] = [];
  #channel: BroadcastChannel | null = null;
  #ready = false;
  #lastSeq = 0;
  /** The thread that blocks has its answer. */
  #answer: Answer | null = null;
  #asked = 0;

  constructor(home: Home, customs: Customs) {
    joinCrowd(home.words);
    this.#home = home;
    this.#customs = customs;
  }

  // ---- Asking ----

  /** Asks, and blocks the thread until the answer is there. */
  ask(id: number, method: string, args: readonly unknown[]): unknown {
    const seq = ++this.#lastSeq;
    let seen = this.#bell.rings;
    this.#asked = seq;
    this.#post({ seq, id, method, args: toWire([...args], this.#customs) });
    let answer = this.#takeAnswer();
    for (; answer === null; answer = this.#takeAnswer()) {
      this.#bell.waitPast(seen);
      seen = this.#bell.rings;
      this.#takeAll();
    }
    if ('error' in answer) throw fromWire(answer.error, this.#customs);
    return fromWire(answer.value, this.#customs);
  }

  #takeAnswer(): Answer | null {
    const answer = this.#answer;
    this.#answer = null;
    return answer;
  }

  /** Puts, and wants no answer. */
  put(id: number, item: unknown): void {
    this.#post([id, toWire(item, this.#customs)]);
  }

  request(id: number, method: string, args: readonly unknown[], asker: Asker): number {
    const seq = ++this.#lastSeq;
    this.#post({ seq, id, method, args: toWire([...args], this.#customs) });
    this.#askers.set(seq, { ...asker, id, method });
    this.#mind();
    return seq;
  }

  /** Nobody waits for this answer any more. */
  cancel(seq: number): void {
    if (!this.#askers.delete(seq)) return;
    this.#post({ cancel: seq });
    this.#mind();
  }

  // ---- The line ----

  #post(request: Request): void {
    this.#connect();
    if (this.#ready) (this.#channel as BroadcastChannel).postMessage(request);
    else this.#outbox.push(structuredClone(request));
  }

  #connect(): void {
    if (this.#channel === null) {
      const { BroadcastChannel, threadId } = workerThreads();
      const client = `curio-${crypto.randomUUID()}`;
      this.#channel = new BroadcastChannel(client);
      this.#channel.onmessage = (event) => this.#take((event as { data: Reply }).data);
      this.#channel.unref();
      whenThreadEnds(this.#home.thread, () => this.#lost());
      const door = new BroadcastChannel(this.#home.name);
      door.postMessage({ client, thread: threadId, words: this.#words } satisfies Hello);
      door.close();
    }
    // The main thread must not wait: it is the one that others wait for.
    if (this.#ready || workerThreads().isMainThread) return;
    for (let seen = 0; !this.#ready; seen = this.#bell.rings) {
      this.#bell.waitPast(seen);
      this.#takeAll();
    }
  }

  #takeAll(): void {
    const { receiveMessageOnPort } = workerThreads();
    for (;;) {
      const got = receiveMessageOnPort(this.#channel as unknown as MessagePort) as
        | { message: Reply }
        | undefined;
      if (got === undefined) return;
      this.#take(got.message);
    }
  }

  #take(reply: Reply): void {
    Atomics.add(this.#words.word, TAKEN, 1);
    if (reply === 'ready') return this.#begin();
    if (reply.seq === this.#asked) {
      this.#answer = reply;
      this.#asked = 0;
      return;
    }
    const asker = this.#askers.get(reply.seq) ?? this.#insteadOf(reply);
    this.#askers.delete(reply.seq);
    if (asker === null) return;
    this.#mind();
    if ('error' in reply) return asker.reject(fromWire(reply.error, this.#customs));
    asker.resolve(fromWire(reply.value, this.#customs), () => this.#giveBack(reply));
  }

  /** Who takes what came for one who had stopped waiting: the next of this thread, so that the order stays right. */
  #insteadOf(reply: Answer): Required<Asker> | null {
    if ('error' in reply || reply.receipt === undefined) return null;
    for (const [seq, asker] of this.#askers) {
      if (asker.id !== reply.id || asker.method !== 'get') continue;
      this.#askers.delete(seq);
      this.#post({ cancel: seq });
      return asker;
    }
    this.#giveBack(reply);
    return null;
  }

  #giveBack({ id, value, receipt }: Extract<Answer, { value: unknown }>): void {
    if (receipt !== undefined) this.#post({ back: id, value, receipt });
  }

  #begin(): void {
    this.#ready = true;
    for (const request of this.#outbox.splice(0)) this.#post(request);
  }

  /** The process lives as long as somebody waits for an answer. */
  #mind(): void {
    if (this.#askers.size > 0) this.#channel?.ref();
    else this.#channel?.unref();
  }

  #lost(): void {
    const askers = [...this.#askers.values()];
    this.#askers.clear();
    this.#channel?.close();
    for (const asker of askers) {
      asker.reject(new RuntimeError('The thread in which the universal object lived has ended.'));
    }
  }
}
