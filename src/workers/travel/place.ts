/*
 * Where the lines of a shipped function are in the user's own files.
 */

import { pathOf, urlOf } from './script.ts';

/** What the stack traces of the other side call a script, until its real name is asked for. */
export const scriptMark = (scriptId: string): string => `curio-script-${scriptId}`;

/** A stack from the other side, in the terms of this one. */
export function readableStack(stack: string): string {
  return stack.replace(/curio-script-(\d+):(\d+):(\d+)/g, (_, id: string, line: string, column: string) =>
    placeIn(id, Number(line), Number(column)),
  );
}

function placeIn(id: string, line: number, column: number): string {
  const url = urlOf(id);
  if (url === '') return `<anonymous>:${line}:${column}`;
  const { findSourceMap } = process.getBuiltinModule('node:module');
  // Node knows a map by whatever the script was called.
  const map = findSourceMap(url) ?? findSourceMap(pathOf(url) ?? url);
  const entry = map?.findEntry(line - 1, column - 1);
  if (entry !== undefined && 'originalSource' in entry && entry.originalSource !== '')
    return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  return `${url}:${line}:${column}`;
}
