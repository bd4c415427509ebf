/*
 * The thread in which universal objects live, seen from there: hears of other threads that use them, and does what
 * they ask for.
 *
 * It must not know what the objects are.
 */

import type { BroadcastChannel, MessagePort } from 'node:worker_threads';
import { Bell, bellWords } from '../base/bell.ts';
import { Lookout } from '../base/lookout.ts';
import { workerThreads } from '../base/worker-threads.ts';
import { RuntimeError } from '../errors.ts';
import { outsideTasks } from '../traps.ts';
import type { Enlisted, Hello, Home, Reply, Request, Shown } from './protocol.ts';
import { TAKEN } from './protocol.ts';
import { whenThreadEnds } from './threads.ts';
import { type Customs, fromWire, toWire } from './wire.ts';

const objects = new Map<number, Shown>();
let home: Home | null = null;

/** Where this thread can be asked; from the first call on it can. */
export function thisHome(customs: Customs): Home {
  home ??= open(customs);
  return home;
}

/** True if this is the thread itself. */
export function isThisHome(other: Home): boolean {
  return home !== null && home.name === other.name;
}

// A channel needs not be sent to anybody, only its name: a handle can be cloned, whoever posts it.
function open(customs: Customs): Home {
  const { BroadcastChannel, threadId } = workerThreads();
  const name = `curio-${crypto.randomUUID()}`;
  outsideTasks(() => {
    const door = new BroadcastChannel(name);
    door.onmessage = (event) => void new ClientLine((event as { data: Hello }).data, customs);
    door.unref();
  });
  return { name, thread: threadId, words: bellWords() };
}

let lastId = 0;

/** Lets other threads use an object. */
export function show(object: Shown): number {
  objects.set(++lastId, object);
  return lastId;
}

export function shown(id: number): Shown | undefined {
  return objects.get(id);
}

/** Messages in a row without the event loop having had a turn. */
const ROW = 1000;

/** What a client was sent and may not have taken. */
interface Parcel {
  number: number;
  object: Shown;
  value: unknown;
  receipt: unknown;
}

/** What a value was taken from. */
interface Origin {
  id: number;
  object: Shown;
  receipt: unknown;
}

/** A thread that uses objects of this one. */
class ClientLine {
  readonly #channel: BroadcastChannel;
  readonly #bell: Bell;
  readonly #lookout = new Lookout();
  readonly #words: Hello['words'];
  readonly #customs: Customs;
  readonly #waiting = new Map<number, Enlisted>();
  #parcels: Parcel[] = [];
  #posted = 0;

  constructor({ client, thread, words }: Hello, customs: Customs) {
    this.#customs = customs;
    this.#words = words;
    this.#bell = new Bell(words);
    this.#channel = new (workerThreads().BroadcastChannel)(client);
    this.#channel.onmessage = (event) => {
      this.#lookout.heard();
      this.#heard((event as { data: Request }).data);
      this.#drain(ROW);
    };
    this.#channel.unref();
    whenThreadEnds(thread, () => this.#lost());
    this.#post('ready');
  }

  #post(reply: Reply): void {
    this.#channel.postMessage(reply);
    this.#posted++;
    this.#bell.ring();
    outsideTasks(() => this.#lookout.asked());
  }

  /** Hears what else has come: items come in masses, and an event for each costs more than the item. */
  #drain(most: number): void {
    const { receiveMessageOnPort } = workerThreads();
    const port = this.#channel as unknown as MessagePort;
    for (let row = 0; row < most; row++) {
      const got = receiveMessageOnPort(port) as { message: Request } | undefined;
      if (got === undefined) return;
      this.#heard(got.message);
    }
  }

  #heard(request: Request): void {
    if (0 in request) return this.#put(request[0], request[1]);
    if ('cancel' in request) return this.#cancel(request.cancel);
    if ('back' in request) {
      return objects.get(request.back)?.giveBack(fromWire(request.value, this.#customs), request.receipt);
    }
    const { seq, id, method } = request;
    const object = objects.get(id);
    try {
      if (object === undefined) throw new RuntimeError('The universal object is not there any more.');
      const args = fromWire(request.args, this.#customs) as unknown[];
      if (seq !== 0 && object.waits(method)) return this.#enlist(seq, id, object, method, args);
      const value = (object as unknown as Record<string, (...args: unknown[]) => unknown>)[method]!(...args);
      if (value instanceof Promise) value.then(this.#resolver(seq), this.#rejecter(seq));
      else this.#resolver(seq)(value);
    } catch (error) {
      // swallows: nothing; it goes to the thread that asked.
      this.#reject(seq, error);
    }
  }

  #put(id: number, item: unknown): void {
    // Who asks for no answer is not told that the queue has been shut down.
    objects.get(id)?.accept(fromWire(item, this.#customs));
  }

  #enlist(seq: number, id: number, object: Shown, method: string, args: unknown[]): void {
    const enlisted = object.enlist(method, args, {
      resolve: (value, receipt) => {
        this.#waiting.delete(seq);
        this.#resolve(seq, value, { id, object, receipt });
      },
      reject: (error) => {
        this.#waiting.delete(seq);
        this.#reject(seq, error);
      },
    });
    if (enlisted !== null) this.#waiting.set(seq, enlisted);
  }

  #cancel(seq: number): void {
    this.#waiting.get(seq)?.remove();
    this.#waiting.delete(seq);
  }

  #resolver(seq: number): (value: unknown) => void {
    return (value) => this.#resolve(seq, value, null);
  }

  #rejecter(seq: number): (error: unknown) => void {
    return (error) => this.#reject(seq, error);
  }

  #resolve(seq: number, value: unknown, from: Origin | null): void {
    if (seq === 0) return;
    const receipt = from?.receipt;
    try {
      this.#post({ seq, id: from?.id ?? 0, value: toWire(value, this.#customs), receipt });
    } catch (error) {
      // swallows: nothing; the thread that asked is told, and what was meant for it stays where it was.
      this.#reject(seq, unsendable(error));
      if (receipt !== undefined) from?.object.giveBack(value, receipt);
      return;
    }
    if (from === null || receipt === undefined) return;
    const taken = Atomics.load(this.#words.word, TAKEN);
    this.#parcels = this.#parcels.filter(({ number }) => number > taken);
    this.#parcels.push({ number: this.#posted, object: from.object, value, receipt });
  }

  #reject(seq: number, error: unknown): void {
    if (seq !== 0) this.#post({ seq, error: toWire(error, this.#customs) });
  }

  /** The thread has ended. What it waited for goes to others, and so does what it has been sent and never saw. */
  #lost(): void {
    this.#bell.leave();
    // What it said last may not have been heard yet.
    this.#drain(Number.POSITIVE_INFINITY);
    for (const enlisted of this.#waiting.values()) enlisted.remove();
    this.#waiting.clear();
    const taken = Atomics.load(this.#words.word, TAKEN);
    for (const { number, object, value, receipt } of this.#parcels) {
      if (number > taken) object.giveBack(value, receipt);
    }
    this.#parcels = [];
    this.#channel.close();
  }
}

function unsendable(error: unknown): unknown {
  if (!(error instanceof Error) || error.name !== 'DataCloneError') return error;
  return new TypeError(`This cannot be sent to another thread: ${error.message}`, { cause: error });
}
