/*
 * The other side of pack.ts: makes functions of shipments.
 */

import { asBuffer } from '../message.ts';
import { arrive } from './arrival.ts';
import { importFrom, importing } from './loader.ts';
import { isMainScript } from './main-script.ts';
import { byName } from './named.ts';
import type { BoundPart, Freight, Part, ReferencePart, Shipment, SourcePart } from './shipment.ts';
import { asExpression } from './text.ts';

type Unpacked = (...args: unknown[]) => unknown;

/** A function that stays, and what it came as. */
interface Kept {
  /** Null until it could be made. */
  readonly fn: Unpacked | null;
  readonly shipment: Shipment;
}

/** What one sender's lasting shipments became, by their numbers: each sender counts for itself. */
export type Stock = Map<number, Kept>;

/** Of the one that a worker serves. */
const unpacked: Stock = new Map();

/**
 * Makes the function of a shipment. A promise only if something has to be imported.
 * @param stock the sender's, where there are several
 * @throws TypeError if the function cannot be found or made
 */
export function unpack(shipment: Shipment, stock = unpacked): Unpacked | Promise<Unpacked> {
  const before = stock.get(shipment.id)?.fn ?? null;
  if (before !== null) return before;
  // Even if it cannot be made: the sender has sent it, and calls it by its number from then on.
  if (shipment.lasting) stock.set(shipment.id, { fn: null, shipment });
  const made = new Unpacker(shipment.parts).part(shipment.root);
  if (made instanceof Promise) return made.then((fn) => keep(shipment, fn as Unpacked, stock));
  return keep(shipment, made as Unpacked, stock);
}

/** A lasting shipment that has come before. */
export function known(id: number): Shipment {
  const kept = unpacked.get(id);
  if (kept === undefined) throw new Error(`Shipment ${id} has not arrived here.`);
  return kept.shipment;
}

function keep(shipment: Shipment, fn: Unpacked, stock: Stock): Unpacked {
  if (shipment.lasting) stock.set(shipment.id, { fn, shipment });
  return fn;
}

/** What takes a value as soon as there is one. */
type Put = (value: unknown) => void;

class Unpacker {
  readonly #parts: readonly Part[];
  readonly #made = new Map<number, unknown>();
  /** Who waits for a class that has to wait for what it captured. */
  readonly #waiting = new Map<number, Put[]>();

  constructor(parts: readonly Part[]) {
    this.#parts = parts;
  }

  /** What the part at this place is here. */
  part(place: number): unknown {
    if (this.#made.has(place)) return this.#made.get(place);
    const part = this.#parts[place]!;
    if (part.by === 'source') return this.#compile(part, place);
    if (part.by === 'reference') return this.#import(part, place);
    if (part.by === 'bound') return this.#bind(part, place);
    const found = byName(part);
    if (found === undefined)
      throw new TypeError(`There is no ${part.path.join('.')} where the function runs.`);
    return this.#keep(place, found);
  }

  #keep(place: number, value: unknown): unknown {
    this.#made.set(place, value);
    for (const put of this.#waiting.get(place) ?? []) put(value);
    this.#waiting.delete(place);
    return value;
  }

  #import(part: ReferencePart, place: number): unknown {
    const found = this.#find(part, place).then((it) => this.#keep(place, it));
    // Whoever asked for it gets the failure; when something else has failed first, nobody listens any more.
    found.then(undefined, () => {});
    // Those who ask meanwhile, because functions use each other, wait for the same answer.
    return this.#keep(place, found);
  }

  async #find(part: ReferencePart, place: number): Promise<unknown> {
    const { module, from, key, required, text, otherwise } = part;
    let failure: unknown;
    try {
      if (isMainScript(module))
        throw new TypeError(`${module} is the main script, which must not run twice.`);
      const loaded = (
        required
          ? process.getBuiltinModule('node:module').createRequire(module)(module)
          : await (from === null ? import(module) : importFrom(from, module))
      ) as Record<string, unknown>;
      const found = key === '' ? loaded : loaded[key];
      if (typeof found === 'function' && (text === null || Function.prototype.toString.call(found) === text))
        return found;
    } catch (error) {
      // swallows: no task of a kernel runs here; it becomes the cause if there is no other way.
      failure = error;
    }
    if (typeof otherwise === 'number') return this.#compile(this.#parts[otherwise] as SourcePart, place);
    if (failure === undefined) throw new TypeError(otherwise);
    // A function that was only named may well be there: Node 20 loads no TypeScript in a worker, whatever the main thread does.
    const why = failure instanceof Error ? failure.message : String(failure);
    const message =
      text === null ? `${module}, and so '${key}', could not be loaded there: ${why}` : otherwise;
    throw new TypeError(message, { cause: failure });
  }

  #bind({ target, self, args }: BoundPart, place: number): unknown {
    const values: unknown[] = [];
    let fn: unknown;
    return after(
      [
        this.#give(target, (it) => {
          fn = it;
        }),
        ...[self, ...args].map((freight, i) =>
          this.#fill(freight, (it) => {
            values[i] = it;
          }),
        ),
      ],
      () => this.#keep(place, (fn as Unpacked).bind(...(values as [unknown, ...unknown[]]))),
    );
  }

  #compile(part: SourcePart, place: number): unknown {
    const { text, shape, strict, captured } = part;
    const { before, after: behind } = asExpression(shape);
    const names = captured.map(([name]) => name);
    const declared = names.length === 0 ? '' : `let ${names.join(',')};`;
    const setters = names.map((name) => `function(){${name}=arguments[0]}`).join(',');
    // All on the text's first line, so that the lines of stack traces are right.
    const head = `(function(){${strict ? "'use strict';" : ''}${declared}return[()=>${before}`;
    const { runInThisContext } = process.getBuiltinModule('node:vm');
    const make = runInThisContext(`${head}${text}${behind},${setters}]})`, {
      filename: part.script === '' ? 'curio-function' : part.script,
      lineOffset: part.line,
      columnOffset: part.column - head.length,
      ...(part.imports ? importing() : {}),
    }) as () => [() => Unpacked, ...Put[]];
    const [create, ...set] = make.call(strict ? foreignThis : undefined);
    const created = (): unknown => {
      const fn = create();
      // One with a static method of that name keeps it.
      if (typeof fn.name === 'string' && fn.name !== part.name)
        Object.defineProperty(fn, 'name', { value: part.name, configurable: true });
      return this.#keep(place, fn);
    };
    // A class runs when it is made: what it extends, its static blocks. A function must be there before what it
    // captured, which may in turn have captured the function.
    const isClass = /^class\b/.test(text);
    const fn = isClass ? undefined : created();
    if (isClass) this.#waiting.set(place, this.#waiting.get(place) ?? []);
    const filled = captured.map(([, freight], i) => this.#fill(freight, set[i]!));
    return after(filled, isClass ? created : () => fn);
  }

  /** Puts a value in its place, or promises to. */
  #fill(freight: Freight, put: Put): Promise<unknown> | undefined {
    if ('value' in freight) return void put(freight.value);
    if ('part' in freight) return this.#give(freight.part, put);
    if ('buffer' in freight) return void put(asBuffer(freight.buffer));
    if ('shared' in freight) return void put(arrive(freight.shared));
    const holder = (freight.array ? [] : {}) as Record<string, unknown>;
    put(holder);
    return after(
      freight.object.map(([key, inner]) =>
        this.#fill(inner, (value) => {
          holder[key] = value;
        }),
      ),
      () => holder,
      true,
    ) as Promise<unknown> | undefined;
  }

  #give(place: number, put: Put): Promise<unknown> | undefined {
    const waiting = this.#waiting.get(place);
    if (waiting !== undefined) return void waiting.push(put);
    const value = this.part(place);
    if (value instanceof Promise) return value.then(put);
    return void put(value);
  }
}

/** What `then` gives, at once if nothing has to be waited for. */
function after(pending: (Promise<unknown> | undefined)[], then: () => unknown, isOptional = false): unknown {
  const promises = pending.filter((it) => it !== undefined);
  if (promises.length > 0) return Promise.all(promises).then(then);
  return isOptional ? undefined : then();
}

const noThis = (): never => {
  throw new TypeError(
    "The function uses the 'this' of where it was written, which did not travel with it. Pass what it needs as arguments.",
  );
};

/** What an arrow function finds as its `this`. */
const foreignThis = new Proxy(Object.create(null) as object, {
  get: noThis,
  set: noThis,
  has: noThis,
  deleteProperty: noThis,
  getPrototypeOf: noThis,
  ownKeys: noThis,
});
