/*
 * What can be said about a function from its text alone: how it is made an expression again, and which names it uses
 * without declaring them.
 *
 * V8 itself is the parser. Every word of the text is declared as a variable around it; V8 then keeps
 * those, and only those, that the function uses from outside.
 */

import { inspectFunction } from './scopes.ts';
import type { Shape } from './shipment.ts';

export interface Reading {
  shape: Shape;
  strict: boolean;
  /** The names it uses from outside, global ones included. */
  free: string[];
  /** It says `import(…)`. */
  imports: boolean;
}

/** Why a text cannot be compiled elsewhere: the rest of a sentence that begins with the function. */
export class Unreadable {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/gu;

const RESERVED = new Set(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
   finally for function if implements import in instanceof interface let new null package private protected public return
   static super switch this throw true try typeof var void while with yield`.split(/\s+/),
);

const readings = new Map<string, Reading | Unreadable>();
const MANY = 5000;

/** Reads a function's text. The same text is read once. */
export function read(text: string): Reading | Unreadable {
  let reading = readings.get(text);
  if (reading === undefined) {
    if (readings.size >= MANY) readings.clear();
    reading = readAnew(text);
    readings.set(text, reading);
  }
  return reading;
}

/** What to write around a function's text to make an expression of it. */
export function asExpression(shape: Shape): { before: string; after: string } {
  if (shape === 'expression') return { before: '(', after: '\n)' };
  const property = shape === 'getter' ? 'get' : shape === 'setter' ? 'set' : 'value';
  // No name of a variable here: it might be one that the function uses.
  return {
    before: '((...of) => Object.values(Object.getOwnPropertyDescriptors(of[0]))[0])({',
    after: `\n}).${property}`,
  };
}

function shapes(text: string): Shape[] {
  if (/^get\b/.test(text)) return ['expression', 'getter', 'method'];
  if (/^set\b/.test(text)) return ['expression', 'setter', 'method'];
  return ['expression', 'method'];
}

function readAnew(text: string): Reading | Unreadable {
  if (/\{\s*\[native code\]\s*\}$/.test(text)) return new Unreadable('is not written in JavaScript');
  const words = [...new Set(text.match(WORD))].filter((word) => !RESERVED.has(word));
  let complaint = '';
  for (const strict of [true, false]) {
    for (const shape of shapes(text)) {
      const { before, after } = asExpression(shape);
      const declared = words.length === 0 ? '' : `let ${words.join(',')};`;
      let probe: () => unknown;
      try {
        // `() =>`: what stands there is compiled, and nothing of it runs, a class's static blocks included.
        probe = new Function(
          `${strict ? "'use strict';" : ''}${declared} return () => ${before}${text}${after}`,
        )() as typeof probe;
      } catch (error) {
        // swallows: a text that is no expression may be a method.
        complaint ||= String((error as Error).message);
        continue;
      }
      if (shape === 'method' && /\bsuper\s*[.[]/.test(text)) return new Unreadable('uses super');
      const around = Object.keys(inspectFunction(probe)?.scopes[0] ?? {});
      if (around.includes('arguments')) {
        // To a direct eval() all is visible, and nothing tells what it uses.
        const says = /\barguments\b/.test(text);
        return new Unreadable(
          says
            ? 'uses the arguments of the function around it'
            : 'calls eval(), which sees all variables around it',
        );
      }
      return {
        shape,
        strict,
        free: around.filter((name) => words.includes(name)),
        imports: /\bimport\s*\(/.test(text),
      };
    }
  }
  if (/\bimport\s*\.\s*meta\b/.test(text)) return new Unreadable('uses import.meta');
  if (/#/.test(text)) return new Unreadable('uses private members of its class');
  return new Unreadable(`cannot be compiled elsewhere (${complaint})`);
}
