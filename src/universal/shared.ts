/*
 * What all universal objects have in common: each lives in the thread that made it, and crosses to others as a
 * handle, of which a stand-in is made there.
 *
 * It must not know what the objects do.
 */

import { away } from '../base/away.ts';
import { describe } from '../base/callable.ts';
import { callingTask } from '../traps.ts';
import { Client, Far } from './client.ts';
import { isThisHome, show, shown, thisHome } from './exchange.ts';
import type { Enlisted, Home, Outcome } from './protocol.ts';
import type { Customs } from './wire.ts';

/** What `handle()` gives: to be posted to any worker thread, or given to it as `workerData`. */
export interface UniversalHandle {
  /** What it is a handle of: `'UniversalQueue'`, say. */
  readonly curio: string;
  /** @internal */ readonly home: Home;
  /** @internal */ readonly id: number;
  /** @internal */ readonly terms: unknown;
}

/** How a stand-in is told where it is to ask. */
let arriving: Far | null = null;

const makers = new Map<string, (terms: never) => Shared>();
const clients = new Map<string, Client>();
const standIns = new Map<string, Shared>();

/** A `Shown` in all but name: its declaration leaves out what is internal. */
export abstract class Shared {
  /** @internal Where it is asked; null if it lives in this thread. */
  protected readonly far: Far | null = arriving;
  #handle: UniversalHandle | null = null;

  /** @internal The class of its stand-ins. */
  protected abstract readonly kind: string;
  /** @internal What the stand-in has to be made with. */
  protected abstract readonly terms: unknown;
  /** @internal True if a call of this method needs no answer. */
  abstract isOneWay(method: string): boolean;
  /** @internal */
  abstract waits(method: string): boolean;
  /** @internal */
  abstract enlist(method: string, args: readonly unknown[], outcome: Outcome): Enlisted | null;
  /** @internal */
  giveBack(_value: unknown, _receipt: unknown): void {}
  /** @internal */
  accept(_item: unknown): void {}

  /**
   * What the object crosses to another thread as: plain data, to be posted to any worker thread or given to it as
   * `workerData`. Does not block.
   * @see Reference manual, "Universal Synchronizaton"
   */
  handle(): UniversalHandle {
    this.#handle ??= {
      curio: this.kind,
      home: thisHome(customs),
      id: show(this),
      terms: this.terms,
    };
    return this.#handle;
  }

  /** @internal */
  crossedAs(handle: UniversalHandle): void {
    this.#handle = handle;
  }
}

/** Says how a stand-in is made. */
export function provideShared<T>(name: string, make: (terms: T) => Shared): void {
  makers.set(name, make as (terms: never) => Shared);
}

/** True while an object is made in an async thread that is to live in the kernel. */
export function isElsewhere(): boolean {
  return arriving === null && away() !== null && callingTask() === undefined;
}

export function isSharedObject(value: unknown): value is Shared {
  return value instanceof Shared;
}

function isHandle(value: unknown): value is UniversalHandle {
  return typeof value === 'object' && value !== null && 'curio' in value && 'home' in value && 'id' in value;
}

/**
 * The object of a handle: itself in the thread it lives in, a stand-in anywhere else.
 * @throws TypeError if it is none, or of something else than `wanted`
 */
export function sharedFrom(handle: unknown, wanted?: string): Shared {
  if (!isHandle(handle) || (wanted !== undefined && handle.curio !== wanted)) {
    const what = wanted ?? 'UniversalQueue';
    throw new TypeError(`${what}.from() wants what ${what}.handle() gives, not ${describe(handle)}.`);
  }
  const { home, id, curio, terms } = handle;
  if (isThisHome(home)) return shown(id) as unknown as Shared;
  const key = `${home.name}/${id}`;
  const known = standIns.get(key);
  if (known !== undefined) return known;
  const client = clients.get(home.name) ?? new Client(home, customs);
  clients.set(home.name, client);
  arriving = new Far(client, id, curio);
  try {
    const standIn = (makers.get(curio) as (terms: unknown) => Shared)(terms);
    standIn.crossedAs(handle);
    standIns.set(key, standIn);
    return standIn;
  } finally {
    arriving = null;
  }
}

/** Universal objects may be sent by way of each other. */
const customs: Customs = {
  declare: (value) => (isSharedObject(value) ? value.handle() : null),
  admit: (declared) => sharedFrom(declared),
};
