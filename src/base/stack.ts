/*
 * Stacks as the user wrote them: capturing one at an operation, and telling
 * the user's lines from the library's own and from Node's.
 */

import { fileURLToPath } from 'node:url';
import { libraryFolder } from './own-file.ts';

/** One line of a user's stack. */
export interface Frame {
  fn: string;
  file: string;
  line: number;
  column: number;
}

// Where source maps are on (--enable-source-maps, tsx), lines of dist/ show as the lines of src/ that they were built from.
const libraries = [libraryFolder, libraryFolder.replace(/([\\/])dist$/, '$1src')];

const DEPTH = 50;

/** So many causes of an error, and errors it is made of, are logged with it. */
const CAUSES = 20;

/** So many characters of an error are quoted in the message of another. */
const SHORT = 1000;

/** Captures the current stack, deep enough for a chain of async functions. Costs microseconds. */
export function captureStack(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const error = new Error('stack');
  Error.stackTraceLimit = limit;
  return error;
}

/**
 * Makes an error that has no stack, which is most of what an error costs: for what is thrown by the thousand and shows where only if
 * stacks are on.
 */
export function withoutStack<E extends Error>(
  cls: new (message?: string, options?: ErrorOptions) => E,
  message?: string,
  options?: ErrorOptions,
): E {
  const limit = Error.stackTraceLimit;
  // Where Error is frozen this changes nothing, and throws nothing.
  Reflect.set(Error, 'stackTraceLimit', 0);
  const error = new cls(message, options);
  Reflect.set(Error, 'stackTraceLimit', limit);
  error.stack = `${error.name}: ${error.message}\n    at an unknown place (CURIO_STACKS=1 shows it)`;
  return error;
}

// What is typed at a prompt, or given to `node -e`, is in no file, and has a name of Node's.
const LINE =
  /^\s*at (?:async )?(?:(.*?) \()?(?:(file:\/\/.*?|\/.*?|[A-Za-z]:\\.*?|REPL\d+|\[eval\d*\]):(\d+):(\d+))\)?$/;

// The line may be one of the error's message, and so of anybody's making: without this one, a long one would be searched from every place
// in it to its end.
const PLACE = /:\d+:\d+\)?$/;

/** What a line of a stack says; null if it tells no place in a file. */
export function frameOf(text: string): Frame | null {
  const match = PLACE.test(text) ? LINE.exec(text) : null;
  const file = match === null ? null : pathOf(match[2]!);
  if (match === null || file === null) return null;
  const fn = (match[1] ?? '').replace(/^(async|new) /, '');
  return { fn: fn === '' ? '<anonymous>' : fn, file, line: Number(match[3]), column: Number(match[4]) };
}

/** Null for a URL of no file that could be here. */
function pathOf(file: string): string | null {
  if (!file.startsWith('file:')) return file;
  try {
    return fileURLToPath(file);
  } catch {
    // swallows: nothing waits here.
    return null;
  }
}

function* framesOf(error: Error): Generator<Frame> {
  // A string, unless the user's own Error.prepareStackTrace has made something else of it.
  const stack: unknown = error.stack;
  for (const text of typeof stack === 'string' ? stack.split('\n') : []) {
    const frame = frameOf(text);
    if (frame !== null) yield frame;
  }
}

/** The user's frames of a captured error, innermost first. */
export function userFrames(error: Error): Frame[] {
  return [...framesOf(error)].filter(({ file }) => !isLibrary(file));
}

/** Where the error was made, whoever's line that is; null if that is not known. */
export function topFrame(error: Error): Frame | null {
  for (const frame of framesOf(error)) return frame;
  return null;
}

/**
 * Gives an error of the kernel's the user's lines of the place where it comes out: it was made in a timer's callback, or in
 * another task's turn, and shows nothing of the user's.
 */
export function comesOutAt(place: Error, error: Error): void {
  const lines = userFrames(place).map(
    ({ fn, file, line, column }) => `    at ${fn} (${file}:${line}:${column})`,
  );
  if (lines.length > 0) error.stack = [`${error.name}: ${error.message}`, ...lines].join('\n');
}

/**
 * The same for what was made in a callback of Node's or in another task: for whoever has waited for it and passes it on. An error that
 * shows lines of the user's keeps them.
 * @param place where it comes out; here, if it is not given
 */
export function comesOutHere(error: unknown, place?: Error): void {
  if (error instanceof Error && userFrames(error).length === 0) comesOutAt(place ?? captureStack(), error);
}

/** Waits for what may fail in a callback of Node's, and lets its error come out here. */
export async function comingOutHere<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    comesOutHere(error);
    throw error;
  }
}

/** Whether a file is one of Curio's own, or of Node's. */
export function isLibrary(file: string): boolean {
  return (
    libraries.some((folder) => file.startsWith(folder) && '/\\'.includes(file[folder.length] ?? 'x')) ||
    file.startsWith('node:')
  );
}

/** Any value as text. Users throw what they like, also what cannot be made a string. */
export function valueText(value: unknown): string {
  try {
    return String(value);
  } catch {
    // swallows: what a toString() of the user's throws; the text is for people, and nobody waits for it.
    return `[${typeof value} that cannot be shown]`;
  }
}

/** The same, but not much more than a line or two: for a message that is to be read, and that may become part of another. */
export function shortText(value: unknown): string {
  const text = valueText(value);
  return text.length <= SHORT ? text : `${text.slice(0, SHORT)} …`;
}

/** An error as text for a log: its stack if it has one, and the stacks of its causes, and of the errors it is made of. Never throws. */
export function errorText(error: unknown, seen = new Set<unknown>()): string {
  seen.add(error);
  let text = stackText(error);
  for (const part of partsOf(error)) {
    if (seen.has(part)) continue;
    if (seen.size > CAUSES) return `${text}\n… and further errors`;
    text += `\nOne of its errors: ${errorText(part, seen)}`;
  }
  const cause = causeOf(error);
  if (cause === undefined || seen.has(cause)) return text;
  // Where tasks join tasks that join tasks, each failure is the cause of the next, and each of them is logged.
  if (seen.size > CAUSES) return `${text}\nCaused by: … and further causes`;
  return `${text}\nCaused by: ${errorText(cause, seen)}`;
}

function stackText(error: unknown): string {
  try {
    // Error.prepareStackTrace may have made anything of it.
    if (error instanceof Error && typeof error.stack === 'string') return error.stack;
    // As a string it would be '[object Object]'.
    if (typeof error === 'object' && error !== null)
      return process.getBuiltinModule('node:util').inspect(error);
  } catch {
    // swallows: what a getter of the user's throws.
  }
  return valueText(error);
}

function partsOf(error: unknown): unknown[] {
  try {
    if (error instanceof AggregateError) return [...error.errors];
    // Of a block with `using` and its clean-up. By name: where Node has no such class, compilers bring one.
    const { name, error: last, suppressed } = error as SuppressedError;
    return name === 'SuppressedError' ? [last, suppressed] : [];
  } catch {
    // swallows: what a getter of the user's throws.
    return [];
  }
}

function causeOf(error: unknown): unknown {
  try {
    return error instanceof Error ? error.cause : undefined;
  } catch {
    // swallows: what a getter of the user's throws.
    return undefined;
  }
}
