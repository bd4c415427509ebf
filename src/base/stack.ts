/*
 * Stacks as the user wrote them: capturing one at an operation, and telling
 * the user's lines from the library's own and from Node's.
 */

import { fileURLToPath } from 'node:url';

/** One line of a user's stack. */
export interface Frame {
  fn: string;
  file: string;
  line: number;
  column: number;
}

// Everything below the folder that holds this module is the library: src/ when it
// runs from source, dist/ once built (where this very module may have been merged into a chunk).
const here = fileURLToPath(new URL('.', import.meta.url));
const library = here.replace(/[\\/]base[\\/]$/, '/').replace(/[\\/]$/, '');

const DEPTH = 50;

/** Captures the current stack, deep enough for a chain of async functions. Costs microseconds. */
export function captureStack(): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const error = new Error('stack');
  Error.stackTraceLimit = limit;
  return error;
}

const LINE = /^\s*at (?:async )?(?:(.*?) \()?(?:(file:\/\/.*?|\/.*?|[A-Za-z]:\\.*?):(\d+):(\d+))\)?$/;

/** The user's frames of a captured error, innermost first. */
export function userFrames(error: Error): Frame[] {
  const frames: Frame[] = [];
  for (const text of (error.stack ?? '').split('\n')) {
    const match = LINE.exec(text);
    if (match === null) continue;
    const file = match[2]!.startsWith('file:') ? fileURLToPath(match[2]!) : match[2]!;
    if (isLibrary(file)) continue;
    const fn = (match[1] ?? '').replace(/^(async|new) /, '');
    frames.push({
      fn: fn === '' ? '<anonymous>' : fn,
      file,
      line: Number(match[3]),
      column: Number(match[4]),
    });
  }
  return frames;
}

function isLibrary(file: string): boolean {
  return (
    (file.startsWith(library) && '/\\'.includes(file[library.length] ?? 'x')) || file.startsWith('node:')
  );
}

/** An error as text for a log: its stack if it has one, and the stacks of its causes. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  let text = error.stack ?? `${error.name}: ${error.message}`;
  const seen = new Set<unknown>([error]);
  for (let cause = error.cause; cause !== undefined && !seen.has(cause); ) {
    seen.add(cause);
    text += `\nCaused by: ${cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause)}`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return text;
}
