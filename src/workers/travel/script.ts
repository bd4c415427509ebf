/*
 * Scripts by V8's number: where each came from, which functions it exports, and which variables it gives new values.
 */

import { inspecting } from './scopes.ts';

/** How much of a stack is looked at. */
const FRAMES = 50;

type CallSites = (
  frames: number,
  options: { sourceMap: boolean },
) => { scriptId?: string; scriptName: string }[];

const urls = new Map<string, string>();

/** Where the script with this number came from: a URL or a path, as V8 has it; empty for what was made by `eval`. */
export function urlOf(scriptId: string): string {
  if (!urls.has(scriptId)) learnFromStack();
  if (!urls.has(scriptId)) learnFromProfiler();
  if (!urls.has(scriptId)) learnFromDebugger();
  const url = urls.get(scriptId) ?? '';
  urls.set(scriptId, url);
  return url;
}

/** Knows the scripts of the functions that are running: who sends a function has often written it. From Node 22.12 on. */
export function learnFromStack(): void {
  const { getCallSites } = process.getBuiltinModule('node:util') as { getCallSites?: CallSites };
  for (const { scriptId, scriptName } of getCallSites?.(FRAMES, { sourceMap: false }) ?? []) {
    if (scriptId !== undefined) urls.set(scriptId, urlFor(scriptName));
  }
}

/** As the inspector has it, which knows no paths. */
function urlFor(scriptName: string): string {
  const { isAbsolute } = process.getBuiltinModule('node:path');
  return isAbsolute(scriptName)
    ? process.getBuiltinModule('node:url').pathToFileURL(scriptName).href
    : scriptName;
}

/** Knows the scripts of which V8 has counted anything, which is to say those that have run for a while. */
function learnFromProfiler(): void {
  inspecting((post) => {
    const { result } = post('Profiler.getBestEffortCoverage') as {
      result: { scriptId: string; url: string }[];
    };
    for (const { scriptId, url } of result) urls.set(scriptId, url);
  });
}

/** Knows them all, and hashes the text of each, which may take a good part of a second. */
function learnFromDebugger(): void {
  inspecting((post, session) => {
    session.on('Debugger.scriptParsed', ({ params }) => void urls.set(params.scriptId, params.url));
    post('Debugger.enable');
    post('Debugger.disable');
  });
}

/** The path of a `file:` URL or an absolute path, without a query; null for anything else. */
export function pathOf(url: string): string | null {
  if (url.startsWith('file:')) {
    const plain = url.replace(/[?#].*$/, '');
    return process.getBuiltinModule('node:url').fileURLToPath(plain);
  }
  return process.getBuiltinModule('node:path').isAbsolute(url) ? url : null;
}

function textOf(path: string): string | null {
  try {
    return process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
  } catch {
    // swallows: a file that has gone, or never was one, has no text.
    return null;
  }
}

const exportsOfFile = new Map<string, Map<string, string>>();

/** Local name to exported name of what the text of a module looks like exporting. */
export function exportsIn(path: string): Map<string, string> {
  const known = exportsOfFile.get(path);
  if (known !== undefined) return known;
  const text = textOf(path) ?? '';
  const found = new Map<string, string>();
  for (const [, isDefault, name] of text.matchAll(
    /\bexport\s+(default\s+)?(?:async\s+)?(?:abstract\s+)?(?:function\s*\*?|class)\s*([\p{ID_Start}$_][\p{ID_Continue}$]*)/gu,
  )) {
    found.set(name!, isDefault === undefined ? name! : 'default');
  }
  for (const [, name] of text.matchAll(
    /\bexport\s+(?:const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)/gu,
  )) {
    found.set(name!, name!);
  }
  for (const [, name] of text.matchAll(/\bexport\s+default\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)\s*;/gu)) {
    if (!found.has(name!)) found.set(name!, 'default');
  }
  for (const [, list] of text.matchAll(/\bexport\s*\{([^}]*)\}(?!\s*from)/gu)) {
    for (const item of list!.split(',')) {
      const [, local, exported] = /^\s*(\S+)(?:\s+as\s+(\S+))?\s*$/.exec(item) ?? [];
      if (local !== undefined) found.set(local, exported ?? local);
    }
  }
  exportsOfFile.set(path, found);
  return found;
}

const changing = new Map<string, boolean>();

/** True if the script's text looks like giving a variable of this name another value than its first, or is not to be had. */
export function mayChange(scriptId: string, name: string): boolean {
  const path = pathOf(urlOf(scriptId));
  if (path === null) return true;
  const key = `${path}\0${name}`;
  let known = changing.get(key);
  if (known === undefined) {
    const text = textOf(path);
    known = text === null || assignmentTo(name).test(text);
    changing.set(key, known);
  }
  return known;
}

/** `name = …`, `name ??= …`, `for (name of …)` and `[name] = …`, where that is no declaration. */
function assignmentTo(name: string): RegExp {
  const word = `${name.replace(/\$/g, '\\$&')}(?![\\p{ID_Continue}$])`;
  const gets = '=(?![=>])';
  return new RegExp(
    `(?<![\\p{ID_Continue}$.]|\\b(?:const|let|var)\\s+)${word}\\s*(?:${gets}|(?:\\?\\?|\\|\\||&&)=|(?:of|in)\\b)|` +
      `[[{,:]\\s*${word}\\s*(?=[,\\]}])[^=;()]*[\\]}]\\s*${gets}`,
    'u',
  );
}
