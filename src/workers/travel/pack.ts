/*
 * Packs a function for another thread or process. A function that has captured nothing goes by its text. One that
 * has goes by reference if it is the export of a module that can be imported, else with copies of what it captured.
 *
 * Knows nothing of workers.
 */

import { Buffer } from 'node:buffer';
import { type AnyFunction, describe, functionName, givenName } from '../../base/callable.ts';
import { standingAlone } from '../message.ts';
import { crossesByHandle } from './crossing.ts';
import { isMainScript } from './main-script.ts';
import { moduleNameOf } from './module-function.ts';
import { isGlobal, nameOf } from './named.ts';
import { scriptMark } from './place.ts';
import { type Inspection, inspectFunction } from './scopes.ts';
import { exportsIn, mayChange, pathOf, urlOf } from './script.ts';
import type { Freight, NamedPart, Part, ReferencePart, Shipment, SourcePart } from './shipment.ts';
import { type Reading, read, Unreadable } from './text.ts';

let shipments = 0;
const lasting = { forThreads: new WeakMap<object, Shipment>(), forPools: new WeakMap<object, Shipment>() };
/** The operations that send to workers which know nothing of kernels. */
const TO_POOLS = new Set(['runInThread', 'runInProcess', 'blockInThread']);

/**
 * Packs a function, or a class. `unpack` makes one of it again.
 *
 * @param what the operation that sends it, as the user wrote it: `'runInThread'`
 * @throws TypeError if it cannot travel; it names the variable that stands in the way, and the remedy
 */
export function pack(fn: AnyFunction, what: string): Shipment {
  const shipped = TO_POOLS.has(what) ? lasting.forPools : lasting.forThreads;
  const known = shipped.get(fn);
  if (known !== undefined) return known;
  const packer = new Packer(what, functionName(fn));
  const root = packer.add(fn, []);
  const shipment = {
    id: ++shipments,
    lasting: packer.lasting,
    universal: packer.universal,
    root,
    parts: packer.parts as Part[],
  };
  if (shipment.lasting) shipped.set(fn, shipment);
  return shipment;
}

/** How a function was reached: variables and properties, outermost first. */
type Trail = readonly string[];

class Packer {
  readonly parts: (Part | null)[] = [];
  lasting = true;
  universal = false;
  readonly #what: string;
  readonly #toThread: boolean;
  readonly #root: string;
  readonly #places = new Map<unknown, number>();

  constructor(what: string, root: string) {
    this.#what = what;
    this.#toThread = !TO_POOLS.has(what);
    this.#root = root;
  }

  /** Adds a function or class, and gives its place. */
  add(fn: AnyFunction, trail: Trail): number {
    const known = this.#places.get(fn);
    if (known !== undefined) return known;
    // It has its place before what it captured is looked at, which may be itself.
    const place = this.parts.push(null) - 1;
    this.#places.set(fn, place);
    this.parts[place] = this.#part(fn, trail);
    return place;
  }

  #part(fn: AnyFunction, trail: Trail): Part {
    const explicit = moduleNameOf(fn);
    if (explicit !== undefined) {
      const { module, from, key } = explicit;
      const otherwise = `${module} exports no function '${key}'.`;
      return { by: 'reference', name: key, module, from, key, required: false, text: null, otherwise };
    }
    const named = nameOf(fn, this.#toThread) ?? globalOfNode(fn);
    if (named !== null) return named;
    const bound = givenName(fn).startsWith('bound ') ? inspectFunction(fn)?.bound : null;
    if (bound) return this.#bound(bound, trail);

    const text = Function.prototype.toString.call(fn);
    const reading = read(text);
    if (!(reading instanceof Unreadable) && reading.free.length === 0) {
      return this.#source(fn, text, reading, inspectFunction(fn), []);
    }
    const inspection = inspectFunction(fn);
    const captured =
      reading instanceof Unreadable || inspection === null
        ? []
        : capturedBy(inspection, reading.free, parentOf(fn, text));
    if (!(reading instanceof Unreadable) && captured.length === 0) {
      return this.#source(fn, text, reading, inspection, []);
    }
    const reference = inspection === null ? null : referenceTo(fn, text, inspection);
    if (reference !== null)
      return { ...reference, otherwise: this.#otherwise(fn, text, reading, inspection, captured, trail) };
    if (reading instanceof Unreadable) throw this.#refusal(trail, reading.reason);
    return this.#source(fn, text, reading, inspection, this.#captures(captured, text, trail, inspection));
  }

  #bound({ target, self, args }: NonNullable<Inspection['bound']>, trail: Trail): Part {
    const freight = (value: unknown, name: string) => this.#freight(value, [...trail, name], null, new Set());
    this.lasting = false;
    return {
      by: 'bound',
      target: this.add(target as AnyFunction, trail),
      self: freight(self, 'this'),
      args: args.map((arg, i) => freight(arg, `argument ${i + 1}`)),
    };
  }

  /** What to do if a reference turns out to lead nowhere: another part, or the words of an error. */
  #otherwise(
    fn: AnyFunction,
    text: string,
    reading: Reading | Unreadable,
    inspection: Inspection | null,
    captured: Captured[],
    trail: Trail,
  ): number | string {
    if (reading instanceof Unreadable) return this.#refusal(trail, reading.reason).message;
    // A shipment of its own decides whether it can be done; what it adds on the way must not stay if it cannot.
    const wasLasting = this.lasting;
    const length = this.parts.length;
    const before = new Map(this.#places);
    try {
      const captures = this.#captures(captured, text, trail, inspection);
      // Whether the reference holds is found out there; the values are a last resort and may be those of the first call.
      this.lasting = wasLasting;
      return this.parts.push(this.#source(fn, text, reading, inspection, captures)) - 1;
    } catch (error) {
      // swallows: nothing; it is thrown on the other side, if the reference leads nowhere.
      this.parts.length = length;
      this.#places.clear();
      for (const [key, place] of before) this.#places.set(key, place);
      this.lasting = wasLasting;
      return (error as Error).message;
    }
  }

  #source(
    fn: AnyFunction,
    text: string,
    { shape, strict, free, imports }: Reading,
    inspection: Inspection | null,
    captured: SourcePart['captured'],
  ): SourcePart {
    const taken = new Set(captured.map(([name]) => name));
    return {
      by: 'source',
      name: givenName(fn),
      text,
      shape,
      strict,
      captured,
      globals: free.filter((name) => !taken.has(name)),
      script:
        inspection === null ? '' : imports ? urlOf(inspection.scriptId) : scriptMark(inspection.scriptId),
      line: inspection?.line ?? 0,
      // V8 counts a function from its parameters.
      column: Math.max(0, (inspection?.column ?? 0) - parametersIn(text)),
      imports,
    };
  }

  #captures(
    captured: Captured[],
    text: string,
    trail: Trail,
    inspection: Inspection | null,
  ): SourcePart['captured'] {
    return captured.map(({ name, value, isReady }) => {
      const way = [...trail, name];
      if (!isReady) throw this.#refusal(way, 'has no value yet');
      const by = loaderIn(name, value);
      if (by !== null && inspection !== null)
        return [
          name,
          {
            part: this.#named(value, {
              by: 'require',
              path: [pathOf(urlOf(inspection.scriptId)) ?? process.cwd()],
            }),
          },
        ];
      // A function under its own name is one that was declared, or imported; anything else may be another the next time. So may
      // that one, if its variable gets another: what is written there has its name as well.
      const isOwn =
        typeof value === 'function'
          ? value.name === name || value.name === ''
          : nameOf(value, this.#toThread) !== null;
      if (!isOwn || inspection === null || mayChange(inspection.scriptId, name)) this.lasting = false;
      return [name, this.#freight(value, way, membersUsed(text, name), new Set())] as const;
    });
  }

  #freight(value: unknown, trail: Trail, only: string[] | null, inside: Set<object>): Freight {
    if (typeof value === 'function') return { part: this.add(value as AnyFunction, trail) };
    if (typeof value === 'symbol') throw this.#refusal(trail, 'is a symbol, which only this thread has');
    if (typeof value !== 'object' || value === null) return { value };
    if (Buffer.isBuffer(value)) return { buffer: standingAlone(value) };
    if (crossesByHandle(value)) {
      if (this.#what === 'runInProcess') throw this.#refusal(trail, 'only threads of this process can reach');
      this.universal = true;
      return { shared: value.handle() };
    }
    const named = nameOf(value, this.#toThread);
    if (named !== null) return { part: this.#named(value, named) };
    if (inside.has(value)) throw this.#refusal(trail, 'holds functions and goes round in a circle');
    // A member that says `this` may use any of the others.
    const whole = only?.some((key) => usesThis((value as Record<string, unknown>)[key])) ?? true;
    const keys = whole || only === null ? null : only.filter((key) => key in value);
    if (keys === null || !isBag(value)) {
      const obstacle = obstacleIn(value);
      if (obstacle === null) return { value };
      if (obstacle.holdsFunction !== true)
        throw this.#refusal([...trail, ...obstacle.trail], obstacle.reason);
    }
    inside.add(value);
    const entries = (keys ?? Object.keys(value)).map(
      (key) =>
        [key, this.#freight((value as Record<string, unknown>)[key], [...trail, key], null, inside)] as const,
    );
    inside.delete(value);
    return { object: entries, array: Array.isArray(value) };
  }

  #named(value: unknown, named: Part): number {
    const known = this.#places.get(value);
    if (known !== undefined) return known;
    const place = this.parts.push(named) - 1;
    this.#places.set(value, place);
    return place;
  }

  #refusal(trail: Trail, reason: string): TypeError {
    const variable = trail.length === 0 ? null : trail.join('.');
    const isNameless = this.#root === 'anonymous';
    const subject = variable === null ? `it ${reason}` : `it uses '${variable}', which ${reason}`;
    const example = isNameless ? 'work' : this.#root;
    return new TypeError(
      `${this.#what}() cannot send ${isNameless ? 'a nameless function' : `the function ${this.#root}`} to where it ` +
        `should run: ${subject}. ` +
        (variable === null ? '' : `Pass '${trail[0]}' as an argument, or e`) +
        `${variable === null ? 'E' : ''}xport ${example} from a module of its own and write ` +
        `${this.#what}(moduleFunction(import.meta.url, '${example}'), …) there.`,
    );
  }
}

interface Captured {
  name: string;
  value: unknown;
  isReady: boolean;
}

/** What a module imports others with: the `require` of a CommonJS module, or what vite makes of `import()`. */
function loaderIn(name: string, value: unknown): 'require' | 'import' | null {
  if (typeof value !== 'function') return null;
  if (name === '__vite_ssr_dynamic_import__') return 'import';
  return name === 'require' && 'resolve' in value && 'cache' in value ? 'require' : null;
}

/** What a class extends. It is looked up but once, and so need not be among the variables that V8 keeps for the class. */
function parentOf(fn: AnyFunction, text: string): Captured | null {
  const name =
    /^class\s*(?:[\p{ID_Start}$_][\p{ID_Continue}$]*\s+)?extends\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*\{/u.exec(
      text,
    )?.[1];
  return name === undefined ? null : { name, value: Object.getPrototypeOf(fn), isReady: true };
}

/** The values of those names that are variables around the function. */
function capturedBy({ scopes }: Inspection, names: string[], parent: Captured | null): Captured[] {
  const captured: Captured[] = [];
  for (const name of names) {
    if (name === parent?.name) {
      captured.push(parent);
      continue;
    }
    const scope = scopes.find((it) => Object.hasOwn(it, name));
    if (scope === undefined) continue;
    try {
      captured.push({ name, value: scope[name], isReady: true });
    } catch {
      // swallows: the ReferenceError of a variable whose declaration has not been reached.
      captured.push({ name, value: undefined, isReady: false });
    }
  }
  return captured;
}

/** What Node has made global, such as `fetch`. Not what the user has: that is not there on the other side. */
function globalOfNode(fn: AnyFunction): NamedPart | null {
  if (!isGlobal(fn)) return null;
  const inspection = inspectFunction(fn);
  const isNodes = inspection === null || urlOf(inspection.scriptId).startsWith('node:');
  return isNodes ? { by: 'intrinsic', path: [fn.name] } : null;
}

/** Where the function can be imported from; null if nowhere. */
function referenceTo(
  fn: AnyFunction,
  text: string,
  { scriptId, module }: Inspection,
): Omit<ReferencePart, 'otherwise'> | null {
  const url = urlOf(scriptId);
  const path = pathOf(url);
  if (path === null || isMainScript(url)) return null;
  const name = functionName(fn);
  if (module !== null) {
    const exported = exportsIn(path);
    const given = givenName(fn);
    const key = exported.get(given) ?? (given === 'default' ? 'default' : undefined);
    return key === undefined || isAnother(fn, module)
      ? null
      : { by: 'reference', name, module: url, from: null, key, required: false, text };
  }
  const { createRequire } = process.getBuiltinModule('node:module');
  const loaded = createRequire(path).cache[path]?.exports as unknown;
  if (loaded === fn)
    return { by: 'reference', name, module: path, from: null, key: '', required: true, text };
  if (typeof loaded !== 'object' || loaded === null) return null;
  const key = Object.keys(loaded).find((it) => (loaded as Record<string, unknown>)[it] === fn);
  return key === undefined
    ? null
    : { by: 'reference', name, module: path, from: null, key, required: true, text };
}

/** Something else has its name in the module: what was made by the same lines with other values looks the same. */
function isAnother(fn: AnyFunction, module: Record<string, unknown>): boolean {
  try {
    return Object.hasOwn(module, fn.name) && module[fn.name] !== fn;
  } catch {
    // swallows: the ReferenceError of a variable whose declaration has not been reached.
    return true;
  }
}

/** How far into its text V8 says a function begins: at the parenthesis of its parameters. */
function parametersIn(text: string): number {
  const match = /^(?:async\s*)?(?:function\s*)?\*?\s*(?:[\p{ID_Start}$_][\p{ID_Continue}$]*\s*)?(?=\()/u.exec(
    text,
  );
  return match === null || match[0].includes('\n') ? 0 : match[0].length;
}

/** If all the text does with `name` is to use members of it, those members. */
function membersUsed(text: string, name: string): string[] | null {
  const escaped = name.replace(/\$/g, '\\$&');
  const uses = [
    ...text.matchAll(new RegExp(`(?<![\\p{ID_Continue}$.])${escaped}(?![\\p{ID_Continue}$])`, 'gu')),
  ];
  const members = uses.map(
    ({ index }) =>
      /^\s*\.\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)/u.exec(text.slice(index + name.length))?.[1],
  );
  return members.every((member) => member !== undefined) && members.length > 0
    ? ([...new Set(members)] as string[])
    : null;
}

/** A function, and no class, whose `this` may be what it is a member of. */
const usesThis = (value: unknown): boolean =>
  typeof value === 'function' &&
  nameOf(value, true) === null &&
  /^(?!class\b)[\s\S]*\bthis\b/.test(Function.prototype.toString.call(value));

/**
 * A module's namespace, or an object that only holds things together. An object that inherits from functions is what esbuild makes of
 * the import of a CommonJS module that is one.
 */
function isBag(value: object): boolean {
  const proto: unknown = Object.getPrototypeOf(value);
  return (
    proto === null ||
    proto === Object.prototype ||
    proto === Function.prototype ||
    Object.prototype.toString.call(value) === '[object Module]'
  );
}

interface Obstacle {
  trail: string[];
  reason: string;
  holdsFunction?: boolean;
}

/** What in a value does not survive a copy; null if all of it does. */
function obstacleIn(value: unknown, seen = new Set<unknown>()): Obstacle | null {
  if (typeof value === 'function') return { trail: [], reason: 'is a function', holdsFunction: true };
  if (typeof value === 'symbol') return { trail: [], reason: 'is a symbol, which only this thread has' };
  if (typeof value !== 'object' || value === null || seen.has(value)) return null;
  seen.add(value);
  const { types } = process.getBuiltinModule('node:util');
  if (types.isProxy(value)) return { trail: [], reason: 'is a Proxy' };
  if (Array.isArray(value) || isBag(value)) {
    let found: Obstacle | null = null;
    for (const key of Object.keys(value)) {
      const inner = obstacleIn((value as Record<string, unknown>)[key], seen);
      if (inner === null) continue;
      const here = { ...inner, trail: [key, ...inner.trail] };
      if (inner.holdsFunction !== true) return here;
      found ??= here;
    }
    return found;
  }
  if (value instanceof Map || value instanceof Set) {
    for (const entry of value) {
      const inner = obstacleIn(entry, seen);
      if (inner !== null) return { trail: [], reason: `holds something that ${inner.reason}` };
    }
    return null;
  }
  const isPlain =
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isAnyArrayBuffer(value) ||
    ArrayBuffer.isView(value) ||
    types.isBoxedPrimitive(value) ||
    types.isNativeError(value);
  return isPlain ? null : { trail: [], reason: `is ${describe(value)} and would arrive without its class` };
}
