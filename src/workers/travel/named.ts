/*
 * What is there on every side under a name, and so need not travel: what JavaScript itself has, Node's modules, and
 * what Curio has put into its own worker.
 */

import { type AnyFunction, givenName } from '../../base/callable.ts';
import * as errors from '../../errors.ts';
import type { NamedPart } from './shipment.ts';

const ownByName = new Map<string, unknown>();
const ownByValue = new Map<unknown, string>();

/** What only a kernel and its async threads have. */
const ofThreads = new Set<unknown>();

/** Says that async threads and their kernels have these under the same names. Other workers do not. */
export function provideToThreads(things: Record<string, unknown>): void {
  provide(things);
  for (const thing of Object.values(things)) ofThreads.add(thing);
}

/** Says that the other side has these under the same names, whatever it is. */
function provide(things: Record<string, unknown>): void {
  for (const [name, thing] of Object.entries(things)) {
    ownByName.set(name, thing);
    ownByValue.set(thing, name);
  }
}

provide({ ...errors });

let intrinsics: Map<unknown, readonly string[]> | null = null;

/**
 * What can be reached in two steps from what JavaScript itself has. Not from all that is global: Node makes some of that when it is
 * first looked at, and to make `fetch` and its kin takes longer than to start a thread.
 */
function intrinsicPaths(): Map<unknown, readonly string[]> {
  if (intrinsics !== null) return intrinsics;
  intrinsics = new Map();
  const bare = process.getBuiltinModule('node:vm').runInNewContext('Object.getOwnPropertyNames(globalThis)');
  for (const name of bare as string[]) {
    const value: unknown = Object.getOwnPropertyDescriptor(globalThis, name)?.value;
    if (!isHolder(value) || value === globalThis || !isNative(value)) continue;
    if (!intrinsics.has(value)) intrinsics.set(value, [name]);
    for (const [holder, trail] of [
      [value, [name]],
      [(value as { prototype?: object }).prototype, [name, 'prototype']],
    ] as const) {
      if (!isHolder(holder)) continue;
      for (const key of Object.getOwnPropertyNames(holder)) {
        const member = Object.getOwnPropertyDescriptor(holder, key)?.value;
        if (typeof member === 'function' && isNative(member) && !intrinsics.has(member))
          intrinsics.set(member, [...trail, key]);
      }
    }
  }
  return intrinsics;
}

const isHolder = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function';

const isNative = (value: object): boolean =>
  typeof value !== 'function' || /\[native code\]\s*\}$/.test(Function.prototype.toString.call(value));

/** True for a function that is global under its own name. */
export function isGlobal(fn: AnyFunction): boolean {
  return Object.getOwnPropertyDescriptor(globalThis, givenName(fn))?.value === fn;
}

const builtins = new Map<unknown, readonly string[]>();
const builtinsSeen = new Set<string>();

/** What a module of Node's exports. Only those that are loaded are looked at: one that is not has given nobody anything. */
function builtinPaths(): Map<unknown, readonly string[]> {
  const isBuiltin = process.getBuiltinModule('node:module').isBuiltin;
  for (const entry of (process as unknown as { moduleLoadList: string[] }).moduleLoadList) {
    if (builtinsSeen.has(entry)) continue;
    builtinsSeen.add(entry);
    const name = /^NativeModule ((?!internal\/|_).*)$/.exec(entry)?.[1];
    if (name === undefined || !isBuiltin(`node:${name}`)) continue;
    const module: unknown = process.getBuiltinModule(`node:${name}`);
    if (!isHolder(module) || builtins.has(module)) continue;
    builtins.set(module, [`node:${name}`]);
    for (const key of Object.keys(module)) {
      const member: unknown = Object.getOwnPropertyDescriptor(module, key)?.value;
      if (isHolder(member) && !builtins.has(member)) builtins.set(member, [`node:${name}`, key]);
    }
  }
  return builtins;
}

/**
 * The name of a value that is there on the other side, too; null if there is none.
 * @param toThread the other side is an async thread, or its kernel
 */
export function nameOf(value: unknown, toThread: boolean): NamedPart | null {
  const own = toThread || !ofThreads.has(value) ? ownByValue.get(value) : undefined;
  if (own !== undefined) return { by: 'own', path: [own] };
  // What is written in JavaScript is not JavaScript's own.
  const intrinsic = isHolder(value) && isNative(value) ? intrinsicPaths().get(value) : undefined;
  if (intrinsic !== undefined) return { by: 'intrinsic', path: intrinsic };
  const known = builtinPaths();
  const builtin = known.get(value);
  if (builtin !== undefined) return { by: 'builtin', path: builtin };
  const behind = known.get(moduleBehind(value));
  return behind === undefined ? null : { by: 'builtin', path: behind, isNamespace: true };
}

/** `import * as fs`, or what a bundler makes of it: the module is its default. */
function moduleBehind(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const isNamespace = process.getBuiltinModule('node:util').types.isModuleNamespaceObject(value);
  const behind = (value as { default?: unknown }).default;
  if (isNamespace || !isHolder(behind)) return behind;
  return Object.keys(value).every((key) => key === 'default' || key in behind) ? behind : undefined;
}

const requireAt = (path: string) => process.getBuiltinModule('node:module').createRequire(path);

function importAt(path: string): (specifier: string) => Promise<unknown> {
  const { resolve } = requireAt(path);
  const { isBuiltin } = process.getBuiltinModule('node:module');
  const { pathToFileURL } = process.getBuiltinModule('node:url');
  return (specifier) =>
    import(isBuiltin(specifier) ? specifier : pathToFileURL(resolve(specifier)).href) as Promise<unknown>;
}

/** What has this name on this side. */
export function byName({ by, path, isNamespace }: NamedPart): unknown {
  const [first, ...rest] = path as [string, ...string[]];
  let value: unknown;
  if (by === 'own') value = ownByName.get(first);
  else if (by === 'require') value = requireAt(first);
  else if (by === 'import') value = importAt(first);
  else if (by === 'builtin') value = process.getBuiltinModule(first);
  else value = (globalThis as unknown as Record<string, unknown>)[first];
  for (const key of rest) value = (value as Record<string, unknown>)[key];
  return isNamespace === true ? { __proto__: value as object, default: value } : value;
}
