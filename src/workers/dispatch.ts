/*
 * What runs a function elsewhere, once it is clear what is wanted. Loaded when a program does that for the first time.
 */

import type { AnyFunction } from '../base/callable.ts';
import { begin, block, callingTask, fail, note, refused, type TaskRecord } from '../traps.ts';
import { Call, type CallOptions } from './call.ts';
import { lineOf } from './line.ts';
import { poolOf } from './pools.ts';
import { pack } from './travel/pack.ts';
import { refuseShells } from './travel/shell.ts';

/** A call as a user meant it. */
export interface Order {
  who: string;
  kind: 'thread' | 'process';
  options: CallOptions;
  fn: AnyFunction;
  args: readonly unknown[];
}

/** Blocks (`FUTURE_WAIT`). */
export function send({ who, kind, options, fn, args }: Order): Promise<unknown> {
  const operation = `${who}()`;
  const task = callingTask();
  if (task === undefined) return refused(operation);
  const refusal = begin(task, operation);
  if (refusal !== null) return refusal;
  try {
    refuseShells(args, options.transfer ?? [], who);
    const call = new Call(fn, pack(fn, who), args, options);
    note(task, who, [fn, ...args]);
    submit(task, kind, who === 'blockInThread' ? fn : null, call);
    return block(task, 'FUTURE_WAIT', call);
  } catch (error) {
    // swallows: nothing; operations reject.
    return fail(task, error);
  }
}

function submit(task: TaskRecord, kind: 'thread' | 'process', alone: AnyFunction | null, call: Call): void {
  const pool = poolOf(task, kind);
  if (alone === null) pool.submit(call);
  else lineOf(pool, alone).submit(call);
}
