/*
 * Asks V8 about a function: where it stands, and what it has captured. The inspector
 * answers both in this very process, without the debugger, which would make everything slower.
 *
 * Knows nothing of shipments.
 */

import type { Session } from 'node:inspector';
import { mainGlobal } from '../../base/main-context.ts';
import { NotSupportedError } from '../../errors.ts';

/** What V8 knows about a function. */
export interface Inspection {
  /** V8's number of the script, and the place in it, from 0. */
  scriptId: string;
  line: number;
  column: number;
  /** The variables of the module of ECMAScript's that it stands in; null if it stands in none. */
  module: Record<string, unknown> | null;
  /** The variables around it, innermost scope first; no globals. */
  scopes: Record<string, unknown>[];
  /** What is behind a bound function. */
  bound: { target: unknown; self: unknown; args: unknown[] } | null;
}

interface RemoteObject {
  objectId?: string;
  value?: unknown;
}
interface Properties {
  internalProperties?: { name: string; value?: RemoteObject }[];
}

// The inspector finds things through names that a script can say.
const DESK = Symbol.for('curio.inspection');
const SAY_DESK = "globalThis[Symbol.for('curio.inspection')]";

type Desk = { fn: unknown; got: unknown };

/** Opens a session, for as long as `use` lasts. */
export function inspecting<T>(
  use: (post: (method: string, params?: object) => unknown, session: Session) => T,
): T {
  const { Session: InspectorSession } = process.getBuiltinModule('node:inspector');
  const session = new InspectorSession();
  try {
    session.connect();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ACCESS_DENIED') throw error;
    throw new NotSupportedError(
      "Node's --permission lets nobody ask V8 what a function has captured. Export the function from a module of its own and " +
        "hand over moduleFunction(import.meta.url, 'work') there, which needs no asking.",
      { cause: error },
    );
  }
  try {
    return use((method, params) => {
      let answer: unknown;
      let failure: Error | null = null;
      // Within one thread the answer comes before `post` returns.
      session.post(method, params, (error: Error | null, result?: object) => {
        failure = error;
        answer = result;
      });
      if (failure !== null) throw failure;
      return answer;
    }, session);
  } finally {
    session.disconnect();
  }
}

/** What V8 knows about `fn`; null for a function that is not written in JavaScript. */
export function inspectFunction(fn: unknown): Inspection | null {
  const world = mainGlobal() as unknown as Record<symbol, Desk | undefined>;
  const desk: Desk = { fn, got: null };
  world[DESK] = desk;
  try {
    return inspecting((post) => {
      const { result } = post('Runtime.evaluate', { expression: `${SAY_DESK}.fn` }) as {
        result: RemoteObject;
      };
      const { internalProperties } = post('Runtime.getProperties', {
        objectId: result.objectId,
        ownProperties: true,
      }) as Properties;
      const internals = new Map((internalProperties ?? []).map(({ name, value }) => [name, value]));
      const fetch = (name: string): unknown => {
        const remote = internals.get(name);
        if (remote?.objectId === undefined) return remote?.value;
        post('Runtime.callFunctionOn', {
          objectId: remote.objectId,
          functionDeclaration: `function () { ${SAY_DESK}.got = this; }`,
        });
        return desk.got;
      };
      const bound = internals.has('[[TargetFunction]]')
        ? {
            target: fetch('[[TargetFunction]]'),
            self: fetch('[[BoundThis]]'),
            args: Array.from((fetch('[[BoundArgs]]') ?? []) as ArrayLike<unknown>),
          }
        : null;
      if (bound !== null) return { scriptId: '', line: 0, column: 0, module: null, scopes: [], bound };
      const place = internals.get('[[FunctionLocation]]')?.value as
        | { scriptId: string; lineNumber: number; columnNumber: number }
        | undefined;
      if (place === undefined) return null;
      const list = Array.from(fetch('[[Scopes]]') as ArrayLike<{ description: string; object: object }>);
      return {
        scriptId: place.scriptId,
        line: place.lineNumber,
        column: place.columnNumber,
        module: list.find(({ description }) => description === 'Module')?.object ?? null,
        scopes: list.filter(({ description }) => description !== 'Global').map(({ object }) => object),
        bound: null,
      } as Inspection;
    });
  } finally {
    delete world[DESK];
  }
}
